package service_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/service"
	"github.com/garminkit/activityapi/activity/service/admin"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/drift"
)

// TestDrift: what a service receives and does not know is in the report of its
// admin handler, without values, and who was told before is told still.
func TestDrift(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		report := drift.New()
		var observed, keys atomic.Int64
		r := newRig(t, trouble{}, service.Options{
			Drift: report,
			Processor: &notify.ProcessorOptions{
				Observe:    func(notify.Outcome) { observed.Add(1) },
				UnknownKey: func(string) { keys.Add(1) },
			},
		})
		r.serve()
		defer r.end()
		for _, body := range []string{
			strings.Replace(body(1), `"activityType"`, `"newKey":"CANARY","activityType"`, 1),
			strings.Replace(body(2), "RUNNING", "MOON_WALKING", 1),
			strings.Replace(body(3), `"u3"`, `{"id":"CANARY"}`, 1),
			strings.Replace(body(4), `"durationInSeconds":60`, `"durationInSeconds":60,"steps":["CANARY"]`, 1),
			`{"sleeps":[{"userId":"CANARY"}]}`,
		} {
			w := httptest.NewRecorder()
			r.svc.Intake().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/garmin", strings.NewReader(body)))
			require.Equal(t, 200, w.Code)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		require.EqualValues(t, 5, observed.Load())
		require.EqualValues(t, 1, keys.Load())
		require.Len(t, r.saved, 3)

		panel, err := admin.New(r.queue, slog.New(slog.DiscardHandler), &admin.Options{Drift: report})
		require.NoError(t, err)
		w := httptest.NewRecorder()
		panel.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/drift", nil))
		require.Equal(t, 200, w.Code)
		var got struct {
			Module, Version string
			Findings        []struct{ Kind, Where, What string }
		}
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
		require.Equal(t, "github.com/garminkit/activityapi", got.Module)
		var lines []string
		for _, f := range got.Findings {
			lines = append(lines, f.Kind+" "+f.Where+" "+f.What)
		}
		require.Equal(t, []string{
			"other value activities[].steps an array for an integer",
			"unknown activity type activities MOON_WALKING",
			"unknown key activities[].newKey ",
			"unknown list sleeps ",
			"unreadable item activities[].userId want a string, have an object",
		}, lines)
		require.NotContains(t, w.Body.String(), "CANARY")

		page := httptest.NewRecorder()
		panel.ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/drift", nil))
		require.Equal(t, 200, page.Code)
		require.Contains(t, page.Body.String(), "1  unknown activity type  activities: MOON_WALKING")
		require.NotContains(t, page.Body.String(), "CANARY")
	})
}
