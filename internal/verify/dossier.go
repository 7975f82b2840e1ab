package verify

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest/verification"
)

// standing is what is known of a line of the review.
type standing string

const (
	standsSeen   standing = "pass" // seen, all of it
	standsFailed standing = "fail" // seen to be wrong
	standsOpen   standing = "open" // not seen, or not to be seen from here
)

// dossier is what Garmin's review asks for, in its order: what was seen of each
// line, and what is left to be shown. Nothing passes that was not seen.
type dossier struct {
	Endpoint string    `json:"endpoint"`
	Started  time.Time `json:"started"`
	Seconds  float64   `json:"seconds"`
	Passed   int       `json:"passed"`
	Failed   int       `json:"failed"`
	Open     int       `json:"open"`
	Parts    []part    `json:"parts"`
}

type part struct {
	Title string `json:"title"`
	Lines []line `json:"lines"`
}

type line struct {
	ID          string   `json:"id"`
	Requirement string   `json:"requirement"`
	Verdict     standing `json:"verdict"`
	// Evidence is what was tried for it.
	Evidence []verification.Check `json:"evidence,omitempty"`
	// Left is what is to be shown to Garmin, or to be tried here.
	Left []string `json:"left,omitempty"`
}

// demand is a line before anything is known of it.
type demand struct {
	id, text string
	// proof are the checks that must all pass. A name that ends with * is every
	// check that begins so. Instead are other ones that do as well.
	proof, instead []string
	// also are checks that belong to it and must not fail.
	also []string
	// unseen is set if the line cannot be seen from here, whatever passes.
	unseen bool
	// show is what Garmin wants to be shown, and try what would let it be seen.
	show, try string
}

// The technical review, in Garmin's order.
var technical = []demand{
	{
		id: "authorized-users", text: "Two Garmin Connect users or more have authorized the application",
		proof: []string{"two-users"}, unseen: true,
		show: "Screenshot: the users that the Partner Verification tool counts. That they are Garmin's is seen there alone",
		try:  "Give -user twice with -deliveries or -api: it shows that the application knows two users apart",
	},
	{
		id: "account-endpoints", text: "The endpoints for deregistrations and for changes of permissions are enabled",
		proof: []string{"deregistration", "permission-change"}, unseen: true,
		show: "Screenshot: both rows of the endpoint configuration tool, enabled and with this endpoint's address",
	},
	{
		id: "notifications", text: "Pings or pushes are processed; an application that only pulls is refused",
		proof: []string{"push-*", "delivered-activities", "delivered-manuallyUpdatedActivities", "delivered-activityDetails", "delivered-moveIQActivities"}, instead: []string{"ping-*", "callback-*"},
		also: []string{"delivered-*", "callback-*", "push-*", "ping-*", "file-token", "file-once"},
		try:  "Give -deliveries to show that pushes are stored, or -api to show that pings are pulled: a 200 alone shows neither",
	},
	{
		id: "answers", text: "All that comes is answered 200 within 30 seconds",
		proof: []string{"push-*", "ping-*", "deregistration", "permission-change", "duplicate", "edit", "parallel"},
		also:  []string{"unknown-type", "unknown-key", "unknown-user", "empty-list", "several-keys"},
	},
	{
		id: "asynchronous", text: "The 200 is sent before the data is processed",
		proof: []string{"callback-*"},
		try:   "Give -api: a callback that is held up shows whether the answer waits for it",
	},
	{
		id: "payload", text: "A body of 10 MB is taken",
		proof: []string{"large-body"}, also: []string{"delivered-large-body"},
		try: "Leave -small out",
	},
	{
		id: "payload-details", text: "A body of 100 MB of activity details is taken",
		proof: []string{"large-details"},
		try:   "Leave -small out",
	},
	{
		id: "partner-verification", text: "The Partner Verification tool finds nothing missing", unseen: true,
		show: "Screenshot: the completed verification",
	},
}

// What people see of the application, and the account: all of it is to be shown.
var (
	experience = []demand{
		{id: "brand-uses", text: "Every use of Garmin's trademarks, logos and other marks", unseen: true, show: "Screenshots or a video of each place where one appears"},
		{id: "products", text: "Every picture and mention of a Garmin product", unseen: true, show: "Screenshots or a video of each"},
		{id: "attribution", text: "The attribution that the brand guidelines ask for, wherever data is shown", unseen: true, show: "Screenshots: title and detail views, exports and shared pictures. types.Attribution makes the text"},
		{id: "journey", text: "The whole way of a user: connect, see data, disconnect", unseen: true, show: "A video, or screenshots in order"},
	}
	account = []demand{
		{id: "account-users", text: "Everyone who works with the account has been added to it", unseen: true, show: "Screenshot: the account's list of users, without addresses of role accounts"},
		{id: "news", text: "The API blog is subscribed to by e-mail", unseen: true, show: "The address that gets it"},
	}
)

