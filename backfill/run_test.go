package backfill_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

// script answers requests in turn, and notes them. After its end it accepts.
type script struct {
	mu      sync.Mutex
	answers []error
	asked   []types.Window
}

func (s *script) Backfill(ctx context.Context, kind types.Kind, w types.Window) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, w)
	if len(s.answers) == 0 {
		return nil
	}
	err := s.answers[0]
	s.answers = s.answers[1:]
	return err
}

func status(code int, err error) *activity.Error {
	return &activity.Error{Op: "Backfill", StatusCode: code, Err: err, Message: "told"}
}

var errForbidden = errors.New("forbidden")

var lostAnswer = &activity.Error{Op: "Backfill", Err: activity.ErrMaybeSpent}

// window is days a to b after day0.
func window(a, b int) types.Window {
	return types.Window{Start: day0.AddDate(0, 0, a), End: day0.AddDate(0, 0, b)}
}

func one(r backfill.Requester, w types.Window) *backfill.User {
	return &backfill.User{ID: "u", Requester: r, Window: w, Kinds: []types.Kind{types.KindActivities}}
}

// serial makes the order of requests certain.
var serial = &backfill.RunnerOptions{PerUser: 1}

// play runs one user to the end and returns the states told and the error.
func play(t *testing.T, ledger backfill.Ledger, u *backfill.User, o *backfill.RunnerOptions) (told []string, err error) {
	t.Helper()
	for p, err := range backfill.NewRunner(backfill.NewLimiter(backfill.Evaluation, nil), ledger, o).Run(t.Context(), u) {
		if err != nil {
			require.Nil(t, p)
			return told, err
		}
		needsWhy := p.Chunk.State == backfill.StateHole || p.Chunk.State == backfill.StateRefused
		require.Equal(t, needsWhy, p.Chunk.Reason != "", p.Chunk.String())
		told = append(told, brief(p.Chunk))
	}
	return told, nil
}

// brief is a chunk's days after day0 and its state.
func brief(c *backfill.Chunk) string {
	d := func(t time.Time) float64 { return t.Sub(day0).Hours() / 24 }
	return fmt.Sprintf("%g-%g %s", d(c.Window.Start), d(c.Window.End), c.State)
}

func held(t *testing.T, l backfill.Ledger) (out []string) {
	for c, err := range l.Chunks(t.Context(), "u") {
		require.NoError(t, err)
		out = append(out, brief(c))
	}
	return out
}

