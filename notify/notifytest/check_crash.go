package notifytest

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/garminkit/activityapi/notify"
)

// crashClauses are about what survives a process and a machine.
var crashClauses = []clause{
	{"KillAfterPut", "when Put has returned nil, the body survives a crash of the process", needsKill, killAfterPut},
	{"KillAfterSettle", "what Settle recorded survives a crash of the process", needsKill, killAfterSettle},
	{"KillBeforeSettle", "an item that an earlier worker was given is found again", needsKill, killBeforeSettle},
	{"KillAfterBury", "there is never neither item nor letter, nor a letter twice", needsKill, killAfterBury},
	{"KillAfterRedrive", "a crash repeats the items of a letter and never loses them", needsKill, killAfterRedrive},
	{"ManyKills", "no crash of the process loses or changes anything", needsKill, manyKills},
	{"KillDuring", "a crash of the process in the middle of all loses nothing that Put or Settle has returned nil for, and nothing is there twice", needsKill, killDuring},
	{"CutDuring", "a power cut in the middle of all loses no body and no letter, and nothing is there twice", needsPowerCut, cutDuring},
	{"CutAfterPut", "when Put has returned nil, the body survives a power cut", needsPowerCut, cutAfterPut},
	{"CutAfterSettle", "a power cut may undo the latest of Done and Again, and nothing else", needsPowerCut, cutAfterSettle},
	{"CutAfterBury", "a buried item's letter survives a power cut once Settle has returned nil", needsPowerCut, cutAfterBury},
	{"CutAfterRedrive", "a power cut repeats the items of a letter and never loses them", needsPowerCut, cutAfterRedrive},
}

func (s *subject) kill()     { s.Helper(); s.crash(s.h.Kill) }
func (s *subject) powerCut() { s.Helper(); s.crash(s.h.PowerCut) }

func killAfterPut(s *subject)     { storedAfter(s, s.kill) }
func cutAfterPut(s *subject)      { storedAfter(s, s.powerCut) }
func killAfterBury(s *subject)    { buriedAfter(s, s.kill) }
func cutAfterBury(s *subject)     { buriedAfter(s, s.powerCut) }
func killAfterRedrive(s *subject) { redrivenAfter(s, s.kill, false) }
func cutAfterRedrive(s *subject)  { redrivenAfter(s, s.powerCut, true) }

func killDuring(s *subject) { crashDuring(s, s.kill, false) }
func cutDuring(s *subject)  { crashDuring(s, s.powerCut, true) }

func storedAfter(s *subject, crash func()) {
	var bodies []string
	for i, size := range []int{0, 4 << 10, 64 << 10, 65 << 10, 3 << 20, 0} {
		b := list("activities", padded("a", fmt.Sprint(i), size), activity("b", fmt.Sprint(i)))
		if i == 4 {
			b += "broken"
		}
		bodies = append(bodies, b)
		s.put(b)
		crash()
		s.stored(bodies...)
	}
	var more []string // several in one life
	for _, b := range bodies {
		more = append(more, " "+b)
	}
	s.put(more...)
	crash()
	s.stored(append(bodies, more...)...)
}

func killAfterSettle(s *subject) {
	s.put(list("activities", numbered("a", 1, 40)...))
	all := s.all()
	next := time.Now().Add(time.Hour)
	s.done(all[:10]...)
	s.settle(all[10:20], notify.Verdict{Fate: notify.Again, Attempts: 3, Next: next})
	s.kill()
	var want []string
	for i := 11; i <= 40; i++ {
		want = append(want, activity("a", fmt.Sprint(i)))
	}
	for _, it := range s.holds(want...) {
		waits := number(s.read(it)) <= 20
		if waits && (it.Attempts != 3 || !sameTime(it.Next, next)) || !waits && it.Attempts != 0 {
			s.fail("item %d was tried %d times and is due at %v", number(s.read(it)), it.Attempts, it.Next)
		}
	}
	for _, it := range s.all() { // one by one, and at once
		s.done(it)
	}
	s.kill()
	s.holds()
}

func killBeforeSettle(s *subject) {
	s.put(list("activities", numbered("a", 1, 20)...), "{broken")
	first := s.all()
	var want []string
	for _, it := range first {
		want = append(want, s.read(it))
	}
	for range 3 {
		s.kill()
		for i, it := range s.holds(want...) {
			if it.ID != first[i].ID {
				s.fail("the ID of an item was %d and is %d", first[i].ID, it.ID)
			}
		}
	}
}