// newDossier puts a report into the order of the review.
func newDossier(r *verification.Report) *dossier {
	d := &dossier{Endpoint: r.Endpoint, Started: r.Started, Seconds: r.Seconds}
	used := map[string]bool{}
	for _, p := range []struct {
		title   string
		demands []demand
	}{
		{"Technical review", technical},
		{"User experience and brand", experience},
		{"Account", account},
	} {
		lines := part{Title: p.title}
		for _, m := range p.demands {
			lines.Lines = append(lines.Lines, m.line(r, used))
		}
		d.Parts = append(d.Parts, lines)
	}
	rest := part{Title: "Beyond the review"}
	for _, c := range r.Checks {
		if !used[c.Name] {
			m := demand{id: c.Name, text: sentence(c.Requirement), proof: []string{c.Name}}
			rest.Lines = append(rest.Lines, m.line(r, used))
		}
	}
	d.Parts = append(d.Parts, rest)
	for _, p := range d.Parts {
		for _, l := range p.Lines {
			switch l.Verdict {
			case standsSeen:
				d.Passed++
			case standsFailed:
				d.Failed++
			default:
				d.Open++
			}
		}
	}
	return d
}

func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// line looks for the evidence.
func (m *demand) line(r *verification.Report, used map[string]bool) line {
	l := line{ID: m.id, Requirement: m.text, Verdict: standsOpen}
	failed := false
	for _, c := range r.Checks {
		if matches(c.Name, slices.Concat(m.proof, m.instead, m.also)) {
			l.Evidence = append(l.Evidence, c)
			used[c.Name] = true
			failed = failed || c.Verdict == verification.Failed
		}
	}
	proved := passed(r, m.proof) || passed(r, m.instead)
	switch {
	case failed:
		l.Verdict = standsFailed
	case proved && !m.unseen:
		l.Verdict = standsSeen
	}
	if m.show != "" {
		l.Left = append(l.Left, m.show)
	}
	if !failed && len(m.proof) > 0 && !proved {
		if m.try != "" {
			l.Left = append(l.Left, m.try)
		}
		for _, c := range l.Evidence {
			if c.Verdict == verification.Skipped && c.Detail != "" && !slices.Contains(l.Left, "Not seen: "+c.Detail) {
				l.Left = append(l.Left, "Not seen: "+c.Detail)
			}
		}
	}
	return l
}

// matches reports whether a check is one of these.
func matches(name string, list []string) bool {
	return slices.ContainsFunc(list, func(want string) bool {
		prefix, all := strings.CutSuffix(want, "*")
		return name == want || all && strings.HasPrefix(name, prefix)
	})
}

// passed reports whether there is a check for each of these, and all pass.
func passed(r *verification.Report, list []string) bool {
	for _, want := range list {
		found := false
		for _, c := range r.Checks {
			if matches(c.Name, []string{want}) {
				if c.Verdict != verification.Passed {
					return false
				}
				found = true
			}
		}
		if !found {
			return false
		}
	}
	return len(list) > 0
}

// slowest is the longest answer that was part of the evidence.
func (l line) slowest() (seconds float64) {
	for _, c := range l.Evidence {
		seconds = max(seconds, c.Seconds)
	}
	return seconds
}

// Found says in a few words what the evidence is.
func (l line) Found() string {
	if len(l.Evidence) == 0 {
		return ""
	}
	n := map[verification.Verdict]int{}
	for _, c := range l.Evidence {
		n[c.Verdict]++
	}
	var words []string
	for _, v := range []verification.Verdict{verification.Passed, verification.Failed, verification.Skipped} {
		if n[v] > 0 {
			words = append(words, fmt.Sprintf("%d %s", n[v], map[verification.Verdict]string{
				verification.Passed: "passed", verification.Failed: "failed", verification.Skipped: "not tried",
			}[v]))
		}
	}
	text := strings.Join(words, ", ")
	if s := l.slowest(); s >= 0.01 {
		text += fmt.Sprintf("; the slowest answer took %.2f s", s)
	}
	return text
}
