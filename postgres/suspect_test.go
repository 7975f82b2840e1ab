//go:build unix

package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/shareof"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
	"github.com/garminkit/activityapi/types"
)

// TestItemThatKillsIsGivenUp has a callback that ends each process which begins
// with one item. It becomes a letter, and what is behind it and beside it is
// done.
func TestItemThatKillsIsGivenUp(t *testing.T) {
	t.Parallel()
	ctx, schema := t.Context(), pgtest.Schema(t)
	admin := newPool(t, pgtest.URL(t))
	h := open(t, schema)
	for i := range 3 {
		require.NoError(t, h.Put(ctx, strings.NewReader(fmt.Sprintf(`{"activities":[{"userId":"u","summaryId":"s%d"},{"userId":"v","summaryId":"s%[1]d"}]}`, i))))
	}
	var saved atomic.Int32
	for died := 0; ; died++ {
		require.LessOrEqual(t, died, maxBegun+1, "it kills one process after another")
		killed := make(chan struct{}, 1)
		buried := make(chan struct{}, 1)
		run, cancel := context.WithCancel(ctx)
		p, err := notify.NewProcessor(h, func(_ context.Context, id types.UserID) ([]notify.User, error) {
			return []notify.User{{ID: string(id)}}, nil
		}, notify.Callbacks{
			Save: func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
				if d.User.ID == "u" && s.ID() == "s0" {
					killed <- struct{}{}
					<-ctx.Done()
					return ctx.Err()
				}
				saved.Add(1)
				return nil
			},
			Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
			PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
		}, &notify.ProcessorOptions{DrainTimeout: -1, Observe: func(o notify.Outcome) {
			if o.Result == notify.ResultBuried {
				buried <- struct{}{}
			}
		}})
		require.NoError(t, err)
		ended := make(chan struct{})
		go func() { defer close(ended); _ = p.Run(run) }()
		select {
		case <-killed:
			h.net.cut(true)
			cancel()
			<-ended
			h.kill()
			_, err := admin.Exec(ctx, named(schema, `UPDATE {s}.member SET expires = now()`))
			require.NoError(t, err)
			h = open(t, schema)
			continue
		case <-buried:
		case <-time.After(time.Minute):
			require.Fail(t, "nothing happens")
		}
		require.Eventually(t, func() bool { return saved.Load() >= 5 }, time.Minute, 10*time.Millisecond, "what is behind it and beside it")
		cancel()
		<-ended
		require.Equal(t, maxBegun+1, died, "one death is nobody's, then %d are counted", maxBegun)
		letters := 0
		for l, err := range h.Letters(ctx, nil) {
			require.NoError(t, err)
			require.Contains(t, l.Reason, errKills.Error())
			require.Equal(t, types.UserID("u"), l.UserID)
			letters++
		}
		require.Equal(t, 1, letters)
		require.NoError(t, h.Close())
		return
	}
}

// TestSuspectsAreCleared holds that an item which its process survived counts
// from zero again.
func TestSuspectsAreCleared(t *testing.T) {
	t.Parallel()
	ctx, h := t.Context(), steady(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	require.NoError(t, h.Put(ctx, strings.NewReader(`{"activities":[{"userId":"u","summaryId":"1"},{"userId":"u","summaryId":"2"}]}`)))
	s := taken(t, h)[int16(shareof.User("u", shares))]
	s.suspects.died = time.Now().Add(time.Hour)
	items, err := s.Scan(ctx, notify.ClassPush, 0, 10)
	require.NoError(t, err)
	require.Len(t, items, 2)
	require.Nil(t, items[0].Raw, "we want to hear when it begins")
	require.NotNil(t, items[1].Raw, "nobody has begun it: it is behind the first")
	begun := func() (n int) {
		require.NoError(t, h.pool.QueryRow(ctx, h.db.sql(`SELECT sum(begun) FROM {s}.item`)).Scan(&n))
		return n
	}
	for range 3 {
		r, err := s.Open(ctx, items[0].ID)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		require.Equal(t, 1, begun(), "once for each process")
	}
	require.NoError(t, h.clearSuspects(ctx))
	require.Equal(t, 1, begun(), "it may kill yet")
	s.suspects.begun[0].at = time.Now().Add(-2 * survived)
	require.NoError(t, h.clearSuspects(ctx))
	require.Zero(t, begun())
}