// accounted checks that each item of user a, numbered from 0, is in the queue
// or in a letter, and in one of them. Those of done may be in neither.
func (s *subject) accounted(n int, done func(int) bool) {
	s.Helper()
	where := make([]int, n)
	for _, it := range s.all() {
		where[number(s.read(it))]++
	}
	for _, l := range s.letters(nil) {
		where[number(s.opened1(l.ID))]++
	}
	for i, times := range where {
		if times > 1 || times == 0 && !done(i) {
			s.fail("item %d is there %d times, as an item or as a letter", i, times)
		}
	}
}

func none(int) bool { return false }

func buriedAfter(s *subject, crash func()) {
	const n = 30
	s.put(list("activities", numbered("a", 0, n)...))
	for i := range 3 {
		all := s.all()
		s.bury(all[:5]...)
		var verdicts []notify.Verdict
		for _, it := range all[5:10] {
			verdicts = append(verdicts, notify.Verdict{ID: it.ID, Fate: notify.Buried, Letter: letterOf(it)})
		}
		s.ok(all[0].share.Settle(s.ctx, verdicts), "Settle")
		crash()
		if got := len(s.letters(nil)); got != 10*(i+1) {
			s.fail("there are %d letters, want %d", got, 10*(i+1))
		}
		s.accounted(n, none)
	}
	// The rest of a body, too.
	body := badItems(20)
	s.put(body)
	for _, it := range s.all() {
		s.settle([]found{it}, notify.Verdict{Fate: notify.Buried, Letter: letterOf(it), Rest: true})
	}
	crash()
	letters := s.letters(nil)
	if got := s.opened1(letters[len(letters)-1].ID); !sameBody(got, body) {
		s.fail("the letter of the rest opens as %s, want %s", short(got), short(body))
	}
	s.holds()
}

// redrivenAfter allows after a power cut that what was redriven or discarded is
// a letter again.
func redrivenAfter(s *subject, crash func(), again bool) {
	const n = 20
	letters := s.someLetters(n)
	for _, l := range letters[:n/2] {
		s.ok(s.queue.Redrive(s.ctx, l.ID), "Redrive")
	}
	s.ok(s.queue.Discard(s.ctx, letters[n-1].ID), "Discard")
	crash()
	where := make([]int, n)
	for _, it := range s.all() {
		where[number(s.read(it))]++
	}
	for _, l := range s.letters(nil) {
		where[number(s.opened1(l.ID))]++
	}
	for i, times := range where {
		if times == 0 && i < n-1 || times > 1 && !(again && i < n/2) {
			s.fail("item %d is there %d times, as an item or as a letter", i, times)
		}
	}
	s.done(s.all()...)
	for _, l := range s.letters(nil) {
		s.ok(s.queue.Redrive(s.ctx, l.ID), "Redrive")
	}
	s.done(s.all()...)
	s.holds()
}

// cutAfterSettle allows that each verdict was undone, and nothing else.
func cutAfterSettle(s *subject) {
	const n = 40
	s.put(list("activities", numbered("a", 0, n)...))
	all := s.all()
	s.done(all[:20]...)
	s.settle(all[20:30], notify.Verdict{Fate: notify.Again, Attempts: 3, Next: time.Now().Add(time.Hour)})
	s.powerCut()
	s.accounted(n, func(i int) bool { return i < 20 })
	s.done(s.all()...)
	s.reopen()
	s.holds()
	s.put(list("activities", activity("a", "99")))
	if it := s.all()[0]; it.ID <= all[n-1].ID {
		s.fail("after a power cut the new item has the ID %d, and %d was given before", it.ID, all[n-1].ID)
	}
}

func manyKills(s *subject) {
	rng := rand.New(rand.NewPCG(1, 2))
	items, letters := map[string]bool{}, map[string]bool{} // by text
	n := 0
	for range 15 {
		for range rng.IntN(4) {
			var batch []string
			for range 1 + rng.IntN(20) {
				it := padded("a", fmt.Sprint(n), rng.IntN(2)*rng.IntN(150<<10))
				items[it] = true
				batch = append(batch, it)
				n++
			}
			s.put(list("activities", batch...))
		}
		for _, it := range s.all() {
			text := s.read(it)
			switch rng.IntN(6) {
			case 0:
				s.done(it)
				delete(items, text)
			case 1:
				s.bury(it)
				delete(items, text)
				letters[list("activities", text)] = true
			case 2:
				s.settle([]found{it}, notify.Verdict{Fate: notify.Again, Attempts: 1, Next: time.Now()})
			}
		}
		for _, l := range s.letters(nil) {
			text := s.opened1(l.ID)
			switch rng.IntN(8) {
			case 0:
				s.ok(s.queue.Redrive(s.ctx, l.ID), "Redrive")
				delete(letters, text)
				items[text[len(`{"activities":[`):len(text)-2]] = true
			case 1:
				s.ok(s.queue.Discard(s.ctx, l.ID), "Discard")
				delete(letters, text)
			}
		}
		s.kill()
		var want, have, wantLetters []string
		for it := range items {
			want = append(want, it)
		}
		s.holds(want...)
		for _, l := range s.letters(nil) {
			have = append(have, s.opened1(l.ID))
		}
		for l := range letters {
			wantLetters = append(wantLetters, l)
		}
		slices.Sort(have)
		slices.Sort(wantLetters)
		s.same("the letters", have, wantLetters)
	}
}

