package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest/verification"
)

// sink answers 200 and throws everything away.
var sink = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })

// sunk is what is reported of a sink.
func sunk(t *testing.T) *verification.Report {
	t.Helper()
	r, err := verification.Run(t.Context(), "", &verification.Options{Handler: sink, LargeBody: 1000, LargeDetails: 1000})
	require.NoError(t, err)
	return r
}

func (d *dossier) find(t *testing.T, id string) line {
	t.Helper()
	for _, p := range d.Parts {
		for _, l := range p.Lines {
			if l.ID == id {
				return l
			}
		}
	}
	t.Fatalf("there is no line %s", id)
	return line{}
}

// with returns the report with other verdicts.
func with(r *verification.Report, verdict func(name string) verification.Verdict) *verification.Report {
	c := *r
	c.Checks = slices.Clone(r.Checks)
	for i := range c.Checks {
		c.Checks[i].Verdict = verdict(c.Checks[i].Name)
	}
	return &c
}

// TestDossierKnowsTheChecks: each check is in it, in a line of the review or beyond
// it, and each name that a line asks for is that of a check.
func TestDossierKnowsTheChecks(t *testing.T) {
	r := sunk(t)
	for _, m := range technical {
		for _, name := range slices.Concat(m.proof, m.instead, m.also) {
			require.True(t, slices.ContainsFunc(r.Checks, func(c verification.Check) bool { return matches(c.Name, []string{name}) }), "%s asks for %s", m.id, name)
		}
	}
	d := newDossier(r)
	require.Equal(t, []string{"Technical review", "User experience and brand", "Account", "Beyond the review"},
		[]string{d.Parts[0].Title, d.Parts[1].Title, d.Parts[2].Title, d.Parts[3].Title})
	seen, ids := map[string]bool{}, map[string]bool{}
	for _, p := range d.Parts {
		for _, l := range p.Lines {
			require.False(t, ids[l.ID], "%s comes twice", l.ID)
			ids[l.ID] = true
			require.NotEmpty(t, l.Requirement)
			if l.Verdict == standsOpen {
				require.NotEmpty(t, l.Left, "%s is open, and nobody knows why", l.ID)
			}
			for _, c := range l.Evidence {
				seen[c.Name] = true
			}
		}
	}
	for _, c := range r.Checks {
		require.True(t, seen[c.Name], "%s is nowhere", c.Name)
	}
	require.Equal(t, len(ids), d.Passed+d.Failed+d.Open)
}

// TestSinkDoesNotPass: of an endpoint that answers 200 to everything and keeps
// nothing, only the answers were seen.
func TestSinkDoesNotPass(t *testing.T) {
	d := newDossier(sunk(t))
	for id, want := range map[string]standing{
		"authorized-users": standsOpen, "account-endpoints": standsOpen, "notifications": standsOpen, "answers": standsSeen,
		"asynchronous": standsOpen, "payload": standsSeen, "payload-details": standsSeen, "partner-verification": standsOpen,
		"brand-uses": standsOpen, "products": standsOpen, "attribution": standsOpen, "journey": standsOpen, "account-users": standsOpen, "news": standsOpen,
	} {
		require.Equal(t, want, d.find(t, id).Verdict, id)
	}
	require.Zero(t, d.Failed)
	require.Contains(t, strings.Join(d.find(t, "notifications").Left, "\n"), "Give -deliveries")
	require.Contains(t, strings.Join(d.find(t, "asynchronous").Left, "\n"), "Give -api")
}

// TestNoPassForWhatWasNotSeen: whatever the verdicts are, a line passes only if each
// check that it stands on has passed, nothing that belongs to it has failed, and it
// can be seen from here at all.
func TestNoPassForWhatWasNotSeen(t *testing.T) {
	r := sunk(t)
	random := rand.New(rand.NewPCG(1, 2))
	verdicts := []verification.Verdict{verification.Passed, verification.Passed, verification.Passed, verification.Failed, verification.Skipped, ""}
	counts := map[standing]int{}
	for range 2000 {
		rare := random.IntN(40) // how often something does not pass
		some := with(r, func(string) verification.Verdict {
			if random.IntN(1+rare) == 0 {
				return verdicts[random.IntN(len(verdicts))]
			}
			return verification.Passed
		})
		if n := random.IntN(3); n == 0 { // a check was never made
			i := random.IntN(len(some.Checks))
			some.Checks = slices.Delete(some.Checks, i, i+1)
		}
		byName := map[string]verification.Verdict{}
		for _, c := range some.Checks {
			byName[c.Name] = c.Verdict
		}
		d := newDossier(some)
		for _, m := range slices.Concat(technical, experience, account) {
			l := d.find(t, m.id)
			counts[l.Verdict]++
			all := func(list []string) bool {
				for _, want := range list {
					prefix, star := strings.CutSuffix(want, "*")
					some := false
					for name, v := range byName {
						if name == want || star && strings.HasPrefix(name, prefix) {
							if some = true; v != verification.Passed {
								return false
							}
						}
					}
					if !some {
						return false
					}
				}
				return len(list) > 0
			}
			failed := slices.ContainsFunc(l.Evidence, func(c verification.Check) bool { return c.Verdict == verification.Failed })
			require.Equal(t, failed, l.Verdict == standsFailed)
			if l.Verdict == standsSeen {
				require.False(t, m.unseen)
				require.True(t, all(m.proof) || all(m.instead), m.id)
			}
		}
	}
	require.Positive(t, counts[standsSeen])
	require.Positive(t, counts[standsFailed])
	require.Positive(t, counts[standsOpen])

	everything := newDossier(with(r, func(string) verification.Verdict { return verification.Passed }))
	require.Equal(t, standsSeen, everything.find(t, "notifications").Verdict)
	require.Equal(t, standsSeen, everything.find(t, "asynchronous").Verdict)
	require.Equal(t, standsOpen, everything.find(t, "authorized-users").Verdict, "that they are Garmin's users is seen at Garmin alone")
	nothing := newDossier(&verification.Report{})
	require.Zero(t, nothing.Passed+nothing.Failed)
}

