package limitsim

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAllRules is the short form of the command run.
func TestAllRules(t *testing.T) {
	minutes := 1000
	if testing.Short() {
		minutes = 200
	}
	for _, c := range Cases() {
		if c.Breaks {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			c.Config.Seed, c.Config.Minutes = 11, minutes
			r := Run(c.Config)
			require.Zero(t, r.Violations, r)
			require.NotZero(t, r.Requests)
			t.Log(r)
		})
	}
}

// TestEachRuleIsNeeded leaves each out until a minute has too many days.
func TestEachRuleIsNeeded(t *testing.T) {
	pieces := 50
	if testing.Short() {
		pieces = 2
	}
	for _, c := range Cases() {
		if !c.Breaks {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			c.Config.Minutes = 1000
			for piece := range pieces {
				c.Config.Seed = uint64(piece + 1)
				if Run(c.Config).Violations > 0 {
					t.Logf("after %d minutes or less", (piece+1)*c.Config.Minutes)
					return
				}
			}
			if testing.Short() {
				t.Skip("it needs more minutes than the short form has")
			}
			t.Fatalf("no violation in %d minutes: is the rule needed?", pieces*c.Config.Minutes)
		})
	}
}

// TestShare holds the limiter against one that knows all at once.
func TestShare(t *testing.T) {
	minutes := 1000
	if testing.Short() {
		minutes = 300
	}
	for i, s := range Shares(minutes) {
		t.Log(s)
		least := 0.97
		if i >= 2 {
			least = 0.80
		}
		require.GreaterOrEqual(t, s.Got/s.Best, least, s)
	}
}
