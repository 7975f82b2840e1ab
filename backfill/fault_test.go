package backfill_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

// judged is an error that says whose fault it is.
type judged types.Fault

func (j judged) Error() string      { return "at fault: " + string(j) }
func (j judged) Fault() types.Fault { return types.Fault(j) }

const page = "<!DOCTYPE html><html><body>Request blocked: min start time of 2026-01-01T00:00:00Z, duplicate backfill</body></html>"

// An answer that judges neither the range nor the user leaves the chunk open,
// says so by an error, and the next run has all of it.
func TestNobodysJudgement(t *testing.T) {
	wall := func(status int) func(t *testing.T) backfill.Requester {
		return func(t *testing.T) backfill.Requester {
			return answering(t, func(int64) (int, string) { return status, page })
		}
	}
	json := func(status int, body string) func(t *testing.T) backfill.Requester {
		return func(t *testing.T) backfill.Requester {
			return answering(t, func(int64) (int, string) { return status, body })
		}
	}
	gives := func(err error) func(t *testing.T) backfill.Requester {
		return func(*testing.T) backfill.Requester {
			return requester(func(context.Context, types.Kind, types.Window) error { return err })
		}
	}
	for _, tt := range []struct {
		name      string
		requester func(t *testing.T) backfill.Requester
	}{
		{"a wall's 400", wall(400)},
		{"a wall's 401", wall(401)},
		{"a wall's 403", wall(403)},
		{"a wall's 404", wall(404)},
		{"a wall's 405", wall(405)},
		{"a wall's 409", wall(409)},
		{"a wall's 412", wall(412)},
		{"a wall's 421", wall(421)},
		{"a wall's 200", wall(200)},
		{"a proxy's 407", wall(407)},
		{"a portal's 511", wall(511)},
		{"409 without a body", json(409, "")},
		{"403 without a body", json(403, "")},
		{"400 without a body", json(400, "")},
		{"404 in another form of JSON", json(404, `{"status":404,"path":"/backfill/activities"}`)},
		{"500 with a duplicate's message", json(500, `{"errorMessage":"duplicate backfill"}`)},
		{"the application's fault", gives(judged(types.FaultApplication))},
		{"the application's fault, not sent", gives(&activity.Error{Op: "Backfill", Err: fmt.Errorf("%w: %w", types.ErrNotSent, judged(types.FaultApplication))})},
		{"the network's fault", gives(judged(types.FaultNetwork))},
		{"the network's fault, not sent", gives(&activity.Error{Op: "Backfill", Err: fmt.Errorf("%w: %w", types.ErrNotSent, judged(types.FaultNetwork))})},
		{"Garmin's fault", gives(judged(types.FaultGarmin))},
		{"an error of no kind", gives(errStub)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(day0.AddDate(2, 6, 0)))
				ledger := backfill.NewLedger()
				told, err := play(t, ledger, one(tt.requester(t), window(0, 75)), serial)
				require.Error(t, err, "the run says nothing")
				require.Empty(t, told)
				for c, err := range ledger.Chunks(t.Context(), "u") {
					require.NoError(t, err)
					require.Contains(t, []backfill.State{backfill.StatePlanned, backfill.StateRequested}, c.State, c.String())
				}
				told, err = play(t, ledger, one(&script{}, window(0, 75)), serial)
				require.NoError(t, err)
				require.ElementsMatch(t, []string{"0-25 accepted", "25-50 accepted", "50-75 accepted"}, told)
			})
		})
	}
}

// The application's fault concerns everybody: the run ends at once, with one
// error, and has not asked for others.
func TestApplicationsFaultEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		users := func(yield func(*backfill.User, error) bool) {
			for i := range 100 {
				u := one(requester(func(context.Context, types.Kind, types.Window) error {
					asked++
					return fmt.Errorf("token server: %w", judged(types.FaultApplication))
				}), window(0, 25))
				u.ID = types.UserID(fmt.Sprint(i))
				if !yield(u, nil) {
					return
				}
			}
		}
		var last error
		ledger := backfill.NewLedger()
		runner := backfill.NewRunner(backfill.NewLimiter(backfill.Production, ledger), ledger, &backfill.RunnerOptions{Users: 1})
		for p, err := range runner.RunAll(t.Context(), users) {
			require.Nil(t, p)
			last = err
		}
		var f judged
		require.ErrorAs(t, last, &f)
		require.Equal(t, 1, asked)
	})
}

// What Garmin itself says of the user stops the user, as before.
func TestUsersFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := backfill.NewLedger()
		told, err := play(t, ledger, one(requester(func(context.Context, types.Kind, types.Window) error {
			return judged(types.FaultUser)
		}), window(0, 25)), serial)
		require.ErrorIs(t, err, judged(types.FaultUser))
		require.Equal(t, []string{"0-25 refused"}, told)
		var stopped *backfill.UserError
		require.ErrorAs(t, err, &stopped)
	})
}

