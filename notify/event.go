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
	// Pos tells where in the body the item stands.
	Pos() Position
	// Owner returns the id of the Garmin user the item is about, or "".
	Owner() types.UserID

	event()
}

// Position is the place of an event in its body. Every event has one embedded.
type Position struct {
	// Key is the list key the item stands under, such as "activities".
	Key string
	// Index counts the items under Key in the whole body, from 0.
	Index int
	// Offset and Size give the item's bytes in the body.
	Offset, Size int64
	// Raw is a copy of those bytes. It is nil unless the decoder was asked to
	// keep it; an [*Unrecognized] and an item with Defects have it always.
	Raw json.RawMessage
	// Truncated tells that Raw is only the end of the item. That happens where
	// the decoder was not asked to keep it, for an item larger than 256 KiB, and
	// for one larger than Decoder.MaxItem; Offset and Size still tell where the
	// whole of it stands.
	Truncated bool
	// Defects are the values of the item that could not be read and are absent
	// in the event. It is nil if all could, and for an [*Unrecognized].
	Defects *types.Defects
}

// Pos returns the position itself.
func (i Position) Pos() Position { return i }

// String names the place, as "activities[3]".
func (i Position) String() string { return fmt.Sprintf("%s[%d]", i.Key, i.Index) }

// LogValue gives the place without the raw bytes, which may hold secrets.
func (i Position) LogValue() slog.Value { return slog.StringValue(i.String()) }

func (Position) event() {}

// Ping says that a user has new data of one kind, and where to pull it
// (Activity API, section 4). Hand UserID, Kind and CallbackURL to the client
// of that user.
type Ping struct {
	Position
	Kind   types.Kind
	UserID types.UserID
	// UserAccessToken came with OAuth 1.0a users only; it is absent since
	// Garmin moved to OAuth 2.
	UserAccessToken types.Secret
	// CallbackURL comes from the network: do not dial it as it is.
	CallbackURL types.Secret
}

// Owner returns UserID.
func (p *Ping) Owner() types.UserID { return p.UserID }

// FilePing says that an activity's file can be downloaded, once and within 24
// hours (Activity API, section 7.4).
type FilePing struct {
	Position
	File            types.ActivityFile
	UserAccessToken types.Secret
}

// Owner returns File.UserID.
func (p *FilePing) Owner() types.UserID { return p.File.UserID }

// Push carries a user's data itself (Activity API, section 5).
type Push struct {
	Position
	Kind            types.Kind
	UserID          types.UserID
	UserAccessToken types.Secret
	SummaryID       types.ID
	// Summary is nil if the decoder was asked for the envelope only.
	Summary types.Summary
}

// Owner returns UserID.
func (p *Push) Owner() types.UserID { return p.UserID }

// Deregistration says that the user has disconnected; nothing more will come
// and their tokens are dead. Deregistering a user ourselves causes one too.
type Deregistration struct {
	Position
	UserID          types.UserID
	UserAccessToken types.Secret
}

// Owner returns UserID.
func (d *Deregistration) Owner() types.UserID { return d.UserID }

// PermissionChange gives the full set of permissions the user now grants. It
// may be empty; the connection stands all the same. It is nil if Garmin left it
// out or it could not be read, which says nothing about the user: ask Garmin
// then. Apply the newest by ChangeTimeInSeconds, since notifications arrive in
// any order.
type PermissionChange struct {
	Position
	UserID              types.UserID
	UserAccessToken     types.Secret
	SummaryID           types.ID
	Permissions         []types.Permission
	ChangeTimeInSeconds types.Timestamp
}

// Owner returns UserID.
func (c *PermissionChange) Owner() types.UserID { return c.UserID }

// Unrecognized is an item that cannot be told from others, or is none: one
// without a readable user, summary id or callback URL, with an unknown list key,
// or larger than Decoder.MaxItem. Raw holds it (see [Position]), and Err says why: it
// is a [*types.DecodeError]. The items around it are not affected.
type Unrecognized struct {
	Position
	Err error
}

// Owner returns "": nothing in the item is trusted.
func (u *Unrecognized) Owner() types.UserID { return "" }
