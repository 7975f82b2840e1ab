//go:build unix

package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/postgres/internal/pgtest"
)

// TestForgottenShareComesBack has a process that does not know of a share which
// the table says is its own, as after an answer that was lost: it is yielded
// again, and not left without anybody.
func TestForgottenShareComesBack(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	h := steady(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	got := 0
	for s, err := range h.Shares(ctx) {
		require.NoError(t, err)
		if got++; got < shares {
			continue
		}
		if got > shares {
			require.EqualValues(t, 5, s.(*share).number)
			return
		}
		m := &h.member
		m.mu.Lock()
		m.hand[5].lose("it is forgotten")
		delete(m.hand, 5)
		m.mu.Unlock()
		signal(m.kick)
	}
	require.Fail(t, "it never comes")
}

// TestLateAnswerGivesNothing has the answer to a beat come when its lease is
// nearly over: others may have the shares before we have begun.
func TestLateAnswerGivesNothing(t *testing.T) {
	t.Parallel()
	h := steady(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	m := &h.member
	m.mu.Lock()
	m.looping = true
	m.mu.Unlock()
	m.learn(0, 7, time.Now().Add(-h.db.lease*3/4), map[int16]tenure{3: {epoch: 1}}, 1, nil)
	m.mu.Lock()
	defer m.mu.Unlock()
	require.Empty(t, m.granted)
	require.Zero(t, m.id, "we join anew")
	m.looping = false
}

// TestRightEndsBefore holds that a right ends where it is a third of the lease
// before another process can have it: clocks differ, and another server's after a
// failover.
func TestRightEndsBefore(t *testing.T) {
	t.Parallel()
	h := steady(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	for range taken(t, h) {
	}
	m := &h.member
	m.mu.Lock()
	until := m.until
	m.mu.Unlock()
	var left time.Duration
	require.NoError(t, h.pool.QueryRow(t.Context(), h.db.sql(`SELECT expires - clock_timestamp() FROM {s}.member`)).Scan(&left))
	require.Greater(t, left-time.Until(until), h.db.lease/4)
}
