package types_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/types"
)

func TestKinds(t *testing.T) {
	t.Parallel()
	require.Len(t, types.Kinds(), 5)
	for _, k := range types.Kinds() {
		require.True(t, k.Known())
	}
	for _, k := range []types.Kind{"", "dailies", "Activities", "activityFile", "moveiq"} {
		require.False(t, k.Known(), k)
	}
	types.Kinds()[0] = "changed"
	require.Equal(t, types.KindActivities, types.Kinds()[0], "Kinds must return a fresh slice")
}

func TestSummaries(t *testing.T) {
	t.Parallel()
	const begin = "2019-09-03T08:09:50Z"
	for _, tt := range []struct {
		summary types.Summary
		kind    types.Kind
	}{
		{&types.Activity{UserID: "u", SummaryID: "1", StartTimeInSeconds: 1567498190}, types.KindActivities},
		{&types.ManualActivity{UserID: "u", SummaryID: "1", StartTimeInSeconds: 1567498190}, types.KindManualActivities},
		{&types.ActivityDetails{UserID: "u", SummaryID: "1", Summary: types.Activity{UserID: "other", SummaryID: "2", StartTimeInSeconds: 1567498190}}, types.KindActivityDetails},
		{&types.MoveIQ{UserID: "u", SummaryID: "1", StartTimeInSeconds: 1567498190}, types.KindMoveIQ},
	} {
		require.Equal(t, tt.kind, tt.summary.Kind())
		require.Equal(t, types.ID("1"), tt.summary.ID())
		require.Equal(t, begin, types.Start(tt.summary).Format(time.RFC3339))
		require.Equal(t, time.UTC, types.Start(tt.summary).Location())
	}
	for _, s := range []types.Summary{new(types.Activity), new(types.ManualActivity), new(types.ActivityDetails), new(types.MoveIQ)} {
		require.True(t, types.Start(s).IsZero(), "no start was sent")
		require.Empty(t, s.ID())
	}
}

func TestLocalStartAndDuration(t *testing.T) {
	t.Parallel()
	// Offsets of less than a day either way are legal, and none is a time zone.
	for offset, want := range map[int]string{
		0:      "2019-09-03T08:09:50Z",
		7200:   "2019-09-03T10:09:50+02:00",
		-14400: "2019-09-03T04:09:50-04:00",
		20700:  "2019-09-03T13:54:50+05:45",
		86340:  "2019-09-04T08:08:50+23:59",
		-86340: "2019-09-02T08:10:50-23:59",
		86400:  "2019-09-03T08:09:50Z", // which could not be written as JSON
	} {
		for _, v := range []types.Summary{
			&types.Activity{StartTimeInSeconds: 1567498190, StartTimeOffsetInSeconds: offset, DurationInSeconds: 3636},
			&types.ManualActivity{StartTimeInSeconds: 1567498190, StartTimeOffsetInSeconds: offset, DurationInSeconds: 3636},
			&types.MoveIQ{StartTimeInSeconds: 1567498190, OffsetInSeconds: offset, DurationInSeconds: 3636},
			&types.ActivityDetails{Summary: types.Activity{StartTimeInSeconds: 1567498190, StartTimeOffsetInSeconds: offset, DurationInSeconds: 3636}},
		} {
			require.Equal(t, want, types.LocalStart(v).Format("2006-01-02T15:04:05Z07:00"))
			require.True(t, types.Start(v).Equal(types.LocalStart(v)), "LocalStart is the same instant")
			require.Equal(t, time.Hour+36*time.Second, types.Duration(v))
		}
	}
	require.True(t, types.LocalStart(&types.Activity{StartTimeOffsetInSeconds: 7200}).IsZero(), "no start, no local start")
	require.True(t, types.LocalStart(&types.MoveIQ{OffsetInSeconds: 7200}).IsZero())
}

// A duration that package time cannot hold does not wrap around.
func TestDurationAtTheLimits(t *testing.T) {
	t.Parallel()
	for seconds, want := range map[int64]time.Duration{
		9223372036: 9223372036 * time.Second, 9223372037: math.MaxInt64, 1e10: math.MaxInt64, math.MaxInt64: math.MaxInt64,
		-9223372036: -9223372036 * time.Second, -9223372037: math.MinInt64, math.MinInt64: math.MinInt64, -1: -time.Second,
	} {
		if int64(int(seconds)) == seconds { // with 32 bits there are none
			require.Equal(t, want, types.Duration(&types.Activity{DurationInSeconds: int(seconds)}), seconds)
		}
	}
}

func TestManualActivityConverts(t *testing.T) {
	t.Parallel()
	var m types.ManualActivity
	require.NoError(t, json.Unmarshal([]byte(`{"summaryId":"5001","Manual":true}`), &m))
	require.Equal(t, types.Activity{SummaryID: "5001", Manual: true}, types.Activity(m))
}

// TestSecretIsNeverPrinted tries every road by which a value gets into a text.
func TestSecretIsNeverPrinted(t *testing.T) {
	t.Parallel()
	const value = "hunter2"
	s := types.Secret(value)
	file := types.ActivityFile{CallbackURL: s}
	for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%q", "%x", "%X", "%d", "%T %v", "%10s", "%-.3s", "%U", "%c", "%t"} {
		args := []any{s, s}[:strings.Count(verb, "%")]
		require.NotContains(t, fmt.Sprintf(verb, args...), value, verb)
		require.NotContains(t, fmt.Sprintf(verb, args...), "68756e7465723", verb)
		for _, v := range []any{file, &file, []types.Secret{s}, map[string]types.Secret{"k": s}, &s} {
			require.NotContains(t, fmt.Sprintf(verb, append([]any{v}, v)[:len(args)]...), value, verb)
		}
	}
	require.NotContains(t, fmt.Errorf("bad token %v: %w", s, io.EOF).Error(), value)
	require.NotContains(t, s.String(), value)
	require.Empty(t, types.Secret("").String())

	var buf bytes.Buffer
	slog.New(slog.NewTextHandler(&buf, nil)).Info("x", "s", s, "file", file)
	// A JSON log of the secret itself is redacted too.
	slog.New(slog.NewJSONHandler(&buf, nil)).Info("x", "s", s)
	require.NotContains(t, buf.String(), value)
	require.Contains(t, buf.String(), "[REDACTED]")

	out, err := json.Marshal(s)
	require.NoError(t, err)
	require.Equal(t, `"hunter2"`, string(out), "as JSON a secret is its value")
	require.Equal(t, value, string(s))
}

func TestDecodeError(t *testing.T) {
	t.Parallel()
	err := error(&types.DecodeError{Offset: 17, Err: io.ErrUnexpectedEOF})
	require.EqualError(t, err, "at byte 17: unexpected EOF")
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	err = fmt.Errorf("body 3: %w", &types.DecodeError{Offset: 17, Path: "activities[2].steps", Err: errors.New("want an integer")})
	require.EqualError(t, err, "body 3: activities[2].steps, at byte 17: want an integer")
	d, ok := errors.AsType[*types.DecodeError](err)
	require.True(t, ok)
	require.Equal(t, int64(17), d.Offset)
}
