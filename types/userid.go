package types

import "strings"

// UserID is Garmin's id of a user, as in every notification. It stays the same
// when the user reconnects. It has its own type so that it cannot be confused
// with the partner's id of the user, which is a string.
//
// If one process serves several of the partner's applications, such as one for
// evaluation and one for production, each has a name, and "@" and that name follow
// Garmin's id: "4aacafe8@evaluation". A person who has connected to two of them is
// two users in every store. A single application needs no name, and its users have
// the ids that Garmin gives them.
type UserID string

// In returns the id of a user of the named application; id is the one that Garmin
// gives. Different pairs of id and name always give different results.
func (id UserID) In(app string) UserID {
	if app == "" && strings.IndexByte(string(id), '@') < 0 {
		return id
	}
	return id + "@" + UserID(app)
}

// App returns the name of the application that the user has connected to, or "" if
// that application has no name.
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
