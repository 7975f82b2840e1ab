package notify_test

import (
	"context"
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// lateRig loses its first share when the channel is closed. A download takes a
// while, and Garmin gives the file out once.
func lateRig(t *testing.T, takes time.Duration) (r *rig, lose chan struct{}, asked *atomic.Int64) {
	asked, lose = new(atomic.Int64), make(chan struct{})
	r = newRig(t, garmin{download: func(ctx context.Context, _ types.Secret) (io.ReadCloser, error) {
		if asked.Add(1) > 1 {
			return nil, &statusError{status: 410}
		}
		select {
		case <-time.After(takes):
			return io.NopCloser(strings.NewReader(tcx)), nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}})
	r.queue = &faulty{Queue: r.queue, lost: lose}
	r.opts.Files = &notify.Files{Dir: t.TempDir()}
	return r, lose, asked
}

// A process that loses its share while it downloads keeps the file: a database
// that is away for a moment must not use up the only download.
func TestDownloadOutlivesItsShare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, lose, asked := lateRig(t, time.Minute)
		r.start()
		r.put(filePing("u", "7-file", fileURL))
		pass(time.Second)
		close(lose)
		pass(time.Second)
		require.EqualValues(t, 1, r.queue.(*faulty).released.Load(), "the share waits for the download")
		pass(time.Hour)
		r.finish()
		require.EqualValues(t, 1, asked.Load())
		require.Empty(t, r.letters())
		require.Len(t, r.files, 1)
		got, err := r.files[0].Open(t.Context())
		require.NoError(t, err)
		defer got.Close()
		data, err := io.ReadAll(got)
		require.NoError(t, err)
		require.Equal(t, tcx, string(data))
	})
}

// Claims that are away for longer than their lease do not end a download, nor does it
// count as used up when they are back.
func TestDownloadOutlivesItsClaims(t *testing.T) {
	t.Parallel()
	for name, back := range map[string]time.Duration{"before its end": time.Minute, "after its end": 5 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, _, asked := lateRig(t, 2*time.Minute)
				claims := &faultyClaims{Claims: memqueue.NewClaims()}
				r.queue = claimsQueue{r.queue, claims}
				r.start()
				r.put(filePing("u", "7-file", fileURL))
				pass(time.Second)
				claims.broken.Store(true)
				pass(back)
				claims.broken.Store(false)
				pass(time.Hour)
				r.finish()
				require.EqualValues(t, 1, asked.Load())
				require.Empty(t, r.letters())
				require.Len(t, r.files, 1)
			})
		})
	}
}

// A download has no more time than its attempt, whoever has the share.
func TestLateDownloadEnds(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]bool{"late": true, "not late": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				r, lose, asked := lateRig(t, time.Hour)
				r.start()
				r.put(filePing("u", "7-file", fileURL))
				pass(time.Second)
				if lost {
					close(lose)
				}
				pass(10*time.Minute - 2*time.Second)
				require.EqualValues(t, 1, asked.Load())
				pass(time.Hour)
				require.Len(t, r.letters(), 1, "it was asked for again, and Garmin gives it out once")
				require.Less(t, r.letters()[0].Buried.Sub(began), time.Hour)
				r.finish()
			})
		})
	}
}

// A client that ends its goroutine has failed like one that returns an error.
func TestClientEndsItsGoroutine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		r := newRig(t, garmin{download: func(context.Context, types.Secret) (io.ReadCloser, error) {
			if calls++; calls == 1 {
				runtime.Goexit()
			}
			return io.NopCloser(strings.NewReader(tcx)), nil
		}})
		r.opts.Files = &notify.Files{Dir: t.TempDir()}
		r.start()
		r.put(filePing("u", "7-file", fileURL))
		pass(time.Hour)
		r.finish()
		require.Equal(t, 2, calls)
		require.Equal(t, 1, r.count(notify.ResultRetry))
		require.Len(t, r.files, 1)
		require.EqualValues(t, len(tcx), r.files[0].Size)
	})
}

// Run waits for such a download as for an attempt, and then ends it. The next Run
// asks, since the file is in doubt.
func TestRunWaitsForLateDownloads(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		takes   time.Duration
		waits   time.Duration
		letters int
	}{
		"in time":  {5 * time.Second, 4 * time.Second, 0},
		"too long": {time.Minute, 10 * time.Second, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, lose, _ := lateRig(t, test.takes)
				r.start()
				r.put(filePing("u", "7-file", fileURL))
				pass(500 * time.Millisecond)
				close(lose)
				pass(500 * time.Millisecond)
				began := time.Now()
				r.finish()
				require.Equal(t, test.waits, time.Since(began))
				r.start()
				pass(12 * time.Hour)
				r.finish()
				require.Len(t, r.letters(), test.letters)
				require.Len(t, r.files, 1-test.letters)
			})
		})
	}
}

// A client that does not heed its ctx is one of those that hang.
func TestLateDownloadHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, lose, _ := lateRig(t, 0)
		free := make(chan struct{})
		r.users = func(_ context.Context, id types.UserID) ([]notify.User, error) {
			return []notify.User{{ID: "local", Client: garmin{download: func(context.Context, types.Secret) (io.ReadCloser, error) {
				<-free
				return io.NopCloser(strings.NewReader(tcx)), nil
			}}}}, nil
		}
		r.start()
		r.put(filePing("u", "7-file", fileURL))
		pass(time.Second)
		close(lose)
		pass(time.Second)
		r.stop()
		require.EqualError(t, <-r.ended, "notify: 1 attempts did not end in time")
		close(free)
		synctest.Wait()
	})
}

// Erase of what a late download stores has to come after it.
func TestRereadWaitsForLateDownloads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, lose, _ := lateRig(t, time.Minute)
		p, err := notify.NewProcessor(r.queue, r.users, r.calls, &r.opts)
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		r.put(filePing("u", "7-file", fileURL))
		pass(time.Second)
		close(lose)
		pass(500 * time.Millisecond)
		began := time.Now()
		require.NoError(t, p.Reread(t.Context(), "another"))
		require.Less(t, time.Since(began), time.Minute/2)
		require.NoError(t, p.Reread(t.Context(), "u"))
		require.Equal(t, 58500*time.Millisecond, time.Since(began))
		stop()
		require.NoError(t, <-ended)
	})
}
