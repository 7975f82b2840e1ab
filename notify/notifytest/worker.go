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

// workerClauses are about what happens to stored bodies.
var workerClauses = []clause{
	{"OldestFirst", "Bodies yields the oldest first, also after a restart", oldestFirst},
	{"Received", "Received is when Put stored the body", received},
	{"YieldsNew", "Bodies waits, and yields each new body as it is stored", yieldsNew},
	{"LoopEnds", "Bodies returns without an error when ctx ends", loopEnds},
	{"OneLoop", "while one loop runs, another yields ErrInUse", oneLoop},
	{"NextLoop", "a body that was not finished is yielded by the next loop, with its marks", nextLoop},
	{"MarksSurvive", "marks survive a restart", marksSurvive},
	{"BodyOutlivesLoop", "a body may be used after its loop has ended", bodyOutlivesLoop},
	{"ConcurrentMarks", "a body is safe for concurrent use", concurrentMarks},
	{"FinishedIsGone", "a finished body is never yielded again", finishedIsGone},
	{"Bury", "Bury keeps the letter whole and marks the item, and both survive a restart", bury},
	{"LettersOldestFirst", "Letters yields the oldest first", lettersOldestFirst},
	{"Redrive", "Redrive makes a letter's item a new body and removes the letter", redrive},
	{"RedriveUnknown", "Redrive of an unknown letter is an error that wraps fs.ErrNotExist", redriveUnknown},
	{"ProcessorCrash", "after a stop in the middle, an item that was marked does not run again and every other runs", processorCrash},
	{"ProcessorOrder", "items of one user run in order", processorOrder},
	{"ProcessorRedrive", "an item that was given up on can be processed again", processorRedrive},
}

func oldestFirst(s *subject) {
	var want []string
	for i := range 50 {
		want = append(want, fmt.Sprintf("body %d", i))
		if i%7 == 0 {
			want[i] += noise(80<<10, uint64(i)) // kept another way, perhaps
		}
	}
	s.put(want...)
	s.holds(want...)
	s.reopen()
	s.put("later")
	s.holds(append(want, "later")...)
}

func received(s *subject) {
	before := time.Now().Add(-time.Second) // for clocks of coarse grain
	s.put("a")
	b := s.take(1)[0]
	if r := b.Received(); r.Before(before) || r.After(time.Now().Add(time.Second)) {
		s.fail("Received is %v, stored at %v", r, time.Now())
	}
	first := b.Received()
	s.reopen()
	if r := s.take(1)[0].Received(); !r.Equal(first) {
		s.fail("Received was %v and is %v after a restart", first, r)
	}
}

func yieldsNew(s *subject) {
	s.put("old")
	got := make(chan notify.Body)
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for b, err := range s.queue.Bodies(ctx) {
			if err != nil {
				s.Errorf("Bodies: %v", err)
				return
			}
			select {
			case got <- b:
			case <-ctx.Done():
				return
			}
		}
	}()
	next := func(want string) {
		s.Helper()
		select {
		case b := <-got:
			if have := s.read(b); have != want {
				s.fail("Bodies yielded %s, want %s", short(have), short(want))
			}
		case <-s.ctx.Done():
			s.fail("%s was not yielded", short(want))
		}
	}
	next("old")
	for i := range 20 {
		want := fmt.Sprintf("new %d", i)
		s.put(want)
		next(want)
	}
	s.put("two", "at once")
	next("two")
	next("at once")
	cancel()
	<-ended
}

func loopEnds(s *subject) {
	s.put("a")
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	n := 0
	for _, err := range s.queue.Bodies(ctx) {
		s.ok(err, "Bodies")
		n++
		cancel()
	}
	if n != 1 {
		s.fail("Bodies yielded %d bodies, want 1", n)
	}
	for _, err := range s.queue.Bodies(ctx) {
		s.fail("Bodies yielded after ctx had ended, error %v", err)
	}
}

