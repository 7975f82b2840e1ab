package notifytest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// crew works on all shares that a process gets.
type crew struct {
	s      *subject
	queue  notify.Queue
	cancel context.CancelFunc
	done   chan struct{} // closed when the loop has ended
	quit   chan struct{} // closed when the work is to end
	once   sync.Once

	mu     sync.Mutex
	shares []notify.Share
	keep   bool // shares that are wanted back or lost are not released
	err    error
	wg     sync.WaitGroup
}

// work makes the process a worker.
func (s *subject) work(q notify.Queue) *crew {
	ctx, cancel := context.WithCancel(s.ctx)
	c := &crew{s: s, queue: q, cancel: cancel, done: make(chan struct{}), quit: make(chan struct{})}
	s.crews = append(s.crews, c)
	go func() {
		defer close(c.done)
		for share, err := range q.Shares(ctx) {
			c.mu.Lock()
			if err != nil {
				c.err = err
			} else {
				c.shares = append(c.shares, share)
				c.wg.Go(func() { c.follow(share) })
			}
			c.mu.Unlock()
		}
	}()
	return c
}

// follow gives a share back when it is wanted or lost.
func (c *crew) follow(share notify.Share) {
	select {
	case <-share.Wanted():
	case <-share.Context().Done():
	case <-c.quit:
	}
	c.mu.Lock()
	keep := c.keep
	c.mu.Unlock()
	if keep {
		<-c.quit
	}
	c.drop(share)
	share.Release()
}

func (c *crew) drop(share notify.Share) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shares = slices.DeleteFunc(c.shares, func(s notify.Share) bool { return s == share })
}

// hand returns the shares that the crew has.
func (c *crew) hand() []notify.Share {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		c.s.fail("Shares yielded the error %v", c.err)
	}
	return slices.Clone(c.shares)
}

// stop ends the work in good order.
func (c *crew) stop() {
	c.cancel()
	<-c.done
	c.once.Do(func() { close(c.quit) })
	c.wg.Wait() // each share is released
}

// abandon is what is left to do for a process that was killed.
func (c *crew) abandon() {
	c.cancel()
	c.mu.Lock()
	c.shares = nil
	c.mu.Unlock()
}

// found is an item and the share it was found in.
type found struct {
	*notify.Item
	share notify.Share
}

// scan returns the items of a class in a share, a few at a time.
func (s *subject) scan(share notify.Share, class notify.Class) ([]found, error) {
	s.Helper()
	const most = 100
	var got []found
	var after notify.ItemID
	last := map[types.UserID]notify.ItemID{} // of each user
	for {
		items, err := share.Scan(s.ctx, class, after, most)
		if err != nil {
			return nil, err
		}
		if len(items) > most {
			s.fail("Scan returned %d items, and at most %d were asked for", len(items), most)
		}
		if len(items) == 0 {
			return got, nil
		}
		for _, it := range items {
			if it.ID <= last[it.UserID] {
				s.fail("Scan returned item %d after %d, both of one user", it.ID, last[it.UserID])
			}
			if it.Class != class {
				s.fail("Scan of class %v returned an item of class %v", class, it.Class)
			}
			after, last[it.UserID] = it.ID, it.ID
			got = append(got, found{it, share})
		}
	}
}

