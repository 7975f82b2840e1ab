package main

import (
	"archive/zip"
	"bytes"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/join"
	"github.com/garminkit/activityapi/types"
)

// What is not known is not shown, on no page and in no file.
func TestNothingIsShownOfNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, nil)
		at := types.NewTimestamp(time.Now().Add(-time.Hour))
		for name, item := range map[string]join.Item{
			"summary": {Summary: &types.Activity{SummaryID: "1"}},
			"zeros": {Summary: &types.Activity{
				SummaryID: "2", DistanceInMeters: new(0.0), AverageSpeedInMetersPerSecond: new(0.0), AverageHeartRateInBeatsPerMinute: new(0), MaxHeartRateInBeatsPerMinute: new(0.0),
			}},
			"negative": {Summary: &types.Activity{SummaryID: "3", DurationInSeconds: -5, DistanceInMeters: new(-1.0), AverageSpeedInMetersPerSecond: new(-1.0)}},
			"dated":    {Summary: &types.Activity{SummaryID: "4", StartTimeInSeconds: at}},
			"details":  {Summary: &types.ActivityDetails{SummaryID: "5-detail", Samples: []types.Sample{{}, {}}, Laps: []types.Lap{{}, {}}}},
			"file":     {File: &join.File{Announced: types.ActivityFile{SummaryID: "6"}}},
			"leg":      {Summary: &types.Activity{SummaryID: "7", ParentSummaryID: "1"}},
		} {
			item.User, item.Order = "g1", 1
			require.NoError(t, p.db.add(t.Context(), "ann", item), name)
		}
		for _, path := range []string{"/", "/list", "/activity/g1/1", "/activity/g1/2", "/activity/g1/3", "/activity/g1/4", "/activity/g1/5", "/activity/g1/6", "/activity/g1/7", "/history", "/account"} {
			w := p.ask("ann", "GET", public+path, nil)
			require.Equal(t, http.StatusOK, w.Code, path)
			page := w.Body.String()
			require.NotRegexp(t, `\b0001\b|1970|1979|1980`, page, path)
			require.NotRegexp(t, `-\d+:|-\d.* km|\b0 bpm|NaN|&lt;nil`, page, path)
			if path != "/" { // where sums are, of which zero is one
				require.NotContains(t, page, "0:00", path)
			}
			require.NotRegexp(t, `·\s*·|>\s*·|·\s*<`, page, path)
			require.NotRegexp(t, `<(dl class="facts"|b|dd|td|h1|h2|dl|(span|p) class="(name|what)")>\s*</`, page, path)
		}
		w := p.ask("ann", "GET", public+"/export", nil)
		z, err := zip.NewReader(bytes.NewReader(w.Body.Bytes()), int64(w.Body.Len()))
		require.NoError(t, err)
		for _, f := range z.File {
			require.NotContains(t, f.Name, "/-")
			require.WithinDuration(t, time.Now(), f.Modified, 24*time.Hour, f.Name)
		}
	})
}
