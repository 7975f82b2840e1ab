package notify

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/garminkit/activityapi/types"
)

// Follower pulls the data that a ping announces. The summaries are those of
// kind; an error is the last thing yielded.
//
// An error may tell what to do about it: see [Failure].
type Follower interface {
	Follow(ctx context.Context, kind types.Kind, callbackURL types.Secret) iter.Seq2[types.Summary, error]
}

// Downloader starts the download of an activity file. See [Failure] for its
// errors. Garmin gives a file out once: when the reader it returned fails, the
// file is not asked for again.
type Downloader interface {
	Download(ctx context.Context, callbackURL types.Secret) (io.ReadCloser, error)
}

// Client reaches Garmin on behalf of one user. The client of package activity
// is one.
type Client interface {
	Follower
	Downloader
}

// User is one of the partner's users.
type User struct {
	// ID is the partner's own name for the user.
	ID string
	// Client is needed for pings and files. A user who only gets pushes can do
	// without.
	Client Client
}

// Resolver finds the partner's users behind a Garmin user id. Several may
// share one Garmin account; each gets every delivery. The answer to an unknown
// id is no user or an error that wraps [ErrUnknownUser], and never a user to
// fall back on: that would show one person's data to another.
//
// A user whose token is dead is still a user: pushes and the deregistration
// need no token, so give a Client whose calls fail, or none. An error here holds
// up the item, or buries it if the error says that a repeat is pointless.
type Resolver interface {
	Resolve(ctx context.Context, userID types.UserID) ([]User, error)
}

// ResolverFunc makes a function a [Resolver].
type ResolverFunc func(ctx context.Context, userID types.UserID) ([]User, error)

// Resolve calls f.
func (f ResolverFunc) Resolve(ctx context.Context, userID types.UserID) ([]User, error) {
	return f(ctx, userID)
}

var (
	// ErrUnknownUser says that no user of the partner's has the Garmin user id.
	ErrUnknownUser = errors.New("notify: unknown user")
	// ErrWrongUser says that a pull gave data of another user than the ping
	// named. None of it is delivered.
	ErrWrongUser = errors.New("notify: the pulled data belongs to another user")
	// ErrSpent says that the one download of a file began and did not end
	// well: asking again would give 410.
	ErrSpent = errors.New("notify: the file's one download is spent")
	// ErrBadFile says that a download ended well and what came is no complete
	// file of the announced type.
	ErrBadFile = errors.New("notify: not a complete file of its type")
)
