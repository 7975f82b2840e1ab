package notify_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// list is a body of n items under one key.
func list(key string, n int, item func(i int) string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{%q:[`, key)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(item(i))
	}
	b.WriteString("]}")
	return b.String()
}

func moveIQ(user string, i int, pad string) string {
	return fmt.Sprintf(`{"userId":%q,"summaryId":"m%d","pad":%q}`, user, i, pad)
}

// trouble is something that goes wrong for some users, or that a stranger
// does, while others should not notice.
type trouble struct {
	name string
	// begin stores the trouble's bodies.
	begin func(put func(body string))
	// save is what becomes of the troubled users' summaries, by default nil.
	save func(ctx context.Context, d *notify.Delivery, s types.Summary) error
	// follow is what becomes of their pulls.
	follow func(u types.Secret) error
}

var refusal = &statusError{status: 401}

// troubles have their names from what is said in docs/reliability.md.
func troubles(scale int) []trouble {
	return []trouble{
		{
			name: "hanging",
			begin: func(put func(string)) {
				pad := strings.Repeat("x", 200_000)
				for i := range scale {
					put(list("moveIQActivities", 1, func(int) string { return moveIQ("bad", i, pad) }))
				}
			},
			save: func(ctx context.Context, _ *notify.Delivery, _ types.Summary) error {
				<-ctx.Done() // a lock on this user's row, say
				return ctx.Err()
			},
		},
		{
			name: "hanging for many users",
			begin: func(put func(string)) {
				put(list("moveIQActivities", 200, func(i int) string { return moveIQ(fmt.Sprint("bad", i), i, "") }))
			},
			save: func(ctx context.Context, _ *notify.Delivery, _ types.Summary) error {
				<-ctx.Done()
				return ctx.Err()
			},
		},
		{
			name: "slow",
			begin: func(put func(string)) {
				pad := strings.Repeat("x", 1000)
				put(list("moveIQActivities", 1000*scale, func(i int) string { return moveIQ("bad", i, pad) }))
			},
			save: func(context.Context, *notify.Delivery, types.Summary) error {
				time.Sleep(100 * time.Millisecond)
				return nil
			},
		},
		{
			name: "failing",
			begin: func(put func(string)) {
				pad := strings.Repeat("x", 1<<20-200)
				for i := range 64 {
					put(fmt.Sprintf(`{"activityDetails":[{"userId":"bad%d","summaryId":"m%d","summary":{},"pad":%q}]}`, i, i, pad))
				}
				put(list("moveIQActivities", 400*scale, func(i int) string { return moveIQ(fmt.Sprint("bad", i%10_000), i, "") }))
			},
			save: func(context.Context, *notify.Delivery, types.Summary) error { return errors.New("column missing") },
		},
		{
			name: "parked",
			begin: func(put func(string)) {
				for i := range 64 {
					put(fmt.Sprintf(`{"activities":[{"userId":"bad","callbackURL":"https://x/activities?token=%d"}]}`, i) + strings.Repeat(" ", 1<<20-200))
				}
			},
			follow: func(types.Secret) error { return refusal },
		},
		{
			name: "flooding",
			begin: func(put func(string)) {
				for range scale {
					put(list("moveIQActivities", 1000, func(i int) string { return moveIQ("bad", i, "") }))
				}
			},
		},
		{
			name: "flooding for nobody",
			begin: func(put func(string)) {
				for b := range scale {
					put(list("moveIQActivities", 1000, func(i int) string { return moveIQ(fmt.Sprint("nobody", b*1000+i), i, "") }))
				}
			},
		},
		{
			name: "huge",
			begin: func(put func(string)) {
				for range 3 {
					put(list("moveIQActivities", 1, func(i int) string { return moveIQ("bad", i, strings.Repeat("x", 100*scale*10_000)) }))
				}
			},
		},
		{
			name: "garbage",
			begin: func(put func(string)) {
				put(strings.Repeat("x", scale<<18))
				put(`{"activities":[` + strings.Repeat("0,", scale<<16) + `0]}`)
				put(`{"activities":[` + strings.Repeat(`0,{"userId":"bad","summaryId":"1"},`, scale<<8) + `0]}`)
			},
		},
	}
}

// watched has the callbacks for a trouble and unrelated users beside it. Who
// waits is in sent, by user, with the time since when.
func watched(tr *trouble, now func() time.Time, seen func(kind string, after time.Duration)) (notify.Resolver, notify.Callbacks, *sync.Map) {
	sent := new(sync.Map)
	arrived := func(kind, key string) {
		if at, ok := sent.LoadAndDelete(key); ok {
			seen(kind, now().Sub(at.(time.Time)))
		}
	}
	client := garmin{follow: func(_ context.Context, _ types.Kind, u types.Secret) iter.Seq2[types.Summary, error] {
		if tr.follow != nil {
			return yields(tr.follow(u))
		}
		return yields(nil)
	}}
	users := func(_ context.Context, id types.UserID) ([]notify.User, error) {
		if strings.HasPrefix(string(id), "nobody") {
			return nil, notify.ErrUnknownUser
		}
		return []notify.User{{ID: string(id), Client: client}}, nil
	}
	return users, notify.Callbacks{
		Save: func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
			if strings.HasPrefix(string(d.UserID), "bad") {
				if tr.save != nil {
					return tr.save(ctx, d, s)
				}
				return nil
			}
			arrived("push", string(d.UserID))
			return nil
		},
		Deregistration: func(_ context.Context, d *notify.Delivery, _ *notify.Deregistration) error {
			arrived("account", string(d.UserID))
			return nil
		},
		PermissionChange: func(_ context.Context, d *notify.Delivery, _ *notify.PermissionChange) error {
			arrived("account", string(d.UserID))
			return nil
		},
	}, sent
}

// TestIsolation: nobody's trouble delays anybody else, whatever it is.
func TestIsolation(t *testing.T) {
	scale := 20
	if testing.Short() {
		scale = 4
	}
	for _, tr := range troubles(scale) {
		t.Run(tr.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				var mu sync.Mutex
				worst := map[string]time.Duration{}
				count := map[string]int{}
				users, calls, sent := watched(&tr, time.Now, func(kind string, after time.Duration) {
					mu.Lock()
					defer mu.Unlock()
					worst[kind] = max(worst[kind], after)
					count[kind]++
				})
				r.users, r.calls = users, calls
				r.opts.Observe = nil
				r.start()
				tr.begin(func(body string) { r.put(body) })
				const n = 50
				for i := range n {
					user := fmt.Sprint("good", i)
					sent.Store(user, time.Now())
					r.put(list("moveIQActivities", 1, func(int) string { return moveIQ(user, i, "") }))
					user = fmt.Sprint("leaver", i)
					sent.Store(user, time.Now())
					r.put(fmt.Sprintf(`{"deregistrations":[{"userId":%q}]}`, user))
					time.Sleep(10 * time.Minute / n)
				}
				synctest.Wait()
				mu.Lock()
				defer mu.Unlock()
				require.Equal(t, map[string]int{"push": n, "account": n}, count)
				most := time.Second
				if tr.name == "hanging for many users" {
					most = 4 * time.Second // the processor has just begun, see TestManyUsersHang
				}
				require.Less(t, worst["push"], most)
				require.Less(t, worst["account"], time.Second)
				r.stop()
				<-r.ended
			})
		})
	}
}

// TestAccountBesideData: a user's own deregistration goes before what the user
// has waiting, and does not wait for a callback that hangs.
func TestAccountBesideData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		told := time.Duration(-1)
		r.calls.Save = func(ctx context.Context, _ *notify.Delivery, _ types.Summary) error {
			<-ctx.Done()
			return ctx.Err()
		}
		start := time.Now()
		r.calls.Deregistration = func(context.Context, *notify.Delivery, *notify.Deregistration) error {
			told = time.Since(start)
			return nil
		}
		r.start()
		r.put(list("moveIQActivities", 10_000, func(i int) string { return moveIQ("u", i, "") }))
		pass(time.Minute)
		start = time.Now()
		r.put(`{"deregistrations":[{"userId":"u"}]}`)
		pass(2 * time.Second)
		require.GreaterOrEqual(t, told, time.Duration(0))
		require.LessOrEqual(t, told, time.Second)
		r.stop()
		<-r.ended
	})
	// A callback that ends soon is not overlapped.
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		var running, overlaps atomic.Int64
		enter := func() {
			if running.Add(1) > 1 {
				overlaps.Add(1)
			}
			time.Sleep(100 * time.Millisecond)
			running.Add(-1)
		}
		var order []string
		r.calls.Save = func(_ context.Context, _ *notify.Delivery, s types.Summary) error {
			enter()
			order = append(order, string(s.ID()))
			return nil
		}
		r.calls.Deregistration = func(context.Context, *notify.Delivery, *notify.Deregistration) error {
			enter()
			order = append(order, "left")
			return nil
		}
		r.start()
		r.put(list("moveIQActivities", 5, func(i int) string { return moveIQ("u", i, "") }))
		pass(150 * time.Millisecond)
		r.put(`{"deregistrations":[{"userId":"u"}]}`)
		pass(time.Minute)
		r.finish()
		require.Zero(t, overlaps.Load())
		require.Equal(t, []string{"m0", "m1", "left", "m2", "m3", "m4"}, order)
	})
}

// slowAccounts is a queue whose scans for accounts take long, or fail.
type slowAccounts struct {
	notify.Queue
	takes time.Duration
	fails *atomic.Int64 // how often
}

type slowShare struct {
	notify.Share
	q slowAccounts
}

func (q slowAccounts) Shares(ctx context.Context) iter.Seq2[notify.Share, error] {
	return func(yield func(notify.Share, error) bool) {
		for share, err := range q.Queue.Shares(ctx) {
			if err == nil {
				share = slowShare{share, q}
			}
			if !yield(share, err) {
				return
			}
		}
	}
}

func (s slowShare) Scan(ctx context.Context, class notify.Class, after notify.ItemID, most int) ([]*notify.Item, error) {
	if class == notify.ClassAccount && s.q.fails.Add(-1) >= 0 {
		return nil, errBoom
	}
	items, err := s.Share.Scan(ctx, class, after, most)
	if class == notify.ClassAccount {
		time.Sleep(s.q.takes)
	}
	return items, err
}

// TestAccountBeforeWhatCameAfter: what came after a deregistration, in the same
// body or in the next, stays behind it, however late the deregistration is found.
func TestAccountBeforeWhatCameAfter(t *testing.T) {
	const users = 300
	name := func(i int) string { return fmt.Sprint("u", i) }
	left := list("deregistrations", users, func(i int) string { return fmt.Sprintf(`{"userId":%q}`, name(i)) })
	data := list("moveIQActivities", users, func(i int) string { return moveIQ(name(i), i, "") })
	bodies := map[string][]string{
		"in one body":   {strings.TrimSuffix(left, "}") + "," + strings.TrimPrefix(data, "{")},
		"in two bodies": {left, data},
	}
	for _, trouble := range []struct {
		name    string
		takes   time.Duration
		fails   int64
		reports int
	}{
		{"slow", 20 * time.Millisecond, 0, 0},
		{"very slow", 4 * time.Second, 0, 0},
		{"nearly hangs", 25 * time.Second, 0, 1},
		{"fails", 0, 6, 6},
	} {
		for what, list := range bodies {
			for _, running := range []bool{false, true} {
				t.Run(fmt.Sprint(trouble.name, ", ", what, ", running ", running), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						r := newRig(t, nil)
						fails := new(atomic.Int64)
						r.queue = slowAccounts{r.queue, trouble.takes, fails}
						var mu sync.Mutex
						var told []string
						tell := func(what string, d *notify.Delivery) error {
							mu.Lock()
							defer mu.Unlock()
							told = append(told, what+string(d.UserID))
							return nil
						}
						r.calls.Save = func(_ context.Context, d *notify.Delivery, _ types.Summary) error {
							return tell("data of ", d)
						}
						r.calls.Deregistration = func(_ context.Context, d *notify.Delivery, _ *notify.Deregistration) error {
							return tell("left: ", d)
						}
						if running {
							r.start()
							pass(time.Minute)
						}
						fails.Store(trouble.fails)
						for _, body := range list {
							r.put(body)
						}
						if !running {
							r.start()
						}
						pass(10 * time.Minute)
						r.finish()
						require.Len(t, told, 2*users)
						for i := range users {
							require.Less(t, slices.Index(told, "left: "+name(i)), slices.Index(told, "data of "+name(i)))
						}
						require.GreaterOrEqual(t, r.count(notify.ResultQueueFailed), trouble.reports)
					})
				})
			}
		}
	}
}

// TestReadyDataLetsAccountGoFirst: data that waits for a worker lets a permission
// change go first that came meanwhile, and does not begin beside it.
func TestReadyDataLetsAccountGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.opts.Workers = 1
		var told []string
		r.calls.Save = func(_ context.Context, d *notify.Delivery, _ types.Summary) error {
			told = append(told, string(d.UserID))
			if d.UserID == "busy" {
				time.Sleep(500 * time.Millisecond)
			}
			return nil
		}
		r.calls.PermissionChange = func(context.Context, *notify.Delivery, *notify.PermissionChange) error {
			time.Sleep(2 * time.Second)
			told = append(told, "changed")
			return nil
		}
		r.start()
		r.put(push("busy", "1"))
		synctest.Wait()
		r.put(push("u", "2"))
		pass(100 * time.Millisecond)
		r.put(`{"userPermissionsChange":[{"userId":"u","permissions":["ACTIVITY_EXPORT"]}]}`)
		pass(10 * time.Second)
		r.finish()
		require.Equal(t, []string{"busy", "changed", "u"}, told)
	})
}

// TestStopBeforeAccounts: when the processor stops before it knows the
// deregistrations, what came after them does not go first.
func TestStopBeforeAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.queue = slowAccounts{r.queue, 5 * time.Second, new(atomic.Int64)}
		r.put(`{"deregistrations":[{"userId":"u"}]}`, push("u", "1"))
		r.start()
		pass(time.Second)
		r.finish()
		require.Empty(t, r.got())
	})
}

// TestForgedPingsBeforeFile: fifty forged pings, each with a token of its own,
// do not keep the user's file waiting.
func TestForgedPingsBeforeFile(t *testing.T) {
	for _, forged := range []string{"activities", "activityFiles"} {
		synctest.Test(t, func(t *testing.T) {
			r, calls := fileRig(t, func(int) (io.ReadCloser, error) { return body(fit(10)) })
			client := garmin{
				follow: func(context.Context, types.Kind, types.Secret) iter.Seq2[types.Summary, error] {
					return yields(refusal)
				},
				download: func(ctx context.Context, u types.Secret) (io.ReadCloser, error) {
					if strings.Contains(string(u), "forged") {
						return nil, refusal
					}
					calls.Add(1)
					return body(fit(10))
				},
			}
			r.users = func(_ context.Context, id types.UserID) ([]notify.User, error) {
				return []notify.User{{ID: string(id), Client: client}}, nil
			}
			r.start()
			r.put(list(forged, 50, func(i int) string {
				return fmt.Sprintf(`{"userId":"u","summaryId":"f%d","fileType":"FIT","callbackURL":"https://x/forged?token=%d"}`, i, i)
			}))
			pass(time.Second)
			calls.Store(0)
			r.put(fitPing("u", "7-file", fileURL))
			pass(time.Minute)
			require.EqualValues(t, 1, calls.Load(), forged)
			r.stop()
			<-r.ended
		})
	}
}

// TestNothingIsQuadratic: a lane's work grows with its items, and not with their
// square, when all of them are due behind one that hangs.
func TestNothingIsQuadratic(t *testing.T) {
	cost := func(n int) (took time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, nil)
			block := make(chan struct{})
			var blocked atomic.Bool
			r.calls.Save = func(_ context.Context, d *notify.Delivery, _ types.Summary) error {
				if d.Attempt == 1 {
					return errBoom
				}
				if blocked.CompareAndSwap(false, true) {
					<-block
				}
				return nil
			}
			r.opts.RetryMin, r.opts.RetryMax, r.opts.Observe = 6*time.Second, 6*time.Second, nil
			for b := range n / 1000 {
				r.put(list("moveIQActivities", 1000, func(i int) string { return moveIQ("u", b*1000+i, "") }))
			}
			cpu := cpuTime()
			r.start()
			pass(10 * time.Second) // all are due, and the first hangs
			require.True(t, blocked.Load())
			require.Equal(t, n, r.left())
			close(block)
			synctest.Wait()
			require.Zero(t, r.left())
			took = cpuTime() - cpu
			r.finish()
		})
		return took
	}
	cost(1000)
	small, large := cost(4000), cost(32_000)
	t.Logf("4,000 items: %v of processor time, 32,000: %v", small, large)
	require.Less(t, large, 24*small, "8 times the items")
}

// TestNamesDoNotCollide: what a stranger calls a thing cannot be the name of
// another thing.
func TestNamesDoNotCollide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := pullRig(t, func(int, types.Secret) iter.Seq2[types.Summary, error] { return yields(errBoom) })
		r.start()
		for _, u := range []string{"account", "activities 1", "activityFiles 1", "#1#activities[0]", "", "\x04\x00", "https://x/account"} {
			r.put(ping("u", u+"?token=1"), ping("u", u))
		}
		r.put(push("u", "account"))
		pass(time.Minute)
		r.put(`{"deregistrations":[{"userId":"u"}]}`, push("u", "1"))
		pass(time.Second)
		require.Len(t, r.told(), 1)
		require.Len(t, r.got(), 2)
		r.stop()
		<-r.ended
	})
}

// TestRepeatsLeaveRoom: however many items are due again and find no worker,
// what is new is found and goes before them.
func TestRepeatsLeaveRoom(t *testing.T) {
	n := 80_000
	if testing.Short() {
		n = 20_000
	}
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		came := time.Duration(-1)
		var put time.Time
		r.calls.Save = func(_ context.Context, d *notify.Delivery, _ types.Summary) error {
			switch {
			case d.UserID == "good":
				came = time.Since(put)
			case d.Attempt == 1:
				return errBoom
			default:
				time.Sleep(20 * time.Millisecond)
			}
			return nil
		}
		r.opts.RetryMin, r.opts.RetryMax, r.opts.Observe = 10*time.Second, 10*time.Second, nil
		r.put(list("moveIQActivities", n, func(i int) string { return moveIQ(fmt.Sprint("u", i), i, "") }))
		r.start()
		pass(12 * time.Second)
		put = time.Now()
		r.put(push("good", "1"))
		pass(2 * time.Second)
		require.GreaterOrEqual(t, came, time.Duration(0))
		require.Less(t, came, time.Second)
		pass(5 * time.Minute)
		require.Zero(t, r.left())
		r.finish()
	})
}
