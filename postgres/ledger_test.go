//go:build unix

package postgres

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/backfill/backfilltest"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
	"github.com/garminkit/activityapi/types"
)

// ledgerHandle is a process of the suite.
type ledgerHandle struct {
	backfill.Ledger
	db    *DB
	state *state
}

func TestLedger(t *testing.T) {
	t.Parallel()
	pgtest.URL(t)
	w := &world{}
	backfilltest.RunLedger(t, backfilltest.Harness[backfill.Ledger]{
		Open: func(t *testing.T, dir string) backfill.Ledger {
			s := w.of(t, dir)
			db := s.open(t)
			return ledgerHandle{db.Ledger(), db, s}
		},
		Kill: func(_ *testing.T, l backfill.Ledger) { l.(ledgerHandle).state.kill(l.(ledgerHandle).db) },
		Advance: func(t *testing.T, d time.Duration) {
			for _, s := range w.all(t) {
				s.advance(t, d)
			}
		},
		Shared: true,
	})
}

// TestLedgerKeepsBytes holds that users and texts that are no UTF-8, or have a
// NUL, come back as they were.
func TestLedgerKeepsBytes(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	h := open(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	l := h.db.Ledger()
	odd := types.UserID("u\x00\xff\xfe' \\u0000")
	c, err := l.Claim(ctx, odd)
	require.NoError(t, err)
	want := &backfill.Chunk{
		UserID: odd, Kind: types.KindMoveIQ, State: backfill.StateRefused, Reason: "\x00\xff", Detail: "\xc3\x28\x00",
		Window: types.Window{Start: time.Unix(1, 0).UTC(), End: time.Unix(2, 0).UTC()}, Attempts: 1,
	}
	require.NoError(t, c.Save(ctx, want))
	for got, err := range l.Chunks(ctx, odd) {
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for got, err := range l.Users(ctx) {
		require.NoError(t, err)
		require.Equal(t, odd, got)
	}
	c.Release()
}

// TestClaimsSurviveAnOutage holds that a process which the server does not hear of
// for long keeps what nobody took, and that a release whose answer was lost is
// one all the same.
func TestClaimsSurviveAnOutage(t *testing.T) {
	t.Parallel()
	ctx, schema := t.Context(), pgtest.Schema(t)
	a, b := open(t, schema), open(t, schema)
	defer func() { require.NoError(t, a.Close()); require.NoError(t, b.Close()) }()
	c, err := a.db.Ledger().Claim(ctx, "u")
	require.NoError(t, err)
	d, err := a.db.Ledger().Claim(ctx, "v")
	require.NoError(t, err)
	a.net.cut(true)
	released := make(chan struct{})
	go func() { d.Release(); close(released) }()
	<-c.Context().Done() // the lease is over, as this process sees it
	require.ErrorIs(t, c.Save(ctx), backfill.ErrBusy)
	a.net.cut(false)
	<-released
	require.Eventually(t, func() bool {
		c, err := b.db.Ledger().Claim(ctx, "u")
		if err == nil {
			c.Release()
		}
		d, derr := b.db.Ledger().Claim(ctx, "v")
		if derr == nil {
			d.Release()
		}
		return err == nil && derr == nil
	}, 60*time.Second, 20*time.Millisecond, "both are free, though their process is alive")
}

// TestForgetBeatsArrivals holds that an arrival which is counted while the user is
// forgotten leaves nothing.
func TestForgetBeatsArrivals(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	h := open(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	l := h.db.Ledger()
	w := types.Window{Start: time.Unix(1000, 0).UTC(), End: time.Unix(100000, 0).UTC()}
	for round := range 10 {
		c, err := l.Claim(ctx, "u")
		require.NoError(t, err)
		require.NoError(t, c.Save(ctx, &backfill.Chunk{UserID: "u", Kind: types.KindActivities, Window: w, State: backfill.StateAccepted, Attempts: 1, Requested: time.Now()}))
		done := make(chan error, 8)
		for i := range 8 {
			go func() {
				var err error
				for j := range 20 {
					err = errors.Join(err, l.Arrived(ctx, "u", types.KindActivities, w.Start.Add(time.Duration(i*20+j)*time.Second)))
				}
				done <- err
			}()
		}
		require.NoError(t, l.Forget(ctx, "u"))
		for range 8 {
			require.NoError(t, <-done)
		}
		for at, err := range l.Arrivals(ctx, "u", types.KindActivities, w) {
			t.Fatalf("round %d: an arrival at %v is left: %v", round, at, err)
		}
		c.Release()
	}
}
