package activitytest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/types"
)

// FuzzServer sends requests of any kind. The server must not panic, and must
// not give anyone's data without the owner's credentials.
func FuzzServer(f *testing.F) {
	fake := activitytest.NewServer()
	fake.SetQuirks(.1, activitytest.QuirkNulls, activitytest.QuirkRedirect)
	u := fake.AddUser(nil)
	u.Add(&types.Activity{SummaryID: "1", ActivityName: "canary"})
	w := types.Window{Start: time.Now().Add(-time.Hour), End: time.Now().Add(time.Hour)}
	callback := strings.TrimPrefix(u.CallbackURL(types.KindActivities, w), fake.BaseURL)
	f.Add("GET", callback, "Bearer made-up", "", "")
	f.Add("GET", "/wellness-api/rest/activityFile?id=9007199254740993&token=x", `OAuth oauth_consumer_key="a", oauth_token="b"`, "", "")
	f.Add("POST", "/di-oauth2-service/oauth/token", "", "application/x-www-form-urlencoded", "grant_type=refresh_token&client_id=%zz")
	f.Add("POST", "/oauth2Confirm?response_type=code", "", "application/x-www-form-urlencoded", "answer=agree")
	f.Add("POST", "/oauth-service/oauth/access_token", `OAuth oauth_token="%zz"`, "text/plain", "")
	f.Add("GET", "/oauthConfirm?oauth_token=x;y", "OAuth", "", "")
	f.Fuzz(func(t *testing.T, method, target, auth, contentType, body string) {
		r, err := http.NewRequest(method, "https://apis.garmin.com"+target, strings.NewReader(body))
		if err != nil || strings.Contains(auth, u.AccessToken()) {
			return
		}
		r.Header.Set("Authorization", auth)
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		fake.ServeHTTP(w, r)
		if strings.Contains(w.Body.String(), "canary") {
			t.Fatalf("data without credentials: %s %q", method, target)
		}
	})
}

// FuzzControl sends any body to the control API.
func FuzzControl(f *testing.F) {
	fake := activitytest.NewServer()
	fake.AddUser(&activitytest.UserOptions{ID: "u"})
	control := fake.Control()
	for _, seed := range [][3]string{
		{"POST", "/users", `{"id":"a"}`}, {"PUT", "/users/u/permissions", `["A"]`}, {"POST", "/users/u/sync", `{"sport":"run","seed":1}`},
		{"POST", "/users/u/backfill", `{"kind":"activities","start":"2026-01-01T00:00:00Z","end":"0000-01-01T00:00:00Z"}`},
		{"PUT", "/endpoints/all", `{"url":"x"}`}, {"PUT", "/quirks", `{"share":2,"names":["nulls"]}`}, {"POST", "/faults", `{"n":-1,"cutAfter":-5}`},
		{"GET", "/users/u/data?start=x", ""}, {"POST", "/users/u/history", `{"start":"2026-01-01T00:00:00Z","end":"2025-01-01T00:00:00Z"}`},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, method, target, body string) {
		r, err := http.NewRequest(method, "http://control"+target, strings.NewReader(body))
		if err != nil || strings.HasPrefix(r.URL.Path, "/verify") || strings.HasPrefix(r.URL.Path, "/deliver") {
			return
		}
		w := httptest.NewRecorder()
		control.ServeHTTP(w, r)
		switch w.Code {
		case http.StatusOK, http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed:
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
