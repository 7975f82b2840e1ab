//go:build unix

package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
)

// appendLocked takes the append lock, so that nothing is stored until free is called.
func appendLocked(t *testing.T, h *handle) (free func()) {
	tx, err := newPool(t, pgtest.URL(t)).Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `SELECT pg_advisory_xact_lock($1)`, lockKey(h.db.schema, "append"))
	require.NoError(t, err)
	return func() { require.NoError(t, tx.Rollback(context.WithoutCancel(t.Context()))) }
}

func numbered(i int) *strings.Reader {
	return strings.NewReader(fmt.Sprintf(`{"activities":[{"userId":"u%d","summaryId":"%[1]d"}]}`, i))
}

// TestPutGivesUp has a Put end while it waits for its turn: nothing of it is
// stored, and all that went on are.
func TestPutGivesUp(t *testing.T) {
	t.Parallel()
	h := steady(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	free := appendLocked(t, h)
	var all sync.WaitGroup
	put := func(ctx context.Context, i int) <-chan error {
		ended := make(chan error, 1)
		all.Go(func() { ended <- h.Put(ctx, numbered(i)) })
		return ended
	}
	waiting := func(n int) {
		require.Eventually(t, func() bool {
			h.puts.mu.Lock()
			defer h.puts.mu.Unlock()
			return len(h.puts.list) == n
		}, 60*time.Second, time.Millisecond)
	}
	locked := func(n int) {
		require.Eventually(t, func() bool {
			var m int
			err := h.pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND wait_event = 'advisory'`, h.db.schema).Scan(&m)
			return err == nil && m == n
		}, 60*time.Second, time.Millisecond)
	}
	var stay []<-chan error
	for i := range committers { // each is in a statement of its own
		stay = append(stay, put(t.Context(), i))
		locked(i + 1)
	}
	ctx, cancel := context.WithCancel(t.Context())
	leaves := put(ctx, 100)
	waiting(1)
	stay = append(stay, put(t.Context(), 101))
	waiting(2)
	cancel()
	require.ErrorIs(t, <-leaves, context.Canceled)
	waiting(1)
	free()
	for _, ended := range stay {
		require.NoError(t, <-ended)
	}
	all.Wait()
	st, err := h.Stats(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, len(stay), st.Items[notify.ClassPush])
}

// TestPutEndsWithTheDB has the DB closed while bodies wait.
func TestPutEndsWithTheDB(t *testing.T) {
	t.Parallel()
	h := steady(t, pgtest.Schema(t))
	free := appendLocked(t, h)
	defer free()
	ended := make(chan error)
	const bodies = 2 * committers
	for i := range bodies {
		go func() { ended <- h.Put(t.Context(), numbered(i)) }()
	}
	require.NoError(t, h.db.Close())
	for range bodies {
		require.Error(t, <-ended)
	}
	h.pool.Close()
}

// TestGroupsAreBounded has more wait than one statement takes.
func TestGroupsAreBounded(t *testing.T) {
	t.Parallel()
	w := &puts{more: make(chan struct{}, 1)}
	piece := make([]notify.Piece, batchRows/2)
	raw := make([]byte, batchBytes/3)
	for range 2 {
		w.add(&put{pieces: piece})
	}
	for range 4 {
		w.add(&put{raw: raw})
	}
	big := &put{pieces: make([]notify.Piece, 2*batchRows)}
	w.add(big)
	g := &group{}
	for _, want := range []int{5, 1, 1} {
		<-w.more
		require.True(t, w.take(g))
		require.Len(t, g.all, want)
		g.reset()
	}
	require.Empty(t, w.list)
	require.False(t, w.take(g))
}

// TestPutInEveryMode stores small and large bodies in each mode in which pgx sends
// arguments. Some do not ask the server for their types.
func TestPutInEveryMode(t *testing.T) {
	t.Parallel()
	large := `{"activities":[` + strings.Repeat(`{"userId":"u","summaryId":"s"},`, 4000) + `{"userId":"u","summaryId":"s"}]}`
	require.Greater(t, len(large), small)
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe,
		pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			h := steady(t, pgtest.Schema(t), func(cfg *pgxpool.Config) { cfg.ConnConfig.DefaultQueryExecMode = mode })
			require.NoError(t, h.Put(t.Context(), numbered(1)))
			require.NoError(t, h.Put(t.Context(), strings.NewReader(large)))
			var items int
			require.NoError(t, h.pool.QueryRow(t.Context(), h.db.sql(`SELECT count(*) FROM {s}.item`)).Scan(&items))
			require.Equal(t, 1+4001, items)
			require.NoError(t, h.Close())
		})
	}
}

// TestNumbersHoldUpNobody has a body ask the server for numbers and get no answer:
// another one whose context ends does not wait for that.
func TestNumbersHoldUpNobody(t *testing.T) {
	t.Parallel()
	h := steady(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	h.db.patience = time.Hour
	tx, err := newPool(t, pgtest.URL(t)).Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), named(h.db.schema, `ALTER SEQUENCE {s}.body_seq CACHE 1`)) // and nobody has a number
	require.NoError(t, err)
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { first <- h.Put(t.Context(), numbered(1)) }()
	require.Eventually(t, func() bool {
		var n int
		err := h.pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock' AND query LIKE '%body_seq%'`, h.db.schema).Scan(&n)
		return err == nil && n == 1
	}, time.Minute, time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	go func() { second <- h.Put(ctx, numbered(2)) }()
	select {
	case err := <-second:
		require.ErrorIs(t, err, context.DeadlineExceeded)
	case <-time.After(30 * time.Second):
		t.Error("it waits for the other")
	}
	require.NoError(t, tx.Rollback(t.Context()))
	require.NoError(t, <-first)
}
