//go:build unix

package postgres

import (
	"context"
	"errors"
	"flag"
	"iter"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
)

func TestMain(m *testing.M) {
	// Most of the time of the suites whose clock is moved is waiting.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	pgtest.Main(m, func() int {
		if err := goleak.Find(); err != nil {
			println(err.Error())
			return 1
		}
		return 0
	})
}

// handle is the database as a process has it, with a network of its own.
type handle struct {
	*Queue
	db   *DB
	pool *pgxpool.Pool
	net  *network

	killed atomic.Bool
}

// testLease is short, so that a takeover is. A beat has a third of it to be
// answered in: with 2 s a busy machine lost shares.
const testLease = 6 * time.Second

// open is a new process.
func open(t testing.TB, schema string, with ...func(*pgxpool.Config)) *handle {
	t.Helper()
	return openFor(t, schema, testLease, with...)
}

// steady is a process that keeps its shares on a busy machine too.
func steady(t testing.TB, schema string, with ...func(*pgxpool.Config)) *handle {
	t.Helper()
	return openFor(t, schema, time.Minute, with...)
}

// steadySealed is one whose database is sealed.
func steadySealed(t testing.TB, schema string, with ...func(*pgxpool.Config)) *handle {
	t.Helper()
	h := openAs(t, pgtest.URL(t), &Options{Schema: schema, Lease: time.Minute, AEAD: testSeal(t, "0123456789abcdef")}, with...)
	require.NotNil(t, h.db.sealing.sealer())
	return h
}

func openFor(t testing.TB, schema string, lease time.Duration, with ...func(*pgxpool.Config)) *handle {
	t.Helper()
	return openOn(t, pgtest.URL(t), schema, lease, with...)
}

// openOn is a new process, of a server of its own.
func openOn(t testing.TB, url, schema string, lease time.Duration, with ...func(*pgxpool.Config)) *handle {
	t.Helper()
	return openAs(t, url, &Options{Schema: schema, Lease: lease}, with...)
}

// openAs is a new process with any options.
func openAs(t testing.TB, url string, opts *Options, with ...func(*pgxpool.Config)) *handle {
	t.Helper()
	schema := opts.Schema
	opts.Logger = testLog(t)
	cfg, err := pgxpool.ParseConfig(url)
	require.NoError(t, err)
	cfg.MaxConns = 8
	cfg.ConnConfig.RuntimeParams["application_name"] = schema
	n := &network{conns: map[net.Conn]struct{}{}}
	dial := cfg.ConnConfig.DialFunc
	cfg.ConnConfig.DialFunc = func(ctx context.Context, kind, addr string) (net.Conn, error) {
		if n.isOff() {
			return nil, errCut
		}
		if err := n.broken(); err != nil {
			return nil, err
		}
		c, err := dial(ctx, kind, addr)
		if err != nil {
			return nil, err
		}
		return n.add(c), nil
	}
	for _, change := range with {
		change(cfg)
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	require.NoError(t, Migrate(t.Context(), pool, schema))
	db, err := Open(t.Context(), pool, opts)
	require.NoError(t, err)
	return &handle{Queue: db.Queue(), db: db, pool: pool, net: n}
}

func (h *handle) Close() error {
	err := h.db.Close()
	h.pool.Close()
	return err
}

// kill ends the process without a word to anybody.
func (h *handle) kill() {
	h.killed.Store(true)
	h.net.cut(true)
	h.db.stop()
	h.db.tasks.Wait()
	h.pool.Close()
}

// Shares of a process that was killed says nothing.
func (h *handle) Shares(ctx context.Context) iter.Seq2[notify.Share, error] {
	return func(yield func(notify.Share, error) bool) {
		for s, err := range h.Queue.Shares(ctx) {
			if err != nil && h.killed.Load() {
				<-ctx.Done()
				return
			}
			if !yield(s, err) {
				return
			}
		}
	}
}

var errCut = errors.New("the network is cut")

// network is what a process reaches the server by.
type network struct {
	mu    sync.Mutex
	off   bool
	fault error // of whatever is read or dialled
	conns map[net.Conn]struct{}
}

type netConn struct {
	net.Conn
	n *network
}

func (n *network) add(c net.Conn) net.Conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	w := &netConn{c, n}
	n.conns[w] = struct{}{}
	return w
}

func (c *netConn) Close() error {
	c.n.mu.Lock()
	delete(c.n.conns, c)
	c.n.mu.Unlock()
	return c.Conn.Close()
}

func (c *netConn) Read(p []byte) (int, error) {
	k, err := c.Conn.Read(p)
	if broken := c.n.broken(); broken != nil {
		return 0, broken
	}
	return k, err
}

func (n *network) broken() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.fault
}

// breaks has all that is read fail, or nothing.
func (n *network) breaks(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fault = err
}

func (n *network) isOff() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.off
}

// cut breaks all connections.
func (n *network) cut(off bool) {
	n.mu.Lock()
	n.off = off
	var all []net.Conn
	for c := range n.conns {
		all = append(all, c)
	}
	n.mu.Unlock()
	if off {
		for _, c := range all {
			_ = c.(*netConn).Conn.Close()
		}
	}
}

// schemas gives each directory of a suite a schema, which the next may have when
// the test has ended: making the tables is most of what a short clause costs, and
// each server process that runs has to hear of it.
type schemas struct {
	mu    sync.Mutex
	names map[string]string
	free  []string
}

func (s *schemas) of(t *testing.T, dir string) string {
	t.Helper()
	dir = filepath.Clean(dir)
	s.mu.Lock()
	defer s.mu.Unlock()
	if name := s.names[dir]; name != "" {
		return name
	}
	if s.names == nil {
		s.names = map[string]string{}
	}
	var name string
	if n := len(s.free); n > 0 {
		name, s.free = s.free[n-1], s.free[:n-1]
		// Its numbers begin at the clock, as those of a new one.
		_, err := newPool(t, pgtest.URL(t)).Exec(t.Context(), named(name, `DELETE FROM {s}.running; UPDATE {s}.reserved SET upto = 0;
SELECT setval('{s}.item_seq', (extract(epoch FROM clock_timestamp()) * 250000000)::bigint)`))
		require.NoError(t, err)
	} else {
		name = pgtest.Schema(t)
	}
	s.names[dir] = name
	t.Cleanup(func() { s.back(t, name) })
	return name
}

// back empties a schema that nobody uses any more. If that does not come about
// soon, the schema is left alone.
func (s *schemas) back(t *testing.T, name string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, pgtest.URL(t))
	if err != nil {
		return
	}
	defer func() { _ = conn.Close(ctx) }()
	for n := 1; n > 0; time.Sleep(5 * time.Millisecond) {
		// What a killed process had begun goes on for a moment.
		if err := conn.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE application_name = $1`, name).Scan(&n); err != nil {
			return
		}
	}
	_, err = conn.Exec(ctx, `DO $$ DECLARE t regclass; BEGIN
  FOR t IN SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = '`+name+`' AND c.relkind = 'r'
      AND c.relname NOT IN ('meta', 'share', 'reserved', 'running', 'running_since') ORDER BY c.relname LOOP
    EXECUTE format('DELETE FROM %s', t);
  END LOOP;
END $$; UPDATE "`+name+`".share SET owner = NULL, epoch = epoch + 1, died = false`)
	if err == nil {
		s.mu.Lock()
		s.free = append(s.free, name)
		s.mu.Unlock()
	}
}

var _ notify.Queue = (*handle)(nil)

// testLog shows what the process complains of.
func testLog(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}
