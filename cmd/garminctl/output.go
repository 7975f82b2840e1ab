package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
)

// output writes results and remarks.
type output struct {
	stdout, stderr io.Writer
	json           bool
	terminal       bool   // stderr is one
	shown          string // the line of progress
}

func newOutput(stdout, stderr io.Writer, asJSON bool) *output {
	return &output{stdout: stdout, stderr: stderr, json: asJSON, terminal: isTerminal(stderr)}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// value prints v as JSON, or as text writes it.
func (o *output) value(v any, text func(w io.Writer)) error {
	o.progress("")
	if o.json {
		return json.NewEncoder(o.stdout).Encode(v)
	}
	text(o.stdout)
	return nil
}

// table prints rows in columns. Tabs separate the cells.
func table(w io.Writer, rows ...string) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(t, r)
	}
	_ = t.Flush()
}

// remark writes to stderr, for people.
func (o *output) remark(format string, args ...any) {
	o.progress("")
	fmt.Fprintf(o.stderr, format+"\n", args...)
}

// progress replaces the previous line of progress, if stderr is a terminal. "" removes
// it.
func (o *output) progress(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	if !o.terminal || line == o.shown {
		return
	}
	fmt.Fprintf(o.stderr, "\r%s\x1b[K", line)
	o.shown = line
}

// bar draws a progress bar.
func bar(done, total int) string {
	const width = 30
	full := 0
	if total > 0 {
		full = min(max(width*done/total, 0), width)
	}
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", width-full) + "]"
}
