package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// troubles is what an operator has to mend: it is logged when it begins, and
// shown on the operator's page for as long as it lasts.
type troubles struct {
	log *slog.Logger

	mu       sync.Mutex
	all      map[string]*trouble
	accepted time.Time // the last notification that was
}

// trouble is one of them. No text has a secret in it.
type trouble struct {
	Kind  string
	Text  string
	Count int
	Since time.Time
	Last  time.Time
}

func newTroubles(log *slog.Logger) *troubles { return &troubles{log: log, all: map[string]*trouble{}} }

func (t *troubles) note(kind, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	x := t.all[kind]
	if x == nil {
		x = &trouble{Kind: kind, Since: now}
		t.all[kind] = x
		t.log.Error("an operator has to look", "trouble", kind, "err", text)
	}
	x.Text, x.Last = text, now
	x.Count++
}

func (t *troubles) over(kind string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.all, kind)
}

// list returns what there is, the latest first.
func (t *troubles) list() (all []trouble, accepted time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, x := range t.all {
		all = append(all, *x)
	}
	slices.SortFunc(all, func(a, b trouble) int { return strings.Compare(a.Kind, b.Kind) })
	return all, t.accepted
}

// received looks at what the intake has answered.
func (t *troubles) received(_ context.Context, r notify.Receipt) {
	switch r.Status {
	case http.StatusOK:
		t.mu.Lock()
		t.accepted = time.Now()
		t.mu.Unlock()
		t.over("intake")
	case http.StatusNotFound:
		t.note("path secret", "notifications come to a wrong address: compare Garmin's endpoint configuration with GARMIN_PATH_SECRET")
	case http.StatusServiceUnavailable:
		t.note("intake", "notifications cannot be stored: see the log")
	}
}

// processed looks at what has become of an item.
func (t *troubles) processed(o notify.Outcome) {
	switch o.Result {
	case notify.ResultOutage, notify.ResultStalled, notify.ResultQueueFailed:
		text := "see the log"
		if o.Err != nil {
			text = o.Err.Error()
		}
		t.note(string(o.Result), text)
	case notify.ResultResumed:
		t.over(string(notify.ResultOutage))
	case notify.ResultDone:
		t.over(string(notify.ResultStalled))
		t.over(string(notify.ResultQueueFailed))
	}
}

// connecting looks at why a user could not connect.
func (t *troubles) connecting(err error) {
	if errors.Is(err, auth.ErrInvalidClient) {
		t.note("application", "Garmin refuses GARMIN_KEY, GARMIN_SECRET or the redirect URL: compare them with the developer portal")
		return
	}
	t.note("connecting", err.Error())
}

func (t *troubles) renewal(_ types.UserID, err error) {
	if errors.Is(err, auth.ErrInvalidClient) {
		t.connecting(err)
	}
}

// history looks at why the history of a user was not fetched to its end.
func (t *troubles) history(p *backfill.Progress) {
	if p.Err == nil {
		t.over("history")
		return
	}
	t.note("history", p.Err.Error())
}
