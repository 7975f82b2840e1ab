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
// of item. Deregistration and PermissionChange are required, and so is Save
// unless all four typed callbacks are there.
//
// A callback that returns nil has taken the item for good. After an error it
// is called again later, and it may be called again after a nil too, if the
// process died at that moment: see [Delivery.Key]. Callbacks run concurrently
// for different users and must honour ctx. A panic counts as an error.
type Callbacks struct {
	// Save takes every summary that has no callback of its own below, pushed
	// or pulled.
	Save func(ctx context.Context, d *Delivery, s types.Summary) error

	Activity        func(ctx context.Context, d *Delivery, a *types.Activity) error
	ManualActivity  func(ctx context.Context, d *Delivery, a *types.ManualActivity) error
	ActivityDetails func(ctx context.Context, d *Delivery, a *types.ActivityDetails) error
	MoveIQ          func(ctx context.Context, d *Delivery, m *types.MoveIQ) error

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

// complete reports what is missing, or "".
func (c *Callbacks) missing() string {
	switch {
	case c.Deregistration == nil:
		return "Callbacks.Deregistration is required: Garmin asks for it"
	case c.PermissionChange == nil:
		return "Callbacks.PermissionChange is required: Garmin asks for it"
	case c.Save == nil && (c.Activity == nil || c.ManualActivity == nil || c.ActivityDetails == nil || c.MoveIQ == nil):
		return "Callbacks.Save is required unless every summary has its own callback"
	}
	return ""
}

// summary hands s to the callback for its type.
func (c *Callbacks) summary(ctx context.Context, d *Delivery, s types.Summary) error {
	switch s := s.(type) {
	case *types.Activity:
		if c.Activity != nil {
			return c.Activity(ctx, d, s)
		}
	case *types.ManualActivity:
		if c.ManualActivity != nil {
			return c.ManualActivity(ctx, d, s)
		}
	case *types.ActivityDetails:
		if c.ActivityDetails != nil {
			return c.ActivityDetails(ctx, d, s)
		}
	case *types.MoveIQ:
		if c.MoveIQ != nil {
			return c.MoveIQ(ctx, d, s)
		}
	}
	return c.Save(ctx, d, s)
}

// Delivery tells whose an item is and how it came.
type Delivery struct {
	// Key is the idempotency key. It is made of the kind, the Garmin user, the
	// summary id, Revision and the partner's user, and it is the same for
	// every repetition of the same content: whoever keeps, with each summary, the
	// key it was last stored under may drop a delivery with that key. An edited
	// summary has the same id and another key; store it over the old one. Do not
	// drop a key for having been there once: an edit can be taken back.
	Key string
	// Revision is the SHA-256 of the content, in hexadecimal: of the item as
	// Garmin sent it, of a pulled summary (its Raw if kept, else its JSON), or
	// of a file's bytes.
	Revision string
	// Kind is the list key the item came under.
	Kind types.Kind
	// UserID is the Garmin user, User the partner's.
	UserID string
	User   User
	// Pulled tells that the data was fetched from Garmin over TLS, and not
	// pushed by whoever could reach the endpoint.
	Pulled bool
	// Attempt counts from 1. The count begins anew with the process.
	Attempt int
	// Received is when the notification was stored.
	Received time.Time
}

func newDelivery(w *work, u User, kind types.Kind, id types.ID, rev revision) *Delivery {
	hash := hex.EncodeToString(rev[:])
	part := url.PathEscape // leaves no slash, so that keys cannot run together
	return &Delivery{
		Key:      strings.Join([]string{part(string(kind)), part(w.user), part(string(id)), hash, part(u.ID)}, "/"),
		Revision: hash,
		Kind:     kind,
		UserID:   w.user,
		User:     u,
		Attempt:  w.attempt,
		Received: w.body.Received(),
	}
}

// revision is the hash of an item's content.
type revision [sha256.Size]byte

// revisionOf hashes a pulled summary.
func revisionOf(s types.Summary) (revision, error) {
	var raw []byte
	switch s := s.(type) {
	case *types.Activity:
		raw = s.Raw
	case *types.ManualActivity:
		raw = s.Raw
	case *types.ActivityDetails:
		raw = s.Raw
	case *types.MoveIQ:
		raw = s.Raw
	}
	if raw == nil {
		var err error
		if raw, err = json.Marshal(s); err != nil {
			return revision{}, err
		}
	}
	return sha256.Sum256(raw), nil
}
