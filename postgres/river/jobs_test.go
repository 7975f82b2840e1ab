//go:build unix

package garminriver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/notifytest"
	"github.com/garminkit/activityapi/types"
)

// TestKeepAlive lets three processes keep tokens alive: what is due is refreshed
// once, and the tables of River hold no token.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	ctx, r := t.Context(), newRig(t)
	fake, store := activitytest.NewServer(), auth.NewMemory()
	const people = 5
	secret := []string{fake.ClientSecret}
	for i := range people {
		u := fake.AddUser(&activitytest.UserOptions{ID: types.UserID(fmt.Sprint("u", i))})
		ends := time.Now().Add(20 * 24 * time.Hour)
		if i == 0 {
			ends = time.Now().Add(60 * 24 * time.Hour) // not due
		}
		_, err := store.Swap(ctx, nil, &auth.Token{UserID: u.ID(), AccessToken: types.Secret(u.State().AccessToken), RefreshToken: types.Secret(u.State().RefreshToken), RefreshExpiry: ends})
		require.NoError(t, err)
		secret = append(secret, u.State().AccessToken, u.State().RefreshToken)
	}
	for range 3 {
		users, err := auth.NewUsers(auth.App{ClientID: fake.ClientID, ClientSecret: types.Secret(fake.ClientSecret)}, store, &auth.Options{Transport: fake})
		require.NoError(t, err)
		workers := river.NewWorkers()
		river.AddWorker(workers, NewKeepAlive(users, &auth.KeepAliveOptions{Pace: time.Millisecond}))
		stop := start(t, r.client(t, workers, Every(time.Hour, KeepAliveArgs{})))
		defer func() { stop(); require.NoError(t, users.Close()) }()
	}
	r.until(t, "garmin_keep_alive", map[rivertype.JobState]int{rivertype.JobStateCompleted: 1})
	refreshes := 0
	for _, q := range fake.Requests(0) {
		if strings.HasSuffix(q.Path, "/oauth/token") {
			refreshes++
		}
	}
	require.Equal(t, people-1, refreshes)
	require.Zero(t, fake.State().RefreshReuses)
	for tok, err := range store.Tokens(ctx) {
		require.NoError(t, err)
		secret = append(secret, string(tok.AccessToken), string(tok.RefreshToken))
	}
	stored := r.text(t)
	require.NotEmpty(t, stored)
	for _, s := range secret {
		require.NotContains(t, stored, s)
	}
}

// refresher is a look that takes for ever.
type refresher struct{ looks atomic.Int64 }

func (f *refresher) RefreshDue(ctx context.Context, _ *auth.KeepAliveOptions) error {
	f.looks.Add(1)
	<-ctx.Done()
	return errCutOff
}

// errCutOff does not say that it is ctx's, as the error of a database need not.
var errCutOff = errors.New("cut off")

// TestStopIsNoFailure holds that a job whose process stops goes on in the next
// one, as what it was.
func TestStopIsNoFailure(t *testing.T) {
	t.Parallel()
	ctx, r, slow := t.Context(), newRig(t), &refresher{}
	for nr := range int64(2) {
		workers := river.NewWorkers()
		river.AddWorker(workers, NewKeepAlive(slow, nil))
		c := r.client(t, workers)
		stop := start(t, c)
		if nr == 0 {
			_, err := c.Insert(ctx, KeepAliveArgs{}, nil)
			require.NoError(t, err)
		}
		require.Eventually(t, func() bool { return slow.looks.Load() == nr+1 }, 60*time.Second, time.Millisecond)
		stop()
		require.Equal(t, map[rivertype.JobState]int{rivertype.JobStateAvailable: 1}, r.jobs(t, "garmin_keep_alive"))
	}
	require.NotContains(t, r.text(t), errCutOff.Error())
}

