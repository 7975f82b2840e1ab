package notify

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/garminkit/activityapi/types"
)

// ParkedUser is a user whose token Garmin refuses; see [ResultParked].
type ParkedUser struct {
	UserID types.UserID
	// Items counts the user's waiting pings and files.
	Items int
	// Refusals is the number of refusals in a row. Since is the time since the
	// first of them, and Next the time until Garmin is asked again.
	Refusals int
	Since    time.Duration
	Next     time.Duration
	// Reason is the text of the latest refusal, free of secrets.
	Reason string
}

// Parked returns the users whose token Garmin refuses, up to the given number, in
// the order in which they were parked. It is empty if no Run works.
func (p *Processor) Parked(most int) []ParkedUser {
	s := p.sched.Load()
	if s == nil {
		return nil
	}
	list := s.parked()
	slices.SortFunc(list, func(a, b ParkedUser) int {
		return cmp.Or(cmp.Compare(b.Since, a.Since), cmp.Compare(a.UserID, b.UserID))
	})
	return list[:min(len(list), max(most, 0))]
}

func (s *scheduler) parked() []ParkedUser {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []ParkedUser
	now := s.now()
	for sh := range s.shares {
		for _, l := range sh.lanes {
			p := l.park
			if p == nil {
				continue
			}
			u := ParkedUser{UserID: l.key.user, Items: len(p.items), Refusals: p.tries, Since: now - p.since, Reason: p.why}
			if p.index >= 0 {
				u.Next = max(p.at-now, 0)
			}
			list = append(list, u)
		}
	}
	return list
}

// maxWhy bounds the text that is kept for a parked user.
const maxWhy = 200

// because keeps why the user of t is parked.
func (s *scheduler) because(t *task, err error) {
	text := errorText(err)
	if len(text) > maxWhy {
		text = strings.ToValidUTF8(text[:maxWhy], "") + "..."
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := t.lane.park
	if p == nil {
		return
	}
	if p.why == "" {
		p.since = s.now()
	}
	p.why = text
}
