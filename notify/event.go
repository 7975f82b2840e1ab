package notify

import (
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/garminkit/activityapi/types"
)

// Event is one item of a notification body: a [*Ping], a [*FilePing], a
// [*Push], a [*Deregistration], a [*PermissionChange] or an [*Unrecognized].
// No other package can add to the set; a type switch over it should have a
// default all the same, since Garmin may.
type Event interface {
	// Place tells where in the body the item stands.
	Place() Item
	// Owner returns the id of the Garmin user the item is about, or "".
	Owner() string

	event()
}

// Item is the place of an event in its body. Every event has one embedded.
type Item struct {
	// Key is the list key the item stands under, such as "activities".
	Key string
	// Index counts the items under Key in the whole body, from 0.
	Index int
	// Offset and Size give the item's bytes in the body.
	Offset, Size int64
	// Raw is a copy of those bytes. It is nil unless the decoder was asked to
	// keep it; an [*Unrecognized] has it always.
	Raw json.RawMessage
	// Truncated tells that Raw is only the end of the item. That happens to an
	// [*Unrecognized] larger than 256 KiB, read from a stream that cannot be read
	// again, as a file can; Offset and Size still tell where the whole of it stands.
	Truncated bool
}

// Place returns the item itself.
func (i Item) Place() Item { return i }

// String names the place, as "activities[3]".
func (i Item) String() string { return fmt.Sprintf("%s[%d]", i.Key, i.Index) }

// LogValue gives the place without the raw bytes, which may hold secrets.
func (i Item) LogValue() slog.Value { return slog.StringValue(i.String()) }

func (Item) event() {}

// Ping says that a user has new data of one kind, and where to pull it
// (Activity API, section 4). Hand UserID, Kind and CallbackURL to the client
// of that user.
type Ping struct {
	Item
	Kind   types.Kind
	UserID string
	// UserAccessToken came with OAuth 1.0a users only; it is absent since
	// Garmin moved to OAuth 2.
	UserAccessToken types.Secret
	// CallbackURL comes from the network: do not dial it as it is.
	CallbackURL types.Secret
}

// Owner returns UserID.
func (p *Ping) Owner() string { return p.UserID }

// FilePing says that an activity's file can be downloaded, once and within 24
// hours (Activity API, section 7.4).
type FilePing struct {
	Item
	File            types.ActivityFile
	UserAccessToken types.Secret
}

// Owner returns File.UserID.
func (p *FilePing) Owner() string { return p.File.UserID }

// Push carries a user's data itself (Activity API, section 5).
type Push struct {
	Item
	UserID          string
	UserAccessToken types.Secret
	Summary         types.Summary
}

// Owner returns UserID.
func (p *Push) Owner() string { return p.UserID }

// Deregistration says that the user has disconnected; nothing more will come
// and their tokens are dead. Deregistering a user ourselves causes one too.
type Deregistration struct {
	Item
	UserID          string
	UserAccessToken types.Secret
}

// Owner returns UserID.
func (d *Deregistration) Owner() string { return d.UserID }

// PermissionChange gives the full set of permissions the user now grants. It
// may be empty; the connection stands all the same. Apply the newest by
// ChangeTimeInSeconds, since notifications arrive in any order.
type PermissionChange struct {
	Item
	UserID              string
	UserAccessToken     types.Secret
	SummaryID           types.ID
	Permissions         []types.Permission
	ChangeTimeInSeconds types.Timestamp
}

// Owner returns UserID.
func (c *PermissionChange) Owner() string { return c.UserID }

// Unrecognized is an item that could not be read: a bad value, an unknown list
// key, an item without user. Raw holds it (see [Item]), and Err says why. The items
// around it are not affected.
type Unrecognized struct {
	Item
	Err error
}

// Owner returns "": nothing in the item is trusted.
func (u *Unrecognized) Owner() string { return "" }
