//go:build unix

package postgres

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/shareof"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
)

// TestSweepWhilePublished lets a body become complete, more than an hour after its
// first byte, while a sweep takes it for one whose process has died and waits for its
// row: the body is there, and so it stays.
func TestSweepWhilePublished(t *testing.T) {
	t.Parallel()
	ctx, h := t.Context(), steady(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	// waits waits until a statement waits for a lock.
	waits := func(statement string) {
		t.Helper()
		require.Eventually(t, func() bool {
			var n int
			require.NoError(t, h.pool.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock' AND query LIKE $2`,
				h.db.schema, "%"+statement+"%").Scan(&n))
			return n == 1
		}, time.Minute, time.Millisecond)
	}
	begun, locked := make(chan struct{}), make(chan struct{})
	stored, swept := make(chan error, 1), make(chan error, 1)
	text := `{"activities":[{"userId":"u","summaryId":"1","pad":"` + strings.Repeat("x", 2*small) + `"}]}`
	go func() {
		stored <- h.Put(ctx, io.MultiReader(strings.NewReader(text[:len(text)-2]), readFunc(func(p []byte) (int, error) {
			close(begun)
			<-locked
			return copy(p, text[len(text)-2:]), io.EOF
		})))
	}()
	<-begun
	require.Eventually(t, func() bool {
		tag, err := h.pool.Exec(ctx, h.db.sql(`UPDATE {s}.large SET stored = stored - interval '2 hours'`))
		require.NoError(t, err)
		return tag.RowsAffected() == 1
	}, time.Minute, time.Millisecond)
	tx, err := h.pool.Begin(ctx)
	require.NoError(t, err)
	// It lets nobody insert, and everybody read.
	_, err = tx.Exec(ctx, h.db.sql(`LOCK TABLE {s}.item IN SHARE MODE`))
	require.NoError(t, err)
	close(locked)
	waits("publish_lists")
	go func() { swept <- h.sweep(ctx) }()
	waits("DELETE FROM %.large")
	require.NoError(t, tx.Commit(ctx))
	require.NoError(t, <-stored)
	require.NoError(t, <-swept)
	s := taken(t, h)[int16(shareof.User("u", shares))]
	items, err := s.Scan(ctx, notify.ClassPush, 0, 10)
	require.NoError(t, err)
	require.Len(t, items, 1)
	r, err := s.Open(ctx, items[0].ID)
	require.NoError(t, err)
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Contains(t, text, string(got))
}

// TestLongWorkEnds has a vacuum, and a count for MaxBytes, take longer than a
// statement may: both come to their end, and need no connection of the pool.
func TestLongWorkEnds(t *testing.T) {
	t.Parallel()
	ctx, h := t.Context(), steady(t, pgtest.Schema(t), func(cfg *pgxpool.Config) { cfg.MaxConns = 1 })
	defer func() { require.NoError(t, h.Close()) }()
	require.NoError(t, h.Put(ctx, strings.NewReader(`{"activities":[{"userId":"u","summaryId":"1"}]}`)))
	h.db.patience = time.Nanosecond
	var taken *pgxpool.Conn
	require.Eventually(t, func() (ok bool) {
		var err error
		taken, err = h.pool.Acquire(ctx)
		return err == nil
	}, time.Minute, time.Millisecond)
	defer taken.Release()
	size, err := h.count(ctx)
	require.NoError(t, err)
	require.Greater(t, size, int64(rowCost))
	require.NoError(t, h.vacuumItems(ctx))
}