// Each row is a user with 75 days to ask for, in three chunks, latest first,
// and what Garmin answers in turn; after that it accepts.
func TestAnswers(t *testing.T) {
	notOurs := func(a, b int) error { return duplicate(window(a, b), day0) }
	fractions := func(err error) error {
		e, _ := errors.AsType[*activity.Error](err)
		e.Earlier.Start, e.Earlier.End = e.Earlier.Start.Add(-time.Millisecond), e.Earlier.End.Add(time.Millisecond)
		return e
	}
	runAt := day0.AddDate(1, 0, 0)
	now := func(a, b int) error { return duplicate(window(a, b), runAt) }
	for _, tt := range []struct {
		name    string
		answers []error
		asked   []string
		told    []string
		held    []string
		err     error
	}{
		{
			name:  "accepted",
			asked: []string{"50-75", "25-50", "0-25"},
			told:  []string{"50-75 accepted", "25-50 accepted", "0-25 accepted"},
		},
		{
			name:    "409 that covers",
			answers: []error{nil, notOurs(25, 50)},
			asked:   []string{"50-75", "25-50", "0-25"},
			told:    []string{"50-75 accepted", "25-50 duplicate", "0-25 accepted"},
		},
		{
			name:    "409 of a longer range",
			answers: []error{nil, notOurs(20, 60)},
			asked:   []string{"50-75", "25-50", "0-25"},
			told:    []string{"50-75 accepted", "25-50 duplicate", "0-25 accepted"},
		},
		{
			name:    "409 that covers a part",
			answers: []error{nil, notOurs(30, 40)},
			asked:   []string{"50-75", "25-50", "0-25"},
			told:    []string{"50-75 accepted", "30-40 duplicate", "25-30 hole", "40-50 hole", "0-25 accepted"},
		},
		{
			name:    "409 with fractions of a second",
			answers: []error{nil, fractions(notOurs(30, 40))},
			asked:   []string{"50-75", "25-50", "0-25"},
			told:    []string{"50-75 accepted", "30-40 duplicate", "25-30 hole", "40-50 hole", "0-25 accepted"},
		},
		{
			name:    "409 that covers the beginning",
			answers: []error{nil, notOurs(10, 40)},
			asked:   []string{"50-75", "25-50", "0-25"},
			told:    []string{"50-75 accepted", "25-40 duplicate", "40-50 hole", "0-25 accepted"},
		},
		{
			name:    "409 of another range",
			answers: []error{nil, notOurs(100, 110)},
			asked:   []string{"50-75", "25-50", "0-25"},
			told:    []string{"50-75 accepted", "25-50 hole", "0-25 accepted"},
		},
		{
			name:    "409 that names no range",
			answers: []error{nil, status(409, activity.ErrDuplicate)},
			asked:   []string{"50-75", "25-50", "0-25"},
			told:    []string{"50-75 accepted", "25-50 hole", "0-25 accepted"},
		},
		{
			name:    "lost answer, then 409 of this range: it was accepted",
			answers: []error{lostAnswer, now(50, 75)},
			asked:   []string{"50-75", "50-75", "25-50", "0-25"},
			told:    []string{"50-75 accepted", "25-50 accepted", "0-25 accepted"},
		},
		{
			name: "lost answer, then 409 of this range but for a second",
			answers: []error{lostAnswer, &activity.Error{StatusCode: 409, Err: activity.ErrDuplicate, Earlier: types.Window{
				Start: window(50, 75).Start, End: window(50, 75).End.Add(-2 * time.Second),
			}}},
			asked: []string{"50-75", "50-75", "25-50", "0-25"},
			told:  []string{"50-75 accepted", "25-50 accepted", "0-25 accepted"},
		},
		{
			name:    "500, then 409 of this range: it was accepted",
			answers: []error{status(500, nil), now(50, 75)},
			asked:   []string{"50-75", "50-75", "25-50", "0-25"},
			told:    []string{"50-75 accepted", "25-50 accepted", "0-25 accepted"},
		},
		{
			name:    "lost answer, 429, then 409 of this range: it was accepted",
			answers: []error{errors.New("reset"), status(429, activity.ErrRateLimited), now(50, 75)},
			asked:   []string{"50-75", "50-75", "50-75", "25-50", "0-25"},
			told:    []string{"50-75 accepted", "25-50 accepted", "0-25 accepted"},
		},
		{
			name:    "lost answer, then 409 of this range long ago: not by us",
			answers: []error{lostAnswer, notOurs(50, 75)},
			asked:   []string{"50-75", "50-75", "25-50", "0-25"},
			told:    []string{"50-75 duplicate", "25-50 accepted", "0-25 accepted"},
		},
		{
			name:    "lost answer, then 409 of another range",
			answers: []error{lostAnswer, now(50, 60)},
			asked:   []string{"50-75", "50-75", "25-50", "0-25"},
			told:    []string{"50-60 duplicate", "60-75 hole", "25-50 accepted", "0-25 accepted"},
		},
		{
			name:    "not sent, then 409 of this range: not by us",
			answers: []error{status(0, types.ErrNotSent), now(50, 75)},
			asked:   []string{"50-75", "50-75", "25-50", "0-25"},
			told:    []string{"50-75 duplicate", "25-50 accepted", "0-25 accepted"},
		},
		{
			name:    "429, then 409 of this range: not by us",
			answers: []error{status(429, activity.ErrRateLimited), now(50, 75)},
			asked:   []string{"50-75", "50-75", "25-50", "0-25"},
			told:    []string{"50-75 duplicate", "25-50 accepted", "0-25 accepted"},
		},
		{
			name:    "too early: clipped, and the rest not asked for",
			answers: []error{nil, &activity.Error{StatusCode: 400, Err: activity.ErrMinStart, MinStart: day0.AddDate(0, 0, 40)}},
			asked:   []string{"50-75", "25-50", "40-50"},
			told:    []string{"50-75 accepted", "25-40 refused", "40-50 accepted", "0-25 refused"},
		},
		{
			name:    "too early, by a limit that moves",
			answers: []error{minStartAt(60), minStartAt(61), minStartAt(63), nil},
			asked:   []string{"50-75", "60-75", "61-75", "63-75"},
			told:    []string{"50-60 refused", "60-61 refused", "61-63 refused", "63-75 accepted", "25-50 refused", "0-25 refused"},
		},
		{
			name:    "too early, beyond the chunk",
			answers: []error{minStartAt(80)},
			asked:   []string{"50-75"},
			told:    []string{"50-75 refused", "25-50 refused", "0-25 refused"},
		},
		{
			name:    "too early, though it is not",
			answers: []error{minStartAt(20)},
			asked:   []string{"50-75", "25-50", "0-25"},
			told:    []string{"50-75 refused", "25-50 accepted", "0-25 accepted"},
		},
		{
			name:    "permission missing",
			answers: []error{nil, &activity.Error{StatusCode: 412, Err: activity.ErrNotPermitted, Permission: "SOME_EXPORT"}},
			asked:   []string{"50-75", "25-50"},
			told:    []string{"50-75 accepted", "25-50 refused"},
			held:    []string{"0-25 planned", "25-50 refused", "50-75 accepted"},
			err:     activity.ErrNotPermitted,
		},
		{
			name:    "token gone",
			answers: []error{status(401, activity.ErrUnauthorized)},
			asked:   []string{"50-75"},
			told:    []string{"50-75 refused"},
			held:    []string{"0-25 planned", "25-50 planned", "50-75 refused"},
			err:     activity.ErrUnauthorized,
		},
		{
			name:    "token unknown",
			answers: []error{status(403, errForbidden)},
			asked:   []string{"50-75"},
			told:    []string{"50-75 refused"},
			held:    []string{"0-25 planned", "25-50 planned", "50-75 refused"},
			err:     errForbidden,
		},
		{
			name:    "summary type not enabled",
			answers: []error{status(400, activity.ErrEndpointNotEnabled)},
			asked:   []string{"50-75"},
			told:    []string{"50-75 refused"},
			held:    []string{"0-25 planned", "25-50 planned", "50-75 refused"},
			err:     activity.ErrEndpointNotEnabled,
		},
		{
			name:    "other 400",
			answers: []error{nil, status(400, nil)},
			asked:   []string{"50-75", "25-50", "0-25"},
			told:    []string{"50-75 accepted", "25-50 refused", "0-25 accepted"},
		},
		{
			name:    "500 without end",
			answers: slices.Repeat([]error{status(503, errStub)}, 8),
			asked:   slices.Repeat([]string{"50-75"}, 8),
			held:    []string{"0-25 planned", "25-50 planned", "50-75 requested"},
			err:     errStub,
		},
		{
			name:    "not sent, without end",
			answers: slices.Repeat([]error{&activity.Error{Err: fmt.Errorf("%w: %w", types.ErrNotSent, errStub)}}, 8),
			asked:   slices.Repeat([]string{"50-75"}, 8),
			held:    []string{"0-25 planned", "25-50 planned", "50-75 planned"},
			err:     errStub,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(runAt))
				s := &script{answers: tt.answers}
				ledger := backfill.NewLedger()
				told, err := play(t, ledger, one(s, window(0, 75)), serial)
				require.ErrorIs(t, err, tt.err)
				require.Equal(t, tt.told, told)
				var asked []string
				for _, w := range s.asked {
					asked = append(asked, fmt.Sprintf("%g-%g", w.Start.Sub(day0).Hours()/24, w.End.Sub(day0).Hours()/24))
				}
				require.Equal(t, tt.asked, asked)
				if tt.held == nil {
					tt.held = slices.Sorted(slices.Values(tt.told))
				}
				require.ElementsMatch(t, tt.held, held(t, ledger))
			})
		})
	}
}

