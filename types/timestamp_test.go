package types_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/types"
)

func TestTimestamp(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in, text, out string
	}{
		{`1567498190`, "2019-09-03T08:09:50Z", `1567498190`},
		{`1567498190.0`, "2019-09-03T08:09:50Z", `1567498190`},
		{`1.56749819e9`, "2019-09-03T08:09:50Z", `1567498190`},
		{`1567498190.5`, "2019-09-03T08:09:50.5Z", `1567498190.5`},
		{`1567498190.000001`, "2019-09-03T08:09:50.000001Z", `1567498190.000001`},
		{`-1.5`, "1969-12-31T23:59:58.5Z", `-1.5`},
		{`"1567498190.5"`, "2019-09-03T08:09:50.5Z", `1567498190.5`},
		{`0`, "", `0`},
		{`null`, "", `0`},
		{`1567498190000`, "9999-12-31T23:59:59Z", `1567498190000`}, // milliseconds by mistake: kept, shown as the end of time
		{`1e300`, "9999-12-31T23:59:59Z", ``},
		{`-1e300`, "0001-01-01T00:00:00Z", ``},
	} {
		var ts types.Timestamp
		require.NoError(t, json.Unmarshal([]byte(tt.in), &ts), tt.in)
		require.Equal(t, tt.text, ts.String(), tt.in)
		require.Equal(t, tt.text == "", ts == 0, tt.in)
		require.Equal(t, time.UTC, ts.Time().Location(), tt.in)
		if tt.out != "" {
			out, err := json.Marshal(ts)
			require.NoError(t, err)
			require.Equal(t, tt.out, string(out))
		}
	}
	for _, in := range []string{`"2019-09-03T08:09:50Z"`, `""`, `"NaN"`, `true`, `{}`, `[]`, `1e999`} {
		var ts types.Timestamp
		require.Error(t, json.Unmarshal([]byte(in), &ts), in)
		require.Zero(t, ts, in)
	}
}

func TestTimestampOfTime(t *testing.T) {
	t.Parallel()
	require.Zero(t, types.NewTimestamp(time.Time{}))
	require.True(t, types.NewTimestamp(time.Time{}).Time().IsZero())
	at := time.Date(2026, 3, 29, 2, 30, 0, 123456000, time.FixedZone("", 3600))
	require.True(t, at.Equal(types.NewTimestamp(at).Time()))
	require.Equal(t, types.Timestamp(1e9), types.NewTimestamp(time.Unix(1e9, 0)))
}

func TestTimestampRefusesWhatIsNoNumber(t *testing.T) {
	t.Parallel()
	for _, ts := range []types.Timestamp{types.Timestamp(math.NaN()), types.Timestamp(math.Inf(1)), types.Timestamp(math.Inf(-1))} {
		_, err := json.Marshal(ts)
		require.Error(t, err)
		_ = ts.String() // must not panic
	}
	nan := types.Timestamp(math.NaN())
	require.True(t, nan.Time().IsZero())
	require.Empty(t, nan.String())
}

// FuzzTimestamp holds that any JSON number has a printable moment and survives
// a round trip unchanged.
func FuzzTimestamp(f *testing.F) {
	for _, s := range []string{`1567498190`, `1567498190.25`, `-0`, `1e308`, `-1e308`, `null`, `253402300800`, `0.0000004`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var ts types.Timestamp
		if json.Unmarshal(in, &ts) != nil {
			return
		}
		_, err := ts.Time().MarshalJSON() // refuses years beyond 9999
		require.NoError(t, err)
		out, err := json.Marshal(ts)
		require.NoError(t, err)
		var back types.Timestamp
		require.NoError(t, json.Unmarshal(out, &back))
		require.Equal(t, ts, back)
		if sec := float64(ts); sec >= 1 && sec < 4e9 {
			require.InDelta(t, sec, float64(types.NewTimestamp(ts.Time())), 1e-6)
		}
	})
}
