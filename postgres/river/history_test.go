//go:build unix

package garminriver

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/postgres"
	"github.com/garminkit/activityapi/types"
)

// garmin counts what it was asked for.
type garmin struct {
	mu     sync.Mutex
	asked  map[string]int
	answer func(ctx context.Context, nr int) error
}

// window is the history of each user: four requests.
var window = types.Window{Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2026, 4, 11, 0, 0, 0, 0, time.UTC)}

const requests = 4

func (g *garmin) user(_ context.Context, id types.UserID) (*backfill.User, error) {
	return &backfill.User{ID: id, Window: window, Kinds: []types.Kind{types.KindActivities},
		Requester: requester(func(ctx context.Context, _ types.Kind, w types.Window) error {
			g.mu.Lock()
			if g.asked == nil {
				g.asked = map[string]int{}
			}
			g.asked[fmt.Sprint(id, w)]++
			nr, answer := len(g.asked), g.answer
			g.mu.Unlock()
			if answer == nil {
				return nil
			}
			return answer(ctx, nr)
		})}, nil
}

// requester is a client that does what the function does.
type requester func(context.Context, types.Kind, types.Window) error

func (r requester) Backfill(ctx context.Context, k types.Kind, w types.Window) error {
	return r(ctx, k, w)
}

// once fails if Garmin was not asked for each of users' ranges once.
func (g *garmin) once(t *testing.T, users int) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	require.Len(t, g.asked, users*requests)
	for what, n := range g.asked {
		require.Equal(t, 1, n, what)
	}
}

func limiter() backfill.Limiter { return backfill.NewLimiter(backfill.Production, nil) }

func work(ctx context.Context, w *History, id types.UserID) error {
	return w.Work(ctx, &river.Job[HistoryArgs]{Args: HistoryArgs{id}})
}

// TestHistoryByOneLeader lets three processes with the same periodic scan ask for
// the history of many users: each range once.
func TestHistoryByOneLeader(t *testing.T) {
	t.Parallel()
	r, g, ledger := newRig(t), &garmin{}, backfill.NewLedger()
	const users = 30
	var scans sync.Map
	wanted := func(context.Context) iter.Seq2[types.UserID, error] {
		return func(yield func(types.UserID, error) bool) {
			scans.Store(time.Now(), true)
			for i := range users {
				if !yield(types.UserID(fmt.Sprint("u", i)), nil) {
					return
				}
			}
		}
	}
	for range 3 {
		workers := river.NewWorkers()
		river.AddWorker(workers, NewHistory(limiter(), ledger, g.user, nil))
		river.AddWorker(workers, NewHistoryScan(wanted))
		start(t, r.client(t, workers, Every(time.Hour, HistoryScanArgs{})))
	}
	r.until(t, "garmin_history", map[rivertype.JobState]int{rivertype.JobStateCompleted: users})
	g.once(t, users)
	n := 0
	scans.Range(func(any, any) bool { n++; return true })
	require.Equal(t, 1, n, "one leader")
	r.until(t, "garmin_history_scan", map[rivertype.JobState]int{rivertype.JobStateCompleted: 1})
}

// TestHistoryIsOncePerUser holds that a user has one job at a time, and another
// when that is done.
func TestHistoryIsOncePerUser(t *testing.T) {
	t.Parallel()
	ctx, r, g := t.Context(), newRig(t), &garmin{}
	workers := river.NewWorkers()
	river.AddWorker(workers, NewHistory(limiter(), backfill.NewLedger(), g.user, nil))
	c := r.client(t, workers)
	for i, id := range []types.UserID{"u", "u", "v"} {
		res, err := c.Insert(ctx, HistoryArgs{id}, nil)
		require.NoError(t, err)
		require.Equal(t, i == 1, res.UniqueSkippedAsDuplicate)
	}
	start(t, c)
	r.until(t, "garmin_history", map[rivertype.JobState]int{rivertype.JobStateCompleted: 2})
	res, err := c.Insert(ctx, HistoryArgs{"u"}, nil)
	require.NoError(t, err)
	require.False(t, res.UniqueSkippedAsDuplicate, "a job that is done is in nobody's way")
	r.until(t, "garmin_history", map[rivertype.JobState]int{rivertype.JobStateCompleted: 3})
	g.once(t, 2)
}

