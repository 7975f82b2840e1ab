//go:build unix

package postgres

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
)

// TestRepeats holds that a body which comes again is acknowledged and not stored,
// whichever process it comes to, until the repeat time is over.
func TestRepeats(t *testing.T) {
	t.Parallel()
	schema := pgtest.Schema(t)
	a, b := steady(t, schema), steady(t, schema)
	defer func() { require.NoError(t, a.Close()); require.NoError(t, b.Close()) }()
	ctx := t.Context()
	for _, h := range []*handle{a, b} {
		h.db.repeat = time.Hour
		require.NoError(t, h.repeats.open(ctx))
	}
	items := func() int64 {
		st, err := a.Stats(ctx)
		require.NoError(t, err)
		return st.Items[notify.ClassPush]
	}
	body := func(id, size int) string {
		return fmt.Sprintf(`{"activities":[{"userId":"u","summaryId":"%d","pad":%q},{"userId":"v","summaryId":"%[1]d"}]}`, id, strings.Repeat("x", size))
	}
	want := int64(0)
	for i, size := range []int{1, small * 2} {
		var all sync.WaitGroup
		for n := range 20 { // in one commit and in several
			h := []*handle{a, b}[n%2]
			all.Go(func() {
				if err := h.Put(ctx, strings.NewReader(body(i, size))); err != nil {
					t.Errorf("Put: %v", err)
				}
			})
		}
		all.Wait()
		want += 2
		require.Equal(t, want, items(), "one of 20 is stored, of %d bytes", size)
		require.NoError(t, b.Put(ctx, strings.NewReader(body(100+i, size))))
		want += 2
		require.Equal(t, want, items(), "another body is no repeat")
	}
	// older makes the processes think that all came earlier.
	older := func(by string) {
		_, err := a.pool.Exec(ctx, named(schema, `UPDATE {s}.repeat SET at = at - $1::interval`), by)
		require.NoError(t, err)
		require.NoError(t, a.forget(ctx))
		for _, h := range []*handle{a, b} {
			require.NoError(t, h.repeats.open(ctx), "a process that begins")
		}
	}
	older("59 minutes")
	require.NoError(t, a.Put(ctx, strings.NewReader(body(0, 1))))
	require.Equal(t, want, items(), "a repeat does not prolong the time, and it is not over")
	older("2 minutes")
	for _, size := range []int{1, small * 2} {
		i := map[int]int{1: 0, small * 2: 1}[size]
		require.NoError(t, a.Put(ctx, strings.NewReader(body(i, size))))
		want += 2
		require.Equal(t, want, items(), "the time is over")
	}
	require.NoError(t, a.sweep(ctx))
	var bodies int
	require.NoError(t, a.pool.QueryRow(ctx, named(schema, `SELECT count(*) FROM {s}.large`)).Scan(&bodies))
	require.Equal(t, 3, bodies, "the bytes of repeats are swept")
}

// TestLargeRepeatHasNoNumber stores a large body in two processes at once. The one
// whose body the server finds to be a repeat tells no number of it.
func TestLargeRepeatHasNoNumber(t *testing.T) {
	t.Parallel()
	schema := pgtest.Schema(t)
	a, b := steady(t, schema), steady(t, schema)
	defer func() { require.NoError(t, a.Close()); require.NoError(t, b.Close()) }()
	text := fmt.Sprintf(`{"activities":[{"userId":"u","summaryId":"1","pad":%q}]}`, strings.Repeat("x", 2*small))
	free := appendLocked(t, a) // neither knows of the other
	receipts := make(chan notify.Receipt, 2)
	var all sync.WaitGroup
	for _, h := range []*handle{a, b} {
		handler := notify.NewHandler(h.Put, &notify.HandlerOptions{Observe: func(_ context.Context, r notify.Receipt) { receipts <- r }})
		all.Go(func() {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(text)))
			if w.Code != http.StatusOK {
				t.Errorf("answer %d", w.Code)
			}
		})
	}
	require.Eventually(t, func() bool {
		var n int
		err := a.pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND wait_event = 'advisory' AND query LIKE '%publish_lists%'`, schema).Scan(&n)
		return err == nil && n == 2
	}, time.Minute, time.Millisecond)
	free()
	all.Wait()
	one, two := <-receipts, <-receipts
	require.NotEqual(t, one.Body == 0, two.Body == 0, "%d and %d", one.Body, two.Body)
}
