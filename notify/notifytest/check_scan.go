package notifytest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing/iotest"
	"time"

	"github.com/garminkit/activityapi/notify"
)

// scanClauses are about what a worker sees of items.
var scanClauses = []clause{
	{"Pages", "Scan returns items of one class with an ID greater than after, in order of ID, at most max of them, and none if there is none", 0, pages},
	{"Received", "Received is when Put stored the body", 0, received},
	{"Order", "among the items of one user, IDs grow with arrival", 0, order},
	{"ConcurrentOrder", "among the items of one user, IDs grow with arrival, whoever stores around them", 0, concurrentOrder},
	{"NeverReused", "an ID names an item for ever", 0, neverReused},
	{"NothingBehind", "what a scan has passed never appears behind it", 0, nothingBehind},
	{"Changed", "Changed receives after Scan may have something new, and is one channel for the life of the share", 0, changed},
	{"AccountEarly", "items of ClassAccount are found even while a large body is being taken apart", 0, accountEarly},
	{"Bodies", "Body is the same for all items of one body, and different for two", 0, bodyNumbers},
	{"Load", "Load returns items by ID; those that are finished are left out", 0, load},
	{"Open", "Open reads an item's bytes from their start, and fails with an error that wraps fs.ErrNotExist if the item is finished", 0, openItem},
	{"ManyItems", "a user may have many items, and each is found once", 0, manyItems},
}

func pages(s *subject) {
	s.put(join(
		list("activities", numbered("a", 1, 7)...),
		list("activityDetails", ping("a", "https://apis.garmin.com/1"), ping("a", "https://apis.garmin.com/2")),
		list("activityFiles", filePing("a", "1"), filePing("a", "2"), filePing("a", "3")),
		list("deregistrations", leave("a"), leave("a")),
		list("nothing", "1", "2"),
	))
	all := s.all()
	for class := range notify.Class(notify.Classes) {
		var want []notify.ItemID
		var share notify.Share
		for _, it := range all {
			// Items of nobody may be in another share.
			if it.Class == class {
				want, share = append(want, it.ID), it.share
			}
		}
		scan := func(after notify.ItemID, most int) []notify.ItemID {
			got, err := share.Scan(s.ctx, class, after, most)
			s.ok(err, "Scan")
			var ids []notify.ItemID
			for _, it := range got {
				ids = append(ids, it.ID)
			}
			return ids
		}
		for from := range len(want) + 1 {
			after := notify.ItemID(0)
			if from > 0 {
				after = want[from-1]
			}
			for most := range len(want) + 2 {
				got := scan(after, most)
				// Fewer than there are is allowed, none is not.
				exp := want[from:min(len(want), from+most)]
				if len(got) > len(exp) || !slices.Equal(got, exp[:len(got)]) || len(got) == 0 && len(exp) > 0 {
					s.fail("Scan(%v, after %d, at most %d) returned %v, want %v", class, after, most, got, exp)
				}
			}
		}
		if got := scan(want[len(want)-1]+1000, 10); len(got) > 0 {
			s.fail("Scan beyond the last item returned %v", got)
		}
	}
}

func received(s *subject) {
	before := time.Now().Add(-time.Second) // for clocks of coarse grain
	s.put(list("activities", activity("a", "1"), activity("b", "2")))
	items := s.all()
	for _, it := range items {
		if r := it.Received; r.Before(before) || r.After(time.Now().Add(time.Second)) {
			s.fail("Received is %v, stored at %v", r, time.Now())
		}
		if !it.Received.Equal(items[0].Received) {
			s.fail("two items of one body were received at different times")
		}
		if it.Attempts != 0 || !it.Next.IsZero() {
			s.fail("a new item has the attempts %d and the next one at %v", it.Attempts, it.Next)
		}
	}
	s.reopen()
	for _, it := range s.all() {
		if r := it.Received.Sub(items[0].Received); r.Abs() > time.Millisecond {
			s.fail("Received was %v and is %v after a restart", items[0].Received, it.Received)
		}
	}
}

// ordered checks that the items of each user have IDs in order of their
// summary ids.
func (s *subject) ordered(perUser int) {
	s.Helper()
	last := map[string]int{}
	for _, it := range s.all() { // by ID
		n := number(s.read(it))
		if n != last[string(it.UserID)]+1 {
			s.fail("item %d of user %s comes after %d", n, string(it.UserID), last[string(it.UserID)])
		}
		last[string(it.UserID)] = n
	}
	for user, n := range last {
		if n != perUser {
			s.fail("user %s has %d items, want %d", user, n, perUser)
		}
	}
}

