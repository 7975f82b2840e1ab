package notifytest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/garminkit/activityapi/notify"
)

// shareClauses are about the right to work.
var shareClauses = []clause{
	{"LoopEnds", "Shares yields each share until ctx ends; then it returns without an error", 0, loopEnds},
	{"OneLoop", "a queue for one process yields ErrInUse, as its only value, while another loop runs", needsSingle, oneLoop},
	{"OutlivesLoop", "a share stays until it is released or lost, also when its loop has ended", 0, outlivesLoop},
	{"Released", "once the right has ended, each method fails with an error that wraps ErrLost and changes nothing; Context ends with Release", 0, released},
	{"FoundAgain", "what is not finished is found by who has the share next, with the same IDs", 0, foundAgain},
	{"NotWanted", "a queue for one process never closes Wanted", needsSingle, notWanted},
	{"Stats", "Stats counts the unfinished items by class, the letters, and when the oldest item of each class was received", 0, stats},
}

func loopEnds(s *subject) {
	s.put(list("activities", activity("a", "1")))
	s.crew.stop()
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	n := 0
	for share, err := range s.queue.Shares(ctx) {
		s.ok(err, "Shares")
		if share == nil {
			s.fail("Shares yielded neither a share nor an error")
		}
		if err := share.Context().Err(); err != nil {
			s.fail("a share that was just yielded has ended: %v", err)
		}
		n++
		cancel()
		defer share.Release()
	}
	if n != 1 {
		s.fail("Shares yielded %d shares, want 1 until ctx ended", n)
	}
	for _, err := range s.queue.Shares(ctx) {
		s.fail("Shares yielded after ctx had ended, error %v", err)
	}
}

func oneLoop(s *subject) {
	s.put(list("activities", activity("a", "1")))
	s.all() // the crew's loop runs
	n := 0
	for share, err := range s.queue.Shares(s.ctx) {
		if n++; n > 1 || share != nil || !errors.Is(err, notify.ErrInUse) {
			s.fail("a second loop yielded the share %v and the error %v, want nil and ErrInUse", share, err)
		}
	}
	if n != 1 {
		s.fail("a second loop yielded nothing")
	}
	s.done(s.all()...) // the first goes on
	s.crew.stop()
	s.crew = s.work(s.queue)
	s.put(list("activities", activity("a", "2")))
	s.holds(activity("a", "2"))
}

func outlivesLoop(s *subject) {
	s.put(list("activities", numbered("a", 1, 2)...))
	s.crew.mu.Lock()
	s.crew.keep = true
	s.crew.mu.Unlock()
	all := s.all()
	s.crew.cancel()
	<-s.crew.done
	s.pass(s.lease() / 4)
	if err := all[0].share.Context().Err(); err != nil {
		s.fail("the share ended with its loop: %v", err)
	}
	s.done(all[0])
	if got := s.read(all[1]); got != activity("a", "2") {
		s.fail("an item is %s", short(got))
	}
	s.crew.stop()
	s.crew = s.work(s.queue)
	s.holds(activity("a", "2"))
}

// lost checks that the right to a share has ended for it, its item.
func (s *subject) lost(it found) {
	s.Helper()
	share := it.share
	if share.Context().Err() == nil {
		s.fail("Context has not ended")
	}
	if cause := context.Cause(share.Context()); !errors.Is(cause, notify.ErrLost) {
		s.fail("the cause of the end of Context is %v", cause)
	}
	verdict := func(f notify.Fate) error {
		return share.Settle(s.ctx, []notify.Verdict{{ID: it.ID, Fate: f, Attempts: 99, Letter: letterOf(it)}})
	}
	_, scan := share.Scan(s.ctx, it.Class, 0, 10)
	_, load := share.Load(s.ctx, []notify.ItemID{it.ID})
	_, open := share.Open(s.ctx, it.ID)
	for name, err := range map[string]error{
		"Scan": scan, "Load": load, "Open": open,
		"Settle of Done": verdict(notify.Done), "Settle of Again": verdict(notify.Again), "Settle of Buried": verdict(notify.Buried),
	} {
		if !errors.Is(err, notify.ErrLost) {
			s.fail("%s gave the error %v, want ErrLost", name, err)
		}
	}
}

