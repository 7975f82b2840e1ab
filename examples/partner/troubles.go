package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// troubles is what an operator has to mend: it is logged when it begins and when
// it ends, and shown on the operator's page for as long as it lasts. Most end when
// what failed goes well. Of some nothing else is heard: they end a day after they
// were last seen.
type troubles struct {
	log *slog.Logger

	mu       sync.Mutex
	all      map[troubleKey]*trouble
	accepted time.Time // the last notification that was
}

// troubleKey is what goes wrong, and for whom or what if others go on.
type troubleKey struct{ kind, of string }

// trouble is one of them. No text has a secret in it.
type trouble struct {
	Kind  string
	Text  string
	Count int
	Since time.Time
	Last  time.Time
	lasts bool // until its end is heard of
}

// unheard is when what was not seen again is over.
const unheard = 24 * time.Hour

func newTroubles(log *slog.Logger) *troubles {
	return &troubles{log: log, all: map[troubleKey]*trouble{}}
}

// begin notes a trouble that lasts until over is called.
func (t *troubles) begin(kind, of, text string) { t.note(troubleKey{kind, of}, text, true) }

// seen notes a trouble that lasts until over is called, or a day after this.
func (t *troubles) seen(kind, text string) { t.note(troubleKey{kind, ""}, text, false) }

func (t *troubles) note(key troubleKey, text string, lasts bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget()
	now := time.Now()
	x := t.all[key]
	if x == nil {
		x = &trouble{Kind: key.kind, Since: now}
		t.all[key] = x
		t.log.Error("an operator has to look", "trouble", key.kind, "err", text)
	}
	x.Text, x.Last, x.lasts = text, now, lasts
	x.Count++
}

// over ends a trouble, if there is such a one.
func (t *troubles) over(kind, of string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.remove(troubleKey{kind, of})
}

func (t *troubles) remove(key troubleKey) {
	if t.all[key] != nil {
		t.log.Info("a trouble is over", "trouble", key.kind)
		delete(t.all, key)
	}
}

// forget removes what was not seen again.
func (t *troubles) forget() {
	for key, x := range t.all {
		if !x.lasts && time.Since(x.Last) > unheard {
			t.remove(key)
		}
	}
}

// list returns what there is.
func (t *troubles) list() (all []trouble, accepted time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget()
	for _, x := range t.all {
		all = append(all, *x)
	}
	slices.SortFunc(all, func(a, b trouble) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), a.Since.Compare(b.Since), cmp.Compare(a.Text, b.Text))
	})
	return all, t.accepted
}

// received looks at what the intake has answered.
func (t *troubles) received(_ context.Context, r notify.Receipt) {
	switch r.Status {
	case http.StatusOK:
		t.mu.Lock()
		t.accepted = time.Now()
		t.mu.Unlock()
		t.over("intake", "")
	case http.StatusNotFound: // of one endpoint, while others are right
		t.seen("path secret", "notifications come to a wrong address: compare Garmin's endpoint configuration with GARMIN_PATH_SECRET")
	case http.StatusServiceUnavailable:
		t.begin("intake", "", "notifications cannot be stored: see the log")
	}
}

// processed looks at what has become of an item.
func (t *troubles) processed(o notify.Outcome) {
	text := "see the log"
	if o.Err != nil {
		text = o.Err.Error()
	}
	switch o.Result {
	case notify.ResultOutage, notify.ResultQueueFailed:
		t.begin(string(o.Result), "", text)
	case notify.ResultStalled:
		t.begin(string(o.Result), o.Class.String(), text)
	case notify.ResultResumed:
		t.over(string(notify.ResultOutage), "")
	case notify.ResultDone:
		t.over(string(notify.ResultStalled), o.Class.String())
		t.over(string(notify.ResultQueueFailed), "")
	}
}

// connecting looks at why a user could not connect, or that one could.
func (t *troubles) connecting(err error) {
	switch {
	case err == nil:
		t.over("application", "")
		t.over("connecting", "")
	case errors.Is(err, auth.ErrInvalidClient):
		t.seen("application", "Garmin refuses GARMIN_KEY, GARMIN_SECRET or the redirect URL: compare them with the developer portal")
	default:
		t.seen("connecting", err.Error())
	}
}

func (t *troubles) renewal(_ types.UserID, err error) {
	if errors.Is(err, auth.ErrInvalidClient) {
		t.connecting(err)
	}
}

// history looks at why the history of a user is not fetched to its end. What the
// user alone can mend is on the user's page; a user who leaves in the middle, or
// connects anew, ends a run, too.
func (t *troubles) history(p *backfill.Progress) {
	var stopped *backfill.UserError
	if p.Err == nil || errors.As(p.Err, &stopped) && stopped.Permission != "" ||
		errors.Is(p.Err, auth.ErrReconnect) || errors.Is(p.Err, auth.ErrNotConnected) || errors.Is(p.Err, backfill.ErrBusy) {
		t.over("history", string(p.UserID))
		return
	}
	t.note(troubleKey{"history", string(p.UserID)}, p.Err.Error(), false) // seen again at the next pass
}

// stay ends what is of users who are no more. Who leaves while history is asked for
// may be refused before or after we know.
func (t *troubles) stay(users map[types.UserID]bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key := range t.all {
		if key.kind == "history" && !users[types.UserID(key.of)] {
			t.remove(key)
		}
	}
}

// page looks at why a page could not be shown.
func (t *troubles) page(err error) { t.seen("pages", err.Error()) }