// TestDossierForms: the four files say the same, and are what their endings say.
func TestDossierForms(t *testing.T) {
	dir := t.TempDir()
	r := with(sunk(t), func(name string) verification.Verdict {
		if name == "large-body" {
			return verification.Failed
		}
		return verification.Passed
	})
	r.Endpoint, r.Started = "https://partner.example.com/...", time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)
	for i := range r.Checks {
		if r.Checks[i].Name == "large-body" {
			r.Checks[i].Detail = `answered 413; <b>&"only" 200 counts`
		}
	}
	names := []string{filepath.Join(dir, "a.txt"), filepath.Join(dir, "a.JSON"), filepath.Join(dir, "a.xml"), filepath.Join(dir, "a.html")}
	require.NoError(t, checkDossier(names))
	require.NoError(t, writeDossier(r, names))
	d := newDossier(r)
	var files []string
	for _, name := range names {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		files = append(files, string(b))
	}
	require.Contains(t, files[0], "Production review of https://partner.example.com/...\ntried on 2026-11-29 08:00 UTC")
	require.Contains(t, files[0], "FAIL  A body of 10 MB is taken")
	require.Contains(t, files[0], `failed: large-body: answered 413; <b>&"only" 200 counts`)
	require.Contains(t, files[0], "[ ] Screenshot: the completed verification")

	var back dossier
	require.NoError(t, json.Unmarshal([]byte(files[1]), &back))
	require.Equal(t, *d, back)

	var suite struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Skipped  int `xml:"skipped,attr"`
		Cases    []struct {
			Name    string    `xml:"name,attr"`
			Failure *struct{} `xml:"failure"`
			Skipped *struct{} `xml:"skipped"`
		} `xml:"testcase"`
	}
	require.NoError(t, xml.Unmarshal([]byte(files[2]), &suite))
	require.Len(t, suite.Cases, suite.Tests)
	require.Equal(t, []int{d.Failed, d.Open}, []int{suite.Failures, suite.Skipped})
	failures, skipped := 0, 0
	for _, c := range suite.Cases {
		if c.Failure != nil {
			failures++
		}
		if c.Skipped != nil {
			skipped++
		}
	}
	require.Equal(t, []int{d.Failed, d.Open}, []int{failures, skipped})

	require.NotContains(t, files[3], "<b>&")
	for _, p := range d.Parts {
		require.Contains(t, files[3], "<h2>"+p.Title+"</h2>")
		for _, l := range p.Lines {
			require.Contains(t, files[3], `<div id="`+l.ID+`">`)
		}
	}
	require.NotContains(t, files[3], "http-equiv=\"refresh\"")
	require.NotContains(t, files[3], "<script")

	require.ErrorIs(t, checkDossier([]string{"a.pdf"}), ErrUsage)
	require.ErrorIs(t, checkDossier([]string{"a"}), ErrUsage)
	require.Error(t, writeDossier(r, []string{filepath.Join(dir, "none", "a.txt")}))
}

// TestDossierByTheProgram: it is written whether the endpoint passes or not, and
// holds no secret of its address.
func TestDossierByTheProgram(t *testing.T) {
	name := filepath.Join(t.TempDir(), "review.html")
	var out, errs bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	passed, err := Run(ctx, "http://127.0.0.1:1/garmin/path-secret?x=query-secret", &Options{Small: true, Dossier: []string{name}}, &out, &errs)
	require.NoError(t, err)
	require.False(t, passed)
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Contains(t, string(b), "Production review of http://127.0.0.1:1/...")
	require.NotContains(t, string(b), "-secret")
	_, err = Run(ctx, "http://127.0.0.1:1/", &Options{Dossier: []string{"a.pdf"}}, &out, &errs)
	require.ErrorIs(t, err, ErrUsage)
}
