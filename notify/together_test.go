package notify

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestTogether: those who come during a call share the next one, as the one that
// runs may have begun too early for them. Each gets the result of its call.
func TestTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		all := newTogether()
		var state, calls atomic.Int64
		failed := errors.New("the third fails")
		call := func() (saw int64, err error) {
			err = all.do(func() error {
				n := calls.Add(1)
				saw = state.Load()
				time.Sleep(time.Second)
				if n == 3 {
					return failed
				}
				return nil
			})
			return saw, err
		}
		start := time.Now()
		came := func(after time.Duration) <-chan error {
			done := make(chan error, 1)
			go func() {
				time.Sleep(after)
				mine := state.Add(1)
				before := calls.Load()
				saw, err := call()
				if saw != 0 && saw < mine {
					err = errors.New("a call began too early")
				}
				if calls.Load() == before {
					err = errors.New("no call began after this one came")
				}
				done <- err
			}()
			return done
		}
		first := came(0)
		var second, third []<-chan error
		for range 10 {
			second = append(second, came(time.Second/2))
			third = append(third, came(3*time.Second/2))
		}
		require.NoError(t, <-first)
		for i := range second {
			require.NoError(t, <-second[i])
			require.ErrorIs(t, <-third[i], failed)
		}
		require.EqualValues(t, 3, calls.Load())
		require.Equal(t, 3*time.Second, time.Since(start))
		require.NoError(t, <-came(0))
	})
}
