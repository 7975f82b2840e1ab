package notifytest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/garminkit/activityapi/internal/letters"
	"github.com/garminkit/activityapi/notify"
)

// letterClauses are about dead letters.
var letterClauses = []clause{
	{"OldestLetterFirst", "Letters yields the oldest first, after a restart too", 0, oldestLetterFirst},
	{"Filter", "Letters yields the letters that the filter lets pass", 0, filter},
	{"LettersFrom", "Letters goes on behind the letter that the filter names, whether it is there or not", 0, lettersFrom},
	{"LettersContext", "Letters ends with an error when ctx ends", 0, lettersContext},
	{"Letter", "Letter returns one letter", 0, oneLetter},
	{"UnknownLetter", "an unknown ID is an error that wraps fs.ErrNotExist", 0, unknownLetter},
	{"OpenLetter", "OpenLetter reads a letter as what Redrive would store: a body with the letter's items alone, or the bytes as they came", 0, openLetter},
	{"Redrive", "Redrive makes the letter's items new items, received now, and removes the letter", 0, redrive},
	{"RedriveWhole", "Redrive makes a body that was no JSON an item again, with its bytes", 0, redriveWhole},
	{"Discard", "Discard removes a letter for good", 0, discard},
}

func sortStrings(lists ...[]string) {
	for _, l := range lists {
		slices.Sort(l)
	}
}

// noiseText is text that JSON takes in a string.
func noiseText(n int) string {
	b := []byte(noise(n, 15))
	for i := range b {
		b[i] = 'a' + b[i]%26
	}
	return string(b)
}

// opened1 returns what a letter opens as.
func (s *subject) opened1(id string) string {
	s.Helper()
	r, err := s.queue.OpenLetter(s.ctx, id)
	s.ok(err, "OpenLetter")
	data, err := io.ReadAll(r)
	s.ok(err, "reading a letter")
	s.ok(r.Close(), "closing a letter")
	return string(data)
}

// sameBody tells whether two bodies have the same items with the same bytes.
func sameBody(a, b string) bool {
	if a == b {
		return true
	}
	items := func(body string) (all []string) {
		for p, err := range new(notify.Splitter).Split(stringReader(body)) {
			if err != nil || p.Key == "" {
				return []string{body}
			}
			// Neighbours that cannot be read may be one piece or several.
			var raw []json.RawMessage
			piece := body[p.Offset : p.Offset+p.Size]
			if p.Class != notify.ClassBad || json.Unmarshal([]byte("["+piece+"]"), &raw) != nil {
				raw = []json.RawMessage{json.RawMessage(piece)}
			}
			for _, r := range raw {
				all = append(all, fmt.Sprintf("%q %s", p.Key, r))
			}
		}
		slices.Sort(all)
		return all
	}
	return slices.Equal(items(a), items(b))
}

// someLetters buries n items of a user and returns their letters.
func (s *subject) someLetters(n int) []*notify.DeadLetter {
	s.Helper()
	s.put(list("activities", numbered("a", 0, n)...))
	for i, it := range s.all() {
		l := letterOf(it)
		l.Reason = fmt.Sprint(i)
		s.settle([]found{it}, notify.Verdict{Fate: notify.Buried, Letter: l})
	}
	return s.letters(nil)
}