func oneLoop(s *subject) {
	s.put("a")
	for _, err := range s.queue.Bodies(s.ctx) {
		s.ok(err, "Bodies")
		n := 0
		for b, err := range s.queue.Bodies(s.ctx) {
			if n++; n > 1 || b != nil || !errors.Is(err, notify.ErrInUse) {
				s.fail("a second loop yielded the body %v and the error %v, want nil and ErrInUse", b, err)
			}
		}
		if n != 1 {
			s.fail("a second loop yielded nothing")
		}
		break
	}
	s.take(1) // the first has ended
}

func nextLoop(s *subject) {
	s.put("a", "b")
	first := s.take(2)
	s.ok(first[1].Mark(s.ctx, 3), "Mark")
	s.ok(first[0].Close(), "Close")
	again := s.holds("a", "b")
	for i := range again {
		if again[i].ID() != first[i].ID() {
			s.fail("the ID of body %d was %q and is %q", i, first[i].ID(), again[i].ID())
		}
	}
	checkMarks(s, again[0])
	checkMarks(s, again[1], 3)
}

func checkMarks(s *subject, b notify.Body, want ...int) {
	s.Helper()
	marked := map[int]bool{}
	for _, i := range want {
		marked[i] = true
	}
	for i := range 1100 {
		if b.Done(i) != marked[i] {
			s.fail("Done(%d) of body %s is %v", i, b.ID(), b.Done(i))
		}
	}
}

func marksSurvive(s *subject) {
	s.put("a", noise(100<<10, 13), "c")
	b := s.take(3)
	for _, i := range []int{0, 7, 64, 1000, 7} {
		s.ok(b[0].Mark(s.ctx, i), "Mark")
		s.ok(b[1].Mark(s.ctx, i+1), "Mark")
		if !b[0].Done(i) {
			s.fail("Done(%d) is false after Mark(%d)", i, i)
		}
	}
	id := b[0].ID()
	for range 2 {
		s.reopen()
		b = s.take(3)
		if b[0].ID() != id {
			s.fail("the ID was %q and is %q after a restart", id, b[0].ID())
		}
		checkMarks(s, b[0], 0, 7, 64, 1000)
		checkMarks(s, b[1], 1, 8, 65, 1001)
		checkMarks(s, b[2])
	}
}

func bodyOutlivesLoop(s *subject) {
	s.put("a", "b")
	b := s.take(2) // the loop was left
	if s.read(b[0]) != "a" {
		s.fail("the bytes changed")
	}
	s.ok(b[0].Mark(s.ctx, 0), "Mark")
	s.ok(b[0].Finish(s.ctx), "Finish")
	s.ok(b[1].Bury(s.ctx, 0, &notify.Letter{Key: "k", Raw: []byte("b")}), "Bury")
	checkMarks(s, s.holds("b")[0], 0)
}

func concurrentMarks(s *subject) {
	const items, workers = 1000, 8
	s.put("a")
	b := s.take(1)[0]
	var wg sync.WaitGroup
	var want []int
	for w := range workers {
		wg.Go(func() {
			for i := w; i < items; i += workers {
				if err := b.Mark(s.ctx, i); err != nil {
					s.Errorf("Mark: %v", err)
				}
				b.Done(i)
			}
		})
	}
	wg.Wait()
	for i := range items {
		want = append(want, i)
	}
	s.reopen()
	checkMarks(s, s.take(1)[0], want...)
}

func finishedIsGone(s *subject) {
	large := noise(100<<10, 14)
	s.put("a", "b", large, "d")
	for i, b := range s.take(4) {
		if i%2 == 0 {
			s.ok(b.Mark(s.ctx, 0), "Mark")
			s.ok(b.Finish(s.ctx), "Finish")
		}
	}
	s.holds("b", "d")
	s.reopen()
	s.put("e")
	s.holds("b", "d", "e")
}