var errStub = errors.New("stub")

func minStartAt(days int) error {
	// Half a second before a whole one: Garmin's fractions are cut up, not off.
	at := day0.AddDate(0, 0, days).Add(-time.Second / 2)
	return &activity.Error{StatusCode: 400, Err: activity.ErrMinStart, MinStart: at}
}

// After 429 nobody asks until Garmin's time is over.
func TestLimitedWaits(t *testing.T) {
	for after, want := range map[time.Duration]time.Duration{0: time.Minute, 3 * time.Minute: 3 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			var at []time.Time
			r := requester(func(context.Context, types.Kind, types.Window) error {
				if at = append(at, time.Now()); len(at) == 1 {
					return &activity.Error{StatusCode: 429, Err: activity.ErrRateLimited, Wait: after}
				}
				return nil
			})
			_, err := play(t, backfill.NewLedger(), one(r, window(0, 1)), serial)
			require.NoError(t, err)
			require.Len(t, at, 2)
			require.GreaterOrEqual(t, at[1].Sub(at[0]), want)
			require.Less(t, at[1].Sub(at[0]), want+time.Second)
		})
	}
}

// What lies before Garmin's earliest time is not asked for by a later run.
func TestTooEarlyIsSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := backfill.NewLedger()
		s := &script{answers: []error{minStartAt(60)}}
		_, err := play(t, ledger, one(s, window(0, 75)), serial)
		require.NoError(t, err)
		again := &script{}
		told, err := play(t, ledger, one(again, window(0, 75)), serial)
		require.NoError(t, err)
		require.Empty(t, told)
		require.Empty(t, again.asked)
	})
}

