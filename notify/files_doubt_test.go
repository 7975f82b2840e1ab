package notify_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// F27: when a ping comes again, the letter tells whether Garmin had refused the
// file, or whether an attempt of ours without answer may have spent it, and
// when. The errors are those of the client of package activity.
func TestFileAskedForBefore(t *testing.T) {
	t.Parallel()
	var (
		doubt   = &activity.Error{Op: "Download", Err: fmt.Errorf("%w: EOF", activity.ErrMaybeSpent)}
		gone    = &activity.Error{Op: "Download", StatusCode: 410, Err: activity.ErrGone}
		down    = &activity.Error{Op: "Download", StatusCode: 503}
		refused = &activity.Error{Op: "Download", StatusCode: 401, Err: activity.ErrUnauthorized}
		notSent = &activity.Error{Op: "Download", Err: fmt.Errorf("%w: refused", types.ErrNotSent)}
	)
	const (
		asked   = "notify: the file's only download is used up: we asked for it at 2000-01-01T00:00:00Z: "
		isGone  = "activity: Download: 410 Gone: gone"
		isDoubt = "activity: Download: maybe spent: EOF"
	)
	for name, test := range map[string]struct {
		answers []error // one for each attempt
		redrive bool    // and not a second ping
		first   string  // reasons of the letters
		second  string
	}{
		"doubt":              {answers: []error{doubt}, first: isDoubt, second: asked + isDoubt},
		"doubt, redriven":    {answers: []error{doubt}, redrive: true, first: isDoubt, second: asked + isDoubt},
		"gone":               {answers: []error{gone}, first: isGone, second: asked + isGone},
		"gone after 503":     {answers: []error{down, gone}, first: isGone, second: "notify: the file's only download is used up: we asked for it at 2000-01-01T00:00:"},
		"gone after no sign": {answers: []error{refused, notSent, gone}, first: isGone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, calls := fileRig(t, func(n int) (io.ReadCloser, error) {
					if n > len(test.answers) {
						t.Errorf("asked %d times", n)
					}
					return nil, test.answers[min(n, len(test.answers))-1]
				})
				var last error
				r.opts.Observe = func(o notify.Outcome) {
					if o.Err != nil {
						last = o.Err
					}
				}
				r.start()
				r.put(fitPing("u", "7-file", fileURL))
				pass(12 * time.Hour)
				r.finish()
				require.Len(t, r.letters(), 1)
				require.Equal(t, test.first, r.letters()[0].Reason)
				require.NotErrorIs(t, last, notify.ErrSpent)

				if test.redrive {
					require.NoError(t, r.queue.Redrive(t.Context(), r.letters()[0].ID))
				} else {
					r.put(fitPing("u", "7-file", fileURL))
				}
				r.start()
				pass(time.Hour)
				r.finish()
				require.EqualValues(t, len(test.answers), calls.Load())
				require.ErrorIs(t, last, notify.ErrSpent)
				letters := r.letters()
				reason := letters[len(letters)-1].Reason
				require.True(t, strings.HasPrefix(reason, test.second), reason)
			})
		})
	}
}

// A process that ended while it asked leaves the file in doubt, and an answer
// that says nothing of the file leaves the doubt.
func TestFileInDoubtAfterStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		r := newRig(t, garmin{download: func(ctx context.Context, _ types.Secret) (io.ReadCloser, error) {
			switch calls++; calls {
			case 1:
				<-ctx.Done()
				return nil, ctx.Err()
			case 2:
				return nil, &activity.Error{Op: "Download", StatusCode: 503}
			}
			return nil, &activity.Error{Op: "Download", StatusCode: 410, Err: activity.ErrGone}
		}})
		r.opts.Files = &notify.Files{Dir: t.TempDir()}
		var last error
		r.opts.Observe = func(o notify.Outcome) { last = o.Err }
		r.start()
		r.put(fitPing("u", "7-file", fileURL))
		synctest.Wait()
		r.finish()
		r.start()
		pass(12 * time.Hour)
		r.finish()
		require.Equal(t, 3, calls)
		require.ErrorIs(t, last, notify.ErrSpent)
		require.ErrorIs(t, last, activity.ErrGone)
		require.Equal(t, "notify: the file's only download is used up: we asked for it at 2000-01-01T00:00:00Z: the process ended: activity: Download: 410 Gone: gone", r.letters()[0].Reason)
	})
}
