package activitytest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/garminkit/activityapi/types"
)

// UserOptions are the optional properties of a new user. nil means the zero
// value.
type UserOptions struct {
	// ID is the Garmin user id. If empty, it is generated: alternately a dashed
	// UUID and 32 hex digits, since Garmin uses both.
	ID types.UserID
	// Permissions are what the user grants. nil means ACTIVITY_EXPORT and
	// HISTORICAL_DATA_EXPORT; an empty slice means none.
	Permissions []types.Permission
	// FirstConnected is when the user first connected to the partner. Zero means
	// now, or with NotConnected when that happens.
	FirstConnected time.Time
	// HistoryFrom is the earliest start that backfill accepts. Zero means one
	// month before FirstConnected.
	HistoryFrom time.Time
	// AccessToken is the OAuth 2 access token that the partner already has. If
	// empty, it is generated.
	AccessToken string
	// NotConnected makes a Garmin user who has not consented yet and has no
	// tokens.
	NotConnected bool
}

// User is a Garmin user who is connected to the partner. Its methods are safe
// for concurrent use.
type User struct {
	s              *Server
	id             types.UserID
	firstConnected time.Time

	// The fields below are guarded by s.mu.
	historyFrom   time.Time
	permissions   []types.Permission
	permissionsAt time.Time
	gone          bool
	access        []*token // those not yet expired, the newest last
	refresh       *token
	itemToken     string
	records       []*record
	byID          map[recordKey]*record
	counts        map[types.Kind]int
}

type token struct {
	user    *User
	value   string
	expires time.Time
}

func (t *token) expired() bool { return !t.user.s.now().Before(t.expires) }

// accessLife and refreshLife are what Garmin's token endpoint answers.
const (
	accessLife  = 86400 * time.Second
	refreshLife = 7775998 * time.Second
)

