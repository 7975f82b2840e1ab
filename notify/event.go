package notify

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"

	"github.com/garminkit/activityapi/types"
)

// Event is one item of a notification body. It prints and logs as its place in
// the body, such as "activities[3]".
type Event struct {
	// Key is the item's list key, such as "activities".
	Key string
	// Index counts the items under Key in the whole body, from 0.
	Index int
	// Offset and Size say where the item's bytes are in the body.
	Offset, Size int64
	// Raw is a copy of those bytes. It is nil unless Decoder.KeepRaw is set,
	// except for an [*Unrecognized] and an item with Defects, which always have
	// it.
	Raw json.RawMessage
	// Truncated means that Raw holds only the end of the item. That happens if
	// the item is larger than 256 KiB and KeepRaw is not set, or larger than
	// Decoder.MaxItem. Offset and Size are still those of the whole item.
	Truncated bool
	// Defects are the item's unreadable values, which are absent in Data. It is
	// nil if there are none, and for an [*Unrecognized].
	Defects *types.Defects

	// UserID is Garmin's id of the user, or "" for an [*Unrecognized], in which
	// nothing is trusted.
	UserID types.UserID
	// Data is the item's content.
	Data Data
}

// String returns the place, such as "activities[3]".
func (e Event) String() string { return fmt.Sprintf("%s[%d]", e.Key, e.Index) }

// LogValue returns the place without the item, which may hold secrets.
func (e Event) LogValue() slog.Value { return slog.StringValue(e.String()) }

// Data is the content of an [Event]: a [*Ping], a [*FilePing], a [*Push], a
// [*Deregistration], a [*PermissionChange] or an [*Unrecognized]. No other
// package can add to the set. A type switch should still have a default, since
// later versions may add types.
//
// Printed, logged or encoded as JSON, Data shows no secret and nothing of the
// user's activities. To keep an item, keep Event.Raw.
type Data interface {
	data()
}

// setOwner gives the event the id that its user has in this process. The names
// of applications are in no body.
func setOwner(ev *Event, user types.UserID) {
	ev.UserID = user
	switch data := ev.Data.(type) {
	case *FilePing:
		data.File.UserID = user
	case *Push:
		setSummaryOwner(data.Summary, user)
	}
}

// setSummaryOwner does that for a summary.
func setSummaryOwner(s types.Summary, user types.UserID) {
	if id := userOf(s); id != nil {
		*id = user
	}
	if d, ok := s.(*types.ActivityDetails); ok && d.Summary.UserID != "" {
		d.Summary.UserID = user
	}
}

// userOf returns where a summary has its user id, which is "" where Garmin left it
// out, as it may in the answer to a pull. It is nil without a summary.
func userOf(s types.Summary) *types.UserID {
	switch s := s.(type) {
	case *types.Activity:
		return &s.UserID
	case *types.ManualActivity:
		return &s.UserID
	case *types.ActivityDetails:
		return &s.UserID
	case *types.MoveIQ:
		return &s.UserID
	}
	return nil
}

// Ping says that a user has new data of one kind, and where to pull it (Activity
// API, section 4). Pass Kind and CallbackURL to the client of that user.
type Ping struct {
	Kind types.Kind
	// UserAccessToken came only for OAuth 1.0a users; it is absent since Garmin
	// moved to OAuth 2.
	UserAccessToken types.Secret `json:"-"`
	// CallbackURL comes from the network: do not request it without the checks of
	// package activity's Client.
	CallbackURL types.Secret `json:"-"`
}

// FilePing says that an activity's file can be downloaded, once and within 24
// hours (Activity API, section 7.4). The Raw field of File is nil; use Event.Raw.
type FilePing struct {
	File            types.ActivityFile `json:"-"`
	UserAccessToken types.Secret       `json:"-"`
}

// Push is an item that holds the data itself (Activity API, section 5).
type Push struct {
	Kind            types.Kind
	UserAccessToken types.Secret `json:"-"`
	SummaryID       types.ID
	// Summary is nil if Decoder.Envelope was set.
	Summary types.Summary `json:"-"`
}

// Deregistration says that the user has disconnected: no more data will come, and
// the user's tokens are no longer valid. It also comes after you deregister a
// user.
type Deregistration struct {
	UserAccessToken types.Secret `json:"-"`
}

// PermissionChange has all permissions that the user now grants. None does not
// end the connection. If Permissions is nil, Garmin left the list out or it could
// not be read: ask Garmin, with Permissions of package activity's Client. Apply
// the newest by ChangeTimeInSeconds, since notifications arrive in any order.
type PermissionChange struct {
	UserAccessToken     types.Secret `json:"-"`
	SummaryID           types.ID
	Permissions         []types.Permission
	ChangeTimeInSeconds types.Timestamp
}

// Unrecognized is an item that cannot be identified: a user id, summary id or
// callback URL that it needs is not readable, it has an unknown list key, or it
// is larger than Decoder.MaxItem. Event.Raw holds it. Err, a
// [*types.DecodeError], says why. The items around it are not affected.
type Unrecognized struct {
	Err error
}

// Format prints the kind.
func (p Ping) Format(f fmt.State, _ rune) { write(f, "ping for ", p.Kind) }

// Format prints the summary id.
func (p FilePing) Format(f fmt.State, _ rune) { write(f, "ping for file ", p.File.SummaryID) }

// Format prints the kind and the summary id.
func (p Push) Format(f fmt.State, _ rune) { write(f, string(p.Kind)+" ", p.SummaryID) }

// Format prints the word "deregistration" for every verb.
func (d Deregistration) Format(f fmt.State, _ rune) { write(f, "deregistration", "") }

// Format prints the permissions.
func (c PermissionChange) Format(f fmt.State, _ rune) {
	write(f, "permissions ", fmt.Sprint(c.Permissions))
}

// write is for the Format methods, which print the same with any verb. Fields of type
// [types.Secret] would not be enough: for a pointer inside a struct, %s calls no
// methods of what it points to.
func write[T ~string](f fmt.State, what string, of T) { _, _ = io.WriteString(f, what+string(of)) }

func (*Ping) data()             {}
func (*FilePing) data()         {}
func (*Push) data()             {}
func (*Deregistration) data()   {}
func (*PermissionChange) data() {}
func (*Unrecognized) data()     {}
