package backfill_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

var schedules = flag.Int("schedules", 1000, "random crash schedules to run")

var errCrash = errors.New("crashed")

// process is one life of a program: its ledger and clients work until it
// crashes, at a step it is told beforehand.
type process struct {
	backfill.Ledger
	srv *server

	mu    sync.Mutex
	steps int // until the crash
	dead  chan struct{}
	known map[string]bool // what a Save of Accepted has returned for
	again *[]string       // of these, what was asked for again
}

// step counts one; it fails if the process is dead, or dies now.
func (p *process) step() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.dead:
		return errCrash
	default:
	}
	if p.steps--; p.steps < 0 {
		close(p.dead)
		return errCrash
	}
	return nil
}

// Claim returns a claim whose Save may crash before it stores, and after. The
// claim ends with the process.
func (p *process) Claim(ctx context.Context, user types.UserID) (backfill.Claim, error) {
	c, err := p.Ledger.Claim(ctx, user)
	return saving(c, p.save), err
}

func (p *process) save(next func(context.Context, ...*backfill.Chunk) error, ctx context.Context, chunks []*backfill.Chunk) error {
	if err := p.step(); err != nil {
		return err
	}
	if err := next(ctx, chunks...); err != nil {
		return err
	}
	if err := p.step(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range chunks {
		if c.State == backfill.StateAccepted {
			p.known[key(c.UserID, c.Kind, c.Window)] = true
		}
	}
	return nil
}

// saving is a claim with another Save.
func saving(c backfill.Claim, save func(next func(context.Context, ...*backfill.Chunk) error, ctx context.Context, chunks []*backfill.Chunk) error) backfill.Claim {
	if c == nil {
		return nil
	}
	return &savingClaim{c, save}
}

type savingClaim struct {
	backfill.Claim
	save func(next func(context.Context, ...*backfill.Chunk) error, ctx context.Context, chunks []*backfill.Chunk) error
}

func (s *savingClaim) Save(ctx context.Context, chunks ...*backfill.Chunk) error {
	return s.save(s.Claim.Save, ctx, chunks)
}

func key(user types.UserID, k types.Kind, w types.Window) string {
	return fmt.Sprint(user, " ", k, " ", w.Start.Unix(), " ", w.End.Unix())
}

// client sends requests that outlive the process: what was sent arrives.
func (p *process) client(user types.UserID) backfill.Requester {
	return requester(func(ctx context.Context, kind types.Kind, w types.Window) error {
		if err := p.step(); err != nil { // before it is sent
			return err
		}
		p.mu.Lock()
		if p.known[key(user, kind, w)] {
			*p.again = append(*p.again, key(user, kind, w))
		}
		p.mu.Unlock()
		answer := make(chan error, 1)
		go func() { answer <- p.srv.backfill(context.WithoutCancel(ctx), user, kind, w) }()
		if err := p.step(); err != nil { // while it is under way
			return err
		}
		select {
		case err := <-answer:
			if err := p.step(); err != nil { // with the answer in hand
				return err
			}
			return err
		case <-p.dead:
			return errCrash
		}
	})
}

// Whatever the moments of crashes, and with answers lost besides, the history
// is covered in the end, the ledger knows as accepted what Garmin accepted, a
// range known as accepted is not asked for again, and the limit holds.
func TestCrashes(t *testing.T) {
	n := *schedules
	if testing.Short() {
		n = 100
	}
	total := 0
	for seed := range n {
		total += crashes(t, uint64(seed), func(t *testing.T) (backfill.Ledger, func() backfill.Ledger) {
			l := backfill.NewLedger()
			return l, func() backfill.Ledger { return l }
		})
	}
	t.Logf("%d schedules, %d crashes", n, total)
}

// The same with a ledger on disk, which is opened anew after each crash from
// what its files held.
func TestCrashesOnDisk(t *testing.T) {
	total := 0
	for seed := range 10 {
		total += crashes(t, uint64(10_000+seed), func(t *testing.T) (backfill.Ledger, func() backfill.Ledger) {
			dir := t.TempDir()
			return openLedger(t, dir), func() backfill.Ledger {
				log, err := os.ReadFile(filepath.Join(dir, "ledger.log"))
				require.NoError(t, err)
				dir = t.TempDir()
				require.NoError(t, os.WriteFile(filepath.Join(dir, "ledger.log"), log, 0o600))
				return openLedger(t, dir)
			}
		})
	}
	t.Logf("%d crashes", total)
}

func crashes(t *testing.T, seed uint64, open func(*testing.T) (backfill.Ledger, func() backfill.Ledger)) (count int) {
	rng := rand.New(rand.NewPCG(seed, 1))
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(seed, latencies[seed%3].latency)
		srv.lose = 0.05 * float64(rng.IntN(3))
		srv.budget = backfill.Evaluation
		srv.overlaps = true
		w := types.Window{Start: day0.Add(time.Duration(rng.IntN(86400)) * time.Second), End: day0.AddDate(0, 0, 100+rng.IntN(100))}
		kinds := backfill.Kinds()[:1+rng.IntN(2)]
		users := []types.UserID{"a", "b"}[:1+rng.IntN(2)]

		ledger, reopen := open(t)
		known := map[string]bool{}
		var again []string
		for {
			p := &process{Ledger: ledger, srv: srv, steps: rng.IntN(60), dead: make(chan struct{}), known: known, again: &again}
			if count >= 20 {
				p.steps = 1 << 30
			}
			limiter := backfill.NewLimiter(backfill.Evaluation, ledger)
			seq := func(yield func(*backfill.User, error) bool) {
				for _, id := range users {
					if !yield(&backfill.User{ID: id, Requester: p.client(id), Window: w, Kinds: kinds}, nil) {
						return
					}
				}
			}
			var failed error
			for p, err := range backfill.NewRunner(limiter, p, nil).RunAll(t.Context(), seq) {
				if err == nil {
					err = p.Err
				}
				if err != nil {
					failed = err
				}
			}
			if failed == nil {
				break
			}
			require.ErrorIs(t, failed, errCrash, "seed %d", seed)
			count++
			time.Sleep(time.Duration(rng.IntN(3)) * time.Duration(rng.IntN(100_000)) * time.Millisecond)
			ledger = reopen()
		}
		time.Sleep(time.Hour) // requests of dead processes come to rest
		synctest.Wait()

		require.Empty(t, again, "seed %d: asked for again after an answer was stored", seed)
		require.LessOrEqual(t, srv.worst(), backfill.Evaluation, "seed %d", seed)
		require.Zero(t, srv.limited, "seed %d", seed)
		accepted := 0
		for _, id := range users {
			next := map[types.Kind]time.Time{}
			for c, err := range ledger.Chunks(t.Context(), id) {
				require.NoError(t, err)
				require.Equal(t, backfill.StateAccepted, c.State, "seed %d: %s", seed, c)
				require.Contains(t, srv.taken, key(id, c.Kind, c.Window), "seed %d", seed)
				if at, ok := next[c.Kind]; ok {
					require.Equal(t, at, c.Window.Start, "seed %d: a gap", seed)
				} else {
					require.Equal(t, w.Start, c.Window.Start, "seed %d", seed)
				}
				next[c.Kind] = c.Window.End
				accepted++
			}
			require.Len(t, next, len(kinds))
			for _, at := range next {
				require.Equal(t, w.End, at, "seed %d", seed)
			}
		}
		require.Len(t, srv.taken, accepted, "seed %d: Garmin accepted what the ledger does not have", seed)
	})
	return count
}