// Pauses double from a second, less up to half of each.
func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		s := &script{answers: slices.Repeat([]error{status(503, errStub)}, 8)}
		for _, err := range backfill.NewRunner(backfill.NewLimiter(backfill.Evaluation, nil), backfill.NewLedger(), nil).Run(t.Context(), one(s, window(0, 1))) {
			require.ErrorIs(t, err, errStub)
		}
		const sum = 1 + 2 + 4 + 8 + 16 + 32 + 64
		took := time.Since(start).Seconds()
		require.True(t, sum/2 <= took && took <= sum, "took %g s", took)
	})
}

// Garmin says how long its trouble lasts.
func TestRetryAfterOfFailures(t *testing.T) {
	for after, want := range map[time.Duration]time.Duration{10 * time.Minute: 10 * time.Minute, 100 * time.Hour: time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			s := &script{answers: []error{&activity.Error{StatusCode: 503, Wait: after}}}
			_, err := play(t, backfill.NewLedger(), one(s, window(0, 1)), serial)
			require.NoError(t, err)
			require.Equal(t, want, time.Since(start))
		})
	}
}

// What was settled stays; what was refused for a reason that may have gone is
// asked for again.
func TestRunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := backfill.NewLedger()
		s := &script{answers: []error{
			nil, duplicate(window(30, 40), day0), status(412, activity.ErrNotPermitted),
		}}
		_, err := play(t, ledger, one(s, window(0, 75)), serial)
		require.ErrorIs(t, err, activity.ErrNotPermitted)

		again := &script{}
		told, err := play(t, ledger, one(again, window(-10, 80)), serial)
		require.NoError(t, err)
		require.Equal(t, []string{"75-80 accepted", "0-25 accepted", "-10-0 accepted"}, told)

		told, err = play(t, ledger, one(again, window(0, 75)), serial)
		require.NoError(t, err)
		require.Empty(t, told, "nothing is left")

		told, err = play(t, ledger, one(again, window(0, 75)), &backfill.RunnerOptions{PerUser: 1, FillHoles: true})
		require.NoError(t, err)
		require.Equal(t, []string{"40-50 accepted", "25-30 accepted"}, told)
	})
}

// A chunk in doubt is asked for as it was, whatever the size of new ones: a
// 409 could not be told otherwise.
func TestRunInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := backfill.NewLedger()
		c := planned("u", 0, 25)
		c.State, c.Requested, c.InDoubt = backfill.StateRequested, time.Now(), time.Now().AddDate(0, 0, -30)
		require.NoError(t, save(ledger, c))
		s := &script{answers: []error{duplicate(c.Window, c.InDoubt)}}
		told, err := play(t, ledger, one(s, window(0, 50)), &backfill.RunnerOptions{PerUser: 1, ChunkDays: 10})
		require.NoError(t, err)
		require.Equal(t, []string{"0-25 accepted", "40-50 accepted", "30-40 accepted", "25-30 accepted"}, told)
	})
}

