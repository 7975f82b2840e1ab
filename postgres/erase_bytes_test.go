//go:build unix

package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/join"
	"github.com/garminkit/activityapi/activity/service/personal"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/internal/owner"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/postgres/internal/cluster"
	"github.com/garminkit/activityapi/types"
)

// ownServer starts a server whose files a test reads, and that it may kill.
func ownServer(t *testing.T) (s *cluster.Server, data string) {
	t.Helper()
	if os.Getenv("DATABASE_URL") != "" {
		t.Skip("left out: it needs a server of its own")
	}
	dir, err := os.MkdirTemp("", "erase") //nolint:usetesting // sockets need a short path
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s, err = cluster.New(dir, "fsync=off", "max_connections=50", "shared_buffers=32MB", "autovacuum=off", "full_page_writes=off")
	if errors.Is(err, cluster.ErrNone) && os.Getenv("CI") != "true" {
		t.Skipf("left out: %v", err)
	}
	require.NoError(t, err)
	require.NoError(t, s.Start())
	t.Cleanup(func() { _ = s.Stop() })
	return s, filepath.Join(dir, "data")
}

// tracesIn gives the files of a server that hold something of her. Those of the
// log are apart.
func tracesIn(t testing.TB, data string) (found, log []string) {
	t.Helper()
	return bytesIn(t, data, needles)
}

// bytesIn gives the files of a server that hold one of some texts.
func bytesIn(t testing.TB, data string, needles []string) (found, log []string) {
	t.Helper()
	err := filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // The server removes its files when it likes.
		}
		if err != nil || d.IsDir() || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		require.NoError(t, err)
		name, err := filepath.Rel(data, path)
		require.NoError(t, err)
		for _, n := range needles {
			if i := bytes.Index(text, []byte(n)); i >= 0 {
				if strings.HasPrefix(name, "pg_wal") {
					log = append(log, name)
				} else {
					found = append(found, fmt.Sprintf("%s has %q at %d", name, n, i))
				}
			}
		}
		return nil
	})
	require.NoError(t, err)
	return found, log
}

// fillStores has something of her in the stores beside the queue.
func fillStores(t testing.TB, db *DB) {
	t.Helper()
	ctx := t.Context()
	for _, user := range []types.UserID{victim, "4a/ce-1"} {
		secret, at := types.Secret("SECRET-TOKEN-OF-OTHERS"), 1.5
		if user == victim {
			secret, at = "SECRET-TOKEN-OF-HERS", 51.4778216
		}
		tok, err := db.Tokens().Swap(ctx, nil, &auth.Token{UserID: user, AccessToken: secret, RefreshToken: "r"})
		require.NoError(t, err)
		_, err = db.Tokens().Swap(ctx, tok, tok)
		require.NoError(t, err)
		c, err := db.Ledger().Claim(ctx, user)
		require.NoError(t, err)
		w := types.Window{Start: time.Unix(1000, 0).UTC(), End: time.Unix(2000, 0).UTC()}
		require.NoError(t, c.Save(ctx, &backfill.Chunk{UserID: user, Kind: types.KindActivities, Window: w, State: backfill.StateRequested, Requested: time.Now(), Attempts: 1}))
		require.NoError(t, db.Ledger().Arrived(ctx, user, types.KindActivities, w.Start))
		c.Release()
		require.NoError(t, db.Joined().Update(ctx, join.Key{User: user, ID: "1"}, func(r *join.Record) bool {
			r.Details = &types.ActivityDetails{Samples: []types.Sample{{LatitudeInDegree: &at}}}
			return true
		}))
		id := fmt.Sprintf("%032x", len(user))
		_, taken, err := db.Claims().Begin(ctx, id, time.Hour)
		require.NoError(t, err)
		require.True(t, taken)
		require.NoError(t, db.Claims().Settle(ctx, id, notify.Claim{State: notify.ClaimStored, Owner: owner.Of(user), Name: "x/" + url.PathEscape(string(user))}))
	}
}

func stores(db *DB) *personal.Stores {
	return &personal.Stores{Queue: db.Queue(), Tokens: db.Tokens(), Ledger: db.Ledger(), Join: db.Joined()}
}