// number is the summary id of an item.
func number(item string) (n int) {
	_, after, _ := strings.Cut(item, `"summaryId":"`)
	_, _ = fmt.Sscanf(after, "%d", &n)
	return n
}

func order(s *subject) {
	n := 0
	for i := range 30 {
		var items []string
		for j := range 1 + i%3 {
			for _, user := range []string{"a", "b", "c"} {
				size := 0
				if i%7 == j {
					size = 150 << 10 // kept another way, perhaps
				}
				items = append(items, padded(user, fmt.Sprint(n+j+1), size))
			}
		}
		n += 1 + i%3
		s.put(list("activities", items...))
		if i == 15 {
			s.reopen()
		}
	}
	s.ordered(n)
	s.reopen()
	s.ordered(n)
}

func concurrentOrder(s *subject) {
	const users, each = 4, 100
	var wg sync.WaitGroup
	for u := range users {
		wg.Go(func() {
			user := fmt.Sprintf("user %d", u)
			for i := range each {
				size := 0
				if i%10 == u {
					size = 150 << 10
				}
				if err := s.queue.Put(s.ctx, stringReader(list("activities", padded(user, fmt.Sprint(i+1), size)))); err != nil {
					s.Errorf("Put: %v", err)
				}
			}
		})
	}
	wg.Wait()
	s.ordered(each)
}

func neverReused(s *subject) {
	var last notify.ItemID
	for i := range 5 {
		s.put(list("activities", activity("a", fmt.Sprint(i))))
		items := s.all()
		if items[0].ID <= last {
			s.fail("item %d was stored after item %d was finished", items[0].ID, last)
		}
		last = items[0].ID
		s.done(items...)
		s.reopen()
	}
}

func nothingBehind(s *subject) {
	const producers, each = 8, 50
	s.all() // so that the share is there
	var wg sync.WaitGroup
	for p := range producers {
		wg.Go(func() {
			for i := range each {
				// Bodies that take long to send end among those that do not.
				r := stringReader(list("activities", padded("a", fmt.Sprint(p*each+i), (p%2)*(150<<10))))
				if p == 0 {
					r = iotest.HalfReader(r)
				}
				if err := s.queue.Put(s.ctx, r); err != nil {
					s.Errorf("Put: %v", err)
				}
			}
		})
	}
	var after notify.ItemID
	seen := 0
	s.until(patient+2*s.lease(), func() bool {
		for _, share := range s.hand() {
			for {
				items, err := share.Scan(s.ctx, notify.ClassPush, after, 1000)
				s.ok(err, "Scan")
				if len(items) == 0 {
					break
				}
				after = items[len(items)-1].ID
				seen += len(items)
			}
		}
		return seen == producers*each
	}, "a scan that went on while bodies were stored saw %d items, want %d", lazy(func() any { return seen }), producers*each)
	wg.Wait()
}

func changed(s *subject) {
	s.put(list("activities", activity("a", "0")))
	share := s.all()[0].share
	c := share.Changed()
	var after notify.ItemID
	scan := func() (n int) {
		s.Helper()
		for {
			items, err := share.Scan(s.ctx, notify.ClassPush, after, 100)
			s.ok(err, "Scan")
			if len(items) == 0 {
				return n
			}
			n += len(items)
			after = items[len(items)-1].ID
		}
	}
	for i := range 20 {
		for drained := false; !drained; {
			select {
			case <-c:
			default:
				drained = true
			}
		}
		scan()
		s.put(list("activities", activity("a", fmt.Sprint(i+1))))
		timeout := time.NewTimer(patient)
		for n := 0; n == 0; n = scan() {
			select {
			case <-c:
			case <-timeout.C:
				s.fail("item %d was stored, and Changed did not receive", i+1)
			}
		}
		timeout.Stop()
		if share.Changed() != c {
			s.fail("Changed returned another channel")
		}
	}
}

