package verification

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/garminkit/activityapi/internal/junit"
)

// Verdict is the result of a check.
type Verdict string

// The verdicts.
const (
	Passed  Verdict = "pass"
	Failed  Verdict = "fail"
	Skipped Verdict = "skip"
)

// Check is one requirement and whether the endpoint meets it.
type Check struct {
	// Name is stable, so that a program may look for it.
	Name string `json:"name"`
	// Section is where the requirement comes from: a section of Garmin's
	// document, or another source.
	Section string `json:"section"`
	// Requirement states the requirement in a sentence.
	Requirement string  `json:"requirement"`
	Verdict     Verdict `json:"verdict"`
	// Detail says what was observed, if the check did not pass. It holds no
	// secret.
	Detail string `json:"detail,omitempty"`
	// Seconds is the duration of the slowest answer to a notification.
	Seconds float64 `json:"seconds"`
}

// Report is the result of [Run]. Programs can read it as JSON.
type Report struct {
	// Endpoint is the endpoint without its path, which may be secret.
	Endpoint string    `json:"endpoint"`
	Started  time.Time `json:"started"`
	Seconds  float64   `json:"seconds"`
	Checks   []Check   `json:"checks"`
	// Unverified lists what was not checked, so that a pass says nothing about
	// it.
	Unverified []string `json:"unverified,omitempty"`
}

// OK reports whether checks have passed and none has failed. Skipped checks do
// not count, so look at Unverified too.
func (r *Report) OK() bool { return r.count(Passed) > 0 && r.count(Failed) == 0 }

// open fills Unverified.
func (r *Report) open(o *Options) {
	if o.Delivered == nil {
		r.Unverified = append(r.Unverified, "deliveries: whether anything that was answered 200 is stored; an endpoint that throws all away passes too")
	}
	if o.Server == nil {
		r.Unverified = append(r.Unverified, "callbacks: whether pings are pulled and files downloaded, and after the 200; no server to call back was given")
	}
	if o.Server == nil && o.Delivered == nil {
		r.Unverified = append(r.Unverified, "users: whether two are connected; the data was that of users who are made up")
	}
	if c := r.Check("https"); c != nil && c.Verdict == Skipped {
		r.Unverified = append(r.Unverified, "https: whether Garmin can reach the endpoint; "+c.Detail)
	}
	if o.LargeBody < 0 || o.LargeDetails < 0 {
		r.Unverified = append(r.Unverified, "large bodies: turned off")
	}
}

// Check returns the check of that name, or nil.
func (r *Report) Check(name string) *Check {
	for i := range r.Checks {
		if r.Checks[i].Name == name {
			return &r.Checks[i]
		}
	}
	return nil
}

func (r *Report) count(v Verdict) (n int) {
	for _, c := range r.Checks {
		if c.Verdict == v {
			n++
		}
	}
	return n
}

// String returns the report as text, a line for each check.
func (r *Report) String() string {
	var b strings.Builder
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "%-4s  %-36s %6.2f s  %-10s  %s\n", strings.ToUpper(string(c.Verdict)), c.Name, c.Seconds, c.Section, c.Requirement)
		if c.Detail != "" {
			fmt.Fprintf(&b, "      -> %s\n", c.Detail)
		}
	}
	for _, u := range r.Unverified {
		fmt.Fprintf(&b, "NOT VERIFIED  %s\n", u)
	}
	fmt.Fprintf(&b, "%d passed, %d failed, %d skipped in %.1f s\n", r.count(Passed), r.count(Failed), r.count(Skipped), r.Seconds)
	return b.String()
}

// WriteJUnit writes the report as JUnit XML, which build servers read.
func (r *Report) WriteJUnit(w io.Writer) error {
	suite := &junit.Suite{Name: "Garmin partner verification", Started: r.Started, Seconds: r.Seconds}
	for _, c := range r.Checks {
		t := junit.Case{Class: "garmin.section " + c.Section, Name: c.Name, Seconds: c.Seconds}
		switch c.Verdict {
		case Failed:
			t.Failure = new(c.Requirement + ": " + c.Detail)
		case Skipped:
			t.Skipped = new(c.Detail)
		}
		suite.Cases = append(suite.Cases, t)
	}
	return junit.Write(w, suite)
}
