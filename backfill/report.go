package backfill

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/garminkit/activityapi/types"
)

// Report shows the state of a user's history, day by day. Days are in UTC.
type Report struct {
	UserID types.UserID
	// Kinds has a calendar for each kind in the ledger, in the order of [Kinds].
	Kinds []Calendar
}

// Calendar holds the days of one kind, from the first to the last with a chunk in
// the ledger.
type Calendar struct {
	Kind types.Kind
	Days []Day
}

// Day describes one day.
type Day struct {
	// Date is midnight UTC.
	Date   time.Time
	Status Status
	// Arrived counts the summaries that started on this day.
	Arrived int
	// Why is the reason for a hole or refusal, with Garmin's message.
	Why string
}

// Status is the state of a day. If parts of a day differ, it is the one that
// needs more attention.
type Status uint8

// Ordered by increasing need for attention.
const (
	// StatusNone: no chunk contains the day.
	StatusNone Status = iota
	// StatusQuiet: Garmin accepted the request, but nothing has arrived.
	StatusQuiet
	// StatusDuplicate: others requested it before; nothing will arrive.
	StatusDuplicate
	// StatusDelivered: summaries have arrived.
	StatusDelivered
	// StatusWaiting: requested, and Garmin may still be sending.
	StatusWaiting
	// StatusPlanned: not requested yet.
	StatusPlanned
	// StatusRefused: Garmin will not give it.
	StatusRefused
	// StatusHole: no request for it has succeeded.
	StatusHole
)

var statusNames = [...]string{"not planned", "quiet", "duplicate", "delivered", "waiting", "planned", "refused", "hole"}

// String returns the status in words, such as "delivered".
func (s Status) String() string {
	if int(s) >= len(statusNames) {
		return fmt.Sprintf("Status(%d)", uint8(s))
	}
	return statusNames[s]
}

// ReportOptions are the optional settings of NewReport. nil means the zero value.
type ReportOptions struct {
	// QuietAfter is how long after a request was accepted a day without
	// summaries counts as quiet. Zero means 24 hours.
	QuietAfter time.Duration
}

// NewReport reads a user's report from the ledger.
func NewReport(ctx context.Context, ledger Ledger, userID types.UserID, opts *ReportOptions) (*Report, error) {
	quietAfter := 24 * time.Hour
	if opts != nil && opts.QuietAfter > 0 {
		quietAfter = opts.QuietAfter
	}
	now := time.Now()
	chunks := make(map[types.Kind][]*Chunk)
	for c, err := range ledger.Chunks(ctx, userID) {
		if err != nil {
			return nil, err
		}
		chunks[c.Kind] = append(chunks[c.Kind], c)
	}
	r := &Report{UserID: userID}
	for _, k := range Kinds() {
		cs := chunks[k]
		if len(cs) == 0 {
			continue
		}
		first := floorDay(cs[0].Window.Start)
		end := cs[len(cs)-1].Window.End
		days := make([]Day, Cost(types.Window{Start: first, End: end}))
		index := func(t time.Time) int { return int(t.Unix()-first.Unix()) / 86400 }
		for i := range days {
			days[i].Date = first.AddDate(0, 0, i)
		}
		for at, err := range ledger.Arrivals(ctx, userID, k, types.Window{Start: first, End: end}) {
			if err != nil {
				return nil, err
			}
			days[index(at)].Arrived++
		}
		for _, c := range cs {
			for i := index(c.Window.Start); i <= index(c.Window.End.Add(-time.Second)); i++ {
				days[i].add(c, now, quietAfter)
			}
		}
		r.Kinds = append(r.Kinds, Calendar{Kind: k, Days: days})
	}
	return r, nil
}

// add takes into account a chunk that touches the day.
func (d *Day) add(c *Chunk, now time.Time, quietAfter time.Duration) {
	s := StatusNone
	switch c.State {
	case StatePlanned:
		s = StatusPlanned
	case StateRequested:
		s = StatusWaiting
	case StateAccepted, StateDuplicate:
		switch {
		case d.Arrived > 0:
			s = StatusDelivered
		case c.State == StateDuplicate:
			s = StatusDuplicate
		case now.Sub(c.Answered).Abs() < quietAfter: // the clock may have been set back
			s = StatusWaiting
		default:
			s = StatusQuiet
		}
	case StateHole:
		s = StatusHole
	case StateRefused:
		s = StatusRefused
	}
	if s <= d.Status {
		return
	}
	d.Status, d.Why = s, ""
	if s == StatusHole || s == StatusRefused {
		d.Why = string(c.Reason)
		if c.Detail != "" && c.Reason != ReasonMinStart { // that one repeats the dates
			d.Why += ": " + c.Detail
		}
	}
}

// Count returns how many days have each status.
func (c *Calendar) Count() map[Status]int {
	n := make(map[Status]int)
	for _, d := range c.Days {
		n[d.Status]++
	}
	return n
}

// String returns a table of ranges and their status, a few lines for each kind.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "history of %s\n", r.UserID)
	for _, c := range r.Kinds {
		fmt.Fprintf(&b, "%s\n", c.Kind)
		for days := range runs(c.Days) {
			fmt.Fprintf(&b, "  %s to %s  %5d days  %s\n", days[0].Date.Format(time.DateOnly),
				days[len(days)-1].Date.Format(time.DateOnly), len(days), outcome(days))
		}
	}
	return b.String()
}

// runs yields the longest stretches of days with the same outcome, where
// delivered and quiet days count as one: answered.
func runs(days []Day) func(yield func([]Day) bool) {
	return func(yield func([]Day) bool) {
		for len(days) > 0 {
			n := slices.IndexFunc(days, func(d Day) bool {
				return class(d.Status) != class(days[0].Status) || d.Why != days[0].Why
			})
			if n < 0 {
				n = len(days)
			}
			if !yield(days[:n]) {
				return
			}
			days = days[n:]
		}
	}
}

func class(s Status) Status {
	if s == StatusDelivered {
		return StatusQuiet
	}
	return s
}

// outcome describes a run of days.
func outcome(days []Day) string {
	with, arrived := 0, 0
	for _, d := range days {
		arrived += d.Arrived
		if d.Arrived > 0 {
			with++
		}
	}
	s := days[0].Status
	switch {
	case class(s) == StatusQuiet:
		return fmt.Sprintf("delivered %d summaries on %d days, %d quiet", arrived, with, len(days)-with)
	case days[0].Why != "":
		return s.String() + ", " + days[0].Why
	}
	return s.String()
}
