package silence_test

import (
	"flag"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify/silence"
)

var (
	users = flag.Int("users", 1000, "users of TestYear")
	days  = flag.Int("days", 91, "days of TestYear")
	seed  = flag.Uint64("seed", 1, "seed of TestYear")
)

// TestYear plays people with their rhythms, holidays and seasons, and outages of
// the key, of kinds and of users. What it prints is in docs/operation.md, for 10,000
// users and a year.
func TestYear(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it plays three months")
	}
	w := newWorld(*seed, *users, time.Duration(*days)*day)
	d, err := silence.New(nil)
	require.NoError(t, err)
	f := w.run(d, time.Minute, nil)
	per := float64(f.falseUsers+f.falseKinds) / f.months * 1000
	t.Logf("%d users, %d days, %d arrivals, %.0f user-months", *users, *days, len(w.events), f.months)
	t.Logf("false alarms: %d of users, %d of kinds of users: %.2f in 1,000 user-months; %d of the key", f.falseUsers, f.falseKinds, per, f.falseKey)
	t.Logf("users who came less and less, and are said: %d, as fading %d", f.gone, f.fading)
	t.Logf("outages of the key and its kinds: %d of %d", f.keyFound, f.keyAll)
	var busy []time.Duration
	for _, o := range w.keys {
		if o.found == 0 {
			t.Logf("  %-13s %s for %3.0f h: not found", o.kind, epoch.Add(o.from).Format("Mon 15:04"), (o.to - o.from).Hours())
			continue
		}
		delay := (o.found - o.from).Round(time.Minute)
		t.Logf("  %-13s %s for %3.0f h: after %v (%s)", o.kind, epoch.Add(o.from).Format("Mon 15:04"), (o.to - o.from).Hours(), delay, o.said)
		if h := int(o.from.Hours()) % 24; o.kind == "" && h >= 7 && h < 20 {
			busy = append(busy, delay)
		}
	}
	slices.Sort(busy)
	t.Logf("of the key by day: after %v", busy)
	t.Logf("users whose cause is told: %v", &f.told)
	t.Logf("users of whom nothing is told: %v", &f.untold)
	t.Logf("users whose file pings are missing: %d of %d found", f.files.found, f.files.n)

	require.Less(t, per, 1.0, "false alarms of users")
	require.Zero(t, f.falseKey, "false alarms of the key")
	for _, o := range w.keys {
		if o.to-o.from >= 8*time.Hour {
			require.Positive(t, o.found, "outage of %q from %v", o.kind, o.from)
		}
	}
	least := 0.8 // of few
	if *users >= 10000 {
		least = 0.95
		require.LessOrEqual(t, busy[len(busy)-1], 15*time.Minute, "the key by day")
	}
	for _, a := range []*aims{&f.told, &f.untold} {
		require.GreaterOrEqual(t, float64(a.within), least*float64(a.n), a)
	}
	require.GreaterOrEqual(t, float64(f.files.found), (least-0.05)*float64(f.files.n))
}