// TestArgsAreIDs holds what the arguments of a job may be.
func TestArgsAreIDs(t *testing.T) {
	t.Parallel()
	for args, want := range map[river.JobArgs]string{
		KeepAliveArgs{}: `{}`, HistoryScanArgs{}: `{}`, HistoryArgs{"u"}: `{"user_id":"u"}`, SweepArgs{"s"}: `{"name":"s"}`, AttemptArgs{"i"}: `{"id":"i"}`,
	} {
		text, err := json.Marshal(args)
		require.NoError(t, err)
		require.JSONEq(t, want, string(text))
		opts := args.(river.JobArgsWithInsertOpts).InsertOpts()
		require.True(t, opts.UniqueOpts.ByArgs)
		require.NotContains(t, opts.UniqueOpts.ByState, rivertype.JobStateCompleted)
	}
}

// TestTimeouts holds that River's rule for dead jobs, with its defaults, reaches
// all of ours.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]time.Duration{
		"keep alive": (&KeepAlive{}).Timeout(nil), "sweep": (&Sweeper{}).Timeout(nil), "scan": (&HistoryScan{}).Timeout(nil), "attempt": (&Attempt{}).Timeout(nil),
		"history": NewHistory(limiter(), backfill.NewLedger(), nil, &HistoryOptions{Slice: 24 * time.Hour}).Timeout(nil),
	} {
		require.Positive(t, d, name)
		require.Less(t, d, time.Hour, name)
	}
}

func TestSweeps(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	sweep := func(s Sweep) error {
		return NewSweeper(Sweep{"other", nil}, s).Work(ctx, &river.Job[SweepArgs]{Args: SweepArgs{s.Name}})
	}
	t.Run("letters", func(t *testing.T) {
		q := notifytest.NewMemory()
		for range 2 {
			require.NoError(t, q.Put(ctx, strings.NewReader(`{"activities":[{"userId":"u","summaryId":"1"}]}`)))
		}
		for s, err := range q.Shares(ctx) {
			require.NoError(t, err)
			items, err := s.Scan(ctx, notify.ClassPush, 0, 10)
			require.NoError(t, err)
			require.Len(t, items, 2)
			for i, it := range items {
				l := &notify.DeadLetter{UserID: "u", Items: 1, Buried: time.Now().Add(-time.Duration(i) * 48 * time.Hour)}
				require.NoError(t, s.Settle(ctx, []notify.Verdict{{ID: it.ID, Fate: notify.Buried, Letter: l}}))
			}
			s.Release()
			break
		}
		left := func() (n int) {
			for _, err := range q.Letters(ctx, nil) {
				require.NoError(t, err)
				n++
			}
			return n
		}
		require.NoError(t, sweep(SweepLetters(q, 72*time.Hour)))
		require.Equal(t, 2, left())
		require.NoError(t, sweep(SweepLetters(q, 24*time.Hour)))
		require.Equal(t, 1, left())
	})
	t.Run("history", func(t *testing.T) {
		ledger, store := backfill.NewLedger(), auth.NewMemory()
		for _, id := range []types.UserID{"here", "gone"} {
			c, err := ledger.Claim(ctx, id)
			require.NoError(t, err)
			require.NoError(t, c.Save(ctx, &backfill.Chunk{UserID: id, Kind: types.KindActivities, Window: window, State: backfill.StateAccepted, Attempts: 1, Requested: time.Now()}))
			c.Release()
		}
		_, err := store.Swap(ctx, nil, &auth.Token{UserID: "here", AccessToken: "a"})
		require.NoError(t, err)
		require.NoError(t, sweep(SweepHistory(ledger, store)))
		for id, err := range ledger.Users(ctx) {
			require.NoError(t, err)
			require.Equal(t, types.UserID("here"), id)
		}
	})
	t.Run("files", func(t *testing.T) {
		dir := t.TempDir()
		require.NoError(t, sweep(SweepFiles(dir, time.Hour)), "nothing is there")
		require.NoError(t, os.MkdirAll(filepath.Join(dir, ".downloads", "d.broken"), 0o700))
		outside := filepath.Join(t.TempDir(), "outside.broken")
		names := []string{"1.fit", ".downloads/a.broken", ".downloads/a.rejected", ".downloads/a.answer", ".downloads/a.whole", ".downloads/a.part", ".downloads/new.broken"}
		for _, name := range append(names, outside) {
			if !filepath.IsAbs(name) {
				name = filepath.Join(dir, name)
			}
			require.NoError(t, os.WriteFile(name, []byte("x"), 0o600))
			if !strings.Contains(name, "new") {
				require.NoError(t, os.Chtimes(name, time.Now(), time.Now().Add(-2*time.Hour)))
			}
		}
		require.NoError(t, os.Symlink(outside, filepath.Join(dir, ".downloads", "link.broken")))
		require.NoError(t, sweep(SweepFiles(dir, time.Hour)))
		var left []string
		require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				path, err = filepath.Rel(dir, path)
				left = append(left, filepath.ToSlash(path))
			}
			return err
		}))
		require.ElementsMatch(t, []string{"1.fit", ".downloads/a.whole", ".downloads/a.part", ".downloads/new.broken", ".downloads/link.broken"}, left)
		require.FileExists(t, outside)
	})
	t.Run("unknown", func(t *testing.T) {
		var c *river.JobCancelError
		require.ErrorAs(t, NewSweeper().Work(ctx, &river.Job[SweepArgs]{Args: SweepArgs{"x"}}), &c)
	})
}

