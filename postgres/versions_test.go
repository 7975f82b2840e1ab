//go:build unix

package postgres

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
)

// queueVersion is the version of the tables that the queue and the claims need:
// a program that uses no more of this package is one of that version.
const queueVersion = 3

// openOld is a process of a program whose tables end with a version.
func openOld(t *testing.T, schema string, version int) *handle {
	pool := newPool(t, pgtest.URL(t))
	require.NoError(t, migrateTo(t.Context(), pool, schema, version))
	db, err := openAt(t.Context(), pool, &Options{Schema: schema, Lease: testLease, Logger: testLog(t)}, version)
	require.NoError(t, err)
	return &handle{Queue: db.Queue(), db: db, pool: pool}
}

// putLargeBefore stores a large body as programs did before version 11.
func (h *handle) putLargeBefore(ctx context.Context, r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	body, err := h.bodies.take(ctx)
	if err != nil {
		return err
	}
	var pieces []notify.Piece
	var split notify.Splitter
	for p, err := range split.Split(bytes.NewReader(raw)) {
		if err != nil {
			return err
		}
		pieces = append(pieces, p)
	}
	c := newColumns(len(pieces))
	for _, p := range pieces {
		c.add(&p)
	}
	if _, err := h.pool.Exec(ctx, named(h.db.schema, `INSERT INTO {s}.large (body) VALUES ($1)`), body); err != nil {
		return err
	}
	if _, err := h.pool.Exec(ctx, named(h.db.schema, `INSERT INTO {s}.chunk (body, n, data) VALUES ($1, 0, $2)`), body, raw); err != nil {
		return err
	}
	if _, err := h.pool.Exec(ctx, named(h.db.schema, `INSERT INTO {s}.staged (body, n, share, class, key, idx, off, size, user_id, touch)
SELECT $1, n, share, class, key, idx, off, size, user_id, touch
FROM unnest($2::smallint[], $3::smallint[], $4::bytea[], $5::integer[], $6::bigint[], $7::bigint[], $8::bytea[], $9::bytea[])
WITH ORDINALITY t (share, class, key, idx, off, size, user_id, touch, n)`),
		body, c.shares, c.classes, c.keys, c.idx, c.offs, c.sizes, c.users, c.touches); err != nil {
		return err
	}
	var ok, done bool
	err = h.pool.QueryRow(ctx, named(h.db.schema, `CALL {s}.publish($1, $2, 0, 0, 0, NULL, 0, NULL, NULL)`), lockKey(h.db.schema, "append"), body).Scan(&ok, &done)
	if err == nil && (!ok || !done) {
		err = fmt.Errorf("published: %t, %t", ok, done)
	}
	return err
}

// TestTwoVersions runs a program of an earlier version before, while and after the
// tables are brought forward, beside one of this version.
func TestTwoVersions(t *testing.T) {
	t.Parallel()
	ctx, schema := t.Context(), pgtest.Schema(t)
	old := openOld(t, schema, queueVersion)
	defer func() { require.NoError(t, old.db.Close()) }()
	var puts, files, slowest atomic.Int64
	stop := make(chan struct{})
	failed := make(chan error, 1)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				failed <- nil
				return
			default:
			}
			begun := time.Now()
			put := old.Put
			if i%10 == 0 {
				put = old.putLargeBefore
			}
			if err := put(ctx, strings.NewReader(fmt.Sprintf(`{"activities":[{"userId":"u%d","summaryId":"%d"}]}`, i%5, i))); err != nil {
				failed <- err
				return
			}
			puts.Add(1)
			if _, _, err := old.db.Claims().Begin(ctx, fmt.Sprint(i), time.Hour); err != nil {
				failed <- err
				return
			}
			files.Add(1)
			slowest.Store(max(slowest.Load(), int64(time.Since(begun))))
		}
	}()
	wait := func(n int64) {
		t.Helper()
		from := puts.Load()
		require.Eventually(t, func() bool { return puts.Load() >= from+n || len(failed) > 0 }, 60*time.Second, time.Millisecond)
	}
	wait(10)
	require.NoError(t, Migrate(ctx, old.pool, schema))
	wait(10)
	h := open(t, schema)
	defer func() { require.NoError(t, h.Close()) }()
	require.Equal(t, 5, drained(t, h.Queue, 5))
	require.Equal(t, 5, drained(t, old.Queue, 5))
	wait(10)
	close(stop)
	require.NoError(t, <-failed)
	st, err := h.Stats(ctx)
	require.NoError(t, err)
	require.Equal(t, puts.Load()-10, st.Items[notify.ClassPush])
	t.Logf("%d bodies, the slowest with its claim in %v", puts.Load(), time.Duration(slowest.Load()))
	// The earlier program starts anew on the later tables.
	again, err := openAt(ctx, old.pool, &Options{Schema: schema}, queueVersion)
	require.NoError(t, err)
	require.NoError(t, again.Close())
}

