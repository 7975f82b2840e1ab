package notify_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
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

// faultError is an answer to a call to Garmin.
type faultError struct{ fault types.Fault }

func (e faultError) Error() string           { return "garmin: at fault: " + string(e.fault) }
func (e faultError) Fault() types.Fault      { return e.fault }
func (faultError) RetryAfter() time.Duration { return 0 }

// phone is a client to whose calls the answer can change. It counts calls, and
// the most that ran at a time.
type phone struct {
	mu                   sync.Mutex
	answer               func(url string) error
	calls, running, most int
}

func (p *phone) set(answer func(url string) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer, p.calls, p.most = answer, 0, 0
}

func (p *phone) made() (calls, atOnce int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls, p.most
}

func (p *phone) client() garmin {
	return garmin{follow: func(_ context.Context, _ types.Kind, url types.Secret) iter.Seq2[types.Summary, error] {
		p.mu.Lock()
		p.calls++
		p.running++
		p.most = max(p.most, p.running)
		answer := p.answer
		p.mu.Unlock()
		time.Sleep(100 * time.Millisecond)
		p.mu.Lock()
		p.running--
		p.mu.Unlock()
		if err := answer(string(url)); err != nil {
			return yields(err)
		}
		return yields(nil, &types.Activity{SummaryID: types.ID(string(url)[len("https://x/"):])})
	}}
}

// While nobody's calls can succeed, all pings wait; it is told once, one item at
// a time asks, and nothing is given up. Pushes go on.
func TestOutage(t *testing.T) {
	for _, fault := range []types.Fault{types.FaultApplication, types.FaultNetwork} {
		t.Run(string(fault), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const users = 200
				p := &phone{answer: func(string) error { return faultError{fault} }}
				r := newRig(t, p.client())
				for i := range users {
					r.put(ping(fmt.Sprint("u", i), fmt.Sprint("https://x/", i)))
				}
				r.start()
				time.Sleep(time.Minute)
				require.Equal(t, 1, r.count(notify.ResultOutage))
				p.set(func(string) error { return faultError{fault} })
				r.put(push("v", "pushed"))
				time.Sleep(20 * time.Minute)
				calls, most := p.made()
				require.Equal(t, 1, most, "one item at a time asks")
				require.Less(t, calls, 60, "a probe a minute, at first more often")
				require.Positive(t, calls)
				require.Equal(t, []string{"local-v activities pushed"}, r.got())
				time.Sleep(20 * time.Hour)
				require.LessOrEqual(t, r.count(notify.ResultOutage), 22, "and once an hour while it lasts")
				require.Zero(t, r.count(notify.ResultBuried))
				p.set(func(string) error { return nil })
				time.Sleep(5 * time.Minute)
				require.Equal(t, 1, r.count(notify.ResultResumed))
				require.Len(t, r.got(), users+1)
				require.Zero(t, r.left())
				r.finish()
			})
		})
	}
}

// What is held is given up at its own deadline, and not before.
func TestOutageUntilTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &phone{answer: func(string) error { return faultError{types.FaultApplication} }}
		r := newRig(t, p.client())
		r.start()
		r.put(ping("u", "https://x/1"), ping("v", "https://x/2"))
		time.Sleep(7*24*time.Hour - time.Hour)
		require.Zero(t, r.count(notify.ResultBuried))
		time.Sleep(2 * time.Hour)
		require.Equal(t, 2, r.count(notify.ResultBuried))
		r.finish()
	})
}

// TestParkedUntilTheDeadline: what waits for a user's token is tried for the last time
// at its own deadline, and is then a letter.
func TestParkedUntilTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &phone{answer: func(string) error { return faultError{types.FaultUser} }}
		r := newRig(t, p.client())
		r.start()
		for i := range 70 {
			r.put(ping("u", fmt.Sprint("https://x/", i)))
		}
		pass(time.Hour)
		for i := range 70 {
			r.put(ping("u", fmt.Sprint("https://x/later", i)))
		}
		pass(7*24*time.Hour - time.Hour - time.Minute)
		require.Empty(t, r.letters())
		pass(2 * time.Minute)
		require.Len(t, r.letters(), 70)
		pass(time.Hour)
		require.Len(t, r.letters(), 140)
		require.Zero(t, r.left())
		r.finish()
	})
}

// unsentError is that of a call which was refused on our side.
type unsentError struct{ faultError }

func (unsentError) Unwrap() error { return types.ErrNotSent }

