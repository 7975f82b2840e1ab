//go:build unix

package postgres

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/postgres/internal/pgtest"
)

// TestScalingDoc runs the SQL of the guide.
func TestScalingDoc(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/scaling.md")
	if err != nil {
		t.Skip("left out: the module is not in its repository")
	}
	ctx, schema := t.Context(), pgtest.Schema(t)
	h := open(t, schema)
	defer func() { require.NoError(t, h.Close()) }()
	_, err = h.db.Limiter(ctx, "key", 100)
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	require.NotEmpty(t, blocks)
	for _, b := range blocks {
		for _, sql := range strings.SplitAfter(b[1], ";\n") {
			sql = strings.ReplaceAll(strings.ReplaceAll(sql, "activityapi.", `"`+schema+`".`), "'activityapi'", "'"+schema+"'")
			_, err := h.pool.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol)
			require.NoError(t, err, sql)
		}
	}
}
