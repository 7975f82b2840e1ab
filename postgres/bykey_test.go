//go:build unix

package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/shareof"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
)

// plans are the statements that a process sent, as the server carried them out.
type plans struct {
	mu   sync.Mutex
	seen []string
	rows int
}

// explained has the server tell how it carries out each statement, also those in
// functions.
func (p *plans) explained(cfg *pgxpool.Config) {
	cfg.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, `LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_analyze = on; SET auto_explain.log_timing = off;
SET auto_explain.log_nested_statements = on; SET auto_explain.log_format = json; SET auto_explain.log_level = notice`)
		return err
	}
	cfg.ConnConfig.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		_, text, ok := strings.Cut(n.Message, "plan:\n")
		if !ok {
			return
		}
		var got struct{ Plan planNode }
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			panic(err)
		}
		if !queueTable.MatchString(text) {
			return
		}
		if rows := got.Plan.rows(); rows > 0 {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.rows += rows
			p.seen = append(p.seen, text)
		}
	}
}

type planNode struct {
	Relation    string  `json:"Relation Name"`
	Rows        float64 `json:"Actual Rows"`
	Loops       float64 `json:"Actual Loops"`
	Removed     float64 `json:"Rows Removed by Filter"`
	RemovedJoin float64 `json:"Rows Removed by Join Filter"`
	Plans       []planNode
}

var queueTable = regexp.MustCompile(`"Relation Name": "(item|letter|letter_item)"`)

// rows are those of the queue's tables that were looked at, and those of anything
// that were looked at in vain.
func (n planNode) rows() (rows int) {
	rows = int((n.Removed + n.RemovedJoin) * n.Loops)
	if n.Relation == "item" || n.Relation == "letter" || n.Relation == "letter_item" {
		rows += int(n.Rows * n.Loops)
	}
	for _, below := range n.Plans {
		rows += below.rows()
	}
	return rows
}

// check fails if the last call looked at many more rows than it was about.
func (p *plans) check(t *testing.T, what string, about int) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	require.LessOrEqual(t, p.rows, 20*about, "%s of %d: %s", what, about, strings.Join(p.seen, "\n"))
	p.rows, p.seen = 0, nil
}

// TestItemsGoByKey holds that a statement about an item looks at that item alone,
// whatever the statistics of the table say. A queue is empty most of the time, and
// autovacuum looks at it then: a planner that takes the table for empty reads all of
// it to find one item, or compares each with each.
func TestItemsGoByKey(t *testing.T) {
	t.Parallel()
	const n = 400
	for name, analyze := range map[string]string{
		"never analyzed":      ``,
		"analyzed when empty": `ANALYZE {s}.item`,
		"vacuumed when empty": `VACUUM (ANALYZE, TRUNCATE off) {s}.item`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var p plans
			ctx, h := t.Context(), steady(t, pgtest.Schema(t), p.explained)
			defer func() { require.NoError(t, h.Close()) }()
			s := taken(t, h)[int16(shareof.User("u", shares))]
			exec := func(text string) {
				t.Helper()
				_, err := h.pool.Exec(ctx, h.db.sql(text))
				require.NoError(t, err)
			}
			exec(`ALTER TABLE {s}.item SET (autovacuum_enabled = off)`)
			filled := 0
			fill := func() []notify.ItemID {
				t.Helper()
				var list []string
				for range n {
					filled++
					list = append(list, fmt.Sprintf(`{"userId":"u","summaryId":"%d"}`, filled))
				}
				require.NoError(t, h.Put(ctx, strings.NewReader(`{"activities":[`+strings.Join(list, ",")+`]}`)))
				items, err := s.Scan(ctx, notify.ClassPush, 0, n)
				require.NoError(t, err)
				require.Len(t, items, n)
				p.check(t, "Put and Scan", n)
				var ids []notify.ItemID
				for _, it := range items {
					ids = append(ids, it.ID)
				}
				return ids
			}
			settle := func(fate notify.Fate, ids ...notify.ItemID) {
				t.Helper()
				var all []notify.Verdict
				for i, id := range ids {
					v := notify.Verdict{ID: id, Fate: fate, Attempts: 1, Next: time.Now()}
					if fate == notify.Buried {
						v.Rest, v.Letter = i%2 == 0, &notify.DeadLetter{Key: "activities", UserID: "u", Items: 1}
					}
					all = append(all, v)
				}
				require.NoError(t, s.Settle(ctx, all))
				p.check(t, fmt.Sprint("Settle ", fate), len(ids))
			}
			if analyze != "" {
				settle(notify.Done, fill()...)
				exec(analyze)
			}

			ids := fill()
			for _, id := range ids[:20] {
				r, err := s.Open(ctx, id)
				require.NoError(t, err)
				require.NoError(t, r.Close())
				p.check(t, "Open", 1)
				_, err = s.Load(ctx, []notify.ItemID{id})
				require.NoError(t, err)
				p.check(t, "Load", 1)
				settle(notify.Again, id)
			}
			_, err := s.Load(ctx, ids)
			require.NoError(t, err)
			p.check(t, "Load", n)
			settle(notify.Again, ids...)
			for _, id := range ids {
				s.suspects.begun = append(s.suspects.begun, suspectItem{id: id})
			}
			require.NoError(t, h.clearSuspects(ctx))
			p.check(t, "clearSuspects", n)
			require.NoError(t, h.poll(ctx))
			p.check(t, "poll", shares*int(notify.Classes))
			for _, fate := range []notify.Fate{notify.Done, notify.Buried} {
				for _, id := range ids[:20] {
					settle(fate, id)
				}
				require.NoError(t, s.Settle(ctx, []notify.Verdict{{ID: ids[20], Fate: fate, Letter: new(notify.DeadLetter)}, {ID: ids[n-1], Fate: notify.Again}}))
				p.check(t, "Settle of two fates", 2)
				settle(fate, ids[21:]...)
				ids = fill()
			}
		})
	}
}