// TestHistoryResumesAfterACrash kills a process in the middle: its job is taken
// for dead, and the next process asks for the rest, by the ledger.
func TestHistoryResumesAfterACrash(t *testing.T) {
	t.Parallel()
	ctx, r, g := t.Context(), newRig(t), &garmin{}
	require.NoError(t, postgres.Migrate(ctx, r.pool, r.schema))
	opened := func() *postgres.DB {
		db, err := postgres.Open(ctx, r.pool, &postgres.Options{Schema: r.schema, Lease: time.Second})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		return db
	}
	// The dead one asked for two of four ranges, and had the user claimed.
	dead := opened()
	user, err := g.user(ctx, "u")
	require.NoError(t, err)
	done := 0
	for _, err := range backfill.NewRunner(limiter(), dead.Ledger(), &backfill.RunnerOptions{PerUser: 1}).Run(ctx, user) {
		require.NoError(t, err)
		if done++; done == 2 {
			break
		}
	}
	workers := river.NewWorkers()
	w := NewHistory(limiter(), opened().Ledger(), g.user, &HistoryOptions{Busy: time.Second})
	river.AddWorker(workers, w)
	c := r.client(t, workers)
	res, err := c.Insert(ctx, HistoryArgs{"u"}, nil)
	require.NoError(t, err)
	ran := func(ago time.Duration) {
		_, err := r.pool.Exec(ctx, `UPDATE `+r.schema+`.river_job SET state = 'running', attempt = 1, attempted_at = now() - $2::interval, attempted_by = '{dead}' WHERE id = $1`, res.Job.ID, ago)
		require.NoError(t, err)
	}
	claim, err := dead.Ledger().Claim(ctx, "u")
	require.NoError(t, err)
	ran(2 * time.Hour)
	start(t, c)
	require.Eventually(t, func() bool { // it meets the claim, and is put off
		j, err := c.JobGet(ctx, res.Job.ID)
		return err == nil && strings.Contains(string(j.Metadata), "snoozes")
	}, 60*time.Second, 10*time.Millisecond)
	claim.Release()
	r.until(t, "garmin_history", map[rivertype.JobState]int{rivertype.JobStateCompleted: 1})
	g.once(t, 1)
	// River's rule for the dead: none of our jobs is out of its reach.
	timeout := w.Timeout(nil)
	require.Positive(t, timeout)
	require.Less(t, timeout, time.Hour)
}

// TestHistoryIsPutOff holds what becomes of a run that cannot go on.
func TestHistoryIsPutOff(t *testing.T) {
	t.Parallel()
	limited := func(wait time.Duration) error {
		return &activity.Error{StatusCode: 429, Wait: wait, Err: activity.ErrRateLimited}
	}
	snoozed := func(least, most time.Duration) func(*testing.T, error) {
		return func(t *testing.T, err error) {
			var s *river.JobSnoozeError
			require.ErrorAs(t, err, &s)
			require.GreaterOrEqual(t, s.Duration, least)
			require.LessOrEqual(t, s.Duration, most)
		}
	}
	cancelled := func(t *testing.T, err error) {
		var c *river.JobCancelError
		require.ErrorAs(t, err, &c)
	}
	for name, c := range map[string]struct {
		answer func(ctx context.Context, nr int) error
		budget int
		opts   *HistoryOptions
		want   func(*testing.T, error)
	}{
		"429":               {func(context.Context, int) error { return limited(0) }, 0, nil, snoozed(50*time.Second, time.Minute)},
		"429 for long":      {func(context.Context, int) error { return limited(10 * time.Minute) }, 0, nil, snoozed(9*time.Minute, 10*time.Minute)},
		"429 for too long":  {func(context.Context, int) error { return limited(24 * time.Hour) }, 0, nil, snoozed(59*time.Minute, time.Hour)},
		"no leave for long": {nil, 60, &HistoryOptions{MaxWait: 50 * time.Millisecond}, snoozed(50*time.Millisecond, 50*time.Millisecond)},
		"slice":             {nil, 60, &HistoryOptions{Slice: 50 * time.Millisecond}, snoozed(0, 0)},
		"permission": {func(context.Context, int) error {
			return &activity.Error{StatusCode: 412, Err: activity.ErrNotPermitted}
		}, 0, nil, cancelled},
		"reconnect": {func(context.Context, int) error {
			return &auth.Error{Op: "token", UserID: "u", Err: auth.ErrReconnect}
		}, 0, nil, cancelled},
		"not enabled": {func(context.Context, int) error {
			return &activity.Error{StatusCode: 400, Err: activity.ErrEndpointNotEnabled}
		}, 0, nil, func(t *testing.T, err error) {
			require.ErrorIs(t, err, activity.ErrEndpointNotEnabled)
			var s *river.JobSnoozeError
			require.NotErrorAs(t, err, &s)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := &garmin{answer: c.answer}
			budget := c.budget
			if budget == 0 {
				budget = backfill.Production
			}
			w := NewHistory(backfill.NewLimiter(budget, nil), backfill.NewLedger(), g.user, c.opts)
			err := work(t.Context(), w, "u")
			require.Error(t, err)
			c.want(t, err)
			if name[:3] == "429" { // and another user's job does not begin
				n := len(g.asked)
				c.want(t, work(t.Context(), w, "v"))
				require.Len(t, g.asked, n)
			}
		})
	}
}

