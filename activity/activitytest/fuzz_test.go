package activitytest_test

import (
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
	fake.SetQuirks(.1, "nulls", "redirect")
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
		if err != nil || strings.Contains(auth, u.State().AccessToken) {
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
