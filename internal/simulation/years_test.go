package simulation

import (
	"flag"
	"net/http"
	"testing"
	"time"

	"github.com/garminkit/activityapi/internal/backstage"
)

var (
	years = flag.Float64("years", 5, "virtual years of TestYears")
	seed  = flag.Uint64("seed", 1, "seed of its first life")
)

// longest is how many years a life has. In virtual time it begins in 2000, and
// it must end before the disk's clock: see clean.
const longest = 10

// TestYears lives through years of a partner's service. The long form:
//
//	go test ./internal/simulation -run Years -years 200 -seed 1 -v -timeout 0
func TestYears(t *testing.T) {
	total := *years
	if testing.Short() {
		total = min(total, 2)
	}
	began := wall()
	sum := map[string]int{}
	for s := *seed; total > 0; s++ {
		p := plan{seed: s, years: min(total, longest), pace: 60 * time.Hour, month: 30 * day, spool: true, lonely: true}
		counts, b := live(t, p)
		if b != nil {
			t.Fatalf("a life with -seed %d, %.3g years, is BROKEN. %s\n%s", s, p.years, b, table(counts))
		}
		for k, n := range counts {
			sum[k] += n
		}
		total -= p.years
	}
	took := wall() - began
	t.Logf("%.0f virtual years in %s, %.1f in a second:\n%s", *years, took.Round(time.Millisecond), *years/took.Seconds(), table(sum))
}

func hostile() []string { return backstage.HostileCallbacks("https://apis.garmin.com") }

func garminRequest(l *life) *http.Request {
	r, err := http.NewRequestWithContext(l.end, http.MethodPost, "https://partner.example/garmin/"+pathSecret, nil)
	if err != nil {
		panic(err)
	}
	return r
}

var start = time.Now()

// wall is real time, outside of a bubble.
func wall() time.Duration { return time.Since(start) }
