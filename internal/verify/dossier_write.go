package verify

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/garminkit/activityapi/activity/activitytest/verification"
	"github.com/garminkit/activityapi/internal/junit"
)

// forms are the ways to write a dossier, by the ending of the file's name.
var forms = map[string]func(*dossier, io.Writer) error{
	".txt": (*dossier).text, ".json": (*dossier).json, ".xml": (*dossier).junit, ".html": (*dossier).html,
}

// checkDossier demands names whose ending is known.
func checkDossier(names []string) error {
	for _, name := range names {
		if forms[strings.ToLower(filepath.Ext(name))] == nil {
			return fmt.Errorf("%w: -dossier takes a name that ends with .txt, .json, .xml (JUnit) or .html", ErrUsage)
		}
	}
	return nil
}

// writeDossier writes the files.
func writeDossier(r *verification.Report, names []string) error {
	d := newDossier(r)
	for _, name := range names {
		f, err := os.Create(name)
		if err != nil {
			return err
		}
		if err := errors.Join(forms[strings.ToLower(filepath.Ext(name))](d, f), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

func (d *dossier) json(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(d)
}

func (d *dossier) text(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Production review of %s\ntried on %s, %.0f s: %d seen, %d failed, %d open\n",
		d.Endpoint, d.Started.UTC().Format("2006-01-02 15:04 UTC"), d.Seconds, d.Passed, d.Failed, d.Open)
	for i, p := range d.Parts {
		fmt.Fprintf(&b, "\n%d. %s\n", i+1, p.Title)
		for _, l := range p.Lines {
			fmt.Fprintf(&b, "\n  %-4s  %s\n", strings.ToUpper(string(l.Verdict)), l.Requirement)
			if found := l.Found(); found != "" {
				fmt.Fprintf(&b, "        %s\n", found)
			}
			for _, c := range l.Evidence {
				if c.Verdict == verification.Failed {
					fmt.Fprintf(&b, "        failed: %s: %s\n", c.Name, c.Detail)
				}
			}
			for _, left := range l.Left {
				fmt.Fprintf(&b, "        [ ] %s\n", left)
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// junit writes a case for each line. One that is open is skipped.
func (d *dossier) junit(w io.Writer) error {
	suite := &junit.Suite{Name: "Garmin production review", Started: d.Started, Seconds: d.Seconds}
	for _, p := range d.Parts {
		for _, l := range p.Lines {
			c := junit.Case{Class: "review." + p.Title, Name: l.ID, Seconds: l.slowest(), Out: l.Found()}
			switch l.Verdict {
			case standsFailed:
				c.Failure = new(l.Requirement + ": " + l.failures())
			case standsOpen:
				c.Skipped = new(strings.Join(l.Left, "; "))
			}
			suite.Cases = append(suite.Cases, c)
		}
	}
	return junit.Write(w, suite)
}

func (l line) failures() string {
	var list []string
	for _, c := range l.Evidence {
		if c.Verdict == verification.Failed {
			list = append(list, c.Name+": "+c.Detail)
		}
	}
	return strings.Join(list, "; ")
}

//go:embed dossier.html
var dossierHTML string

func (d *dossier) html(w io.Writer) error {
	t, err := template.New("dossier").Parse(dossierHTML)
	if err != nil {
		return err
	}
	return t.Execute(w, d)
}
