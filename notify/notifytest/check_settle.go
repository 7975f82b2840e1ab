package notifytest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/garminkit/activityapi/notify"
)

// settleClauses are about verdicts.
var settleClauses = []clause{
	{"Done", "an item that is done is removed, and never found again", 0, doneIsGone},
	{"Again", "an item that waits is found like any other, with what the last Again verdict said, after a restart too", 0, again},
	{"Buried", "a buried item becomes a letter with the item's bytes, and both stay so after a restart", 0, buried},
	{"Finished", "a verdict on an item that is finished already is passed over, and there is never a letter twice", 0, finished},
	{"Mixed", "Settle records each verdict of a batch", 0, mixed},
	{"AllOrNone", "Settle records verdicts, all or none of them", 0, allOrNone},
	{"ConcurrentSettle", "a share is safe for concurrent use", 0, concurrentSettle},
	{"Rest", "Rest adds the item to one letter that holds the rest of its body, which is made by the first such verdict", 0, rest},
	{"RestOfTwo", "the rest of each body is a letter of its own", 0, restOfTwo},
}

func doneIsGone(s *subject) {
	large := padded("a", "2", 150<<10)
	s.put(list("activities", activity("a", "1"), large, activity("b", "3")), list("activities", activity("a", "4")))
	all := s.all()
	s.done(all[0], all[2])
	left := []string{s.read(all[1]), s.read(all[3])}
	s.holds(left...)
	s.reopen()
	s.put(list("activities", activity("a", "5")))
	s.holds(append(left, activity("a", "5"))...)
}

// same to the millisecond, as an engine may keep it.
func sameTime(a, b time.Time) bool { return a.Sub(b).Abs() < time.Millisecond }

func again(s *subject) {
	s.put(list("activities", numbered("a", 1, 3)...))
	next := time.Now().Add(time.Hour)
	s.settle(s.all()[:1], notify.Verdict{Fate: notify.Again, Attempts: 1, Next: next, Reason: "first"})
	s.settle(s.all()[:2], notify.Verdict{Fate: notify.Again, Attempts: 7, Next: next.Add(time.Minute), Reason: "a \"reason\" with ünicode\n\x00\xff"})
	for range 2 {
		all := s.all()
		if len(all) != 3 {
			s.fail("%d items are found, want 3: one that waits is missing", len(all))
		}
		for i, it := range all {
			loaded, err := it.share.Load(s.ctx, []notify.ItemID{it.ID})
			s.ok(err, "Load")
			if len(loaded) != 1 {
				s.fail("Load does not find an item that waits")
			}
			for _, have := range []*notify.Item{it.Item, loaded[0]} {
				switch {
				case i < 2 && (have.Attempts != 7 || !sameTime(have.Next, next.Add(time.Minute))):
					s.fail("an item was tried %d times and is due at %v, want 7 and %v", have.Attempts, have.Next, next.Add(time.Minute))
				case i == 2 && (have.Attempts != 0 || !have.Next.IsZero()):
					s.fail("an item without a verdict was tried %d times and is due at %v", have.Attempts, have.Next)
				}
			}
		}
		s.reopen()
	}
	s.done(s.all()...)
	s.holds()
}

// letters returns the dead letters that a filter lets pass.
func (s *subject) letters(f *notify.LetterFilter) []*notify.DeadLetter {
	s.Helper()
	var all []*notify.DeadLetter
	for l, err := range s.queue.Letters(s.ctx, f) {
		s.ok(err, "Letters")
		all = append(all, l)
	}
	return all
}

// letterIs compares a letter with what was said of it.
func (s *subject) letterIs(got *notify.DeadLetter, want notify.DeadLetter) {
	s.Helper()
	same := got.Key == want.Key && got.UserID == want.UserID && got.Items == want.Items && got.Reason == want.Reason &&
		got.Quarantined == want.Quarantined && got.Attempts == want.Attempts && got.Size == want.Size &&
		sameTime(got.Received, want.Received) && (want.Buried.IsZero() || sameTime(got.Buried, want.Buried))
	if got.ID == "" {
		s.fail("the letter has no ID")
	}
	if !same {
		s.fail("the letter is %+v, want %+v", *got, want)
	}
}