// TestEraseBytes: after an Erase no file of the server but its log has anything of
// her: no table, no index, nothing of what ANALYZE has copied, and nothing of rows
// that were deleted before. Before it all of them have.
func TestEraseBytes(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server, data := ownServer(t)
	pool := newPool(t, server.URL())
	h := openOn(t, server.URL(), "", time.Hour)
	defer func() { require.NoError(t, h.Close()) }()
	h.db.older = time.Hour
	all := taken(t, h)
	fillMixed(t, h, all, 2)
	fillStores(t, h.db)
	_, err := pool.Exec(ctx, `ANALYZE`)
	require.NoError(t, err)
	_, err = pool.Exec(ctx, `CHECKPOINT`)
	require.NoError(t, err)
	found, _ := tracesIn(t, data)
	require.Greater(t, len(found), 10)
	want, _ := heldBy(t, h, all)

	r, err := stores(h.db).Erase(ctx, victim, false)
	require.NoError(t, err)
	require.True(t, r.Complete(), "%+v", r)
	for i, what := range []string{"claims", "chunks", "activities", "tokens"} {
		require.Equal(t, 1, r.Stores[i].Removed[what], "%+v", r)
	}
	_, err = pool.Exec(ctx, `CHECKPOINT`)
	require.NoError(t, err)
	found, log := tracesIn(t, data)
	require.Empty(t, found)
	require.NotEmpty(t, log, "the log keeps it until it is written over: the document says so")
	have, mine := heldBy(t, h, all)
	require.Zero(t, mine)
	same(t, want, have)
	tok, err := h.db.Tokens().Token(ctx, "4a/ce-1")
	require.NoError(t, err)
	require.Equal(t, "SECRET-TOKEN-OF-OTHERS", string(tok.AccessToken))
}

// atQuery calls f when the n-th statement from now on begins.
type atQuery struct {
	left atomic.Int64
	f    func()
}

func (q *atQuery) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	if q.left.Add(-1) == 0 {
		q.f()
	}
	return ctx
}

func (q *atQuery) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (q *atQuery) use(cfg *pgxpool.Config) { cfg.ConnConfig.Tracer = q }

// TestEraseCrash ends an Erase in the middle, at many places: it kills the server,
// or the process. What is there then is all of others', and the last Erase, which
// nothing ends, leaves nothing of hers in any file.
func TestEraseCrash(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server, data := ownServer(t)
	h := openOn(t, server.URL(), "", time.Hour)
	all := taken(t, h)
	fillMixed(t, h, all, 1)
	want, most := heldBy(t, h, all)
	require.Positive(t, most)
	require.NoError(t, h.Close())

	step := int64(17)
	if testing.Short() {
		step = 60
	}
	for n := step / 2; n < 130; n += step {
		crash := &atQuery{}
		h = openOn(t, server.URL(), "", time.Hour, crash.use)
		within, cancel := context.WithCancel(ctx)
		killed := n/step%4 == 1
		crash.f = func() {
			if killed {
				_ = server.Kill()
			} else {
				h.net.cut(true)
			}
			cancel()
		}
		crash.left.Store(n)
		_, err := h.Erase(within, victim)
		cancel()
		h.kill()
		if err == nil {
			break // It has fewer statements, and left nothing.
		}
		if killed {
			require.NoError(t, server.Start())
		}
		h = openOn(t, server.URL(), "", time.Hour)
		have, left := heldBy(t, h, taken(t, h))
		same(t, want, have)
		t.Logf("ended at statement %d: %d of %d things are left", n, left, most)
		require.LessOrEqual(t, left, most)
		most = left
		require.NoError(t, h.Close())
	}
	h = openOn(t, server.URL(), "", time.Hour)
	defer func() { require.NoError(t, h.Close()) }()
	h.db.older = time.Hour
	out, err := h.Erase(ctx, victim)
	require.NoError(t, err)
	require.Empty(t, out.Left)
	have, left := heldBy(t, h, taken(t, h))
	require.Zero(t, left)
	same(t, want, have)
	_, err = newPool(t, server.URL()).Exec(ctx, `CHECKPOINT`)
	require.NoError(t, err)
	found, _ := tracesIn(t, data)
	require.Empty(t, found)
}
