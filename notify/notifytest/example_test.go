package notifytest_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/notifytest"
	"github.com/garminkit/activityapi/notify/spool"
)

// Memory takes the place of a queue in tests.
func ExampleMemory() {
	ctx := context.Background()
	queue := notifytest.NewMemory()
	err := queue.Put(ctx, strings.NewReader(`{"deregistrations": [{"userId": "u1"}, {"userId": "u2"}]}`))
	fmt.Println(queue.Len(), err)
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
	fmt.Println(queue.Len())
	// Output:
	// 2 <nil>
	// deregistrations u1 {"userId": "u1"}
	// deregistrations u2 {"userId": "u2"}
	// <nil>
	// 1
}

// Two processes have one queue. One is killed, and the other gets its shares
// when the lease has ended.
func ExampleShared() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	db := notifytest.NewShared(&notifytest.SharedOptions{Shares: 1, Lease: 50 * time.Millisecond})
	first, second := db.Open(), db.Open()
	defer second.Close()
	_ = first.Put(ctx, strings.NewReader(`{"deregistrations": [{"userId": "u1"}]}`))
	for share := range first.Shares(ctx) {
		first.Kill()
		fmt.Println(share.Context().Err())
		break
	}
	for share := range second.Shares(ctx) {
		items, _ := share.Scan(ctx, notify.ClassAccount, 0, 10)
		body, _ := share.Open(ctx, items[0].ID)
		data, _ := io.ReadAll(body)
		fmt.Println(string(data))
		break
	}
	// Output:
	// context canceled
	// {"userId": "u1"}
}

// Claims in memory, with a handle for each of two processes.
func ExampleNewMemoryClaims() {
	one := notifytest.NewMemoryClaims()
	two := one.Another()
	ctx := context.Background()
	_, taken, _ := one.Begin(ctx, "2c26b46b", time.Minute)
	_, again, _ := two.Begin(ctx, "2c26b46b", time.Minute)
	fmt.Println(taken, again)
	// Output: true false
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