// A plan made under a larger limit is cut to the present one.
func TestRunUnderSmallerLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := backfill.NewLedger()
		require.NoError(t, save(ledger, planned("u", 0, 25)))
		s := &script{}
		for _, err := range backfill.NewRunner(backfill.NewLimiter(10, nil), ledger, serial).Run(t.Context(), one(s, window(0, 25))) {
			require.NoError(t, err)
		}
		require.Equal(t, []types.Window{window(15, 25), window(5, 15), window(0, 5)}, utc(s.asked))
	})
}

func utc(ws []types.Window) []types.Window {
	out := slices.Clone(ws)
	for i := range out {
		out[i].Start, out[i].End = out[i].Start.UTC(), out[i].End.UTC()
	}
	return out
}

// permissions adds the permission check to a requester.
type permissions struct {
	script
	have []types.Permission
	err  error
}

func (p *permissions) Permissions(context.Context) ([]types.Permission, error) { return p.have, p.err }

func TestPermissionFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		no := &permissions{have: []types.Permission{types.PermissionActivityExport}}
		_, err := play(t, backfill.NewLedger(), one(no, window(0, 25)), nil)
		missing, ok := errors.AsType[*backfill.UserError](err)
		require.True(t, ok, "got %v", err)
		require.Equal(t, types.PermissionHistoricalDataExport, missing.Permission)
		require.ErrorContains(t, err, "HISTORICAL_DATA_EXPORT")
		require.Empty(t, no.asked)

		gone := &permissions{err: status(401, activity.ErrUnauthorized)}
		_, err = play(t, backfill.NewLedger(), one(gone, window(0, 25)), nil)
		require.ErrorIs(t, err, activity.ErrUnauthorized)
		require.Empty(t, gone.asked)

		for name, p := range map[string]*permissions{
			"granted": {have: []types.Permission{types.PermissionHistoricalDataExport}},
			"unknown": {err: status(500, nil)},
		} {
			told, err := play(t, backfill.NewLedger(), one(p, window(0, 25)), nil)
			require.NoError(t, err, name)
			require.Len(t, told, 1, name)
		}
	})
}

// Leaving the loop waits for what is under way and keeps its answer.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := backfill.NewLedger()
		var calls atomic.Int64
		slow := requester(func(ctx context.Context, _ types.Kind, w types.Window) error {
			time.Sleep(time.Duration(calls.Add(1)) * 5 * time.Second)
			return ctx.Err()
		})
		u := one(slow, window(0, 250))
		for range backfill.NewRunner(backfill.NewLimiter(backfill.Evaluation, nil), ledger, nil).Run(t.Context(), u) {
			break
		}
		states := map[backfill.State]int{}
		for c, err := range ledger.Chunks(t.Context(), "u") {
			require.NoError(t, err)
			states[c.State]++
		}
		require.Equal(t, map[backfill.State]int{backfill.StateAccepted: 4, backfill.StatePlanned: 6}, states)
	})
}

// Cancelling abandons what is under way, and holds its days all the same.
func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := backfill.NewLedger()
		limiter := backfill.NewLimiter(backfill.Evaluation, nil)
		ctx, cancel := context.WithCancelCause(t.Context())
		hangs := requester(func(ctx context.Context, _ types.Kind, w types.Window) error {
			<-ctx.Done()
			return ctx.Err()
		})
		time.AfterFunc(5*time.Second, func() { cancel(errStub) })
		var last error
		for p, err := range backfill.NewRunner(limiter, ledger, nil).Run(ctx, one(hangs, window(0, 250))) {
			require.Nil(t, p)
			last = err
		}
		require.ErrorIs(t, last, errStub)
		states := map[backfill.State]int{}
		for c, err := range ledger.Chunks(t.Context(), "u") {
			require.NoError(t, err)
			states[c.State]++
		}
		require.Equal(t, map[backfill.State]int{backfill.StateRequested: 4, backfill.StatePlanned: 6}, states)
		short, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		_, err := limiter.Acquire(short, "other", 1)
		require.ErrorIs(t, err, context.DeadlineExceeded, "the abandoned requests may have counted")
	})
}

// obedient is a ledger that stores nothing in an ended context, as one in a
// database would.
type obedient struct{ backfill.Ledger }

