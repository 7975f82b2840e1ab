// Package junit writes results as JUnit XML, which build servers read.
package junit

import (
	"encoding/xml"
	"fmt"
	"io"
	"time"
)

// Suite is a report.
type Suite struct {
	Name    string
	Started time.Time
	Seconds float64
	Cases   []Case
}

// Case is one result. Without Failure and Skipped, it passed.
type Case struct {
	Class, Name      string
	Seconds          float64
	Failure, Skipped *string // what is said of it
	Out              string  // what the case found, "" for nothing
}

// Write writes the report.
func Write(w io.Writer, s *Suite) error {
	type message struct {
		Message string `xml:"message,attr"`
	}
	type testCase struct {
		Class   string   `xml:"classname,attr"`
		Name    string   `xml:"name,attr"`
		Seconds string   `xml:"time,attr"`
		Failure *message `xml:"failure,omitempty"`
		Skipped *message `xml:"skipped,omitempty"`
		Out     string   `xml:"system-out,omitempty"`
	}
	suite := struct {
		XMLName  xml.Name   `xml:"testsuite"`
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Skipped  int        `xml:"skipped,attr"`
		Errors   int        `xml:"errors,attr"`
		Seconds  string     `xml:"time,attr"`
		Started  string     `xml:"timestamp,attr"`
		Cases    []testCase `xml:"testcase"`
	}{
		Name: s.Name, Tests: len(s.Cases), Seconds: seconds(s.Seconds), Started: s.Started.UTC().Format("2006-01-02T15:04:05"),
	}
	for _, c := range s.Cases {
		t := testCase{Class: c.Class, Name: c.Name, Seconds: seconds(c.Seconds), Out: c.Out}
		if c.Failure != nil {
			t.Failure = &message{*c.Failure}
			suite.Failures++
		}
		if c.Skipped != nil {
			t.Skipped = &message{*c.Skipped}
			suite.Skipped++
		}
		suite.Cases = append(suite.Cases, t)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(suite); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func seconds(s float64) string { return fmt.Sprintf("%.3f", s) }
