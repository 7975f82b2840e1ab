package notify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/garminkit/activityapi/types"
)

// Callbacks are the partner's side of a [Processor]: what to do with each kind
// of item. Save, Deregistration and PermissionChange are required.
//
// A callback that returns nil has taken the item for good. After an error it
// is called again later, and it may be called again after a nil too, if the
// process died at that moment: see [Delivery.Replaces]. Callbacks run concurrently
// for different users and must honour ctx. A panic counts as an error.
type Callbacks struct {
	// Save takes every summary, pushed or pulled. A type switch tells them
	// apart.
	Save func(ctx context.Context, d *Delivery, s types.Summary) error

	// File is told of each file that is in place. nil means that nobody needs
	// to be told.
	File func(ctx context.Context, d *Delivery, f *File) error

	// Deregistration is told that the user has disconnected. Nothing in the
	// notification proves that it came from Garmin: before anything is deleted,
	// see a call for the user refused, as auth.Users.Disconnected does.
	Deregistration func(ctx context.Context, d *Delivery, e *Deregistration) error
	// PermissionChange is told what the user now allows. Keep the newest by
	// ChangeTimeInSeconds.
	PermissionChange func(ctx context.Context, d *Delivery, e *PermissionChange) error
}

// missing reports what is missing, or "".
func (c *Callbacks) missing() string {
	switch {
	case c.Deregistration == nil:
		return "Callbacks.Deregistration is required: Garmin asks for it"
	case c.PermissionChange == nil:
		return "Callbacks.PermissionChange is required: Garmin asks for it"
	case c.Save == nil:
		return "Callbacks.Save is required"
	}
	return ""
}

// Delivery tells whose an item is and how it came.
type Delivery struct {
	// Key names this content: it is made of the kind, the Garmin user, the
	// summary id, Revision and the partner's user, and is the same whenever the
	// same content is delivered. Do not drop a key for having been there once: an
	// edit can be taken back. A queue that knows repeats, as the spool does, does
	// not deliver one that was taken back within the repeat time by a body of the
	// very same bytes: see [Redeliveries]. See [Delivery.Replaces] for what to store.
	Key string
	// Record names what the content is a version of, and is the same for all of
	// them: a summary, a file, or what else the Kind says, of one Garmin user and
	// one of the partner's users. It is the key to store a summary under. An
	// activity that its user edits by hand arrives as a [types.ManualActivity]
	// with the same summary id, and has the same Record; its details have another.
	// A partner with a table for each type uses user and summary id, and keeps
	// both of these in one table.
	Record string
	// Revision is the SHA-256 of the content, in hexadecimal: of the item or the
	// pulled summary as Garmin sent it, or of a file's bytes.
	Revision string
	// Kind is the list key the item came under.
	Kind types.Kind
	// UserID is the Garmin user, User the partner's.
	UserID types.UserID
	User   User
	// Pulled tells that the data was fetched from Garmin over TLS, and not
	// pushed by whoever could reach the endpoint.
	Pulled bool
	// Order grows with arrival among the items of one Garmin user, and a dead
	// letter that is driven again has the Order it had. Stored beside a summary it
	// protects the summary from an older version, even one that a process delivers
	// which was taken for dead: see [Delivery.Replaces]. It fits a signed integer
	// of 64 bits.
	Order uint64
	// Attempt counts from 1, over restarts too, as far as the queue remembers.
	Attempt int
	// Received is when the notification was stored.
	Received time.Time
}

func newDelivery(it *Item, u User, kind types.Kind, id types.ID, rev revision) *Delivery {
	hash := hex.EncodeToString(rev[:])
	part := url.PathEscape // leaves no slash, so that keys cannot run together
	return &Delivery{
		Key:      strings.Join([]string{part(string(kind)), part(string(it.UserID)), part(string(id)), hash, part(u.ID)}, "/"),
		Record:   recordOf(kind, it.UserID, id, u.ID),
		Revision: hash,
		Kind:     kind,
		UserID:   it.UserID,
		User:     u,
		Order:    it.Order,
		Attempt:  it.Attempts + 1,
		Received: it.Received,
	}
}

// revision is the hash of an item's content.
type revision [sha256.Size]byte

// revisionOf is the hash of a pulled summary's bytes on the wire. A [Follower]
// that does not give it gets that of Raw, else of our own JSON.
func revisionOf(s types.Summary) (revision, error) {
	var sum revision
	var raw []byte
	switch s := s.(type) {
	case *types.Activity:
		sum, raw = s.SHA256, s.Raw
	case *types.ManualActivity:
		sum, raw = s.SHA256, s.Raw
	case *types.ActivityDetails:
		sum, raw = s.SHA256, s.Raw
	case *types.MoveIQ:
		sum, raw = s.SHA256, s.Raw
	}
	if sum != (revision{}) {
		return sum, nil
	}
	if raw == nil {
		var err error
		if raw, err = json.Marshal(s); err != nil {
			return revision{}, err
		}
	}
	return sha256.Sum256(raw), nil
}
