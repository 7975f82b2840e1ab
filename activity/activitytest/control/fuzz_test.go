package control_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/activitytest/control"
)

// FuzzControl sends any body to the control API.
func FuzzControl(f *testing.F) {
	fake := activitytest.NewServer()
	fake.AddUser(&activitytest.UserOptions{ID: "u"})
	api := control.Handler(fake, nil)
	for _, seed := range [][3]string{
		{"POST", "/users", `{"id":"a"}`}, {"PUT", "/users/u/permissions", `["A"]`}, {"POST", "/users/u/sync", `{"sport":"run","seed":1}`},
		{"POST", "/users/u/backfill", `{"kind":"activities","start":"2026-01-01T00:00:00Z","end":"0000-01-01T00:00:00Z"}`},
		{"PUT", "/endpoints/all", `{"url":"x"}`}, {"PUT", "/quirks", `{"share":2,"names":["nulls"]}`}, {"POST", "/faults", `{"n":-1,"cutAfter":-5}`},
		{"POST", "/users/u/items", `{"kind":"activities","item":{"summaryId":7}}`}, {"PUT", "/users/u/items/activities/7", `{"a":1}`},
		{"POST", "/users/u/items/activities/7/edit", `{}`}, {"PUT", "/users/u", `{"connected":true,"historyFrom":"2026-01-01T00:00:00Z"}`},
		{"PUT", "/limits", `{"delivery":{"timeout":"1s"},"pullTokens":"none"}`}, {"PUT", "/snapshot", `{"version":1}`}, {"POST", "/reset", ``},
		{"GET", "/users/u/data?start=x", ""}, {"POST", "/users/u/history", `{"start":"2026-01-01T00:00:00Z","end":"2025-01-01T00:00:00Z"}`},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, method, target, body string) {
		r, err := http.NewRequest(method, "http://localhost"+target, strings.NewReader(body))
		if err != nil || r.URL.Host != "localhost" {
			return
		}
		// These send to an address that the body of another call may have set, or
		// have no end.
		for _, path := range []string{"/verify", "/deliver", "/retry", "/clock", "/events"} {
			if strings.HasPrefix(r.URL.Path, path) {
				return
			}
		}
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		switch w.Code {
		case http.StatusOK, http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusGone, http.StatusMethodNotAllowed:
		default:
			if w.Code/100 != 3 { // the multiplexer cleans paths
				t.Fatalf("status %d: %s %q", w.Code, method, target)
			}
		}
		if !strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
			return
		}
		var answer any
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("%v: %s %q: %s", err, method, target, w.Body)
		}
		failure, _ := answer.(map[string]any)
		if text, _ := failure["error"].(string); w.Code != http.StatusOK && text == "" {
			t.Fatalf("status %d without a reason: %s %q", w.Code, method, target)
		}
	})
}
