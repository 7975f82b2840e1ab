package admin

import (
	"net/http"
	"sync"
	"time"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// Overview is the content of the first page.
type Overview struct {
	Classes []Class `json:"classes"`
	// Bodies counts bodies that are not split yet, Letters the dead letters.
	Bodies  int64 `json:"bodies"`
	Letters int64 `json:"letters"`
	Bytes   int64 `json:"bytes"`
	// The following are of this process, and zero without a Processor.
	ParkedUsers   int         `json:"parked_users"`
	Shares        int         `json:"shares"`
	Outage        types.Fault `json:"outage,omitempty"`
	OutageSeconds float64     `json:"outage_seconds,omitempty"`
}

// Class holds the figures of a class of items.
type Class struct {
	Class         string  `json:"class"`
	Items         int64   `json:"items"`
	OldestSeconds float64 `json:"oldest_seconds"`
	// The following are of this process. PerMinute is the rate of finished items
	// over the last minutes.
	PerMinute float64 `json:"per_minute"`
	Queued    int     `json:"queued"`
	Running   int     `json:"running"`
	Hung      int     `json:"hung"`
	Waiting   int     `json:"waiting"`
	Behind    int     `json:"behind"`
	Parked    int     `json:"parked"`
	Held      int     `json:"held"`
}

func (a *Admin) overview(r *http.Request) (any, error) {
	st, err := a.queue.Stats(r.Context())
	if err != nil {
		return nil, err
	}
	o := &Overview{Bodies: st.Bodies, Letters: st.Letters, Bytes: st.Bytes, Classes: make([]Class, notify.Classes)}
	now := time.Now()
	for c := range o.Classes {
		o.Classes[c] = Class{Class: notify.Class(c).String(), Items: st.Items[c]}
		if at := st.Oldest[c]; !at.IsZero() {
			o.Classes[c].OldestSeconds = now.Sub(at).Seconds()
		}
	}
	if a.opts.Processor == nil {
		return o, nil
	}
	p := a.opts.Processor.Stats()
	o.ParkedUsers, o.Shares, o.Outage, o.OutageSeconds = p.ParkedUsers, p.Shares, p.Outage, p.OutageAge.Seconds()
	perMinute := a.rates.add(now, &p)
	for i, c := range p.Classes {
		k := &o.Classes[i]
		k.PerMinute = perMinute[i]
		k.Queued, k.Running, k.Hung, k.Waiting, k.Behind, k.Parked, k.Held = c.Queued, c.Running, c.Hung, c.Waiting, c.Behind, c.Parked, c.Held
	}
	return o, nil
}

// rates remembers a few counts of the last minutes.
type rates struct {
	mu   sync.Mutex
	kept []sample // oldest first
}

type sample struct {
	at       time.Time
	finished [notify.Classes]uint64
}

const (
	rateSpan  = 5 * time.Minute
	rateEvery = 10 * time.Second
)

// add notes the counts and returns the rates since the oldest count that is
// kept.
func (r *rates) add(now time.Time, p *notify.ProcessorStats) (perMinute [notify.Classes]float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := sample{at: now}
	for i, c := range p.Classes {
		s.finished[i] = c.Finished
	}
	for len(r.kept) > 0 && (now.Sub(r.kept[0].at) > rateSpan || restarted(&r.kept[0], &s)) {
		r.kept = r.kept[1:]
	}
	if n := len(r.kept); n == 0 || now.Sub(r.kept[n-1].at) >= rateEvery {
		r.kept = append(r.kept, s)
	}
	old := &r.kept[0]
	if span := now.Sub(old.at); span > 0 {
		for i := range perMinute {
			perMinute[i] = float64(s.finished[i]-old.finished[i]) / span.Minutes()
		}
	}
	return perMinute
}

// restarted tells whether the counts began anew in between.
func restarted(old, s *sample) bool {
	for i := range s.finished {
		if s.finished[i] < old.finished[i] {
			return true
		}
	}
	return false
}

// Parked is the list of users whose token is refused.
type Parked struct {
	Users []ParkedUser `json:"users"`
	// Total counts all of them; Users has those parked the longest.
	Total int `json:"total"`
}

// ParkedUser is a user whose token is refused.
type ParkedUser struct {
	User         types.UserID `json:"user"`
	Items        int          `json:"items"`
	Refusals     int          `json:"refusals"`
	SinceSeconds float64      `json:"since_seconds"`
	NextSeconds  float64      `json:"next_seconds"`
	Reason       string       `json:"reason"`
}

// pieceSize is how many lines a list has at the most.
const pieceSize = 100

func (a *Admin) parked(*http.Request) (any, error) {
	p := a.opts.Processor
	if p == nil {
		return nil, errAbsent
	}
	out := &Parked{Users: []ParkedUser{}, Total: p.Stats().ParkedUsers}
	for _, u := range p.Parked(pieceSize) {
		out.Users = append(out.Users, parkedUser(&u))
	}
	return out, nil
}

func parkedUser(u *notify.ParkedUser) ParkedUser {
	return ParkedUser{u.UserID, u.Items, u.Refusals, u.Since.Seconds(), u.Next.Seconds(), u.Reason}
}

// drift is what Garmin has changed, as [drift.Report] writes it.
func (a *Admin) drift(*http.Request) (any, error) {
	if a.opts.Drift == nil {
		return nil, errAbsent
	}
	return a.opts.Drift, nil
}
