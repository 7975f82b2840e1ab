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

// Callbacks are your functions, which a [Processor] calls with the items. Save,
// Deregistration and PermissionChange are required.
//
// If a callback returns nil, the item is finished. If it returns an error, it is
// called again later. It may also be called again after it returned nil, if the
// process died at that moment; see [Delivery.Replaces]. Callbacks run
// concurrently for different users, and must return when ctx ends. A panic
// counts as an error.
type Callbacks struct {
	// Save takes every summary, pushed or pulled. Use a type switch to tell them
	// apart.
	Save func(ctx context.Context, d *Delivery, s types.Summary) error

	// File is called for each file once it is stored. It may be nil.
	File func(ctx context.Context, d *Delivery, f *File) error

	// Deregistration is called when the user has disconnected. Nothing in the
	// notification proves that it came from Garmin. Before you delete anything,
	// check that Garmin refuses a call for the user, as auth.Users.Disconnected
	// does.
	Deregistration func(ctx context.Context, d *Delivery, e *Deregistration) error
	// PermissionChange is called with what the user now allows. Keep the newest
	// by ChangeTimeInSeconds.
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

// Delivery says to whom an item belongs and how it arrived.
type Delivery struct {
	// Key identifies this content. It is made of the kind, the Garmin user, the
	// summary id, Revision and your user, and is the same whenever the same
	// content is delivered. Do not ignore a delivery because its key is known:
	// when an edit is undone, an old key returns. [Delivery.Replaces] says what
	// to store. (The spool and PostgreSQL do not deliver a body that is identical
	// to one of the last 8 days, and so may not deliver an edit that is undone
	// within that time.)
	Key string
	// Record identifies the thing of which this content is a version: a summary,
	// a file, or whatever Kind says, of one Garmin user and one of your users.
	// All versions have the same Record; store a summary under it. An activity
	// edited by hand arrives as a [types.ManualActivity] with the same summary
	// id, and has the same Record; its details have another. If you have a table
	// for each type, you may use user and summary id instead, with activities
	// and manual activities in one table.
	Record string
	// Revision is the SHA-256 of the content, in hexadecimal: of the item or the
	// pulled summary as Garmin sent it, or of a file's bytes.
	Revision string
	// Kind is the list key the item came under.
	Kind types.Kind
	// UserID is Garmin's id of the user, and User is yours.
	UserID types.UserID
	User   User
	// Pulled means that the data was fetched from Garmin over TLS. Otherwise it
	// was pushed, and whoever can reach the endpoint may have sent it.
	Pulled bool
	// Order grows with arrival among the items of one Garmin user. A redriven
	// dead letter keeps its Order. Store it beside the summary for
	// [Delivery.Replaces], so that an older version that is delivered late does
	// not replace a newer one. It fits an int64.
	Order uint64
	// Attempt counts from 1. After a restart it continues, unless the queue has
	// lost the count.
	Attempt int
	// Received is when the notification was stored.
	Received time.Time
}

func newDelivery(it *Item, u User, kind types.Kind, id types.ID, rev revision) *Delivery {
	hash := hex.EncodeToString(rev[:])
	part := url.PathEscape // escapes slashes, so that keys cannot collide
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

// revisionOf is the hash of a pulled summary's bytes on the wire. If a [Client]
// does not set it, it is that of Raw, or of our own JSON.
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
