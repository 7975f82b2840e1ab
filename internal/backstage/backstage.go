// Package backstage is what the packages around the fake Garmin may do with it, and
// a partner's tests need not: see [Server].
package backstage

import (
	"encoding/json"
	"net/http"

	"github.com/garminkit/activityapi/types"
)

// Server is the inner side of an activitytest.Server, which its method Backstage
// returns. Users are named by their ids, since activitytest imports this package.
type Server interface {
	// Signed returns a copy of r that the server accepts as a request of the user,
	// whatever its Authorization header. It is for handlers of
	// activitytest.Server.Use.
	Signed(r *http.Request, user types.UserID) *http.Request

	// Keep makes the state of such a handler a part of snapshots, under the given
	// name. save returns the state. load gets what save returned, or nil to clear
	// the state.
	Keep(name string, save func() (json.RawMessage, error), load func(json.RawMessage) error)

	// Leaving makes the server call f with each user who is about to be disconnected.
	// f may call the server.
	Leaving(f func(user types.UserID))

	// Watch makes the server call f with each request before it is answered, and
	// with the user of its access token, or "". f may delay the request. A new f
	// replaces an earlier one; stop removes it.
	Watch(f func(r *http.Request, user types.UserID)) (stop func())

	// Changes returns a channel that receives a value after something has changed:
	// a delivery, a request, a user, an endpoint. One value may stand for several
	// changes. Call stop when the channel is no longer needed.
	Changes() (changed <-chan struct{}, stop func())

	// Change runs f with the server's state locked, so that f can read and set its
	// exported fields while it serves. f must not call methods of the server.
	Change(f func())
}
