package notifytest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// eraseClauses are about what a queue holds of a user.
var eraseClauses = []clause{
	{"Erase", "Erase removes all items and letters of a user and nothing of others, under whatever ID; what it removed is finished for who has it", 0, erase},
	{"EraseAgain", "what comes after an Erase is kept, and another Erase removes it", 0, eraseAgain},
	{"Holdings", "Holdings yields all items and letters of a user and nothing of others", 0, holdings},
}

const erased = `er"as/ed`

// twoUsers puts items of two users into bodies of all shapes, and makes letters
// of some.
func (s *subject) twoUsers() {
	s.Helper()
	for i, user := range []string{erased, "b"} {
		n := func(k int) string { return fmt.Sprint(100*i + k) }
		s.put(join(
			list("activities", activity(user, n(1)), activity("c", n(2)), padded(user, n(3), 20<<10)),
			list("deregistrations", leave("c"), leave(user)),
			list("activityFiles", filePing(user, n(4)), filePing("c", n(5))),
			list("odd", fmt.Sprintf(`{"whose":%q}`, user), `{"whose":"c"}`),
		))
		s.put(list("activities", padded(user, n(6), 150<<10), activity("c", n(7)), padded(user, n(8), 100)))
		s.put(list("activities", activity(user, n(9))))
		// The same person in another application is somebody else.
		s.put(notify.AppLine("evaluation") + list("activities", activity(user, n(10))))
	}
	for i, it := range s.all() {
		switch i % 4 {
		case 0:
			s.bury(it)
		case 1:
			l := letterOf(it)
			s.settle([]found{it}, notify.Verdict{Fate: notify.Buried, Letter: l, Rest: true})
		}
	}
}

// contents are the items and letters, with and without what is of the user.
func (s *subject) contents() (others, mine []string) {
	s.Helper()
	add := func(user types.UserID, what, raw string) {
		if user == erased || user == "" && strings.Contains(raw, fmt.Sprintf("%q", erased)) {
			mine = append(mine, what+raw)
		} else {
			others = append(others, what+raw)
		}
	}
	for _, it := range s.all() {
		add(it.UserID, fmt.Sprintf("%d %d %d %s %d: ", it.ID, it.Order, it.Class, it.Key, it.Index), s.read(it))
	}
	for _, l := range s.letters(nil) {
		body := s.opened1(l.ID)
		for p, err := range new(notify.Splitter).Split(stringReader(body)) {
			s.ok(err, "Split")
			add(p.UserID, "letter "+l.ID+" "+p.Key+": ", body[p.Offset:p.Offset+p.Size])
		}
	}
	slices.Sort(others)
	slices.Sort(mine)
	return others, mine
}

func erase(s *subject) {
	e := s.queue
	s.twoUsers()
	want, mine := s.contents()
	if len(mine) == 0 {
		s.fail("there is nothing to erase")
	}
	var hers []found
	for _, it := range s.all() {
		if it.UserID == erased {
			hers = append(hers, it)
		}
	}
	out, err := e.Erase(s.ctx, erased)
	s.ok(err, "Erase")
	if len(out.Left) > 0 || out.Removed["items"] == 0 || out.Removed["letters"] == 0 {
		s.fail("Erase tells %+v", *out)
	}
	for _, it := range hers {
		if _, err := it.share.Open(s.ctx, it.ID); !errors.Is(err, fs.ErrNotExist) {
			s.fail("Open of an erased item: %v, want fs.ErrNotExist", err)
		}
		items, err := it.share.Load(s.ctx, []notify.ItemID{it.ID})
		s.ok(err, "Load")
		if len(items) > 0 {
			s.fail("Load returned an erased item")
		}
	}
	s.bury(hers...)
	for range 2 {
		got, mine := s.contents()
		s.same("the user's things", mine, nil)
		s.same("others' things", got, want)
		s.reopen()
	}
}

func eraseAgain(s *subject) {
	s.twoUsers()
	want, _ := s.contents()
	_, err := s.queue.Erase(s.ctx, erased)
	s.ok(err, "Erase")
	s.put(list("activities", activity(erased, "1000")))
	got, mine := s.contents()
	s.same("others' things", got, want)
	if len(mine) != 1 {
		s.fail("there are %d things of the user, want the one that came later", len(mine))
	}
	for range 2 {
		_, err := s.queue.Erase(s.ctx, erased)
		s.ok(err, "Erase")
		got, mine := s.contents()
		s.same("the user's things", mine, nil)
		s.same("others' things", got, want)
	}
}

func holdings(s *subject) {
	e := s.queue
	s.twoUsers()
	read := func() (n map[string]int) {
		n = map[string]int{}
		for h, err := range e.Holdings(s.ctx, erased) {
			s.ok(err, "Holdings")
			r, err := h.Open()
			s.ok(err, "opening a holding")
			data, err := io.ReadAll(r)
			s.ok(err, "reading a holding")
			s.ok(r.Close(), "closing a holding")
			if !strings.Contains(string(data), fmt.Sprintf("%q", erased)) || strings.Contains(string(data), `"c"`) {
				s.fail("a holding of the user is %s", short(string(data)))
			}
			n[h.What]++
		}
		return n
	}
	if n := read(); n["items"] == 0 || n["letters"] == 0 {
		s.fail("Holdings yields %v", n)
	}
	_, err := e.Erase(s.ctx, erased)
	s.ok(err, "Erase")
	if n := read(); len(n) > 0 {
		s.fail("Holdings yields %v after an Erase", n)
	}
}
