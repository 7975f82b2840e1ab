package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// driftCommand shows what a running service has counted.
type driftCommand struct {
	Admin string `required:"" env:"GARMIN_ADMIN" placeholder:"URL" help:"Admin API of the running service, such as https://me.example.com/admin."`
}

// driftReport is what the admin API answers, as drift.Report marshals.
type driftReport struct {
	Module   string         `json:"module"`
	Version  string         `json:"version"`
	Since    time.Time      `json:"since"`
	Findings []driftFinding `json:"findings"`
	Others   int64          `json:"others,omitempty"`
}

type driftFinding struct {
	Kind  string    `json:"kind"`
	Where string    `json:"where"`
	What  string    `json:"what,omitempty"`
	Count int64     `json:"count"`
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
}

// String returns the finding in one line, as drift.Report does.
func (f *driftFinding) String() string {
	line := fmt.Sprintf("%6d  %s  %s", f.Count, f.Kind, f.Where)
	if f.What != "" {
		line += ": " + f.What
	}
	return line
}

// Run prints the report, ready to be pasted. The status says whether it has findings.
func (c *driftCommand) Run(ctx context.Context, out *output) error {
	p, err := openPanel(c.Admin)
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if err := p.get(ctx, "drift", nil, &raw); err != nil {
		return err
	}
	var r driftReport
	if err := json.Unmarshal(raw, &r); err != nil || r.Module == "" {
		return errors.New("the admin API answers no report: is it of another version?")
	}
	if err := out.value(&r, r.print); err != nil {
		return err
	}
	if len(r.Findings) > 0 {
		return errFound
	}
	return nil
}

func (r *driftReport) print(w io.Writer) {
	fmt.Fprintf(w, "%s %s, since %s\n", r.Module, r.Version, r.Since.Format(time.RFC3339))
	for i := range r.Findings {
		fmt.Fprintln(w, r.Findings[i].String())
	}
	switch {
	case r.Others > 0:
		fmt.Fprintf(w, "%6d  others\n", r.Others)
	case len(r.Findings) == 0:
		fmt.Fprintln(w, "Garmin has sent nothing that this version does not know.")
	}
}
