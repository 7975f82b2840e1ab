package activitytest

import (
	"slices"
	"time"

	"github.com/garminkit/activityapi/types"
)

// UserState is what the server knows of a user.
type UserState struct {
	// Connected is whether the user is connected to the partner.
	Connected bool
	// Permissions are what the user grants. [User.SetPermissions] changes them.
	Permissions []types.Permission
	// HistoryFrom is the earliest start that a backfill accepts. It moves with the
	// clock for a user who never connected.
	HistoryFrom time.Time

	// AccessToken is the newest OAuth 2 access token, or "" if the user has none.
	AccessToken string
	// AccessExpires is when AccessToken expires.
	AccessExpires time.Time
	// RefreshToken is the OAuth 2 refresh token, or "" if the user has none.
	RefreshToken string
	// RefreshExpires is when RefreshToken expires.
	RefreshExpires time.Time
	// PullToken is a new token for pulls of the user's data, like those of
	// Garmin's web page "API Pull Token". It is valid for seven days.
	PullToken string
	// ItemToken is the userAccessToken in the user's notifications, as for users
	// who have not moved to OAuth 2. "" means that notifications have none. A new
	// connection by OAuth 2 removes it.
	ItemToken string

	// Records counts the user's data by kind, history included.
	Records map[types.Kind]int
	// Backfilled has the accepted backfills by kind, the oldest request first. Both
	// ends of a window are included.
	Backfilled map[types.Kind][]types.Window
}

// State returns what the server knows of the user now.
func (u *User) State() UserState {
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	return u.state()
}

func (u *User) state() UserState {
	v := UserState{
		Connected: !u.gone, Permissions: slices.Clone(u.permissions), HistoryFrom: u.limit(),
		PullToken: u.s.pullToken(u, u.s.now().Add(pullTokenLife)), ItemToken: u.itemToken,
		Records: make(map[types.Kind]int), Backfilled: make(map[types.Kind][]types.Window),
	}
	if n := len(u.access); n > 0 {
		v.AccessToken, v.AccessExpires = u.access[n-1].value, u.access[n-1].expires
	}
	if u.refresh != nil {
		v.RefreshToken, v.RefreshExpires = u.refresh.value, u.refresh.expires
	}
	for _, kind := range types.Kinds() {
		v.Records[kind] = u.counts[kind]
		for _, b := range u.s.ledger.done[ledgerKey{u, kind}] {
			v.Backfilled[kind] = append(v.Backfilled[kind], types.Window{Start: b.start, End: b.end})
		}
	}
	return v
}

// Change lets f set fields of the user's state: HistoryFrom, ItemToken,
// AccessExpires, which is then that of every access token, and RefreshExpires. If
// f sets AccessToken or RefreshToken to "", the user loses these tokens. Change
// panics if f sets anything else; see [User.Connect], [User.Deregister] and
// [User.SetPermissions].
func (u *User) Change(f func(*UserState)) {
	old := u.State()
	v := old
	v.Permissions = slices.Clone(old.Permissions)
	f(&v)
	other := func(have, want string) bool { return have != want && have != "" }
	if v.Connected != old.Connected || !slices.Equal(v.Permissions, old.Permissions) ||
		other(v.AccessToken, old.AccessToken) || other(v.RefreshToken, old.RefreshToken) {
		panic("activitytest: User.Change cannot set this field")
	}
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	defer u.s.touch()
	if !v.HistoryFrom.Equal(old.HistoryFrom) {
		u.historyFrom = v.HistoryFrom
	}
	if v.ItemToken != old.ItemToken {
		u.itemToken = v.ItemToken
	}
	if !v.AccessExpires.Equal(old.AccessExpires) {
		for _, t := range u.access {
			t.expires = v.AccessExpires
		}
	}
	if u.refresh != nil && !v.RefreshExpires.Equal(old.RefreshExpires) {
		u.refresh.expires = v.RefreshExpires
	}
	if v.AccessToken != old.AccessToken {
		u.revokeAccess()
	}
	if v.RefreshToken != old.RefreshToken {
		u.revokeRefresh()
	}
}
