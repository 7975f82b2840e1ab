package notifytest

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/garminkit/activityapi/notify"
)

// orderClauses are about which of two versions is the newer.
var orderClauses = []clause{
	{"Versions", "Order grows with arrival among the items of one user, over restarts too, and fits an int64", 0, versions},
	{"VersionsAnew", "the Orders of a queue that takes the place of another are above what that gave", 0, versionsAnew},
	{"RedriveOrder", "the item of a redriven letter keeps its Order, and items of a letter with several have Orders below those of any body that came later", 0, redriveOrder},
}

// above checks that the items of a user, by ID, have growing Orders above what
// was given before, and returns the last.
func (s *subject) above(last uint64) uint64 {
	s.Helper()
	for _, it := range s.all() {
		if it.Order <= last || it.Order >= 1<<63 {
			s.fail("the item %s has the Order %d, that of the one before it was %d", short(s.read(it)), it.Order, last)
		}
		last = it.Order
	}
	return last
}

// versioned are bodies of one user, of several items and several sizes.
func versioned(n int) (all []string) {
	for i := range n {
		var items []string
		for j := range 1 + i%3 {
			items = append(items, padded("a", fmt.Sprintf("%d.%d", i, j), (i%5/4)*(150<<10)))
		}
		all = append(all, list("activities", items...))
	}
	return all
}

func versions(s *subject) {
	last := uint64(0)
	for i := range 3 {
		s.put(versioned(10 + i)...)
		before := last
		last = s.above(before)
		s.reopen()
		if again := s.above(before); again != last {
			s.fail("the last Order was %d and is %d after a restart", last, again)
		}
		s.done(s.all()...)
		s.reopen() // with nothing in it
	}
}

func versionsAnew(s *subject) {
	last := uint64(0)
	for i := range 3 {
		s.put(versioned(10)...)
		last = s.above(last)
		s.close()
		s.pass(time.Second)
		s.dir = filepath.Join(s.dir, fmt.Sprint("lost", i)) // and another in its place
		s.open()
	}
}

func redriveOrder(s *subject) {
	const odd = `{"<odd>\"key\"\u0000":[{"userId":"a"}]}`
	bodies := []string{
		list("activities", activity("a", "1")),
		list("activities", activity("a", "2"), padded("a", "3", 150<<10), activity("a", "4")),
		odd,
	}
	s.put(bodies...)
	s.put(list("activities", activity("a", "5"))) // a later version of all of them
	want := map[string]uint64{}
	for _, it := range s.all() {
		want[it.Key+s.read(it)] = it.Order
	}
	for range 3 { // a letter may be buried again
		var old []found
		for _, it := range s.all() {
			if !strings.Contains(s.read(it), `"5"`) {
				old = append(old, it)
			}
		}
		s.bury(old...)
		for _, l := range s.letters(nil) {
			s.ok(s.queue.Redrive(s.ctx, l.ID), "Redrive")
		}
		s.reopen()
		all := s.all()
		for _, it := range all {
			if order := want[it.Key+s.read(it)]; it.Order != order {
				s.fail("the item %s has the Order %d, it had %d", short(s.read(it)), it.Order, order)
			}
		}
		if len(all) != len(want) {
			s.fail("there are %d items again, want %d", len(all), len(want))
		}
	}
	s.done(s.all()...)
	// Letters of many items.
	before := s.orderOf(activity("a", "6"))
	s.put(badItems(10), `{"activities":[`+activity("a", "7")+`,`+activity("a", "8"))
	bad := s.all()
	after := s.orderOf(activity("a", "9"))
	for range 2 {
		for _, it := range bad {
			l := letterOf(it)
			s.settle([]found{it}, notify.Verdict{Fate: notify.Buried, Letter: l, Rest: it.Class == notify.ClassBad})
		}
		for _, l := range s.letters(nil) {
			s.ok(s.queue.Redrive(s.ctx, l.ID), "Redrive")
		}
		s.reopen()
		bad = s.all()
		for _, it := range bad {
			if it.Order <= before || it.Order >= after {
				s.fail("the item %s has the Order %d, want one between %d and %d", short(s.read(it)), it.Order, before, after)
			}
		}
	}
}

// orderOf stores an item, and returns its Order when it is done.
func (s *subject) orderOf(item string) uint64 {
	s.Helper()
	held := len(s.all())
	s.put(list("activities", item))
	all := s.all()
	if len(all) != held+1 {
		s.fail("there are %d items, want %d", len(all), held+1)
	}
	it := all[held]
	s.done(it)
	return it.Order
}