// TestMigrateGivesWay holds that a step which needs a lock that somebody has for
// long does not stop those who come after it.
func TestMigrateGivesWay(t *testing.T) {
	t.Parallel()
	ctx, schema := t.Context(), pgtest.Schema(t)
	h := open(t, schema)
	defer func() { require.NoError(t, h.Close()) }()
	steps, err := Migrations(schema)
	require.NoError(t, err)
	next := len(steps) + 1
	later := Migration{next, "later.sql", named(schema, step(next, `ALTER TABLE {s}.item ADD later integer;`))}
	tx, err := newPool(t, pgtest.URL(t)).Begin(ctx)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	_, err = tx.Exec(ctx, named(schema, `SELECT count(*) FROM {s}.item`)) // and goes on for long
	require.NoError(t, err)
	migrated := make(chan error, 1)
	go func() { migrated <- takeSteps(ctx, h.pool, schema, []Migration{later}) }()
	deadline := time.Now().Add(lockWait + lockWait/3)
	for i := 0; time.Now().Before(deadline); i++ {
		c, cancel := context.WithTimeout(ctx, 60*time.Second)
		require.NoError(t, h.Put(c, strings.NewReader(fmt.Sprintf(`{"deregistrations":[{"userId":"u%d"}]}`, i))))
		cancel()
	}
	select {
	case err := <-migrated:
		t.Fatalf("it does not wait for who has the lock: %v", err)
	default:
	}
	require.NoError(t, tx.Rollback(ctx))
	require.NoError(t, <-migrated)
	require.NoError(t, h.Put(ctx, strings.NewReader(`{"deregistrations":[{"userId":"later"}]}`)))
	again := open(t, schema) // tables that are later than the program
	require.NoError(t, again.Close())
}

// TestMigrationsOnlyAdd holds that no step takes away what an earlier program
// uses. The first three came with the first program. An index that is not unique is
// named by no statement: a program of the version before works on without it.
func TestMigrationsOnlyAdd(t *testing.T) {
	t.Parallel()
	index := regexp.MustCompile(`DROP INDEX \S+\.letter_user;`)
	takes := regexp.MustCompile(`(?i)\b(DROP|RENAME|TRUNCATE)\b|ALTER\s+(COLUMN\s+)?\w+\s+(TYPE|SET NOT NULL)|ADD\s+(COLUMN\s+)?\w+\s+[\w ]+NOT NULL(?:[^,;]*)`)
	steps, err := Migrations("")
	require.NoError(t, err)
	for _, m := range steps[queueVersion:] {
		for _, found := range takes.FindAllString(index.ReplaceAllString(m.SQL, ""), -1) {
			if strings.Contains(found, "DEFAULT") {
				continue
			}
			t.Errorf("%s: %q breaks a program of the version before", m.Name, found)
		}
	}
	for text, bad := range map[string]bool{
		"ALTER TABLE x DROP y": true, "ALTER TABLE x ADD y integer NOT NULL;": true, "ALTER TABLE x ADD y integer NOT NULL DEFAULT 0;": false,
		"ALTER TABLE x ADD y integer;": false, "CREATE TABLE x (y integer NOT NULL)": false, "ALTER TABLE x ALTER y TYPE bigint": true,
	} {
		found := takes.FindString(text)
		require.Equal(t, bad, found != "" && !strings.Contains(found, "DEFAULT"), text)
	}
}
