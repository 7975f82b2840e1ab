package notifytest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/notifytest"
	"github.com/garminkit/activityapi/notify/spool"
)

// A queue in memory takes the place of a real one in tests.
func ExampleNewMemory() {
	ctx := context.Background()
	queue := notifytest.NewMemory()
	err := queue.Put(ctx, strings.NewReader(`{"deregistrations": [{"userId": "u1"}, {"userId": "u2"}]}`))
	fmt.Println(err)
	for share, err := range queue.Shares(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		items, _ := share.Scan(ctx, notify.ClassAccount, 0, 10)
		for _, it := range items {
			fmt.Println(it.Key, it.UserID, string(it.Raw))
		}
		fmt.Println(share.Settle(ctx, []notify.Verdict{{ID: items[0].ID, Fate: notify.Done}}))
		share.Release()
		break
	}
	stats, err := queue.Stats(ctx)
	fmt.Println(stats.Items[notify.ClassAccount], err)
	// Output:
	// <nil>
	// deregistrations u1 {"userId": "u1"}
	// deregistrations u2 {"userId": "u2"}
	// <nil>
	// 1 <nil>
}

// The test of a queue is one call.
func ExampleRun() {
	test := func(t *testing.T) {
		notifytest.Run(t, notifytest.Harness{
			Open: func(t *testing.T, dir string) notify.Queue {
				s, err := spool.Open(dir, nil)
				require.NoError(t, err)
				return s
			},
		})
	}
	fmt.Println(test != nil)
	// Output: true
}
