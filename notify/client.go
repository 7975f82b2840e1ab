package notify

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/garminkit/activityapi/types"
)

// Client calls Garmin for one user. The Client of package activity is one. Its
// errors may be a [Failure].
type Client interface {
	// Follow pulls the data that a ping announces. The summaries are of the given
	// kind; an error is yielded last.
	Follow(ctx context.Context, kind types.Kind, callbackURL types.Secret) iter.Seq2[types.Summary, error]

	// Download starts the download of an activity file. Garmin allows one
	// download: if the returned reader fails, the file is not asked for again. After
	// an error that wraps [types.ErrNotSent] it is, whatever else the error says.
	Download(ctx context.Context, callbackURL types.Secret) (io.ReadCloser, error)
}

// User is one of your users.
type User struct {
	// ID is your own id of the user.
	ID string
	// Client is needed for pings and files. It may be nil for a user who only
	// gets pushes.
	Client Client
}

// Resolver finds your users for a Garmin user id. If several of your users share
// one Garmin account, each gets every delivery. For an unknown id it returns no
// users, or an error that wraps [ErrUnknownUser]. Never return a default user:
// that would show one person's data to another. It must be safe for concurrent
// use.
//
// Return a user even if the token is no longer valid, with a Client whose calls
// fail or without one: pushes and the deregistration need no token. After an
// error the item is tried again later, unless it is [Permanent] or a [Failure]
// that says otherwise.
type Resolver func(ctx context.Context, userID types.UserID) ([]User, error)

var (
	// ErrUnknownUser means that none of your users has the Garmin user id. A
	// [Resolver] returns it.
	ErrUnknownUser = errors.New("notify: unknown user")
	// errWrongUser means that a pull returned data of a user other than the one
	// the ping named. None of it is delivered, or beyond maxPull none from there on.
	errWrongUser = errors.New("notify: the pulled data belongs to another user")
	// errSpent means that a file's only download was started and failed: asking
	// again would give 410.
	errSpent = errors.New("notify: the file's only download is used up")
	// errOtherUser means that the file's callback URL came before, as another
	// user's. Nobody gets what was stored for somebody else.
	errOtherUser = errors.New("notify: the file was announced before as another user's")
	// errBadFile means that a download succeeded but did not bring a complete
	// file of the announced type.
	errBadFile = errors.New("notify: not a complete file of its type")
)