// crashDuring crashes while bodies come and verdicts are recorded. undo allows
// that verdicts of Done are lost.
func crashDuring(s *subject, crash func(), undo bool) {
	for round := range 5 {
		w := &busy{s: s, round: round, acked: map[int]bool{}, tried: map[int]notify.Fate{}, told: map[int]notify.Fate{}}
		var wg sync.WaitGroup
		stop := make(chan struct{})
		queue, crew := s.queue, s.crew
		for p := range 4 {
			wg.Go(func() { w.puts(queue, p, stop) })
		}
		wg.Go(func() { w.settles(crew, stop) })
		s.pass(30 * time.Millisecond)
		w.mu.Lock()
		w.crashed = true // what returns from now on may be lost
		w.mu.Unlock()
		crash()
		close(stop)
		wg.Wait()
		items, letters := map[int]int{}, map[int]int{}
		all := s.all()
		for _, it := range all {
			items[number(s.read(it))]++
		}
		for _, l := range s.letters(nil) {
			letters[number(s.opened1(l.ID))]++
			s.ok(s.queue.Discard(s.ctx, l.ID), "Discard")
		}
		for n := range w.acked {
			if items[n]+letters[n] == 0 && w.tried[n] != notify.Done {
				s.fail("item %d was stored, and is lost", n)
			}
		}
		for n, fate := range w.told {
			switch {
			case fate == notify.Buried && (letters[n] != 1 || items[n] != 0):
				s.fail("item %d was buried, and is in %d letters and %d items", n, letters[n], items[n])
			case fate == notify.Done && !undo && items[n]+letters[n] != 0:
				s.fail("item %d was done, and is there again", n)
			}
		}
		for n, times := range items {
			if times+letters[n] > 1 {
				s.fail("item %d is there %d times", n, times+letters[n])
			}
		}
		s.done(all...)
	}
}

// busy puts and settles at once.
type busy struct {
	s       *subject
	round   int
	mu      sync.Mutex
	crashed bool
	acked   map[int]bool        // by number
	tried   map[int]notify.Fate // verdicts that were sent
	told    map[int]notify.Fate // and that Settle returned nil for
}

// note notes what has returned nil, unless the crash has come.
func (w *busy) note(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.crashed {
		f()
	}
}

func (w *busy) puts(queue notify.Queue, p int, stop chan struct{}) {
	s := w.s
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		n := (4*w.round+p)*100000 + i // of no round before
		if queue.Put(s.ctx, stringReader(list("activities", padded("a", fmt.Sprint(n), i%8/7*(150<<10))))) != nil {
			return
		}
		w.note(func() { w.acked[n] = true })
		time.Sleep(time.Millisecond)
	}
}

func (w *busy) settles(c *crew, stop chan struct{}) {
	s := w.s
	for {
		select {
		case <-stop:
			return
		default:
		}
		byShare := map[notify.Share][]notify.Verdict{}
		numbers := map[notify.ItemID]int{}
		for _, share := range c.hand() {
			items, err := share.Scan(s.ctx, notify.ClassPush, 0, 10)
			if err != nil {
				return
			}
			for _, it := range items {
				r, err := share.Open(s.ctx, it.ID)
				if err != nil {
					return
				}
				data, err := io.ReadAll(r)
				if r.Close(); err != nil {
					return
				}
				n := number(string(data))
				numbers[it.ID] = n
				v := notify.Verdict{ID: it.ID, Fate: notify.Done}
				if n%3 == 0 {
					v = notify.Verdict{ID: it.ID, Fate: notify.Buried, Letter: letterOf(found{it, share})}
				}
				byShare[share] = append(byShare[share], v)
				w.mu.Lock()
				w.tried[n] = v.Fate
				w.mu.Unlock()
			}
		}
		for share, verdicts := range byShare {
			if share.Settle(s.ctx, verdicts) != nil {
				return
			}
			w.note(func() {
				for _, v := range verdicts {
					w.told[numbers[v.ID]] = v.Fate
				}
			})
		}
		time.Sleep(time.Millisecond)
	}
}