// TestSweepBySchedule lets two processes have a sweep: one makes it.
func TestSweepBySchedule(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var runs atomic.Int64
	for range 2 {
		workers := river.NewWorkers()
		river.AddWorker(workers, NewSweeper(Sweep{"mine", func(context.Context) error { runs.Add(1); return nil }}))
		start(t, r.client(t, workers, Every(time.Hour, SweepArgs{"mine"})))
	}
	r.until(t, "garmin_sweep", map[rivertype.JobState]int{rivertype.JobStateCompleted: 1})
	require.EqualValues(t, 1, runs.Load())
}

// shelf is where a partner keeps items.
type shelf struct {
	mu    sync.Mutex
	items map[string]*notify.Item
	done  map[string]error
}

func (s *shelf) Item(_ context.Context, id string) (*notify.Item, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if it := s.items[id]; it != nil {
		return it, nil
	}
	return nil, fmt.Errorf("shelf: %w", ErrNoItem)
}

func (s *shelf) Settle(_ context.Context, id string, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.items, id)
	s.done[id] = err
	return nil
}

// busy is a failure that asks for time.
type busy struct{}

func (busy) Error() string             { return "busy" }
func (busy) Fault() types.Fault        { return types.FaultGarmin }
func (busy) RetryAfter() time.Duration { return 7 * time.Minute }

func TestAttempt(t *testing.T) {
	t.Parallel()
	var saves []error
	worker, err := notify.NewProcessor(nil,
		func(context.Context, types.UserID) ([]notify.User, error) {
			return []notify.User{{ID: "mine"}}, nil
		},
		notify.Callbacks{
			Save: func(context.Context, *notify.Delivery, types.Summary) error {
				err := saves[0]
				saves = saves[1:]
				return err
			},
			Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
			PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
		}, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, worker.Close()) }()
	s := &shelf{items: map[string]*notify.Item{}, done: map[string]error{}}
	w := NewAttempt(worker, s)
	try := func() error { return w.Work(t.Context(), &river.Job[AttemptArgs]{Args: AttemptArgs{"i"}}) }
	require.NoError(t, try(), "the item has gone")

	put := func(raw string) {
		s.items["i"] = &notify.Item{Piece: notify.Piece{Key: "activities"}, Raw: []byte(raw)}
		delete(s.done, "i")
	}
	put(`{"userId":"u","summaryId":"1"}`)
	failed := errors.New("the database is away")
	saves = []error{failed, busy{}, nil}
	require.ErrorIs(t, try(), failed)
	require.Empty(t, s.done)
	var snooze *river.JobSnoozeError
	require.ErrorAs(t, try(), &snooze)
	require.Equal(t, 7*time.Minute, snooze.Duration)
	require.NoError(t, try())
	require.Equal(t, map[string]error{"i": nil}, s.done)

	put(`{"userId":`)
	var c *river.JobCancelError
	require.ErrorAs(t, try(), &c)
	require.Error(t, s.done["i"])
	require.Empty(t, s.items)
}
