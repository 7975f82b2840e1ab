//go:build unix

package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/spool"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
	"github.com/garminkit/activityapi/types"
)

// TestFromSpool goes from one machine to many as docs/scaling.md says: new bodies go
// to the database, while a second processor works on what waits in the spool. Each
// item is delivered once, and what came later has the greater Order.
func TestFromSpool(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const each, people = 40, 4
	body := func(i int) *strings.Reader {
		return strings.NewReader(fmt.Sprintf(`{"activities":[{"userId":"u%d","summaryId":"%d","startTimeInSeconds":1}]}`, i%people, i))
	}
	dir := t.TempDir()
	before, err := spool.Open(dir, nil)
	require.NoError(t, err)
	for i := range each {
		require.NoError(t, before.Put(ctx, body(i)))
	}
	require.NoError(t, before.Close())

	h := open(t, pgtest.Schema(t)) // Migrate comes before the switch
	defer func() { require.NoError(t, h.Close()) }()
	old, err := spool.Open(dir, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, old.Close()) }()
	for i := each; i < 2*each; i++ { // from now on the handler stores here
		require.NoError(t, h.Put(ctx, body(i)))
	}

	var mu sync.Mutex
	orders := map[string]uint64{}
	calls := notify.Callbacks{
		Save: func(_ context.Context, d *notify.Delivery, s types.Summary) error {
			mu.Lock()
			defer mu.Unlock()
			id := string(s.ID())
			if orders[id] != 0 {
				t.Errorf("summary %s came twice", id)
			}
			if orders[id] = d.Order; len(orders) == 2*each {
				cancel()
			}
			return nil
		},
		Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
		PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
	}
	users := func(_ context.Context, id types.UserID) ([]notify.User, error) {
		return []notify.User{{ID: string(id)}}, nil
	}
	var both sync.WaitGroup
	for _, q := range []notify.Queue{old, h.Queue} {
		p, err := notify.NewProcessor(q, users, calls, nil)
		require.NoError(t, err)
		both.Go(func() {
			if err := p.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	require.Len(t, orders, 2*each)
	for i := range each {
		require.Less(t, orders[fmt.Sprint(i)], orders[fmt.Sprint(each+i)])
	}
}