// AddUser connects a user. It panics if the id is taken.
func (s *Server) AddUser(o *UserOptions) *User {
	if o == nil {
		o = &UserOptions{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u := &User{
		s: s, id: o.ID,
		firstConnected: o.FirstConnected, historyFrom: o.HistoryFrom,
		permissions: slices.Clone(o.Permissions),
		byID:        make(map[recordKey]*record), counts: make(map[types.Kind]int),
	}
	if u.id == "" {
		if u.id = types.UserID(s.uuid()); len(s.order)%2 == 1 {
			u.id = types.UserID(s.hex(16))
		}
	}
	if s.users[u.id] != nil {
		panic(fmt.Sprintf("activitytest: user %q exists", u.id))
	}
	if o.Permissions == nil {
		u.permissions = []types.Permission{types.PermissionActivityExport, types.PermissionHistoricalDataExport}
	}
	s.users[u.id] = u
	s.order = append(s.order, u)
	s.touch()
	if u.gone = o.NotConnected; !u.gone {
		u.connect()
		u.issue2()
		if t := u.access[0]; o.AccessToken != "" {
			delete(s.bearers, t.value)
			t.value = o.AccessToken
			s.bearers[t.value] = t
		}
	}
	return u
}

// issue2 gives the user new OAuth 2 tokens. The old refresh token is dead; old
// access tokens live until they expire.
func (u *User) issue2() {
	now := u.s.now()
	u.access = slices.DeleteFunc(u.access, func(t *token) bool {
		if t.expired() {
			delete(u.s.bearers, t.value)
		}
		return t.expired()
	})
	access := &token{u, "fake-access-" + u.s.hex(24), now.Add(accessLife)}
	u.access = append(u.access, access)
	u.s.bearers[access.value] = access
	u.refresh = &token{u, "fake-refresh-" + u.s.hex(24), now.Add(refreshLife)}
	u.s.refreshes[u.refresh.value] = u.refresh
}

// revoke2 kills the user's OAuth 2 tokens.
func (u *User) revoke2() {
	u.revokeAccess()
	u.revokeRefresh()
}

// revokeRefresh forgets a refresh token that was never spent: who comes with it later
// does not show that one of the next connection was stolen.
func (u *User) revokeRefresh() {
	if u.refresh != nil {
		delete(u.s.refreshes, u.refresh.value)
	}
	u.refresh = nil
}

func (u *User) revokeAccess() {
	for _, t := range u.access {
		delete(u.s.bearers, t.value)
	}
	u.access = nil
}

// Users returns all users, connected or not, in the order they were added.
func (s *Server) Users() []*User {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.order)
}

// User returns the user with this id, or nil.
func (s *Server) User(id types.UserID) *User {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.users[id]
}

// ID returns the Garmin user id.
func (u *User) ID() types.UserID { return u.id }

// SetPermissions replaces the user's permissions and queues the notification.
func (u *User) SetPermissions(p ...types.Permission) {
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	defer u.s.touch()
	u.permissions, u.permissionsAt = slices.Clone(p), u.s.now()
	u.s.enqueue(types.KindPermissionChanges, &notice{user: u, body: permissionsItem(u, u.s.hex(4)+"-"+u.s.hex(4))})
}

// Deregister disconnects the user as Garmin Connect does: the tokens become
// invalid, what was queued is dropped, and the deregistration is queued.
func (u *User) Deregister() {
	u.s.mu.Lock()
	leaving := slices.Clone(u.s.leaving)
	u.s.mu.Unlock()
	for _, f := range leaving { // their locks come before the server's
		f(u.id)
	}
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	defer u.s.touch()
	u.deregister()
}

func (u *User) deregister() {
	if u.gone {
		return
	}
	body := appendItem(nil, []byte("{}"), field{"userAccessToken", u.itemToken})
	u.gone = true
	u.revoke2()
	u.itemToken = ""
	u.s.dropUser(u)
	u.s.enqueue(types.KindDeregistrations, &notice{user: u, body: body})
}

// Connect connects the user, as consent does, with new tokens. The old refresh
// token becomes invalid. If the user was not connected, history may be requested
// again.
func (u *User) Connect() {
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	defer u.s.touch()
	u.connect()
	u.revokeRefresh()
	u.issue2()
}

func (u *User) connect() {
	if u.gone {
		for key := range u.s.ledger.done {
			if key.user == u {
				delete(u.s.ledger.done, key)
			}
		}
	}
	u.gone = false
	if u.firstConnected.IsZero() {
		u.firstConnected = u.s.now()
	}
	u.historyFrom = u.limit()
}

// limit is the earliest start of a backfill: of a user who never connected, as if that
// happened now.
func (u *User) limit() time.Time {
	if !u.historyFrom.IsZero() {
		return u.historyFrom
	}
	first := u.firstConnected
	if first.IsZero() {
		first = u.s.now()
	}
	return first.AddDate(0, -1, 0)
}

func (s *Server) serveUserID(w http.ResponseWriter, _ *http.Request, u *User) {
	writeJSON(w, http.StatusOK, struct {
		UserID types.UserID `json:"userId"`
	}{u.id})
}

func (s *Server) servePermissions(w http.ResponseWriter, _ *http.Request, u *User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := append([]types.Permission{}, u.permissions...)
	switch {
	case s.odd(quirkPermissionsArray):
		writeJSON(w, http.StatusOK, p)
	case s.odd(quirkPermissionsOne):
		writeJSON(w, http.StatusOK, struct {
			Permissions string `json:"permissions"`
		}{"[" + strings.Trim(strings.ReplaceAll(fmt.Sprint(p), " ", ", "), "[]") + "]"})
	default:
		writeJSON(w, http.StatusOK, struct {
			Permissions []types.Permission `json:"permissions"`
		}{p})
	}
}

func (s *Server) serveDeregister(w http.ResponseWriter, _ *http.Request, u *User) {
	u.Deregister()
	w.WriteHeader(http.StatusNoContent)
}
