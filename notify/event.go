package notify

import (
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/garminkit/activityapi/types"
)

// Event is one item of a notification body: a [*Ping], a [*FilePing], a [*Push],
// a [*Deregistration], a [*PermissionChange] or an [*Unrecognized]. No other
// package can add to the set. A type switch should still have a default, since
// later versions may add types.
type Event interface {
	// Pos returns the item's position in the body.
	Pos() Position
	// Owner returns the item's Garmin user id, or "".
	Owner() types.UserID

	event()
}

// setOwner gives the event the id that its user has in this process. The names
// of applications are in no body.
func setOwner(ev Event, user types.UserID) {
	switch ev := ev.(type) {
	case *Ping:
		ev.UserID = user
	case *FilePing:
		ev.File.UserID = user
	case *Push:
		ev.UserID = user
		setSummaryOwner(ev.Summary, user)
	case *Deregistration:
		ev.UserID = user
	case *PermissionChange:
		ev.UserID = user
	}
}

// setSummaryOwner does that for a summary.
func setSummaryOwner(s types.Summary, user types.UserID) {
	setUser(s, user)
	if d, ok := s.(*types.ActivityDetails); ok && d.Summary.UserID != "" {
		d.Summary.UserID = user
	}
}

// ownerOf returns the user id that a summary names, or "" where Garmin left it out,
// as it may in the answer to a pull.
func ownerOf(s types.Summary) types.UserID {
	switch s := s.(type) {
	case *types.Activity:
		return s.UserID
	case *types.ManualActivity:
		return s.UserID
	case *types.ActivityDetails:
		return s.UserID
	case *types.MoveIQ:
		return s.UserID
	}
	return ""
}

// Position is the place of an event in its body. Every event embeds one.
type Position struct {
	// Key is the item's list key, such as "activities".
	Key string
	// Index counts the items under Key in the whole body, from 0.
	Index int
	// Offset and Size give the item's bytes in the body.
	Offset, Size int64
	// Raw is a copy of those bytes. It is nil unless the decoder was asked to
	// keep it; an [*Unrecognized] and an item with Defects have it always.
	Raw json.RawMessage
	// Truncated means that Raw holds only the end of the item. That happens for
	// an item larger than 256 KiB if the decoder was not asked to keep it, and
	// for one larger than Decoder.MaxItem. Offset and Size still give the whole
	// item.
	Truncated bool
	// Defects are the item's unreadable values, which are absent in the event. It
	// is nil if there are none, and for an [*Unrecognized].
	Defects *types.Defects
}

// Pos returns the position itself.
func (i Position) Pos() Position { return i }

// String returns the place, such as "activities[3]".
func (i Position) String() string { return fmt.Sprintf("%s[%d]", i.Key, i.Index) }

// LogValue returns the place without the raw bytes, which may hold secrets.
func (i Position) LogValue() slog.Value { return slog.StringValue(i.String()) }

func (Position) event() {}

// Ping says that a user has new data of one kind, and where to pull it (Activity
// API, section 4). Pass Kind and CallbackURL to the client of that user.
type Ping struct {
	Position
	Kind   types.Kind
	UserID types.UserID
	// UserAccessToken came only for OAuth 1.0a users; it is absent since Garmin
	// moved to OAuth 2.
	UserAccessToken types.Secret
	// CallbackURL comes from the network: do not dial it unchecked.
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
	// Summary is nil if the decoder was asked only for the envelope.
	Summary types.Summary
}

// Owner returns UserID.
func (p *Push) Owner() types.UserID { return p.UserID }

// Deregistration says that the user has disconnected: no more data will come, and
// the user's tokens are dead. It also follows when the partner deregisters a
// user.
type Deregistration struct {
	Position
	UserID          types.UserID
	UserAccessToken types.Secret
}

// Owner returns UserID.
func (d *Deregistration) Owner() types.UserID { return d.UserID }

// PermissionChange holds the full set of permissions that the user now grants. An
// empty set does not end the connection. A nil Permissions means that Garmin left
// it out or that it could not be read: ask Garmin then. Apply the newest by
// ChangeTimeInSeconds, since notifications arrive in any order.
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

// Unrecognized is an item that cannot be identified: it has no readable user id,
// summary id or callback URL, has an unknown list key, or is larger than
// Decoder.MaxItem. Raw holds it (see [Position]). Err, a [*types.DecodeError],
// says why. The items around it are not affected.
type Unrecognized struct {
	Position
	Err error
}

// Owner returns "": nothing in the item is trusted.
func (u *Unrecognized) Owner() types.UserID { return "" }
