package admin

import (
	"net/http"
	"sync"
	"time"

	"github.com/garminkit/activityapi/internal/adminapi"
	"github.com/garminkit/activityapi/notify"
)

func (a *pages) overview(r *http.Request) (any, error) {
	st, err := a.queue.Stats(r.Context())
	if err != nil {
		return nil, err
	}
	o := &adminapi.Overview{Bodies: st.Bodies, Letters: st.Letters, Bytes: st.Bytes, Classes: make([]adminapi.Class, notify.Classes)}
	now := time.Now()
	for c := range o.Classes {
		o.Classes[c] = adminapi.Class{Class: notify.Class(c).String(), Items: st.Items[c]}
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

// pieceSize is how many lines a list has at the most.
const pieceSize = 100

func (a *pages) parked(*http.Request) (any, error) {
	p := a.opts.Processor
	if p == nil {
		return nil, errAbsent
	}
	out := &adminapi.Parked{Users: []adminapi.ParkedUser{}, Total: p.Stats().ParkedUsers}
	for _, u := range p.Parked(pieceSize) {
		out.Users = append(out.Users, parkedUser(&u))
	}
	return out, nil
}

func parkedUser(u *notify.ParkedUser) adminapi.ParkedUser {
	return adminapi.ParkedUser{
		User: u.UserID, Items: u.Items, Refusals: u.Refusals,
		SinceSeconds: u.Since.Seconds(), NextSeconds: u.Next.Seconds(), Reason: u.Reason,
	}
}

// drift is what Garmin has changed, as [drift.Report] writes it.
func (a *pages) drift(*http.Request) (any, error) {
	if a.opts.Drift == nil {
		return nil, errAbsent
	}
	return a.opts.Drift, nil
}