func accountEarly(s *subject) {
	const size = 20 << 20
	s.put(list("activities", activity("b", "1")))
	s.all()
	gate, going := make(chan struct{}), make(chan struct{})
	var once sync.Once
	putting := make(chan error, 1)
	s.ok(s.queue.Put(s.ctx, largeBody(size, "a", false)), "Put")
	go func() { // another is still being sent
		putting <- s.queue.Put(s.ctx, io.MultiReader(largeBody(size, "a", true), readerFunc(func([]byte) (int, error) {
			once.Do(func() { close(going) })
			<-gate
			return 0, io.EOF
		})))
	}()
	<-going
	s.put(list("deregistrations", leave("b")))
	put := time.Now()
	for found := false; !found; {
		for _, share := range s.hand() {
			items, err := share.Scan(s.ctx, notify.ClassAccount, 0, 10)
			s.ok(err, "Scan")
			found = found || len(items) > 0
		}
		if time.Since(put) > time.Second {
			close(gate)
			s.fail("a deregistration was not found within a second of its Put")
		}
		s.pass(time.Millisecond)
	}
	close(gate)
	s.ok(<-putting, "Put")
}

func bodyNumbers(s *subject) {
	s.put(list("activities", activity("a", "1"), activity("b", "1")), list("activities", activity("a", "2"), activity("b", "2")))
	for range 2 {
		of := map[uint64]string{}
		for _, it := range s.all() {
			id := fmt.Sprint(number(s.read(it)))
			if was, ok := of[it.Body]; ok && was != id {
				s.fail("two bodies have the number %d", it.Body)
			}
			of[it.Body] = id
		}
		if len(of) != 2 {
			s.fail("two bodies have %d numbers", len(of))
		}
		s.reopen()
		s.put("{}")
	}
}

func load(s *subject) {
	s.put(list("activities", numbered("a", 1, 20)...), list("activityFiles", filePing("a", "1"), filePing("a", "2")))
	all := s.all()
	share := all[0].share
	s.done(all[3], all[5])
	var ids []notify.ItemID
	for _, i := range []int{7, 3, 21, 0, 5, 20, 19} {
		ids = append(ids, all[i].ID)
	}
	ids = append(ids, 0, all[21].ID+1000)
	got, err := share.Load(s.ctx, ids)
	s.ok(err, "Load")
	slices.SortFunc(got, func(a, b *notify.Item) int { return cmp.Compare(a.ID, b.ID) })
	var have, want []string
	for _, it := range got {
		have = append(have, described(it.Piece, s.read(found{it, share})))
	}
	for _, i := range []int{0, 7, 19, 20, 21} {
		want = append(want, described(all[i].Piece, s.read(all[i])))
	}
	s.same("the items", have, want)
	if got, err := share.Load(s.ctx, nil); err != nil || len(got) != 0 {
		s.fail("Load of nothing returned %d items and the error %v", len(got), err)
	}
}

func openItem(s *subject) {
	large := padded("a", "2", 300<<10)
	s.put(list("activities", activity("a", "1"), large, activity("a", "3")), "{broken")
	all := s.all()
	var it found
	for _, f := range all {
		if f.Size == int64(len(large)) {
			it = f
		}
	}
	r, err := it.share.Open(s.ctx, it.ID)
	s.ok(err, "Open")
	half := make([]byte, len(large)/2)
	_, err = io.ReadFull(r, half)
	s.ok(err, "reading half an item")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			r, err := it.share.Open(s.ctx, it.ID)
			if err != nil {
				s.Errorf("Open: %v", err)
				return
			}
			defer r.Close()
			if data, err := io.ReadAll(r); err != nil || string(data) != large {
				s.Errorf("a concurrent reader got %d bytes, error %v", len(data), err)
			}
		})
	}
	wg.Wait()
	rest, err := io.ReadAll(r)
	s.ok(err, "reading the rest")
	s.ok(r.Close(), "Close")
	if !bytes.Equal(slices.Concat(half, rest), []byte(large)) {
		s.fail("the bytes changed")
	}
	s.done(all...)
	for _, f := range append(all, found{&notify.Item{ID: it.ID + 1000}, it.share}) {
		if _, err := f.share.Open(s.ctx, f.ID); !errors.Is(err, fs.ErrNotExist) {
			s.fail("Open of an item that is finished, or never was, gave %v", err)
		}
	}
}

func manyItems(s *subject) {
	const n = 20000
	s.put(list("activities", numbered("a", 0, n)...))
	all := s.all()
	if len(all) != n {
		s.fail("%d items were found, want %d", len(all), n)
	}
	s.done(all[:n-10]...)
	if all = s.all(); len(all) != 10 {
		s.fail("%d items are left, want 10", len(all))
	}
	s.done(all...)
	s.holds()
}
