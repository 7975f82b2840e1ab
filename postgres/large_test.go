//go:build unix

package postgres

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
)

// TestLargeBodyIsWhole has a server lose what nobody waited for, as a crash may:
// the rest of the body is not published.
func TestLargeBodyIsWhole(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]string{
		"bytes":      `DELETE FROM {s}.chunk WHERE n = 3`,
		"items":      `DELETE FROM {s}.staged_list WHERE first = 2048`,
		"everything": `TRUNCATE {s}.large, {s}.chunk, {s}.staged_list`,
		"nothing":    `SELECT`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, h := t.Context(), steady(t, pgtest.Schema(t))
			defer func() { require.NoError(t, h.Close()) }()
			const items = 20_000
			text := `{"activities":[` + strings.Repeat(`{"userId":"u","summaryId":"1","pad":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"},`, items-1) + `{"userId":"u"}]}`
			r := io.MultiReader(strings.NewReader(text[:len(text)-2]), readFunc(func(p []byte) (int, error) {
				// By now all but the last have been stored.
				require.Eventually(t, func() bool {
					var n int
					err := h.pool.QueryRow(ctx, named(h.db.schema, `SELECT count(*) FROM {s}.staged_list`)).Scan(&n)
					return err == nil && n >= items/stagedRows-1
				}, time.Minute, time.Millisecond)
				_, err := h.pool.Exec(ctx, named(h.db.schema, lose))
				require.NoError(t, err)
				return copy(p, text[len(text)-2:]), io.EOF
			}))
			err := h.Put(ctx, r)
			st, errStats := h.Stats(ctx)
			require.NoError(t, errStats)
			if name == "nothing" {
				require.NoError(t, err)
				require.EqualValues(t, items, st.Items[notify.ClassPush]+st.Items[notify.ClassBad])
				return
			}
			require.Error(t, err)
			require.Zero(t, st.Items)
			var left int
			require.NoError(t, h.pool.QueryRow(ctx, named(h.db.schema, `SELECT (SELECT count(*) FROM {s}.chunk) + (SELECT count(*) FROM {s}.staged_list) + (SELECT count(*) FROM {s}.large)`)).Scan(&left))
			require.True(t, left == 0 || name == "everything", "what is left of it: %d rows", left)
		})
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }
