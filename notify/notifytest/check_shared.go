package notifytest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/garminkit/activityapi/notify"
)

// sharedClauses are about several processes at work on one queue.
var sharedClauses = []clause{
	{"Divided", "several processes have shares at once, and each share belongs to one at a time", needsShared, divided},
	{"PutSeenByAll", "what one process puts is found by the one that has the share, and its Changed receives", needsShared, putSeenByAll},
	{"LettersSeenByAll", "letters are seen by every process", needsShared, lettersSeenByAll},
	{"RedriveOnce", "of two processes that redrive a letter one does, and its items come once", needsShared, redriveOnce},
	{"HandOver", "a share that is released falls to another worker within a second", needsShared, handOver},
	{"WantedBack", "Wanted is closed when the share is wanted back, and what runs may come to its end", needsShared, wantedBack},
	{"OrderAcross", "among the items of one user, IDs grow with arrival, whichever process stores them", needsShared, orderAcross},
	{"CutOff", "Context ends before another worker can have the share, and from then on nothing changes", needsShared | needsCut, cutOff},
	{"Takeover", "the shares of a process that was killed fall to others when its lease has ended, and not before", needsShared | needsKill, takeover},
}

// users are as many as find every share at work.
const users = 100

// everybody is a body with an item of each user.
func everybody(id string) string {
	var items []string
	for u := range users {
		items = append(items, activity(fmt.Sprintf("user %d", u), id))
	}
	return list("activities", items...)
}

// second opens the queue for another process.
func (s *subject) second() (first, second *crew) {
	s.Helper()
	first = s.crew
	s.open()
	return first, s.crew
}

func divided(s *subject) {
	s.put(everybody("1"))
	s.all()
	a, b := s.second()
	s.until(s.lease(), func() bool { return len(a.glance()) > 0 && len(b.glance()) > 0 }, "two processes work, and one has no share")
	if n := len(s.all(a, b)); n != users { // fails if one is in two
		s.fail("two processes find %d items, want %d", n, users)
	}
	c := s.work(s.h.Open(s.T, s.dir))
	s.opened = append(s.opened, c.queue)
	s.until(s.lease(), func() bool { return len(c.glance()) > 0 }, "a third process gets no share")
	s.done(s.all(a, b, c)...)
	if n := len(s.all(a, b, c)); n != 0 {
		s.fail("%d items are left", n)
	}
}

func putSeenByAll(s *subject) {
	a, b := s.second()
	s.put(everybody("1"))
	s.until(s.lease(), func() bool { return len(a.glance()) > 0 && len(b.glance()) > 0 }, "two processes work, and one has no share")
	all := s.all(a, b)
	s.done(all...)
	for i, q := range []notify.Queue{a.queue, b.queue} {
		// A queue may have shares that none of these users is in.
		waiting := map[notify.Share]bool{}
		for _, it := range all {
			select {
			case <-it.share.Changed():
			default:
			}
			waiting[it.share] = true
		}
		s.ok(q.Put(s.ctx, stringReader(everybody(fmt.Sprint(2+i)))), "Put")
		s.until(patient, func() bool {
			for share := range waiting {
				select {
				case <-share.Changed():
					delete(waiting, share)
				default:
				}
			}
			return len(waiting) == 0
		}, "process %d stored items, and Changed did not receive in every share", i)
		all = s.all(a, b)
		if len(all) != users {
			s.fail("%d items are found, want %d", len(all), users)
		}
		s.done(all...)
	}
}

func lettersSeenByAll(s *subject) {
	s.put(everybody("1"))
	a, b := s.second()
	s.until(s.lease(), func() bool { return len(a.glance()) > 0 && len(b.glance()) > 0 }, "two processes work, and one has no share")
	s.bury(s.all(a, b)...)
	for _, c := range []*crew{a, b} {
		s.queue = c.queue
		letters := s.letters(nil)
		if len(letters) != users {
			s.fail("a process sees %d letters, want %d", len(letters), users)
		}
		for _, l := range letters {
			if got, want := s.opened1(l.ID), list("activities", activity(string(l.UserID), "1")); !sameBody(got, want) {
				s.fail("the letter opens as %s, want %s", short(got), short(want))
			}
		}
		st, err := s.queue.Stats(s.ctx)
		s.ok(err, "Stats")
		if st.Letters != users {
			s.fail("a process counts %d letters, want %d", st.Letters, users)
		}
	}
}