func buried(s *subject) {
	const key = "odd \"key\"\x00\\"
	first, second := `{"userId":"a\u0000\n","pad":"`+noiseText(300<<10)+"\xff\"}", activity("b", "1")
	s.put(join(list("activities", second), fmt.Sprintf(`{"odd \"key\"\u0000\\":[%s]}`, first)))
	var it, other found
	for _, f := range s.all() {
		if f.Key == key {
			it = f
		} else {
			other = f
		}
	}
	if it.Item == nil {
		s.fail("no item has the key %q", key)
	}
	letters := []notify.DeadLetter{{
		Key: key, UserID: "a\x00\n", Items: 1, Reason: "a \"reason\" with ünicode\n", Quarantined: true, Attempts: 7,
		Received: it.Received, Buried: it.Received.Add(-time.Hour),
	}, {Key: other.Key, UserID: "b", Items: 1, Attempts: 1, Received: other.Received}}
	before := time.Now().Add(-time.Second)
	for i, f := range []found{it, other} {
		sent := letters[i]
		sent.ID, sent.Size = "filled by the queue", 12345
		s.settle([]found{f}, notify.Verdict{Fate: notify.Buried, Letter: &sent})
		letters[i].Size = f.Size
	}
	for range 2 {
		all := s.letters(nil)
		if len(all) != 2 {
			s.fail("there are %d letters, want 2", len(all))
		}
		for i, l := range all {
			s.letterIs(l, letters[i])
		}
		if at := all[1].Buried; at.Before(before) || at.After(time.Now().Add(time.Second)) {
			s.fail("Buried was zero and was filled with %v", at)
		}
		if got, want := s.opened1(all[0].ID), fmt.Sprintf(`{"odd \"key\"\u0000\\":[%s]}`, first); !sameBody(got, want) {
			s.fail("the letter opens as %s, want %s", short(got), short(want))
		}
		s.holds()
		s.reopen()
	}
}

func finished(s *subject) {
	s.put(list("activities", numbered("a", 1, 6)...))
	all := s.all()
	share := all[0].share
	bury := func(i int) notify.Verdict {
		return notify.Verdict{ID: all[i].ID, Fate: notify.Buried, Letter: letterOf(all[i])}
	}
	done := func(i int) notify.Verdict { return notify.Verdict{ID: all[i].ID, Fate: notify.Done} }
	again := func(i int) notify.Verdict {
		return notify.Verdict{ID: all[i].ID, Fate: notify.Again, Attempts: 3, Next: time.Now()}
	}
	for i, verdicts := range [][]notify.Verdict{
		{done(0), bury(1)},
		{bury(0), done(0), again(0), done(1), bury(1), again(1), done(2)},
		{bury(3), bury(3), done(3)},
		{done(4), bury(4), again(4)},
		{{ID: 0, Fate: notify.Done}, {ID: all[5].ID + 1000, Fate: notify.Done}},
		nil,
	} {
		s.ok(share.Settle(s.ctx, verdicts), fmt.Sprintf("Settle number %d", i))
	}
	for range 2 {
		s.holds(activity("a", "6"))
		var got []string
		for _, l := range s.letters(nil) {
			got = append(got, fmt.Sprint(number(s.opened1(l.ID))))
		}
		s.same("the letters", got, []string{"2", "4"})
		s.reopen()
	}
}

func mixed(s *subject) {
	const n = 300
	s.put(list("activities", numbered("a", 1, n)...))
	all := s.all()
	var verdicts []notify.Verdict
	var want []string
	for i, it := range all {
		v := notify.Verdict{ID: it.ID, Fate: notify.Fate(1 + i%3)}
		switch v.Fate {
		case notify.Again:
			v.Attempts, v.Next = i, time.Now().Add(time.Hour)
			want = append(want, s.read(it))
		case notify.Buried:
			v.Letter = letterOf(it)
		}
		verdicts = append(verdicts, v)
	}
	s.ok(all[0].share.Settle(s.ctx, verdicts), "Settle")
	for range 2 {
		for _, it := range s.holds(want...) {
			if n := number(s.read(it)); it.Attempts != n-1 {
				s.fail("item %d was tried %d times, want %d", n, it.Attempts, n-1)
			}
		}
		if got := len(s.letters(nil)); got != n/3 {
			s.fail("there are %d letters, want %d", got, n/3)
		}
		s.reopen()
	}
}

func allOrNone(s *subject) {
	const batches, each = 20, 200
	for i := range batches * 4 { // a body is split again for each item that is read
		s.put(list("activities", numbered("a", i*each/4, each/4)...))
	}
	all := s.all()
	cut := make([]bool, batches) // the verdicts of the batch may have been recorded
	var wg sync.WaitGroup
	for i := range batches {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(s.ctx)
			defer cancel()
			var verdicts []notify.Verdict
			for j, it := range all[i*each : (i+1)*each] {
				v := notify.Verdict{ID: it.ID, Fate: notify.Done}
				if j%2 == 0 {
					v = notify.Verdict{ID: it.ID, Fate: notify.Buried, Letter: letterOf(it)}
				}
				verdicts = append(verdicts, v)
			}
			if i%4 == 0 {
				cancel()
			} else {
				time.AfterFunc(time.Duration(i)*10*time.Microsecond, cancel)
			}
			cut[i] = all[0].share.Settle(ctx, verdicts) != nil
		})
	}
	wg.Wait()
	for range 2 {
		left := make([]int, batches)
		for _, it := range s.all() {
			left[number(s.read(it))/each]++
		}
		letters := 0
		for i, n := range left {
			if n != 0 && n != each || n != 0 && !cut[i] {
				s.fail("of a batch of %d verdicts, %d are not recorded; Settle returned an error: %v", each, n, cut[i])
			}
			if n == 0 {
				letters += each / 2
			}
		}
		if got := len(s.letters(nil)); got != letters {
			s.fail("there are %d letters, want %d", got, letters)
		}
		s.reopen()
	}
}