// TestHistoryStops holds that a process which stops puts its job off, and that a
// user who cannot be found is not asked for.
func TestHistoryStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	g := &garmin{answer: func(ctx context.Context, _ int) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}}
	ledger := backfill.NewLedger()
	w := NewHistory(limiter(), ledger, g.user, nil)
	var s *river.JobSnoozeError
	require.ErrorAs(t, work(ctx, w, "u"), &s)
	require.Zero(t, s.Duration)

	for err, stays := range map[error]bool{
		fmt.Errorf("user: %w", auth.ErrNotConnected): false,
		errors.New("the database is away"):           true,
	} {
		w := NewHistory(limiter(), ledger, func(context.Context, types.UserID) (*backfill.User, error) { return nil, err }, nil)
		got := work(t.Context(), w, "u")
		require.ErrorIs(t, got, err)
		var c *river.JobCancelError
		require.Equal(t, !stays, errors.As(got, &c))
	}

	claim, err := ledger.Claim(t.Context(), "u")
	require.NoError(t, err)
	defer claim.Release()
	require.ErrorAs(t, work(t.Context(), w, "u"), &s)
	require.Equal(t, 30*time.Second, s.Duration)
}

// TestScanGoesInBatches holds that more users than a batch get their jobs, and all
// others do if one cannot have any or the rest cannot be read.
func TestScanGoesInBatches(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const users = 2*batch + 1
	var readable atomic.Bool
	workers := river.NewWorkers()
	river.AddWorker(workers, NewHistoryScan(func(context.Context) iter.Seq2[types.UserID, error] {
		return func(yield func(types.UserID, error) bool) {
			for i := range users {
				if !yield(types.UserID(fmt.Sprint(i)), nil) {
					return
				}
			}
			if yield("bad\x00", nil) && !readable.Load() {
				yield("", errors.New("the rest cannot be read"))
			}
		}
	}))
	river.AddWorker(workers, river.WorkFunc(func(context.Context, *river.Job[HistoryArgs]) error { return nil }))
	c := r.client(t, workers)
	require.NoError(t, c.Queues().Remove(t.Context(), QueueHistory))
	start(t, c)
	res, err := c.Insert(t.Context(), HistoryScanArgs{}, nil)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		j, err := c.JobGet(t.Context(), res.Job.ID)
		return err == nil && len(j.Errors) > 0
	}, 60*time.Second, 10*time.Millisecond)
	require.Equal(t, map[rivertype.JobState]int{rivertype.JobStateAvailable: users}, r.jobs(t, "garmin_history"))
	readable.Store(true)
	r.until(t, "garmin_history_scan", map[rivertype.JobState]int{rivertype.JobStateCancelled: 1})
	require.Equal(t, map[rivertype.JobState]int{rivertype.JobStateAvailable: users}, r.jobs(t, "garmin_history"), "nobody has two")
}

// TestUsersTakeTurns holds that with one worker and slices that
// hold one request, each user gets on.
func TestUsersTakeTurns(t *testing.T) {
	t.Parallel()
	ctx, r := t.Context(), newRig(t)
	var mu sync.Mutex
	var turns []types.UserID
	g := &garmin{answer: func(context.Context, int) error { time.Sleep(30 * time.Millisecond); return nil }}
	workers := river.NewWorkers()
	river.AddWorker(workers, NewHistory(limiter(), backfill.NewLedger(), g.user, &HistoryOptions{
		Slice: 20 * time.Millisecond, Runner: &backfill.RunnerOptions{PerUser: 1},
		Progress: func(p *backfill.Progress) { mu.Lock(); turns = append(turns, p.UserID); mu.Unlock() },
	}))
	c := r.client(t, workers)
	require.NoError(t, c.Queues().Remove(ctx, QueueHistory))
	require.NoError(t, c.Queues().Add(QueueHistory, river.QueueConfig{MaxWorkers: 1}))
	for _, id := range []types.UserID{"u", "v"} {
		_, err := c.Insert(ctx, HistoryArgs{id}, nil)
		require.NoError(t, err)
	}
	start(t, c)
	r.until(t, "garmin_history", map[rivertype.JobState]int{rivertype.JobStateCompleted: 2})
	g.once(t, 2)
	require.Positive(t, slices.Index(turns, "v"))
	require.Less(t, slices.Index(turns, "v"), requests, "%v", turns)
}
