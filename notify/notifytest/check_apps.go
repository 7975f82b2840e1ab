package notifytest

import (
	"fmt"
	"strings"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// Bodies of named applications stand behind a line, see notify.AppLine.

var appClauses = []clause{
	{"ApplicationsApart", "items of a body behind an AppLine have its application in their UserID; the same body without one, or behind another, is another body with other users", 0, appsApart},
	{"ApplicationOfLetters", "a letter has the application of its items in its UserID, opens behind its AppLine, and what is redriven has it still", 0, appOfLetters},
}

func appsApart(s *subject) {
	body := list("activities", activity("a", "1"))
	apps := []string{"", "evaluation", "production"}
	for _, app := range apps {
		for range 2 { // the second may be known as a repeat
			s.put(notify.AppLine(app) + body)
		}
	}
	for range 2 {
		seen := map[types.UserID]bool{}
		for _, it := range s.all() {
			seen[it.UserID] = true
			if got := s.read(it); got != activity("a", "1") {
				s.fail("an item of %q reads %s", it.UserID, short(got))
			}
		}
		for _, app := range apps {
			if user := types.UserID("a").In(app); !seen[user] {
				s.fail("there is no item of %q", user)
			}
		}
		if len(seen) != len(apps) {
			s.fail("the items are of %d users, want %d", len(seen), len(apps))
		}
		s.reopen()
	}
}

func appOfLetters(s *subject) {
	const app = "evaluation"
	// One item that is good, one that nobody can read, and the rest of a body.
	var bad []string
	for i := range 50 {
		bad = append(bad, fmt.Sprintf(`{"n":%d}`, i))
	}
	whole := notify.AppLine(app) + `{"activities":[`
	for _, body := range []string{
		notify.AppLine(app) + join(list("activities", activity("a", "1")), `{"odd":[{"n":1}]}`),
		notify.AppLine(app) + list("activities", bad...),
		whole,
	} {
		s.put(body)
	}
	check := func() {
		for _, l := range s.letters(nil) {
			if l.UserID.App() != app {
				s.fail("a letter's user is %q, want one of %q", l.UserID, app)
			}
			got := s.opened1(l.ID)
			if !strings.HasPrefix(got, notify.AppLine(app)) || strings.Count(got, notify.AppLine(app)) != 1 {
				s.fail("a letter opens as %s, want it behind its line", short(got))
			}
		}
	}
	items := len(s.all())
	for _, rest := range []bool{false, true} {
		for _, it := range s.all() {
			s.settle([]found{it}, notify.Verdict{Fate: notify.Buried, Letter: letterOf(it), Rest: rest && it.Class == notify.ClassBad})
		}
		check()
		s.reopen()
		check()
		for _, l := range s.letters(nil) {
			s.ok(s.queue.Redrive(s.ctx, l.ID), "Redrive")
		}
		all := s.all()
		if rest && len(all) < 3 || !rest && len(all) != items {
			s.fail("%d items came back", len(all))
		}
		for _, it := range all {
			if it.UserID.App() != app {
				s.fail("what was redriven is of %q, want one of %q", it.UserID, app)
			}
			if it.Key == "" && s.read(it) != whole {
				s.fail("the whole body came back as %s", short(s.read(it)))
			}
		}
	}
}