// TestRefusedHereIsNoAnswer: a ping whose callback URL is not Garmin's, or whose user
// has no token any more, ends no outage: Garmin was not asked.
func TestRefusedHereIsNoAnswer(t *testing.T) {
	t.Parallel()
	for _, fault := range []types.Fault{types.FaultItem, types.FaultUser} {
		synctest.Test(t, func(t *testing.T) {
			p := &phone{answer: func(url string) error {
				if strings.Contains(url, "odd") {
					return unsentError{faultError{fault}}
				}
				return faultError{types.FaultApplication}
			}}
			r := newRig(t, p.client())
			for i := range 10 {
				r.put(ping(fmt.Sprint("u", i), fmt.Sprint("https://x/", i)))
			}
			r.start()
			pass(time.Minute)
			for i := range 10 {
				r.put(ping(fmt.Sprint("odd", i), fmt.Sprint("https://x/odd", i)))
			}
			pass(time.Hour)
			require.Zero(t, r.count(notify.ResultResumed), fault)
			p.set(func(string) error { return nil })
			pass(10 * time.Minute)
			require.Equal(t, 1, r.count(notify.ResultResumed))
			r.finish()
		})
	}
}

// TestProbeThatHangs: an item of one user that hangs, itself or behind another of that
// user, does not keep an outage going for all.
func TestProbeThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out atomic.Bool
		out.Store(true)
		block := make(chan struct{})
		r := newRig(t, garmin{follow: func(_ context.Context, _ types.Kind, url types.Secret) iter.Seq2[types.Summary, error] {
			switch {
			case out.Load():
				return yields(faultError{types.FaultNetwork})
			case strings.Contains(string(url), "bad"):
				<-block
			}
			return yields(nil, &types.Activity{SummaryID: "1"})
		}})
		for i := range 10 {
			r.put(ping(fmt.Sprint("u", i), fmt.Sprint("https://x/", i)))
		}
		r.start()
		synctest.Wait()
		require.Equal(t, 1, r.count(notify.ResultOutage))
		r.put(ping("bad", "https://x/bad")) // the newest asks first
		synctest.Wait()
		out.Store(false)
		pass(10 * time.Minute)
		require.Equal(t, 1, r.count(notify.ResultResumed))
		require.Len(t, r.got(), 10)
		close(block)
		pass(time.Minute)
		require.Len(t, r.got(), 11)
		r.finish()
	})
}

// Whoever can reach the endpoint can send pings whose calls fail. Those of one
// user stop nobody else's.
func TestOneUserIsNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &phone{answer: func(url string) error {
			if strings.Contains(url, "odd") {
				return faultError{types.FaultNetwork}
			}
			return nil
		}}
		r := newRig(t, p.client())
		r.start()
		for i := range 100 {
			r.put(ping("odd", fmt.Sprint("https://x/odd", i)))
		}
		time.Sleep(time.Hour)
		r.put(ping("good", "https://x/good"))
		time.Sleep(time.Second)
		require.Equal(t, []string{"local-good activities good"}, r.got())
		require.Zero(t, r.count(notify.ResultOutage))
		r.finish()
	})
}

// A body of thousands of bad items makes a bounded number of letters.
func TestManyBadItems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.calls.Save = func(context.Context, *notify.Delivery, types.Summary) error {
			return notify.Permanent(errors.New("not wanted"))
		}
		var items []string
		for i := range 5000 {
			items = append(items, fmt.Sprintf(`{"userId":"u%d","summaryId":"%d"}`, i%50, i))
		}
		r.start()
		r.put(`{"activities":[` + strings.Join(items, ",") + `]}`)
		time.Sleep(time.Hour)
		r.finish()
		letters := r.letters()
		require.LessOrEqual(t, len(letters), 101)
		n := 0
		for _, l := range letters {
			n += l.Items
		}
		require.Equal(t, len(items), n)
	})
}

// An edit by hand arrives under another key, and waits for its activity.
func TestManualEditWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, fails := newRig(t, nil), 3
		r.calls.Save = func(_ context.Context, d *notify.Delivery, s types.Summary) error {
			if s.Kind() == types.KindActivities && fails > 0 {
				fails--
				return errBoom
			}
			r.record(d, s)
			return nil
		}
		r.start()
		r.put(push("u", "1"), strings.Replace(push("u", "1"), "activities", "manuallyUpdatedActivities", 1))
		time.Sleep(time.Hour)
		r.finish()
		require.Equal(t, []string{"local-u activities 1", "local-u manuallyUpdatedActivities 1"}, r.got())
	})
}
