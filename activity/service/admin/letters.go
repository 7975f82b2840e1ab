package admin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strconv"
	"time"

	"github.com/garminkit/activityapi/internal/adminapi"
	"github.com/garminkit/activityapi/internal/letters"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

func letterOf(l *notify.DeadLetter) adminapi.Letter {
	return adminapi.Letter{
		ID: l.ID, Key: l.Key, User: l.UserID, Items: l.Items, Reason: l.Reason, Quarantined: l.Quarantined,
		Attempts: l.Attempts, Received: l.Received, Buried: l.Buried, Size: l.Size,
	}
}

// filterOf reads the parameters of a request.
func filterOf(r *http.Request) (f adminapi.Filter, err error) {
	f = adminapi.Filter{Key: r.FormValue("key"), User: types.UserID(r.FormValue("user")), Reason: r.FormValue("reason")}
	if f.After, err = timeOf(r, "after"); err != nil {
		return f, err
	}
	f.Before, err = timeOf(r, "before")
	return f, err
}

// timeOf reads a time as RFC 3339 has it, or as a browser's field does, in UTC.
func timeOf(r *http.Request, name string) (time.Time, error) {
	text := r.FormValue(name)
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04", "2006-01-02T15:04:05", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, badRequest(name + " is not a time, such as 2026-01-31T12:00:00Z")
}

// budget is how long an answer may look for what it lists or acts on.
func budget(r *http.Request) (time.Duration, error) {
	text := r.FormValue("seconds")
	if text == "" {
		return 80 * time.Millisecond, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 20 {
		return 0, badRequest("seconds is not a number from 0 to 20")
	}
	return max(time.Duration(n)*time.Second, 80*time.Millisecond), nil
}

// find collects letters that the filter lets pass, up to most of them, behind the
// letter from. It looks at each letter itself, so that it can stop in time
// whatever it finds; next is where to go on, "" at the end.
func (a *pages) find(ctx context.Context, f *adminapi.Filter, from string, most int, until time.Time) (found []*notify.DeadLetter, seen int, next string, err error) {
	match := &notify.LetterFilter{Key: f.Key, UserID: f.User, Reason: f.Reason, After: f.After, Before: f.Before}
	for l, err := range a.queue.Letters(ctx, &notify.LetterFilter{From: from}) {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, 0, "", badRequest("from is not the next of a list")
		}
		if err != nil {
			return nil, 0, "", err
		}
		seen++
		if letters.Match(match, l) {
			found = append(found, l)
		}
		if len(found) == most || !time.Now().Before(until) {
			return found, seen, l.ID, nil
		}
	}
	return found, seen, "", nil
}

func (a *pages) letters(r *http.Request) (any, error) {
	f, err := filterOf(r)
	if err != nil {
		return nil, err
	}
	span, err := budget(r)
	if err != nil {
		return nil, err
	}
	found, seen, next, err := a.find(r.Context(), &f, r.FormValue("from"), pieceSize, time.Now().Add(span))
	if err != nil {
		return nil, err
	}
	out := &adminapi.Letters{Filter: f, Letters: make([]adminapi.Letter, 0, len(found)), Seen: seen, Next: next}
	for _, l := range found {
		out.Letters = append(out.Letters, letterOf(l))
	}
	return out, nil
}

func (a *pages) letter(r *http.Request) (any, error) { return a.content(r, false) }

func (a *pages) reveal(r *http.Request) (any, error) {
	id := r.FormValue("id")
	a.begin(r, "reveal", "letter", id)
	c, err := a.content(r, true)
	a.end(r, "reveal", err, "letter", id)
	return c, err
}

func (a *pages) content(r *http.Request, whole bool) (any, error) {
	ctx, id := r.Context(), r.FormValue("id")
	l, err := a.queue.Letter(ctx, id)
	if err != nil {
		return nil, err
	}
	in, err := a.queue.OpenLetter(ctx, id)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	// The application is in the letter's user; what follows is as Garmin sent it.
	body, line := bufio.NewReader(in), notify.AppLine(l.UserID.App())
	if p, _ := body.Peek(len(line)); string(p) == line {
		_, _ = body.Discard(len(line))
	}
	text, cut, err := redact(body, whole)
	if err != nil {
		return nil, fmt.Errorf("admin: reading the letter: %w", err)
	}
	return &adminapi.Content{Letter: letterOf(l), Content: text, Cut: cut, Revealed: whole}, nil
}