func bury(s *subject) {
	s.put(`{"activities":[{},{"userId":"u"}]}`)
	b := s.take(1)[0]
	want := notify.Letter{
		Key: "activities", UserID: "u\x00\n", Reason: "a \"reason\" with ünicode\n", Quarantined: true, Attempts: 7,
		Received: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Buried: time.Date(2026, 1, 9, 3, 4, 5, 0, time.UTC),
		Raw: []byte("{\"userId\":\"u\"}\xff" + noise(300<<10, 15)),
	}
	sent := want
	s.ok(b.Bury(s.ctx, 1, &sent), "Bury")
	check := func() {
		s.Helper()
		all := s.letters()
		if len(all) != 1 {
			s.fail("there are %d letters, want 1", len(all))
		}
		l := *all[0]
		if l.ID == "" {
			s.fail("the letter has no ID")
		}
		same := l.Key == want.Key && l.UserID == want.UserID && l.Reason == want.Reason &&
			l.Quarantined == want.Quarantined && l.Attempts == want.Attempts &&
			l.Received.Equal(want.Received) && l.Buried.Equal(want.Buried) && string(l.Raw) == string(want.Raw)
		if !same {
			l.Raw, want.Raw = l.Raw[:min(40, len(l.Raw))], want.Raw[:40]
			s.fail("the letter is %+v, want %+v", l, want)
		}
	}
	check()
	checkMarks(s, b, 1)
	s.reopen()
	check()
	b = s.take(1)[0]
	checkMarks(s, b, 1)
	s.ok(b.Mark(s.ctx, 0), "Mark")
	s.ok(b.Finish(s.ctx), "Finish")
	s.reopen()
	check()
	s.holds()
}

func lettersOldestFirst(s *subject) {
	s.put("a")
	b := s.take(1)[0]
	for i := range 30 {
		s.ok(b.Bury(s.ctx, i, &notify.Letter{Key: "k", Reason: fmt.Sprint(i), Raw: []byte("{}")}), "Bury")
	}
	for range 2 {
		ids := map[string]bool{}
		for i, l := range s.letters() {
			if l.Reason != fmt.Sprint(i) {
				s.fail("letter %d is the one buried as number %s", i, l.Reason)
			}
			ids[l.ID] = true
		}
		if len(ids) != 30 {
			s.fail("there are %d letters of different IDs, want 30", len(ids))
		}
		s.reopen()
	}
}

func redrive(s *subject) {
	s.put("a")
	b := s.take(1)[0]
	for i, l := range []*notify.Letter{
		{Key: "activities", Raw: []byte(`{"n":0}`)},
		{Key: `odd "key"`, Raw: []byte(`{"n":1}`)},
		{Raw: []byte("a whole body")},
	} {
		s.ok(b.Bury(s.ctx, i, l), "Bury")
	}
	s.ok(b.Finish(s.ctx), "Finish")
	all := s.letters()
	s.ok(s.queue.Redrive(s.ctx, all[1].ID), "Redrive")
	s.ok(s.queue.Redrive(s.ctx, all[2].ID), "Redrive")
	if err := s.queue.Redrive(s.ctx, all[2].ID); !errors.Is(err, fs.ErrNotExist) {
		s.fail("a second Redrive of one letter gave %v, want fs.ErrNotExist", err)
	}
	check := func() {
		s.Helper()
		left := s.letters()
		if len(left) != 1 || left[0].ID != all[0].ID {
			s.fail("%d letters are left, want the one that was not redriven", len(left))
		}
		for _, b := range s.holds(`{"odd \"key\"":[{"n":1}]}`, "a whole body") {
			checkMarks(s, b)
		}
	}
	check()
	s.reopen()
	check()
}

func redriveUnknown(s *subject) {
	for _, id := range []string{"", "no such letter", "../x", "1"} {
		if err := s.queue.Redrive(s.ctx, id); !errors.Is(err, fs.ErrNotExist) {
			s.fail("Redrive(%q) gave %v", id, err)
		}
	}
}
