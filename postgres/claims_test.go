//go:build unix

package postgres

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/notifytest"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
)

// claimsHandle is a process of the suite.
type claimsHandle struct {
	notify.Claims
	*handle
}

func (c claimsHandle) Close() error { return c.handle.Close() }

func TestClaims(t *testing.T) {
	t.Parallel()
	pgtest.URL(t)
	at := &schemas{}
	var ahead atomic.Int64
	notifytest.RunClaims(t, notifytest.ClaimsHarness{
		Open: func(t *testing.T, dir string) notify.Claims {
			h := open(t, at.of(t, dir))
			h.db.claims.ahead = func() time.Duration { return time.Duration(ahead.Load()) }
			return claimsHandle{h.db.claims, h}
		},
		Advance: func(_ *testing.T, d time.Duration) { ahead.Add(int64(d)) },
	})
}
