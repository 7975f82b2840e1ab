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
	// Days has the days of each kind in the ledger, from the first to the last with
	// a chunk.
	Days map[types.Kind][]Day
}

// Day describes one day of a user's history, of one kind.
type Day struct {
	// Date is midnight UTC.
	Date time.Time
	// State is the state of the chunk that contains the day, or zero if there is
	// none. If several chunks have parts of the day, it is the state that most
	// needs attention.
	State State
	// Waiting means that Garmin may still be sending: it has not answered the
	// request, or it accepted it less than 24 hours ago and nothing has arrived.
	Waiting bool
	// Arrived counts the summaries that started on this day.
	Arrived int
	// Why is the reason for a hole or refusal, with Garmin's message.
	Why string
}

// String returns what has become of the day: "not planned", "planned", "waiting",
// "delivered", "quiet" if Garmin accepted the request and nothing has arrived,
// "duplicate" if others requested the day before and nothing has arrived, "hole" or
// "refused".
func (d Day) String() string { return d.status().String() }

// quietAfter is how long after a request was accepted a day without summaries counts
// as quiet.
const quietAfter = 24 * time.Hour

// status is what has become of a day, ordered by increasing need for attention.
type status uint8

const (
	statusNone      status = iota // no chunk contains the day
	statusQuiet                   // Garmin accepted the request, but nothing has arrived
	statusDuplicate               // others requested it before; nothing will arrive
	statusDelivered               // summaries have arrived
	statusWaiting                 // requested, and Garmin may still be sending
	statusPlanned                 // not requested yet
	statusRefused                 // Garmin will not give it
	statusHole                    // no request for it has succeeded
)

var statusNames = [...]string{"not planned", "quiet", "duplicate", "delivered", "waiting", "planned", "refused", "hole"}

func (s status) String() string { return statusNames[s] }

func (d *Day) status() status {
	switch {
	case d.State == StatePlanned:
		return statusPlanned
	case d.State == StateHole:
		return statusHole
	case d.State == StateRefused:
		return statusRefused
	case d.Waiting:
		return statusWaiting
	case d.State == 0:
		return statusNone
	case d.Arrived > 0:
		return statusDelivered
	case d.State == StateDuplicate:
		return statusDuplicate
	}
	return statusQuiet
}

// NewReport reads a user's report from the ledger.
func NewReport(ctx context.Context, ledger Ledger, userID types.UserID) (*Report, error) {
	now := time.Now()
	chunks := make(map[types.Kind][]*Chunk)
	for c, err := range ledger.Chunks(ctx, userID) {
		if err != nil {
			return nil, err
		}
		chunks[c.Kind] = append(chunks[c.Kind], c)
	}
	r := &Report{UserID: userID, Days: map[types.Kind][]Day{}}
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
				days[i].add(c, now)
			}
		}
		r.Days[k] = days
	}
	return r, nil
}

// add takes into account a chunk that touches the day.
func (d *Day) add(c *Chunk, now time.Time) {
	n := Day{Date: d.Date, State: c.State, Arrived: d.Arrived}
	switch c.State {
	case StateRequested:
		n.Waiting = true
	case StateAccepted:
		n.Waiting = d.Arrived == 0 && now.Sub(c.Answered).Abs() < quietAfter // the clock may have been set back
	case StateHole, StateRefused:
		n.Why = c.Reason
		if c.Detail != "" && c.Reason != ReasonMinStart { // that one repeats the dates
			n.Why += ": " + c.Detail
		}
	}
	if n.status() > d.status() {
		*d = n
	}
}

// kinds yields the kinds of the report and their days, in the order of [Kinds].
func (r *Report) kinds(yield func(types.Kind, []Day) bool) {
	for _, k := range kinds {
		if days := r.Days[k]; len(days) > 0 && !yield(k, days) {
			return
		}
	}
}

// String returns a table of ranges and their status, a few lines for each kind.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "history of %s\n", r.UserID)
	for k, all := range r.kinds {
		fmt.Fprintf(&b, "%s\n", k)
		for days := range runs(all) {
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
				return class(d.status()) != class(days[0].status()) || d.Why != days[0].Why
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

func class(s status) status {
	if s == statusDelivered {
		return statusQuiet
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
	s := days[0].status()
	switch {
	case class(s) == statusQuiet:
		return fmt.Sprintf("delivered %d summaries on %d days, %d quiet", arrived, with, len(days)-with)
	case days[0].Why != "":
		return s.String() + ", " + days[0].Why
	}
	return s.String()
}
