package notify_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// TestPartOfAnotherUser: what an attempt that died has left of one user's file is not
// given to another, whose ping names the same callback URL, and stays for the first.
func TestPartOfAnotherUser(t *testing.T) {
	t.Parallel()
	for _, size := range []int{20, len(fit(10))} {
		synctest.Test(t, func(t *testing.T) {
			dead := t.TempDir() // what the process that died leaves
			require.NoError(t, os.Mkdir(filepath.Join(dead, ".downloads"), 0o700))
			r, _ := fileRig(t, nil)
			dir := r.opts.Files.Dir
			r, _ = fileRig(t, func(int) (io.ReadCloser, error) {
				died := &atRead{func() {
					parts, err := filepath.Glob(filepath.Join(dir, ".downloads", "*.part"))
					require.NoError(t, err)
					require.Len(t, parts, 1)
					require.NoError(t, os.WriteFile(filepath.Join(dead, ".downloads", filepath.Base(parts[0])), fit(10)[:size], 0o600))
				}}
				return io.NopCloser(io.MultiReader(bytes.NewReader(fit(10)[:size]), died)), nil
			})
			r.opts.Files.Dir = dir
			r.start()
			r.put(fitPing("u", "7-file", fileURL))
			pass(time.Minute)
			r.finish()

			r, calls := fileRig(t, func(int) (io.ReadCloser, error) { return body(fit(10)) })
			r.opts.Files.Dir = dead
			var got []types.UserID
			r.calls.File = func(_ context.Context, d *notify.Delivery, _ *notify.File) error {
				got = append(got, d.UserID)
				return nil
			}
			r.start()
			r.put(fitPing("v", "7-file", fileURL))
			pass(time.Minute)
			require.Empty(t, got)
			require.Len(t, r.letters(), 1)
			require.EqualValues(t, "v", r.letters()[0].UserID)
			require.Contains(t, r.letters()[0].Reason, "another user's")
			r.put(fitPing("u", "7-file", fileURL))
			pass(time.Minute)
			r.finish()
			require.Zero(t, calls.Load())
			if size == len(fit(10)) {
				require.Equal(t, []types.UserID{"u"}, got)
			} else {
				require.Len(t, r.letters(), 2)
			}
		})
	}
}

// TestDoubtOfAnotherUser: a file that is in doubt as one user's is not asked for as
// another's.
func TestDoubtOfAnotherUser(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		r := newRig(t, garmin{download: func(ctx context.Context, _ types.Secret) (io.ReadCloser, error) {
			if calls++; calls == 1 {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return nil, errors.New("asked again")
		}})
		r.opts.Files = &notify.Files{Dir: t.TempDir()}
		r.start()
		r.put(fitPing("u", "7-file", fileURL))
		synctest.Wait()
		r.finish()
		items := r.left()
		require.Equal(t, 1, items)
		r.users = func(_ context.Context, id types.UserID) ([]notify.User, error) {
			if id == "u" {
				return nil, errBoom // is late
			}
			return []notify.User{{ID: string(id), Client: garmin{download: func(context.Context, types.Secret) (io.ReadCloser, error) {
				calls++
				return body(fit(10))
			}}}}, nil
		}
		r.start()
		r.put(fitPing("v", "7-file", fileURL))
		pass(time.Hour)
		r.finish()
		require.Equal(t, 1, calls)
		require.Len(t, r.letters(), 1)
		require.EqualValues(t, "v", r.letters()[0].UserID)
	})
}

// atRead is an empty reader that calls f.
type atRead struct{ f func() }

func (r *atRead) Read([]byte) (int, error) {
	r.f()
	return 0, io.EOF
}
