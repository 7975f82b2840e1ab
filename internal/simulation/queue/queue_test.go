package queue

import (
	"flag"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	schedules = flag.Int("schedules", 200, "how many schedules are lived through")
	seed      = flag.Uint64("seed", 1, "the seed of the first")
)

// live runs one schedule in a bubble.
func live(t *testing.T, p plan, sum *summary) (faults []string) {
	defer func() {
		if v := recover(); v != nil {
			panic(fmt.Sprintf("seed %d: %v", p.seed, v))
		}
	}()
	synctest.Test(t, func(t *testing.T) { faults = run(t, p, sum) })
	return faults
}

// TestSchedules is the proof: whatever happens to processes, nothing is lost,
// order holds, and what is done stays done.
func TestSchedules(t *testing.T) {
	n := *schedules
	if testing.Short() && n > 30 {
		n = 30
	}
	var next atomic.Uint64
	var wrong atomic.Int64
	var workers sync.WaitGroup
	var sum summary
	for range 2 {
		workers.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= uint64(n) || wrong.Load() > 10 {
					return
				}
				if i%1000 == 999 { // with -v the long form says how far it is
					t.Logf("%d schedules, %d faults", i+1, wrong.Load())
				}
				p := plan{seed: *seed + i, chaos: 90 * time.Second}
				for _, f := range live(t, p, &sum) {
					wrong.Add(1)
					t.Errorf("seed %d: %s", p.seed, f)
				}
			}
		})
	}
	workers.Wait()
	t.Log(&sum)
}

// TestUnfenced takes out each rule that the processor cannot stand in for, and
// sees that some schedule shows it. That a process which lost its share cannot
// read either is seen by the clause CutOff of notifytest.
func TestUnfenced(t *testing.T) {
	for _, rule := range []string{"settle", "release", "margin", "lease", "busy"} {
		t.Run(rule, func(t *testing.T) {
			// Settling without a share shows in one schedule of hundreds. Those
			// that showed it before come first, several times each: how goroutines
			// take turns is not of the seed.
			const most = 2000
			seeds := slices.Repeat([]uint64{134, 712, 161, 203, 56}, 8)
			if rule != "settle" {
				seeds = nil
			}
			for i := range uint64(most) {
				seeds = append(seeds, i)
			}
			for _, i := range seeds {
				if faults := live(t, plan{seed: i, unfenced: rule, chaos: 90 * time.Second}, new(summary)); len(faults) > 0 {
					t.Logf("schedule %d: %s", i, faults[0])
					return
				}
			}
			require.Fail(t, "nothing was noticed", "%d schedules without the rule %q", most, rule)
		})
	}
}
