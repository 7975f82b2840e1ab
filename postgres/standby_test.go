//go:build unix

package postgres

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/shareof"
	"github.com/garminkit/activityapi/notify"
)

// TestMissingStandby has a server that waits for a standby which is not there, as
// one that has just taken over with its primary's settings. Whatever needs a commit
// fails soon and hangs nowhere, so that Garmin hears of it and repeats. What was
// acknowledged is there, and all goes on when the setting is right.
func TestMissingStandby(t *testing.T) {
	t.Parallel()
	server, _ := ownServer(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	pool := newPool(t, server.URL())
	require.NoError(t, Migrate(ctx, pool, ""))
	db, err := Open(ctx, pool, &Options{Lease: testLease, Logger: testLog(t), patience: time.Second})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	h := &handle{Queue: db.Queue(), db: db, pool: pool, net: &network{}}
	c := works(ctx, h, nil)
	defer func() { cancel(); <-c.ends }()
	even(t, c)
	acknowledged, refused := 0, 0
	put := func() error {
		t.Helper()
		answer := make(chan error, 1)
		n := acknowledged + refused
		go func() {
			answer <- h.Put(ctx, strings.NewReader(fmt.Sprintf(`{"activities":[{"userId":"u%d","summaryId":"%d"}]}`, n%7, n)))
		}()
		select {
		case err := <-answer:
			if err == nil {
				acknowledged++
			} else {
				refused++
			}
			return err
		case <-time.After(time.Minute):
			require.Fail(t, "a Put hangs")
			return nil
		}
	}
	require.Eventually(t, func() bool { return put() == nil }, time.Minute, time.Millisecond)
	admin := newPool(t, server.URL())
	waitFor := func(names string) {
		t.Helper()
		for _, text := range []string{`ALTER SYSTEM SET synchronous_standby_names = '` + names + `'`, `SELECT pg_reload_conf()`} {
			_, err := admin.Exec(ctx, text)
			require.NoError(t, err)
		}
	}
	waitFor("gone")
	// The server reads its settings some time later.
	for put() == nil {
		require.NoError(t, ctx.Err())
	}
	for range 3 {
		require.Error(t, put())
	}
	items := func() (n int64) {
		for _, count := range stats(t, h).Items {
			n += count
		}
		return n
	}
	require.GreaterOrEqual(t, items(), int64(acknowledged), "reading needs no standby")

	waitFor("")
	require.Eventually(t, func() bool { return put() == nil }, time.Minute, 10*time.Millisecond)
	even(t, c)
	var first notify.ItemID
	require.NoError(t, admin.QueryRow(ctx, `SELECT id FROM activityapi.item WHERE user_id = 'u0' ORDER BY id LIMIT 1`).Scan(&first))
	n := items()
	require.GreaterOrEqual(t, n, int64(acknowledged))
	require.LessOrEqual(t, n, int64(acknowledged+refused))
	require.Eventually(t, func() bool {
		c.mu.Lock()
		s := c.has[int16(shareof.User("u0", shares))]
		c.mu.Unlock()
		if s == nil {
			return false
		}
		found, err := s.Load(ctx, []notify.ItemID{first})
		if err != nil {
			return false
		}
		if len(found) == 0 {
			return true
		}
		_ = s.Settle(ctx, []notify.Verdict{{ID: first, Fate: notify.Done}})
		return false
	}, time.Minute, time.Millisecond)
	require.Equal(t, n-1, items())
}

func stats(t *testing.T, h *handle) notify.QueueStats {
	t.Helper()
	var st notify.QueueStats
	require.Eventually(t, func() (ok bool) {
		var err error
		st, err = h.Stats(t.Context()) // A busy machine may take longer than patience.
		return err == nil
	}, time.Minute, 10*time.Millisecond)
	return st
}
