package types

import "strings"

// UserID is Garmin's id of a user, as in every notification. It stays the same
// when the user reconnects. It has its own type so that it cannot be confused
// with the partner's id of the user, which is a string.
//
// Where one process serves several of the partner's applications, such as one for
// evaluation and one for production, the id is followed by "@" and the name of the
// application: "4aacafe8@evaluation". So the same person, connected to two of them,
// is two users in every store. An application that is alone has no name, and the
// ids of its users are as Garmin gives them.
type UserID string

// In returns the id of a user of the named application, made of the id as Garmin
// gives it. No two pairs of id and application make the same.
func (id UserID) In(app string) UserID {
	if app == "" && strings.IndexByte(string(id), '@') < 0 {
		return id
	}
	return id + "@" + UserID(app)
}

// App returns the name of the application that the user has connected to, or ""
// for the one without a name.
func (id UserID) App() string {
	_, app := id.cut()
	return app
}

// cut takes apart what In has put together.
func (id UserID) cut() (garmin UserID, app string) {
	at := strings.LastIndexByte(string(id), '@')
	if at < 0 {
		return id, ""
	}
	return id[:at], string(id[at+1:])
}
