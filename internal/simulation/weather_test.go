package simulation

import (
	"slices"
	"sync"
	"time"

	"github.com/garminkit/activityapi/types"
)

// The kinds of trouble that last for a while.
const (
	receiverDown  = "receiver unreachable"
	receiverHangs = "receiver hangs"
	databaseDown  = "partner's database down"
	garminDown    = "Garmin's API down"
	tokenBad      = "user's token refused"
	consentGone   = "user's consent withdrawn"
	onHold        = "notifications on hold"
	processDown   = "no process"
)

// trouble is something that goes wrong for a while, for one user or for all.
type trouble struct {
	kind     string
	user     types.UserID
	from, to time.Time
}

// weather is all the trouble of late.
type weather struct {
	mu   sync.Mutex
	list []trouble
}

func (w *weather) is(kind string, user types.UserID) bool {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.list, func(t trouble) bool {
		return t.kind == kind && (t.user == "" || t.user == user) && !now.Before(t.from) && now.Before(t.to)
	})
}

func (w *weather) add(t trouble) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, t)
}

// clear ends all trouble, and forgets what is too old to matter.
func (w *weather) clear() {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, t := range w.list {
		if t.to.After(now) {
			w.list[i].to = now
		}
	}
	w.list = slices.DeleteFunc(w.list, func(t trouble) bool { return now.Sub(t.to) > 60*day })
}

// covers returns how much of the time between from and to there was trouble
// that could keep the user's items away.
func (w *weather) covers(user types.UserID, from, to time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(w.list), func(t trouble) bool { return t.user != "" && t.user != user })
	slices.SortFunc(list, func(a, b trouble) int { return a.from.Compare(b.from) })
	var sum time.Duration
	for at := from; len(list) > 0; list = list[1:] {
		t := list[0]
		if t.from.After(at) {
			at = t.from
		}
		end := t.to
		if end.After(to) {
			end = to
		}
		if end.After(at) {
			sum += end.Sub(at)
			at = end
		}
	}
	return sum
}

// heldAway tells whether what was uploaded then was on hold for longer than
// Garmin keeps it.
func (w *weather) heldAway(at time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	end := at.Add(7 * day)
	return slices.ContainsFunc(w.list, func(t trouble) bool {
		return t.kind == onHold && t.from.Before(end) && t.to.After(end)
	})
}

// trouble begins trouble.
func (l *life) trouble(kind string, user types.UserID, long time.Duration) {
	now := time.Now()
	l.weather.add(trouble{kind, user, now, now.Add(long)})
	l.note(kind, "%s for %s", user, long.Round(time.Second))
}
