package main

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/types"
)

// The page of the history keeps itself up to date for as long as there is more to
// come, unless it is asked to stand still.
func TestHistoryPageStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		connected := time.Now()
		p := start(t, func(ann *activitytest.User) {
			ann.FillHistory(activitytest.NewGenerator(1), types.Window{Start: connected.AddDate(0, -1, 0), End: connected})
		})
		look := func(path string) (refresh, page string) {
			w := p.ask("ann", "GET", public+path, nil)
			require.Equal(t, http.StatusOK, w.Code)
			return w.Header().Get("Refresh"), w.Body.String()
		}
		refresh, page := look("/history")
		require.Equal(t, "2", refresh)
		require.Contains(t, page, `href="/history?still"`)
		for _, path := range []string{"/history?still", "/history?still=1"} {
			refresh, page = look(path)
			require.Empty(t, refresh)
			require.Contains(t, page, `href="/history">Keep it up to date`)
			require.NotContains(t, page, "http-equiv")
		}

		settle()
		_, err := p.garmin.DeliverAll(t.Context())
		require.NoError(t, err)
		time.Sleep(beginning)
		for _, path := range []string{"/history", "/history?still"} {
			refresh, page = look(path)
			require.Empty(t, refresh, "there is no more to come")
			require.NotContains(t, page, "up to date")
		}
	})
}