// A request whose answer was lost stays in doubt through a refusal that may
// pass: when the user is back, 409 means that it was accepted.
func TestDoubtOutlivesARefusal(t *testing.T) {
	for name, refusal := range map[string]error{
		"401":       status(401, activity.ErrUnauthorized),
		"412":       status(412, activity.ErrNotPermitted),
		"other 400": status(400, nil),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(day0.AddDate(1, 0, 0)))
				ledger := backfill.NewLedger()
				accepted := time.Now()
				s := &script{answers: []error{lostAnswer, refusal}}
				told, _ := play(t, ledger, one(s, window(0, 25)), serial)
				require.Equal(t, []string{"0-25 refused"}, told)
				time.Sleep(24 * time.Hour)
				s.answers = []error{duplicate(window(0, 25), accepted)}
				told, err := play(t, ledger, one(s, window(0, 25)), serial)
				require.NoError(t, err)
				require.Equal(t, []string{"0-25 accepted"}, told)
				for c, err := range ledger.Chunks(t.Context(), "u") {
					require.NoError(t, err)
					require.Empty(t, c.Reason)
					require.Empty(t, c.Detail)
				}
			})
		})
	}
}

// A chunk in doubt that is larger than the limit of today is asked for in
// parts, and does not hold its user up for ever.
func TestDoubtBeyondTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := backfill.NewLedger()
		c := planned("u", 0, 25)
		c.State, c.Requested, c.InDoubt = backfill.StateRequested, time.Now(), time.Now()
		require.NoError(t, save(ledger, c))
		runner := backfill.NewRunner(backfill.NewLimiter(10, ledger), ledger, serial)
		for _, err := range runner.Run(t.Context(), one(&script{}, window(0, 25))) {
			require.NoError(t, err)
		}
		require.Equal(t, []string{"0-5 accepted", "5-15 accepted", "15-25 accepted"}, held(t, ledger))
	})
}

// A claim that is lost, here since the user was forgotten, ends the work on this
// user: what is under way is ended, nothing more is sent or stored, and others
// go on.
func TestClaimLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := backfill.NewLedger()
		var sent atomic.Int64 // a user's parts are sent side by side
		hangs := requester(func(ctx context.Context, _ types.Kind, _ types.Window) error {
			sent.Add(1)
			select {
			case <-ctx.Done():
				return &activity.Error{Op: "Backfill", Err: activity.ErrMaybeSpent}
			case <-time.After(time.Hour):
				return nil
			}
		})
		users := func(yield func(*backfill.User, error) bool) {
			other := one(&script{}, window(0, 250))
			other.ID = "other"
			_ = yield(one(hangs, window(0, 250)), nil) && yield(other, nil)
		}
		start := time.Now()
		time.AfterFunc(10*time.Second, func() {
			if err := ledger.Forget(t.Context(), "u"); err != nil {
				t.Error(err)
			}
		})
		accepted, stopped := 0, 0
		limiter := backfill.NewLimiter(backfill.Production, ledger)
		for p, err := range backfill.NewRunner(limiter, ledger, nil).RunAll(t.Context(), users) {
			require.NoError(t, err)
			switch {
			case p.Err != nil:
				require.ErrorIs(t, p.Err, backfill.ErrBusy)
				require.Equal(t, types.UserID("u"), p.UserID)
				require.Equal(t, 10*time.Second, time.Since(start))
				stopped++
			case p.UserID == "other":
				accepted++
			}
		}
		require.Equal(t, 1, stopped)
		require.Equal(t, 9, accepted)
		require.EqualValues(t, 4, sent.Load(), "sent after the claim was lost")
		require.Empty(t, held(t, ledger), "stored after the user was forgotten")
	})
}

// After a reconnect, Garmin gives everything anew, and a ledger that was told
// to forget asks for it.
func TestHistoryAfterReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := backfill.NewLedger()
		s := &script{}
		_, err := play(t, ledger, one(s, window(0, 75)), serial)
		require.NoError(t, err)
		require.NoError(t, ledger.Forget(t.Context(), "u"))
		told, err := play(t, ledger, one(s, window(0, 75)), serial)
		require.NoError(t, err)
		require.Equal(t, []string{"50-75 accepted", "25-50 accepted", "0-25 accepted"}, told)
		require.Len(t, s.asked, 6)
	})
}

// A ledger that cannot say who has a user ends the run; a user who is taken
// does not.
func TestClaimFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last error
		for p, err := range backfill.NewRunner(backfill.NewLimiter(1, nil), closed{backfill.NewLedger()}, nil).Run(t.Context(), one(&script{}, window(0, 1))) {
			require.Nil(t, p)
			last = err
		}
		require.ErrorIs(t, last, errStub)
		var user *backfill.UserError
		require.NotErrorAs(t, last, &user)
	})
}

// closed is a ledger that gives no claims.
type closed struct{ backfill.Ledger }

func (closed) Claim(context.Context, types.UserID) (backfill.Claim, error) { return nil, errStub }
