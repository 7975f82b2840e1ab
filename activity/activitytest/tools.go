package activitytest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/garminkit/activityapi/types"
)

// Garmin's web tools (Activity API, sections 3 and 6.2). The Endpoint
// Configuration Tool is SetEndpoint, the Data Generator is Generator with
// User.Sync, the API Pull Token tool is User.PullToken.

// Record is a row of the Data Viewer: what Garmin has.
type Record struct {
	Kind  types.Kind `json:"kind"`
	ID    types.ID   `json:"id"`
	Start time.Time  `json:"start"`
	// Uploaded is zero for history that no backfill has brought yet.
	Uploaded time.Time       `json:"uploaded,omitzero"`
	JSON     json.RawMessage `json:"json"`
}

// View is the Data Viewer: the user's records of a kind by the time they were
// recorded, not uploaded. Those of "" are of every kind. The JSON must not be
// changed.
func (u *User) View(kind types.Kind, w types.Window) []Record {
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	list := []Record{}
	for _, r := range u.records {
		if (kind == "" || r.kind == kind) && w.Contains(r.start) {
			list = append(list, Record{r.kind, r.id, r.start.UTC(), r.uploaded.UTC(), r.body})
		}
	}
	return list
}

// Backfill is the Backfill tool. It has the rules of the endpoint, and the
// error has its text. Both ends of the window count.
func (u *User) Backfill(kind types.Kind, w types.Window) error {
	if !slices.Contains(backfillKinds(), kind) {
		return fmt.Errorf("activitytest: %s have no backfill", kind)
	}
	if err := u.s.backfill(u, kind, w.Start, w.End); err != nil {
		return fmt.Errorf("activitytest: %d: %s", err.status, err.text)
	}
	return nil
}

// Resend is the Summary Resender: it queues the notifications of all that the
// user has uploaded, of the kinds given or of all, once more. It returns how
// many records there are.
func (u *User) Resend(kinds ...types.Kind) int {
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	n := 0
	for _, r := range u.records {
		if !r.uploaded.IsZero() && (len(kinds) == 0 || slices.Contains(kinds, r.kind)) {
			u.s.announce(u, r)
			n++
		}
	}
	return n
}

// PartnerVerification is the tool of that name: whether what the server has
// seen so far would pass Garmin's review (section 9.1). [Verify] tries an
// endpoint by itself.
func (s *Server) PartnerVerification() *Report {
	start := time.Now()
	report := &Report{Started: start}
	add := func(name, section, text string, err error) {
		c := Check{Name: name, Section: section, Requirement: text, Verdict: Passed}
		if err != nil {
			c.Verdict, c.Detail = Failed, err.Error()
		}
		report.Checks = append(report.Checks, c)
	}
	users := len(s.Users())
	var err error
	if users < 2 {
		err = fmt.Errorf("there are %d", users)
	}
	add("two-users", "9.1", "at least two Garmin users are connected", err)
	for _, key := range []types.Kind{Deregistrations, PermissionChanges} {
		err = nil
		if e := s.Endpoint(key); !e.Enabled || (e.URL == "" && e.Handler == nil) {
			err = errors.New("it is not")
		}
		add(string(key), "9.1", "the endpoint is enabled", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var good, bad int
	var slowest time.Duration
	for _, d := range s.deliveries {
		if start.Sub(d.Sent) > day {
			continue
		}
		if slowest = max(slowest, d.Took); d.Acknowledged() {
			good++
		} else {
			bad++
		}
	}
	err = nil
	if good == 0 {
		err = errors.New("no ping or push was answered 200 in the last 24 hours")
	}
	add("notifications", "9.1", "pings or pushes are processed; pulls alone are not allowed", err)
	err = nil
	if bad > 0 {
		err = fmt.Errorf("%d of %d notifications of the last 24 hours failed, the slowest took %.1f s", bad, good+bad, slowest.Seconds())
	}
	add("answers", "9.1", "every notification is answered 200 within 30 seconds", err)
	return report
}
