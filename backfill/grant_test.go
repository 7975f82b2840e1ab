package backfill_test

import (
	"context"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

// leases is a limiter as processes would share it: its grants are to be used
// within times of their own.
type leases struct {
	sendWithin, endWithin time.Duration
	endErr                error // of every End
	acquireErr            error

	granted int
	ends    []backfill.Outcome
}

func (l *leases) DaysPerMinute() int { return backfill.Evaluation }

func (l *leases) Acquire(context.Context, types.UserID, int) (backfill.Grant, error) {
	l.granted++
	now := time.Now()
	return &lease{l, now.Add(l.sendWithin), now.Add(l.endWithin)}, l.acquireErr
}

type lease struct {
	l          *leases
	send, upTo time.Time
}

func (g *lease) SendBy() time.Time { return g.send }
func (g *lease) EndBy() time.Time  { return g.upTo }

func (g *lease) End(_ context.Context, o backfill.Outcome) error {
	g.l.ends = append(g.l.ends, o)
	return g.l.endErr
}

// slow is a ledger whose saves take long.
type slow struct {
	backfill.Ledger
	took func() time.Duration
}

func (s slow) Claim(ctx context.Context, user types.UserID) (backfill.Claim, error) {
	c, err := s.Ledger.Claim(ctx, user)
	return saving(c, func(next func(context.Context, ...*backfill.Chunk) error, ctx context.Context, chunks []*backfill.Chunk) error {
		time.Sleep(s.took())
		return next(ctx, chunks...)
	}), err
}

// A grant that ran out while the ledger stored the request is not used: the
// limiter may have given its days to another process.
func TestSendBy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := &leases{sendWithin: 5 * time.Second, endWithin: 2 * time.Minute}
		saves := 0
		ledger := slow{backfill.NewLedger(), func() time.Duration {
			if saves++; saves == 2 { // of the first request
				return 6 * time.Second
			}
			return time.Second
		}}
		s := &script{}
		runner := backfill.NewRunner(limiter, ledger, serial)
		for _, err := range runner.Run(t.Context(), one(s, window(0, 25))) {
			require.NoError(t, err)
		}
		require.Equal(t, []backfill.Outcome{{NotSent: true}, {Answered: true}}, limiter.ends)
		require.Len(t, s.asked, 1)
		for c, err := range ledger.Chunks(t.Context(), "u") {
			require.NoError(t, err)
			require.Equal(t, 1, c.Attempts, "what was not sent counts")
			require.Equal(t, backfill.StateAccepted, c.State)
		}
	})
}

// A ledger that is always too slow stops the user, and nothing is sent.
func TestSendByNever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := &leases{sendWithin: 5 * time.Second, endWithin: 2 * time.Minute}
		ledger := slow{backfill.NewLedger(), func() time.Duration { return 6 * time.Second }}
		s := &script{}
		var last error
		for _, err := range backfill.NewRunner(limiter, ledger, serial).Run(t.Context(), one(s, window(0, 25))) {
			last = err
		}
		require.ErrorContains(t, last, "grant ran out")
		require.Empty(t, s.asked)
		require.Equal(t, []string{"0-25 planned"}, held(t, ledger))
	})
}

// A request ends when its grant does.
func TestEndBy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := &leases{sendWithin: 5 * time.Second, endWithin: 2 * time.Minute}
		tries := 0
		hangs := requester(func(ctx context.Context, _ types.Kind, w types.Window) error {
			if tries++; tries > 1 {
				return nil
			}
			start := time.Now()
			select {
			case <-ctx.Done():
				require.Equal(t, 2*time.Minute, time.Since(start))
				return ctx.Err()
			case <-time.After(time.Hour):
				return nil
			}
		})
		for _, err := range backfill.NewRunner(limiter, backfill.NewLedger(), serial).Run(t.Context(), one(hangs, window(0, 25))) {
			require.NoError(t, err)
		}
		require.Equal(t, []backfill.Outcome{{}, {Answered: true}}, limiter.ends)
	})
}

// A limiter that cannot record the end of a request ends the run, once the
// answer is stored.
func TestEndFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := &leases{sendWithin: time.Minute, endWithin: time.Minute, endErr: errStub}
		ledger := backfill.NewLedger()
		s := &script{}
		var last error
		for _, err := range backfill.NewRunner(limiter, ledger, serial).Run(t.Context(), one(s, window(0, 75))) {
			last = err
		}
		require.ErrorIs(t, last, errStub)
		require.Len(t, s.asked, 1)
		require.Equal(t, []string{"0-25 planned", "25-50 planned", "50-75 accepted"}, held(t, ledger))
	})
}

// A limiter that fails ends the run for all users.
func TestAcquireFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := &leases{acquireErr: errStub}
		users := func(yield func(*backfill.User, error) bool) {
			for {
				if !yield(one(&script{}, window(0, 25)), nil) {
					return
				}
			}
		}
		var last error
		for p, err := range backfill.NewRunner(limiter, backfill.NewLedger(), nil).RunAll(t.Context(), users) {
			if last = err; err == nil {
				require.ErrorIs(t, p.Err, backfill.ErrBusy, "the same user twice")
			}
		}
		require.ErrorIs(t, last, errStub)
	})
}

// unreadable is a ledger that cannot tell what was asked for.
type unreadable struct {
	backfill.Ledger
	fails *int
	_     map[string]int // so that it cannot be the key of a map
}

func (u unreadable) Recent(ctx context.Context, since time.Time) iter.Seq2[*backfill.Chunk, error] {
	if *u.fails--; *u.fails >= 0 {
		return func(yield func(*backfill.Chunk, error) bool) { yield(nil, errStub) }
	}
	return u.Ledger.Recent(ctx, since)
}

// A limiter that cannot learn what was asked for before grants nothing, and
// tries again with the next call. Any ledger will do: a struct, or a map.
func TestRestoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := backfill.NewLedger()
		c := planned("u", 0, 25)
		c.State, c.Requested, c.Answered, c.Attempts = backfill.StateAccepted, time.Now(), time.Now(), 4
		require.NoError(t, save(inner, c))
		fails := 2
		l := backfill.NewLimiter(backfill.Evaluation, unreadable{Ledger: inner, fails: &fails})
		for range 2 {
			_, err := l.Acquire(t.Context(), "u", 1)
			require.ErrorIs(t, err, errStub)
		}
		start := time.Now()
		_, err := l.Acquire(t.Context(), "u", 1)
		require.NoError(t, err)
		require.Greater(t, time.Since(start), time.Minute)
	})
}