func concurrentSettle(s *subject) {
	const n, workers = 1000, 8
	s.put(list("activities", numbered("a", 0, n)...))
	all := s.all()
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				share, id := all[i].share, all[i].ID
				v := notify.Verdict{ID: id, Fate: notify.Done}
				if i%10 == 0 {
					v = notify.Verdict{ID: id, Fate: notify.Buried, Letter: letterOf(all[i])}
				}
				if err := share.Settle(s.ctx, []notify.Verdict{v}); err != nil {
					s.Errorf("Settle: %v", err)
				}
				if _, err := share.Scan(s.ctx, notify.ClassPush, id, 10); err != nil {
					s.Errorf("Scan: %v", err)
				}
			}
		})
	}
	wg.Wait()
	s.holds()
	if got := len(s.letters(nil)); got != n/10 {
		s.fail("there are %d letters, want %d", got, n/10)
	}
	s.reopen()
	s.holds()
}

// badItems are n items that cannot be read, of several keys.
func badItems(n int) string {
	var a, b []string
	for i := range n {
		a = append(a, fmt.Sprintf(`{"bad":%d}`, i))
		b = append(b, fmt.Sprintf(`[%d, "\u0000"]`, i))
	}
	return join(list("activities", a...), list("a \\ \"key\"", b...), list("activities", a...))
}

func rest(s *subject) {
	body := badItems(60) // the last of them are pieces of many
	s.put(body)
	all := s.all()
	var verdicts []notify.Verdict
	var size int64
	for _, it := range all {
		l := letterOf(it)
		l.Quarantined = true
		verdicts = append(verdicts, notify.Verdict{ID: it.ID, Fate: notify.Buried, Letter: l, Rest: true})
		size += it.Size
	}
	share := all[0].share
	s.ok(share.Settle(s.ctx, verdicts[:20]), "Settle")
	s.ok(share.Settle(s.ctx, verdicts[10:50]), "Settle")
	s.reopen()
	share = s.all()[0].share
	s.ok(share.Settle(s.ctx, verdicts[50:]), "Settle")
	for range 2 {
		letters := s.letters(nil)
		if len(letters) != 1 {
			s.fail("there are %d letters, want 1", len(letters))
		}
		s.letterIs(letters[0], notify.DeadLetter{
			Items: len(all), Reason: "given up", Quarantined: true, Attempts: 1, Received: all[0].Received, Size: size,
		})
		if got := s.opened1(letters[0].ID); !sameBody(got, body) {
			s.fail("the letter opens as %s, want %s", short(got), short(body))
		}
		s.holds()
		s.reopen()
	}
	s.ok(s.queue.Redrive(s.ctx, s.letters(nil)[0].ID), "Redrive")
	got := s.all()
	if len(got) != len(all) {
		s.fail("a letter of %d items was redriven and gave %d", len(all), len(got))
	}
	if n := len(s.letters(nil)); n != 0 {
		s.fail("%d letters are left", n)
	}
}

func restOfTwo(s *subject) {
	s.put(badItems(3), badItems(4), list("activities", activity("a", "1"), "7", "8"))
	all := s.all()
	byBody := map[uint64][]found{}
	for _, it := range all {
		byBody[it.Body] = append(byBody[it.Body], it)
	}
	for _, it := range all {
		s.settle([]found{it}, notify.Verdict{Fate: notify.Buried, Letter: letterOf(it), Rest: it.Class == notify.ClassBad})
	}
	var want, got []string
	for _, items := range byBody {
		bad := 0
		for _, it := range items {
			if it.Class == notify.ClassBad {
				bad++
			}
		}
		want = append(want, fmt.Sprint(bad))
	}
	want = append(want, "1") // the activity's own
	for _, l := range s.letters(nil) {
		got = append(got, fmt.Sprint(l.Items))
	}
	sortStrings(got, want)
	s.same("the letters' items", got, want)
	s.holds()
}