func oldestLetterFirst(s *subject) {
	s.someLetters(30)
	for range 2 {
		ids := map[string]bool{}
		for i, l := range s.letters(nil) {
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

func filter(s *subject) {
	s.put(join(list("activities", activity("a", "1"), activity("b", "2")), list("activityFiles", filePing("a", "3")), list("x", "1")))
	at := time.Now().Truncate(time.Second)
	for i, it := range s.all() {
		l := letterOf(it)
		l.Reason = fmt.Sprintf("Reason %d, 100%%_\\", i)
		l.Buried = at.Add(time.Duration(i) * time.Minute)
		s.settle([]found{it}, notify.Verdict{Fate: notify.Buried, Letter: l})
	}
	all := s.letters(nil)
	for _, f := range []*notify.LetterFilter{
		{}, {Key: "activities"}, {Key: "activist"}, {UserID: "a"}, {UserID: "A"}, {Key: "activities", UserID: "a"},
		{Reason: "rEASON 2"}, {Reason: "%"}, {Reason: "1%0"}, {Reason: "_\\"}, {Reason: "'"}, {Key: "\x00"},
		{After: at.Add(time.Minute)}, {Before: at.Add(time.Minute)}, {After: at.Add(time.Minute), Before: at.Add(2 * time.Minute)},
		{After: at.Add(time.Minute + 1)}, {UserID: "a", Reason: "reason", After: at, Before: at.Add(time.Hour)},
	} {
		var got, want []string
		for _, l := range s.letters(f) {
			got = append(got, l.ID)
		}
		for _, l := range all {
			if letters.Match(f, l) {
				want = append(want, l.ID)
			}
		}
		s.same(fmt.Sprintf("the letters that %+v lets pass", *f), got, want)
	}
}

func lettersFrom(s *subject) {
	s.someLetters(6)
	ids := func(f *notify.LetterFilter) (all []string) {
		for _, l := range s.letters(f) {
			all = append(all, l.ID)
		}
		return all
	}
	all := ids(nil)
	for i, id := range all {
		s.same("the letters behind one", ids(&notify.LetterFilter{From: id}), slices.Clone(all[i+1:]))
	}
	for _, i := range []int{0, 3, 5} {
		s.ok(s.queue.Discard(s.ctx, all[i]), "Discard")
	}
	s.same("the letters behind one that is gone", ids(&notify.LetterFilter{From: all[0]}), []string{all[1], all[2], all[4]})
	s.same("the letters behind one that is gone", ids(&notify.LetterFilter{From: all[3]}), []string{all[4]})
	s.same("the letters behind the last", ids(&notify.LetterFilter{From: all[5]}), nil)
	s.same("the letters behind one, filtered", ids(&notify.LetterFilter{From: all[1], Key: "nothing"}), nil)
	for _, err := range s.queue.Letters(s.ctx, &notify.LetterFilter{From: "no letter"}) {
		if !errors.Is(err, fs.ErrNotExist) {
			s.fail("Letters from an ID that no letter can have: %v, want fs.ErrNotExist", err)
		}
		return
	}
	s.fail("Letters from an ID that no letter can have gave no error")
}

func lettersContext(s *subject) {
	s.someLetters(3)
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	n := 0
	var last error
	for l, err := range s.queue.Letters(ctx, nil) {
		if n++; last != nil || l == nil && err == nil || n > 4 {
			s.fail("Letters went on after an error, or yielded neither letter nor error")
		}
		last = err
	}
	if last == nil {
		s.fail("Letters ended without an error though ctx had ended")
	}
	for _, err := range s.queue.Letters(s.ctx, nil) {
		s.ok(err, "Letters")
		break // leaving the loop is no fault
	}
	if n := len(s.letters(nil)); n != 3 {
		s.fail("there are %d letters, want 3", n)
	}
}

func oneLetter(s *subject) {
	for range 2 {
		for _, l := range s.someLetters(3) {
			got, err := s.queue.Letter(s.ctx, l.ID)
			s.ok(err, "Letter")
			s.letterIs(got, *l)
			if got.ID != l.ID {
				s.fail("Letter(%q) returned %q", l.ID, got.ID)
			}
		}
		s.reopen()
	}
}

// letterCalls are the methods that take a letter's ID.
func (s *subject) letterCalls() map[string]func(id string) error {
	return map[string]func(string) error{
		"Letter": func(id string) error { _, err := s.queue.Letter(s.ctx, id); return err },
		"OpenLetter": func(id string) error {
			r, err := s.queue.OpenLetter(s.ctx, id)
			if err == nil {
				_ = r.Close()
			}
			return err
		},
		"Redrive": func(id string) error { return s.queue.Redrive(s.ctx, id) },
		"Discard": func(id string) error { return s.queue.Discard(s.ctx, id) },
	}
}

func unknownLetter(s *subject) {
	letters := s.someLetters(4)
	gone := letters[:2]
	s.ok(s.queue.Redrive(s.ctx, gone[0].ID), "Redrive")
	s.ok(s.queue.Discard(s.ctx, gone[1].ID), "Discard")
	ids := []string{
		"", "no such letter", "../x", "0", "-1", "99999999", "\x00", "\xff", strings.Repeat("9", 1000),
		gone[0].ID, gone[1].ID, letters[2].ID + " ", "0" + letters[2].ID, letters[2].ID + "\x00",
	}
	for name, call := range s.letterCalls() {
		for _, id := range ids {
			if err := call(id); !errors.Is(err, fs.ErrNotExist) {
				s.fail("%s(%q) gave %v", name, id, err)
			}
		}
	}
	if n := len(s.letters(nil)); n != 2 {
		s.fail("there are %d letters, want 2", n)
	}
}

func openLetter(s *subject) {
	large := padded("a", "1", 1<<20)
	broken := noise(150<<10, 3)
	bodies := []string{
		list("activities", large),
		list("odd \u0000\\\" key <&>", `"\u0000 and `+"\xff\""),
		broken, " ", `{"activities":[`,
	}
	for _, b := range bodies {
		s.put(b)
		s.bury(s.all()...)
		want := b
		for _, reopen := range []bool{false, true} {
			if reopen {
				s.reopen()
			}
			l := s.letters(nil)[0]
			got := s.opened1(l.ID)
			for p, err := range new(notify.Splitter).Split(stringReader(b)) {
				s.ok(err, "Split")
				if p.Key == "" && got != want || !sameBody(got, want) {
					s.fail("the letter opens as %s, want %s", short(got), short(want))
				}
			}
		}
		s.ok(s.queue.Discard(s.ctx, s.letters(nil)[0].ID), "Discard")
	}
}

func redrive(s *subject) {
	const odd = `{"odd \"key\"\u0000":[{"n": 1}]}`
	s.put(join(list("activities", activity("a", "1"), activity("a", "2")), odd))
	old := s.all()
	s.bury(old...)
	var kept, driven *notify.DeadLetter
	for _, l := range s.letters(nil) {
		if l.Key == "activities" && kept == nil {
			kept = l
			continue
		}
		driven = l
		s.ok(s.queue.Redrive(s.ctx, l.ID), "Redrive")
	}
	if err := s.queue.Redrive(s.ctx, driven.ID); !errors.Is(err, fs.ErrNotExist) {
		s.fail("a second Redrive of one letter gave %v, want fs.ErrNotExist", err)
	}
	last := old[len(old)-1].ID
	for range 2 {
		if left := s.letters(nil); len(left) != 1 || left[0].ID != kept.ID {
			s.fail("%d letters are left, want the one that was not redriven", len(left))
		}
		for _, it := range s.holds(activity("a", "2"), `{"n": 1}`) {
			switch {
			case it.UserID == "a" && it.ID <= last:
				s.fail("the new item %d is not behind the last one, %d", it.ID, last)
			case it.Received.Before(old[0].Received.Add(-time.Millisecond)) || it.Received.After(time.Now().Add(time.Second)):
				s.fail("the new item was received at %v", it.Received)
			case it.Attempts != 0 || !it.Next.IsZero():
				s.fail("the new item was tried %d times", it.Attempts)
			}
		}
		s.reopen()
	}
}

func redriveWhole(s *subject) {
	for _, body := range []string{noise(150<<10, 4), `{"activities":[` + activity("a", "1") + `,`} {
		s.put(body)
		s.bury(s.all()...)
		for _, l := range s.letters(nil) {
			if l.Key == "" {
				s.ok(s.queue.Redrive(s.ctx, l.ID), "Redrive")
				continue
			}
			s.ok(s.queue.Discard(s.ctx, l.ID), "Discard")
		}
		s.reopen()
		whole := 0
		all := s.all()
		for _, it := range all {
			if it.Key == "" && s.read(it) == body {
				whole++
			}
		}
		if whole != 1 {
			s.fail("%d items are the whole body", whole)
		}
		s.done(all...)
	}
}

func discard(s *subject) {
	letters := s.someLetters(3)
	s.ok(s.queue.Discard(s.ctx, letters[1].ID), "Discard")
	for range 2 {
		left := s.letters(nil)
		if len(left) != 2 || left[0].ID != letters[0].ID || left[1].ID != letters[2].ID {
			s.fail("%d letters are left, want the two others", len(left))
		}
		s.holds()
		s.reopen()
	}
}