func (o obedient) Claim(ctx context.Context, user types.UserID) (backfill.Claim, error) {
	c, err := o.Ledger.Claim(ctx, user)
	return saving(c, func(next func(context.Context, ...*backfill.Chunk) error, ctx context.Context, chunks []*backfill.Chunk) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return next(ctx, chunks...)
	}), err
}

// An answer that came is kept, though the run is cancelled just then.
func TestAnswerOutlivesTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r := requester(func(context.Context, types.Kind, types.Window) error {
			cancel()
			return nil
		})
		ledger := obedient{backfill.NewLedger()}
		for range backfill.NewRunner(backfill.NewLimiter(backfill.Evaluation, nil), ledger, serial).Run(ctx, one(r, window(0, 25))) {
		}
		require.Equal(t, []string{"0-25 accepted"}, held(t, ledger))
	})
}

func TestRunBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := backfill.NewLedger()
		claim, err := ledger.Claim(t.Context(), "u")
		require.NoError(t, err)
		_, err = play(t, ledger, one(&script{}, window(0, 25)), nil)
		require.ErrorIs(t, err, backfill.ErrBusy)
		claim.Release()
		_, err = play(t, ledger, one(&script{}, window(0, 25)), nil)
		require.NoError(t, err)
		_, err = play(t, ledger, one(&script{}, window(25, 50)), nil)
		require.NoError(t, err, "a run lets go of its user")
	})
}

func TestRunBadUser(t *testing.T) {
	t.Parallel()
	for name, u := range map[string]*backfill.User{
		"nil":         nil,
		"no id":       {Requester: &script{}, Window: window(0, 1)},
		"no client":   {ID: "u", Window: window(0, 1)},
		"no window":   {ID: "u", Requester: &script{}},
		"backward":    {ID: "u", Requester: &script{}, Window: window(1, 0)},
		"invalid":     {ID: "u", Requester: &script{}, Window: window(0, 1), Kinds: []types.Kind{"moveiq"}},
		"zero kind":   {ID: "u", Requester: &script{}, Window: window(0, 1), Kinds: []types.Kind{""}},
		"not seconds": {ID: "u", Requester: &script{}, Window: types.Window{Start: day0.Add(1), End: day0.AddDate(0, 0, 1)}},
	} {
		_, err := play(t, backfill.NewLedger(), u, nil)
		require.Error(t, err, name)
		if u != nil { // it concerns this user alone: a caller goes on with the others
			require.ErrorAs(t, err, new(*backfill.UserError), name)
		}
	}
}

// failing is a ledger that fails from its nth save on.
type failing struct {
	backfill.Ledger
	mu    sync.Mutex
	saves int
}

func (f *failing) Claim(ctx context.Context, user types.UserID) (backfill.Claim, error) {
	c, err := f.Ledger.Claim(ctx, user)
	return saving(c, f.save), err
}

func (f *failing) save(next func(context.Context, ...*backfill.Chunk) error, ctx context.Context, chunks []*backfill.Chunk) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.saves--; f.saves < 0 {
		return errStub
	}
	return next(ctx, chunks...)
}

// A request is never sent that the ledger does not know of.
func TestLedgerFails(t *testing.T) {
	for saves := range 7 {
		synctest.Test(t, func(t *testing.T) {
			s := &script{}
			ledger := &failing{Ledger: backfill.NewLedger(), saves: saves}
			_, err := play(t, ledger, one(s, window(0, 75)), serial)
			require.ErrorIs(t, err, errStub)
			require.Len(t, s.asked, saves/2)
		})
	}
}

// An entry of a ledger counts attempts up to 255.
func TestManyAttempts(t *testing.T) {
	t.Parallel()
	for attempts, want := range map[int]int{-1: 0, 0: 0, 200: 200, 255: 255, 300: 255} {
		ledger := backfill.NewLedger()
		c := planned("u", 0, 25)
		c.Attempts = attempts
		require.NoError(t, save(ledger, c))
		for c, err := range ledger.Chunks(t.Context(), "u") {
			require.NoError(t, err)
			require.Equal(t, want, c.Attempts)
		}
	}
}

func TestNewLimiter(t *testing.T) {
	t.Parallel()
	for _, days := range []int{-1, 0} {
		require.Panics(t, func() { backfill.NewLimiter(days, nil) })
	}
	require.Equal(t, 1, backfill.NewLimiter(1, nil).DaysPerMinute())
}