func redriveOnce(s *subject) {
	letters := s.someLetters(50)
	a, b := s.second()
	var mu sync.Mutex
	did := 0
	var wg sync.WaitGroup
	for i, q := range []notify.Queue{a.queue, b.queue, a.queue, b.queue} {
		wg.Go(func() {
			for j := range letters {
				l := letters[j]
				if i > 1 {
					l = letters[len(letters)-1-j]
				}
				err := q.Redrive(s.ctx, l.ID)
				mu.Lock()
				if err == nil {
					did++
				} else if !errors.Is(err, fs.ErrNotExist) {
					s.Errorf("Redrive: %v", err)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if did != len(letters) {
		s.fail("%d letters were redriven %d times", len(letters), did)
	}
	var want []string
	for i := range letters {
		want = append(want, activity("a", fmt.Sprint(i)))
	}
	var got []string
	for _, it := range s.all(a, b) {
		got = append(got, s.read(it))
	}
	sortStrings(got, want)
	s.same("the items", got, want)
	if n := len(s.letters(nil)); n != 0 {
		s.fail("%d letters are left", n)
	}
}

func handOver(s *subject) {
	s.put(everybody("1"))
	s.all()
	a, b := s.second()
	s.until(s.lease(), func() bool { return len(b.glance()) > 0 }, "a second process gets no share")
	a.stop()
	s.until(time.Second, func() bool { return len(b.glance()) == users }, "a process released its shares, and the other does not have all of them a second later")
	if n := len(s.all(b)); n != users {
		s.fail("%d items are found, want %d", n, users)
	}
}

func wantedBack(s *subject) {
	s.put(everybody("1"))
	first := s.all()
	a := s.crew
	a.mu.Lock()
	a.keep = true
	a.mu.Unlock()
	shares := a.hand()
	_, b := s.second()
	wanted := func() (n int) {
		for _, share := range shares {
			select {
			case <-share.Wanted():
				n++
			default:
			}
		}
		return n
	}
	s.until(s.lease(), func() bool { return wanted() > 0 }, "a second process works, and Wanted of no share is closed")
	if n := wanted(); n == len(shares) {
		s.fail("all %d shares are wanted back", n)
	}
	s.pass(s.lease() * 2)
	for _, share := range shares {
		if share.Context().Err() != nil {
			s.fail("a share that is wanted back was lost before its release: %v", context.Cause(share.Context()))
		}
	}
	if n := len(b.glance()); n != 0 {
		s.fail("another process has %d items of shares that were not released", n)
	}
	s.done(first[:users/2]...)
	for _, share := range shares {
		select {
		case <-share.Wanted():
			share.Release()
		default:
		}
	}
	s.until(time.Second, func() bool { return len(b.hand()) > 0 }, "a share was released, and the other process does not have it a second later")
	if n := len(s.all(a, b)); n != users-users/2 {
		s.fail("%d items are left, want %d", n, users-users/2)
	}
}

func orderAcross(s *subject) {
	a, b := s.second()
	const n = 200
	for i := range n {
		q := []notify.Queue{a.queue, b.queue}[i%2]
		size := 0
		if i%9 == 0 {
			size = 150 << 10
		}
		s.ok(q.Put(s.ctx, stringReader(list("activities", padded("a", fmt.Sprint(i+1), size), padded("b", fmt.Sprint(i+1), 0)))), "Put")
	}
	last := map[string]int{}
	for _, it := range s.all(a, b) { // by crew, and by ID in each
		num := number(s.read(it))
		if num != last[string(it.UserID)]+1 {
			s.fail("item %d of user %s comes after %d", num, string(it.UserID), last[string(it.UserID)])
		}
		last[string(it.UserID)] = num
	}
}

func cutOff(s *subject) {
	s.put(everybody("1"))
	s.all()
	a, b := s.second()
	s.until(s.lease(), func() bool { return len(b.glance()) > 0 }, "a second process gets no share")
	a.mu.Lock()
	a.keep = true
	a.mu.Unlock()
	mine := a.glance()
	s.h.Cut(s.T, a.queue, true)
	early := false
	s.until(3*s.lease(), func() bool {
		live := map[notify.ItemID]bool{}
		for _, it := range mine {
			if it.share.Context().Err() == nil {
				live[it.ID] = true
			}
		}
		all := b.glance()
		for _, it := range all {
			early = early || live[it.ID]
		}
		return early || len(all) == users
	}, "a process is cut off, and the other does not have its shares after three leases")
	if early {
		s.fail("another process has a share while Context has not ended")
	}
	s.h.Cut(s.T, a.queue, false)
	s.lost(mine[0])
	for _, it := range s.all(a, b) {
		if it.Attempts != 0 {
			s.fail("an item was changed by a worker that had lost it")
		}
	}
	s.queue = b.queue
	if n := len(s.letters(nil)); n != 0 {
		s.fail("a worker that had lost the share left %d letters", n)
	}
	for _, it := range mine {
		it.share.Release()
	}
	if n := len(s.all(a, b)); n != users {
		s.fail("%d items are found, want %d", n, users)
	}
	a.mu.Lock()
	a.keep = false
	a.mu.Unlock()
	s.until(3*s.lease(), func() bool { return len(a.glance()) > 0 }, "a process that was cut off gets no share again")
	s.done(s.all(a, b)...)
}

func takeover(s *subject) {
	s.put(everybody("1"))
	s.all()
	a, b := s.second()
	s.until(s.lease(), func() bool { return len(b.glance()) > 0 }, "a second process gets no share")
	s.until(s.lease(), func() bool { return len(s.all(a, b)) == users }, "the shares come to no rest")
	before := len(b.glance())
	s.done(a.glance()[0])
	s.h.Kill(s.T, a.queue)
	a.abandon()
	s.pass(s.lease() / 2)
	if n := len(b.glance()); n != before {
		s.fail("half a lease after a kill the other process has %d items, and had %d", n, before)
	}
	s.until(2*s.lease(), func() bool { return len(b.glance()) == users-1 }, "a process was killed, and the other does not have its shares after two and a half leases")
	s.done(s.all(b)...)
}
