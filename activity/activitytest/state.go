package activitytest

import (
	"maps"
	"time"

	"github.com/garminkit/activityapi/types"
)

// State is the state of a server, without that of its users.
type State struct {
	// Now is the server's time: that of package time and Ahead.
	Now time.Time
	// Ahead is what [Server.Advance] has added to the clock.
	Ahead time.Duration

	// Endpoints has each list key's row of the Endpoint Configuration Tool.
	Endpoints map[types.Kind]Endpoint
	// Waiting counts the items of each list key that were not sent yet, and
	// Failed those that failed and will be sent again.
	Waiting, Failed map[types.Kind]int
	// Pending counts all items that are not acknowledged: those that wait, those
	// that failed and those that are being sent.
	Pending int
	// Expired counts the items that were dropped because their endpoint was on hold
	// for more than seven days. They are never sent.
	Expired int

	// Faults are those that are not used up, in the order in which they are used.
	Faults []Fault
	// Quirks has the share of the cases of each quirk that is on.
	Quirks map[Quirk]float64

	// Deliveries and Requests are the ID of the latest of each, which is also how
	// many there were.
	Deliveries, Requests int64
	// BackfillViolations counts the backfill requests that were refused because
	// of the rate limit.
	BackfillViolations int
	// RefreshReuses counts the requests for tokens with a refresh token that was used
	// before.
	RefreshReuses int
}

// State returns what the server knows now.
func (s *Server) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := State{
		Now: s.now(), Ahead: time.Duration(s.ahead.Load()), Endpoints: maps.Clone(s.endpoints),
		Waiting: make(map[types.Kind]int), Failed: make(map[types.Kind]int),
		Expired: s.expired, Quirks: make(map[Quirk]float64),
		Deliveries: s.deliveries.nextID() - 1, Requests: s.requests.nextID() - 1,
		BackfillViolations: s.ledger.violations, RefreshReuses: s.reuses,
	}
	for key, list := range s.waiting {
		v.Waiting[key] = len(list)
		v.Pending += len(list)
	}
	for _, p := range s.retries {
		v.Failed[p.key] += len(p.notices)
		v.Pending += len(p.notices)
	}
	for _, p := range s.underWay {
		v.Pending += len(p.notices)
	}
	for _, f := range s.faults {
		if f.Times > 0 {
			v.Faults = append(v.Faults, *f)
		}
	}
	maps.Copy(v.Quirks, s.quirks)
	return v
}
