// Backfill asks a fake Garmin for five years of history of three users, under
// the limit of an evaluation key.
//
//	go run ./examples/backfill
//
// That takes nearly three hours, so it runs in virtual time, whose clock jumps
// to the next thing to happen whenever all wait. It shows the plan, a progress
// bar, what became of each range, and writes a calendar picture for each user
// to the directory that -dir names.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
)

func main() {
	dir := flag.String("dir", ".", "where to write the pictures")
	flag.Parse()
	out := os.Stdout
	inVirtualTime(func(ctx context.Context) error { return story(ctx, out, *dir) })
}

// inVirtualTime runs f in a bubble of testing/synctest and ends the program.
// That package is made for tests, so f has to be one. A program that talks to
// Garmin just calls f.
func inVirtualTime(f func(context.Context) error) {
	os.Stdout, _ = os.Open(os.DevNull) // for what a test run prints
	testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{
		Name: "backfill",
		F: func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if err := f(t.Context()); err != nil {
					fmt.Fprintln(os.Stderr, "backfill:", err)
					t.Fail()
				}
			})
		},
	}}, nil, nil)
}

// bar is a progress bar: one line of a terminal, or in a file a line for each
// tenth.
type bar struct {
	out      io.Writer
	terminal bool
	tenths   int
}

func newBar(out io.Writer) *bar {
	b := &bar{out: out}
	if f, ok := out.(*os.File); ok {
		info, err := f.Stat()
		b.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return b
}

func (b *bar) draw(share float64, note string) {
	const width = 40
	full := int(share * width)
	line := fmt.Sprintf("[%-*.*s] %3.0f %%  %-40s", width, full, "########################################", 100*share, note)
	if b.terminal {
		fmt.Fprint(b.out, "\r", line)
	} else if tenths := int(share * 10); tenths > b.tenths {
		b.tenths = tenths
		fmt.Fprintln(b.out, strings.TrimSpace(line))
	}
}
