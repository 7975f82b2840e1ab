package control

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
)

// limitsView are the exported fields of a server that can be changed while it
// serves. 0 and "0s" are the defaults.
type limitsView struct {
	RedirectURL      string        `json:"redirectURL"`
	PullTokens       string        `json:"pullTokens"`
	EndExclusive     bool          `json:"endExclusive"`
	PullsCarryUserID bool          `json:"pullsCarryUserId"`
	NoLongDetails    bool          `json:"noLongDetails"`
	Backfill         backfillView  `json:"backfill"`
	Delivery         rulesView     `json:"delivery"`
	Retention        retentionView `json:"retention"`
}

type backfillView struct {
	DaysPerMinute   int    `json:"daysPerMinute"`
	FixedMinutes    bool   `json:"fixedMinutes"`
	ExactDuplicates bool   `json:"exactDuplicates"`
	Delay           string `json:"delay"`
}

type rulesView struct {
	BatchItems int    `json:"batchItems"`
	Timeout    string `json:"timeout"`
	FirstRetry string `json:"firstRetry"`
}

type retentionView struct {
	Deliveries int `json:"deliveries"`
	Requests   int `json:"requests"`
	Bytes      int `json:"bytes"`
}

// pullTokens names the rule of a server's pull tokens.
func pullTokens(s *activitytest.Server) string {
	switch {
	case s.NoPullTokens:
		return "none"
	case s.OptionalPullTokens:
		return "optional"
	}
	return "required"
}

func (c *control) limits() (v limitsView) {
	s := c.s
	s.Backstage().Change(func() {
		v = limitsView{
			s.RedirectURL, pullTokens(s), s.EndExclusive, s.PullsCarryUserID, s.NoLongDetails,
			backfillView{s.BackfillDaysPerMinute, s.BackfillFixedMinutes, s.BackfillExactDuplicates, s.BackfillDelay.String()},
			rulesView{s.DeliveryItems, s.DeliveryTimeout.String(), s.DeliveryFirstRetry.String()},
			retentionView{s.KeepDeliveries, s.KeepRequests, s.KeepBytes},
		}
	})
	return v
}

// setLimits changes the fields that the body has.
func (c *control) setLimits(r *http.Request) (any, error) {
	v := c.limits()
	if err := readBody(r, &v); err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"required", "optional", "none"}, v.PullTokens) {
		return nil, errors.New("pullTokens is required, optional or none")
	}
	if u, err := url.Parse(v.RedirectURL); err != nil || v.RedirectURL != "" && (u.Scheme == "" || u.Host == "") {
		return nil, errors.New("the redirectURL is not a URL")
	}
	for _, n := range []int{v.Backfill.DaysPerMinute, v.Delivery.BatchItems, v.Retention.Deliveries, v.Retention.Requests} {
		if n < 0 {
			return nil, errors.New("a limit is negative")
		}
	}
	var d [3]time.Duration
	for i, text := range []string{v.Backfill.Delay, v.Delivery.Timeout, v.Delivery.FirstRetry} {
		var err error
		if d[i], err = time.ParseDuration(text); err != nil {
			return nil, err
		}
		if d[i] < 0 || d[i] > 1000*time.Hour {
			return nil, errors.New("a duration is negative or more than a thousand hours")
		}
	}
	s := c.s
	s.Backstage().Change(func() {
		s.RedirectURL, s.NoPullTokens, s.OptionalPullTokens = v.RedirectURL, v.PullTokens == "none", v.PullTokens == "optional"
		s.EndExclusive, s.PullsCarryUserID, s.NoLongDetails = v.EndExclusive, v.PullsCarryUserID, v.NoLongDetails
		s.BackfillDaysPerMinute, s.BackfillFixedMinutes = v.Backfill.DaysPerMinute, v.Backfill.FixedMinutes
		s.BackfillExactDuplicates, s.BackfillDelay = v.Backfill.ExactDuplicates, d[0]
		s.DeliveryItems, s.DeliveryTimeout, s.DeliveryFirstRetry = v.Delivery.BatchItems, d[1], d[2]
		s.KeepDeliveries, s.KeepRequests, s.KeepBytes = v.Retention.Deliveries, v.Retention.Requests, v.Retention.Bytes
	})
	return c.limits(), nil
}