func released(s *subject) {
	s.put(list("activities", numbered("a", 1, 2)...))
	all := s.all()
	s.crew.stop()
	s.lost(all[0])
	all[0].share.Release() // once more is no fault
	s.crew = s.work(s.queue)
	for _, it := range s.holds(activity("a", "1"), activity("a", "2")) {
		if it.Attempts != 0 {
			s.fail("an item was changed by a worker that had lost it")
		}
	}
	s.lost(all[0])
	if n := len(s.letters(nil)); n != 0 {
		s.fail("a worker that had lost the share left %d letters", n)
	}
	s.done(s.all()...)
}

func foundAgain(s *subject) {
	s.put(list("activities", activity("a", "1"), padded("a", "2", 150<<10), activity("b", "3"), activity("c", "4")))
	first := s.all()
	what := func(it found, attempts int) string {
		return fmt.Sprint(it.ID, " of body ", it.Body, " ", attempts, short(s.read(it)))
	}
	var want []string
	for i, it := range first {
		if i > 0 {
			want = append(want, what(it, i%2))
		}
	}
	s.done(first[0])
	for i, it := range first {
		if i%2 == 1 {
			s.settle([]found{it}, notify.Verdict{Fate: notify.Again, Attempts: 1, Next: time.Now().Add(time.Hour)})
		}
	}
	for i := range 4 {
		if i%2 == 0 {
			s.crew.stop()
			s.crew = s.work(s.queue)
		} else {
			s.reopen()
		}
		var got []string
		for _, it := range s.all() {
			got = append(got, what(it, it.Attempts))
		}
		s.same("the items", got, want)
	}
}

func notWanted(s *subject) {
	s.put(list("activities", activity("a", "1")))
	it := s.all()[0]
	s.pass(time.Second)
	for _, err := range s.queue.Shares(s.ctx) {
		_ = err
		break
	}
	select {
	case <-it.share.Wanted():
		s.fail("Wanted is closed")
	default:
	}
}

func stats(s *subject) {
	check := func(items [notify.Classes]int64, letters int64) notify.QueueStats {
		s.Helper()
		s.all() // waits until all bodies are taken apart
		st, err := s.queue.Stats(s.ctx)
		s.ok(err, "Stats")
		if st.Items != items || st.Letters != letters || st.Bodies != 0 {
			s.fail("Stats are %+v, want the items %v and %d letters", st, items, letters)
		}
		for class, n := range items {
			if n == 0 != st.Oldest[class].IsZero() {
				s.fail("there are %d items of class %v, and the oldest was received at %v", n, notify.Class(class), st.Oldest[class])
			}
		}
		return st
	}
	check([notify.Classes]int64{}, 0)
	s.put(join(
		list("activities", append(numbered("a", 1, 5), ping("b", "https://apis.garmin.com/x"))...),
		list("activityFiles", filePing("a", "1"), filePing("a", "2")),
		list("deregistrations", leave("a")), list("nothing", "1", "2", "3"),
	), "{broken")
	first := check([notify.Classes]int64{1, 5, 1, 2, 4}, 0)
	if first.Bytes <= 0 {
		s.fail("Bytes is %d", first.Bytes)
	}
	s.pass(2 * time.Second)
	s.put(list("activities", activity("a", "9")))
	second := check([notify.Classes]int64{1, 6, 1, 2, 4}, 0)
	if !sameTime(second.Oldest[notify.ClassPush], first.Oldest[notify.ClassPush]) {
		s.fail("the oldest push was received at %v, and a later one moved that to %v", first.Oldest[notify.ClassPush], second.Oldest[notify.ClassPush])
	}
	for _, it := range s.all() {
		switch {
		case it.Class == notify.ClassBad:
			s.bury(it)
		case it.Class != notify.ClassPush || number(s.read(it)) < 9:
			s.done(it)
		}
	}
	s.reopen()
	third := check([notify.Classes]int64{0, 1, 0, 0, 0}, 4)
	if age := third.Oldest[notify.ClassPush].Sub(first.Oldest[notify.ClassPush]); age < time.Second {
		s.fail("the oldest push is finished, and the oldest is still of its time")
	}
	s.done(s.all()...)
	check([notify.Classes]int64{}, 4)
	for _, l := range s.letters(nil) {
		s.ok(s.queue.Discard(s.ctx, l.ID), "Discard")
	}
	check([notify.Classes]int64{}, 0)
}
