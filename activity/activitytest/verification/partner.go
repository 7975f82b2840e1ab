package verification

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/types"
)

// Partner works like Garmin's web tool Partner Verification: it reports whether
// what s has seen so far would pass the review (section 9.1). It sends nothing;
// [Run] tests an endpoint.
func Partner(s *activitytest.Server) *Report {
	start := time.Now()
	report := &Report{Started: start}
	add := func(name, section, text string, err error) {
		c := Check{Name: name, Section: section, Requirement: text, Verdict: Passed}
		if err != nil {
			c.Verdict, c.Detail = Failed, err.Error()
		}
		report.Checks = append(report.Checks, c)
	}
	users := len(connected(s))
	var err error
	if users < 2 {
		err = fmt.Errorf("there are %d", users)
	}
	add("two-users", "9.1", "at least two Garmin users are connected", err)
	for _, key := range []types.Kind{types.KindDeregistrations, types.KindPermissionChanges} {
		err = nil
		if e := s.State().Endpoints[key]; !e.Enabled || (e.URL == "" && e.Handler == nil) {
			err = errors.New("it is not")
		}
		add(string(key), "9.1", "the endpoint is enabled", err)
	}
	var good, bad int
	var slowest time.Duration
	for _, d := range s.Deliveries(0) {
		if start.Sub(d.Sent) > 24*time.Hour {
			continue
		}
		if slowest = max(slowest, d.Took); d.Acknowledged {
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

// connected returns the users who are connected.
func connected(s *activitytest.Server) []*activitytest.User {
	return slices.DeleteFunc(s.Users(), func(u *activitytest.User) bool { return !u.State().Connected })
}
