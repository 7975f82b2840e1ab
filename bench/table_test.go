package bench

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

var (
	rounds = flag.Int("rounds", 0, "print the table of all decoders, with the best of so many rounds")
	only   = flag.String("bodies", "", "bodies of the table whose name contains this")
)

// references are what the hardware and others do with the same bytes.
var references = []decoder{
	{"copy", func(b []byte) (int, error) {
		copied = append(copied[:0], b...)
		return 0, nil
	}},
}

var copied []byte

// TestTable prints what each decoder and each validity scan makes of each
// body: megabytes a second by the clock, and by the time of all processors,
// which other programs disturb less. The decoders take turns, in changing order, so that
// what disturbs one disturbs all, and the best round of each counts.
func TestTable(t *testing.T) {
	if *rounds == 0 {
		t.Skip("give -rounds 10")
	}
	for _, body := range bodies {
		if strings.Contains(body.name, *only) {
			table(t, body.name, body.make())
		}
	}
}

func table(t *testing.T, name string, data []byte) {
	type line struct {
		decoder
		clock, used time.Duration
		allocs      uint64
	}
	var lines []*line
	add := func(prefix string, ds []decoder) {
		for _, d := range ds {
			if _, err := d.run(data); err != nil {
				t.Logf("%s: %s left out: %v", name, d.name, err)
				continue
			}
			d.name = prefix + d.name
			lines = append(lines, &line{d, math.MaxInt64, math.MaxInt64, 0})
		}
	}
	add("", decoders)
	add("valid: ", validators)
	add("", references)
	var before, after runtime.MemStats
	for range *rounds {
		// The order changes, since whoever runs after a greedy decoder finds
		// the memory gone back to the system.
		for _, i := range rand.Perm(len(lines)) {
			l := lines[i]
			runtime.GC()
			runtime.ReadMemStats(&before)
			used, start := processorTime(), time.Now()
			if _, err := l.run(data); err != nil {
				t.Fatal(err)
			}
			l.clock = min(l.clock, time.Since(start))
			l.used = min(l.used, processorTime()-used)
			runtime.ReadMemStats(&after)
			l.allocs = after.Mallocs - before.Mallocs
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s (%.1f MB)\tMB/s\tMB/s of processor time\tallocations\t\n", name, float64(len(data))/1e6)
	for _, l := range lines {
		rate := func(d time.Duration) float64 { return float64(len(data)) / 1e6 / d.Seconds() }
		fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%d\t\n", l.name, rate(l.clock), rate(l.used), l.allocs)
	}
	w.Flush()
	fmt.Println()
}

// TestTheSame makes sure that the decoders in the table do the same work.
func TestTheSame(t *testing.T) {
	for _, body := range bodies[:2] {
		data := body.make()
		want, _ := decoders[0].run(data)
		for _, d := range decoders {
			if n, err := d.run(data); err != nil || n != want || n == 0 {
				t.Errorf("%s: %s reads %d records, %v; want %d", body.name, d.name, n, err, want)
			}
		}
		if !bytes.HasPrefix(data, []byte("{")) {
			t.Errorf("%s is no notification", body.name)
		}
	}
}
