package backfill_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

func TestRunAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const users = 300
		var mu sync.Mutex
		active, most := 0, 0
		seq := func(yield func(*backfill.User, error) bool) {
			for i := range users {
				u := &backfill.User{ID: types.UserID(fmt.Sprint("user", i)), Window: window(0, 30), Kinds: []types.Kind{types.KindMoveIQ}}
				u.Requester = requester(func(context.Context, types.Kind, types.Window) error {
					mu.Lock()
					active++
					most = max(most, active)
					mu.Unlock()
					time.Sleep(time.Second)
					mu.Lock()
					active--
					mu.Unlock()
					if i%100 == 7 {
						return status(401, activity.ErrUnauthorized)
					}
					return nil
				})
				if i == 9 {
					u.Window = types.Window{} // a user whose record is bad
				}
				if !yield(u, nil) {
					return
				}
			}
		}
		ledger := backfill.NewLedger()
		accepted, stopped := 0, 0
		var log bytes.Buffer
		opts := &backfill.RunnerOptions{Users: 16, Logger: slog.New(slog.NewTextHandler(&log, nil))}
		for p, err := range backfill.NewRunner(backfill.NewLimiter(backfill.Production, nil), ledger, opts).RunAll(t.Context(), seq) {
			require.NoError(t, err)
			switch {
			case p.Err != nil:
				require.Nil(t, p.Chunk)
				ue, ok := errors.AsType[*backfill.UserError](p.Err)
				require.True(t, ok)
				require.Equal(t, p.UserID, ue.UserID)
				stopped++
			case p.Chunk.State == backfill.StateAccepted:
				accepted++
				require.Equal(t, p.DaysTotal, p.DaysDone)
			}
		}
		require.Equal(t, users-4, accepted)
		require.Equal(t, 4, stopped)
		require.LessOrEqual(t, most, 16)
		require.Contains(t, log.String(), "user stopped")
	})
}

func TestRunAllEnds(t *testing.T) {
	good := func(i int) *backfill.User {
		u := one(&script{}, window(0, 25))
		u.ID = types.UserID(fmt.Sprint(i))
		return u
	}
	forever := func(last *backfill.User, err error) iter.Seq2[*backfill.User, error] {
		return func(yield func(*backfill.User, error) bool) {
			for i := range 10 {
				if !yield(good(i), nil) {
					return
				}
			}
			if !yield(last, err) {
				return
			}
			for i := 0; ; i++ {
				if !yield(good(100+i), nil) {
					return
				}
			}
		}
	}
	notEnabled := one(&script{answers: []error{status(400, activity.ErrEndpointNotEnabled)}}, window(0, 25))
	for name, tt := range map[string]struct {
		last *backfill.User
		err  error
		want error
	}{
		"error of users":   {nil, errStub, errStub},
		"type not enabled": {notEnabled, nil, activity.ErrEndpointNotEnabled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var last error
				for p, err := range backfill.NewRunner(backfill.NewLimiter(backfill.Production, nil), backfill.NewLedger(), nil).RunAll(t.Context(), forever(tt.last, tt.err)) {
					if err != nil {
						require.Nil(t, p)
						require.NoError(t, last, "one error, at the end")
						last = err
					}
				}
				require.ErrorIs(t, last, tt.want)
			})
		})
	}
	t.Run("nil user", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var last error
			for _, err := range backfill.NewRunner(backfill.NewLimiter(backfill.Production, nil), backfill.NewLedger(), nil).RunAll(t.Context(), forever(nil, nil)) {
				last = err
			}
			require.Error(t, last)
		})
	})
	t.Run("left", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			for range backfill.NewRunner(backfill.NewLimiter(backfill.Production, nil), backfill.NewLedger(), nil).RunAll(t.Context(), forever(good(50), nil)) {
				break
			}
		})
	})
}