// A crash at each step in turn, so that none is missed by chance.
func TestCrashAtEveryStep(t *testing.T) {
	for at := 0; ; at++ {
		crashed := false
		synctest.Test(t, func(t *testing.T) {
			srv := newServer(1, between(time.Second, 3*time.Second))
			srv.budget, srv.overlaps = backfill.Evaluation, true
			ledger := backfill.NewLedger()
			var again []string
			known := map[string]bool{}
			for _, steps := range []int{at, 1 << 30} {
				p := &process{Ledger: ledger, srv: srv, steps: steps, dead: make(chan struct{}), known: known, again: &again}
				u := &backfill.User{ID: "a", Requester: p.client("a"), Window: window(0, 75), Kinds: []types.Kind{types.KindMoveIQ}}
				for _, err := range backfill.NewRunner(backfill.NewLimiter(backfill.Evaluation, ledger), p, nil).Run(t.Context(), u) {
					if err != nil {
						require.ErrorIs(t, err, errCrash)
						crashed = true
					}
				}
			}
			time.Sleep(time.Hour)
			require.Empty(t, again)
			require.LessOrEqual(t, srv.worst(), backfill.Evaluation)
			require.Equal(t, []string{"u 0-25 accepted", "u 25-50 accepted", "u 50-75 accepted"}, prefixed("u ", ledger, t, "a"))
			require.Len(t, srv.taken, 3)
		})
		if !crashed {
			require.Greater(t, at, 15)
			return
		}
	}
}

func prefixed(with string, l backfill.Ledger, t *testing.T, user types.UserID) (out []string) {
	for c, err := range l.Chunks(t.Context(), user) {
		require.NoError(t, err)
		out = append(out, with+brief(c))
	}
	return out
}