// glance returns what the crew's shares hold at this moment, by ID.
func (c *crew) glance() []found {
	s := c.s
	s.Helper()
	var all []found
	for _, share := range c.hand() {
		for class := range notify.Class(notify.Classes) {
			got, err := s.scan(share, class)
			if err != nil && share.Context().Err() == nil {
				s.fail("Scan: %v", err)
			}
			all = append(all, got...)
		}
	}
	slices.SortFunc(all, func(a, b found) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// all returns every unfinished item of the queue. It waits until all bodies are
// taken apart, and all shares are with the crews that are given.
func (s *subject) all(crews ...*crew) []found {
	s.Helper()
	if crews == nil {
		crews = []*crew{s.crew}
	}
	var got []found
	var st notify.QueueStats
	s.until(patient+2*s.lease(), func() bool {
		var err error
		st, err = s.queue.Stats(s.ctx)
		s.ok(err, "Stats")
		got = nil
		for _, c := range crews {
			got = append(got, c.glance()...)
		}
		return st.Bodies == 0 && int64(len(got)) == total(st)
	}, "Stats counts %d items and %d bodies that are not taken apart, and scans find %d items", lazy(func() any { return total(st) }), lazy(func() any { return st.Bodies }), lazy(func() any { return len(got) }))
	seen := map[notify.ItemID]bool{}
	for _, it := range got {
		if seen[it.ID] {
			s.fail("two items have the ID %d, or one is in two shares", it.ID)
		}
		seen[it.ID] = true
	}
	return got
}

// lazy is an argument that is looked at when it is printed.
type lazy func() any

func (l lazy) Format(f fmt.State, verb rune) { _, _ = fmt.Fprintf(f, "%"+string(verb), l()) }

func total(st notify.QueueStats) (n int64) {
	for _, c := range st.Items {
		n += c
	}
	return n
}

// read returns an item's bytes.
func (s *subject) read(it found) string {
	s.Helper()
	r, err := it.share.Open(s.ctx, it.ID)
	s.ok(err, "Open")
	data, err := io.ReadAll(r)
	s.ok(err, "reading an item")
	s.ok(r.Close(), "closing an item")
	if int64(len(data)) != it.Size {
		s.fail("Size is %d, and Open gave %d bytes", it.Size, len(data))
	}
	if it.Raw != nil && string(it.Raw) != string(data) {
		s.fail("Raw is %s, and Open gave %s", short(string(it.Raw)), short(string(data)))
	}
	return string(data)
}

// settle records one verdict on each of the items.
func (s *subject) settle(items []found, v notify.Verdict) {
	s.Helper()
	left := s.trySettle(items, v)
	for tries := 0; len(left) > 0 && tries < 10; tries++ {
		again := slices.DeleteFunc(s.all(s.crews...), func(it found) bool { return !left[it.ID] })
		left = s.trySettle(again, v)
	}
	if len(left) > 0 {
		s.fail("Settle: shares are given back again and again")
	}
}

// trySettle returns the items of shares that were wanted back just now. Others have
// these.
func (s *subject) trySettle(items []found, v notify.Verdict) (left map[notify.ItemID]bool) {
	s.Helper()
	left = map[notify.ItemID]bool{}
	byShare := map[notify.Share][]notify.Verdict{}
	for _, it := range items {
		v := v
		v.ID = it.ID
		byShare[it.share] = append(byShare[it.share], v)
	}
	for share, verdicts := range byShare {
		err := share.Settle(s.ctx, verdicts)
		if errors.Is(err, notify.ErrLost) && share.Context().Err() != nil {
			for _, v := range verdicts {
				left[v.ID] = true
			}
			continue
		}
		s.ok(err, "Settle")
	}
	return left
}

// done finishes the items.
func (s *subject) done(items ...found) {
	s.Helper()
	s.settle(items, notify.Verdict{Fate: notify.Done})
}

// bury makes a letter of each of the items.
func (s *subject) bury(items ...found) {
	s.Helper()
	for _, it := range items {
		s.settle([]found{it}, notify.Verdict{Fate: notify.Buried, Letter: letterOf(it)})
	}
}

// letterOf is what a worker says of an item that it gives up on.
func letterOf(it found) *notify.DeadLetter {
	return &notify.DeadLetter{
		Key: it.Key, UserID: it.UserID, Items: 1, Reason: "given up", Attempts: it.Attempts + 1, Received: it.Received,
	}
}

// holds checks the bytes of what is in the queue, in whatever order.
func (s *subject) holds(want ...string) []found {
	s.Helper()
	got := s.all()
	var have []string
	for _, it := range got {
		have = append(have, s.read(it))
	}
	slices.Sort(have)
	s.same("the items", have, slices.Sorted(slices.Values(want)))
	return got
}

// same compares lists of texts.
func (s *subject) same(what string, got, want []string) {
	s.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			s.fail("%s are %d, want %d: %s is missing", what, len(got), len(want), short(want[i]))
		case i >= len(want):
			s.fail("%s are %d, want %d: %s is too many", what, len(got), len(want), short(got[i]))
		case got[i] != want[i]:
			s.fail("%s: number %d is %s, want %s", what, i, short(got[i]), short(want[i]))
		}
	}
}

func short(s string) string {
	if len(s) > 80 {
		return fmt.Sprintf("%q... (%d bytes)", s[:80], len(s))
	}
	return fmt.Sprintf("%q", s)
}
