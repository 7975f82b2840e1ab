package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/garminkit/activityapi/types"
)

// Follower pulls the data that a ping announces. The summaries are those of
// kind; an error is the last thing yielded.
//
// An error, of a Follower, a [Downloader] or a callback, may tell what to do
// about it, by these methods, on it or on one it wraps:
//
//   - Retry() (after time.Duration, again bool): again false means that
//     another attempt is pointless, and the item is buried at once; after, if
//     not zero, is the least time to wait, as from Retry-After.
//   - Unauthorized() bool: true means that the user's consent or token is at
//     fault (401, 403, 412) and not the item. The user's pings and files are
//     then parked, whatever Retry says.
//
// Any other error is retried.
type Follower interface {
	Follow(ctx context.Context, kind types.Kind, callbackURL types.Secret) iter.Seq2[types.Summary, error]
}

// Downloader starts the download of an activity file. See [Follower] for its
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
	Resolve(ctx context.Context, userID string) ([]User, error)
}

// ResolverFunc makes a function a [Resolver].
type ResolverFunc func(ctx context.Context, userID string) ([]User, error)

// Resolve calls f.
func (f ResolverFunc) Resolve(ctx context.Context, userID string) ([]User, error) {
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

// Permanent marks err as one that another attempt would not mend, so that the
// item is buried at once. It returns nil for nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ error }

func (e *permanentError) Unwrap() error                { return e.error }
func (e *permanentError) Retry() (time.Duration, bool) { return 0, false }

// retryOf reads what err says about another attempt.
func retryOf(err error) (after time.Duration, again bool) {
	var r interface {
		Retry() (time.Duration, bool)
	}
	if errors.As(err, &r) {
		return r.Retry()
	}
	return 0, true
}

func unauthorized(err error) bool {
	var u interface{ Unauthorized() bool }
	return errors.As(err, &u) && u.Unauthorized()
}

// panicError stands for a panic in the partner's code. Its text leaves the
// value out, which may hold anything.
type panicError struct{ what string }

func (e *panicError) Error() string { return fmt.Sprintf("notify: %s in a callback", e.what) }
