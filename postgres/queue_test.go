//go:build unix

package postgres

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/notifytest"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
)

func TestQueue(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, queueHarness(t, func(t *testing.T, schema string) *handle { return open(t, schema) }))
}

// TestSealedQueue runs the suite on a database that is sealed.
func TestSealedQueue(t *testing.T) {
	t.Parallel()
	h := queueHarness(t, func(t *testing.T, schema string) *handle {
		q := openAs(t, pgtest.URL(t), &Options{Schema: schema, Lease: testLease, AEAD: testSeal(t, "0123456789abcdef")})
		require.NotNil(t, q.db.sealing.sealer())
		return q
	})
	h.Kill = nil
	notifytest.Run(t, h)
}

func queueHarness(t *testing.T, open func(t *testing.T, schema string) *handle) notifytest.Harness {
	pgtest.URL(t)
	at := &schemas{}
	h := notifytest.Harness{
		Open: func(t *testing.T, dir string) notify.Queue {
			q := open(t, at.of(t, dir))
			q.db.begun = 100 // some clauses kill one process after another for no fault of an item
			q.db.older = time.Hour
			return q
		},
		Kill:   func(_ *testing.T, q notify.Queue) { q.(*handle).kill() },
		Cut:    func(_ *testing.T, q notify.Queue, off bool) { q.(*handle).net.cut(off) },
		Shared: true, Lease: testLease, Parallel: true,
		InMemory: true, // TestLargeBodyMemory measures it alone
	}
	if testing.Short() {
		h.Kill = nil // most of the time is waiting for the leases of the dead
	}
	return h
}
