package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activitytype"
)

// TestNoSecrets: whatever is sent, and whatever fails, no page, no log line and no
// export has a secret in it, be it of the configuration, of Garmin or of a user.
func TestNoSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, nil)
		fake, ann := p.garmin, p.user
		var said strings.Builder // by all pages
		look := func(who string) {
			for _, path := range append(userPaths, "GET /login", "GET /nowhere", "GET /?to=x", "GET /ready", "GET /live", "POST /signup", "POST /login") {
				method, path, _ := strings.Cut(path, " ")
				if path == "/disconnect" || path == "/delete" || path == "/logout" {
					continue
				}
				w := p.ask(who, method, public+path, nil)
				said.WriteString(path + w.Body.String() + w.Header().Get("Location") + w.Header().Get("Content-Disposition") + "\n")
			}
			for _, path := range []string{"/operator/", "/operator/queue/", "/operator/queue/api/letters", "/operator/queue/tokens", "/operator/queue/history", "/operator/queue/letters"} {
				for _, password := range []string{operator, "wrong-PLANTED"} {
					w := p.ask("", "GET", public+path, func(r *http.Request) { r.SetBasicAuth("operator", password) })
					said.WriteString(path + w.Body.String() + "\n")
				}
			}
			all, err := p.db.allWorkouts(t.Context(), "ann")
			if err != nil { // see below
				return
			}
			for _, x := range all {
				said.WriteString(p.ask(who, "GET", public+x.Path(), nil).Body.String())
				said.WriteString(p.ask(who, "GET", public+x.Path()+"/gpx", nil).Body.String())
			}
			for name, content := range p.unzip("ann") {
				said.WriteString(name)
				said.Write(content)
			}
		}
		secrets := map[string]string{
			"client secret": fake.ClientSecret, "path secret": secret, "operator's password": operator, "another password": "wrong-PLANTED",
			"user's password": "correct horse PLANTED", "item token": "item-token-PLANTED", "code": "code-PLANTED", "state": "state-PLANTED", "forged token": "forged-PLANTED",
			"session": p.browsers["ann"].Value,
		}
		tokens := func(when string) {
			secrets["access token "+when], secrets["refresh token "+when] = ann.State().AccessToken, ann.State().RefreshToken
		}
		tokens("at first")

		// All that goes well.
		ann.Change(func(s *activitytest.UserState) { s.ItemToken = "item-token-PLANTED" })
		for _, push := range []bool{true, false} {
			fake.SetEndpoints(activitytest.Endpoint{Handler: p.web, URL: public + "/garmin/" + secret, Enabled: true, Push: push})
			ann.Sync(activitytest.NewGenerator(1), activitytype.Running, time.Now().Add(-time.Hour))
			ann.Sync(activitytest.NewGenerator(2), activitytype.MultiSport, time.Now().Add(-5*time.Hour))
			for _, d := range fake.Deliver(t.Context()) {
				for _, part := range strings.Split(string(d.Body), "token=")[1:] {
					token, _, _ := strings.Cut(part, `"`)
					secrets["callback "+token] = token
				}
			}
			settle()
		}
		require.Greater(t, len(secrets), 20, "there are callbacks")
		p.post("", "/signup", url.Values{"name": {"eve"}, "password": {"correct horse PLANTED"}})
		p.post("", "/login", url.Values{"name": {"eve"}, "password": {"wrong-PLANTED"}})
		look("ann")

		// All that does not: what is refused is said back.
		for _, status := range []int{400, 401, 403, 404, 409, 412, 429, 500, 503} {
			var failed atomic.Int32
			fake.Intercept = func(w http.ResponseWriter, r *http.Request) bool {
				if failed.Add(1) > 5 {
					return false
				}
				body, _ := io.ReadAll(r.Body)
				echo, _ := json.Marshal(strings.Join([]string{r.URL.String(), string(body), r.Header.Get("Authorization"), strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")}, " "))
				w.WriteHeader(status)
				fmt.Fprintf(w, `{"error":"invalid_grant","errorMessage":%s,"error_description":%[1]s}`, echo)
				return true
			}
			ann.Change(func(s *activitytest.UserState) { s.AccessExpires = time.Now() })
			ann.Sync(activitytest.NewGenerator(uint64(status)), activitytype.Running, time.Now().Add(-time.Hour))
			fake.Deliver(t.Context())
			settle()
			p.connect("bob", fake.AddUser(&activitytest.UserOptions{NotConnected: true}))
			p.svc.FetchHistory()
			settle()
			tokens(http.StatusText(status))
			fake.Intercept = nil
		}
		for _, fault := range []activitytest.Fault{{Times: 5, Refuse: true}, {Times: 5, Lose: true}} {
			fake.SetFaults(fault)
			ann.Sync(activitytest.NewGenerator(3), activitytype.Running, time.Now().Add(-time.Hour))
			fake.Deliver(t.Context())
			settle()
			fake.SetFaults()
		}
		for _, query := range []string{"error=access_denied&state=state-PLANTED", "code=code-PLANTED&state=state-PLANTED", "code=code-PLANTED", "error=code-PLANTED"} {
			w := p.ask("ann", "GET", public+"/connected?"+query, nil)
			said.WriteString(w.Body.String())
		}
		for _, body := range []string{
			`{"activities":[{"userId":"` + string(ann.ID()) + `","userAccessToken":"forged-PLANTED","callbackURL":"https://evil.example/?token=forged-PLANTED"}]}`,
			`{"activityFiles":[{"userId":"` + string(ann.ID()) + `","summaryId":"1","fileType":"FIT","callbackURL":"https://apis.garmin.com/wellness-api/rest/activityFile?id=1&token=forged-PLANTED"}]}`,
			`{"activities":[{"userAccessToken":"forged-PLANTED"`,
			`{"unknown":[{"userAccessToken":"forged-PLANTED"}]}`,
			`forged-PLANTED`,
		} {
			for _, path := range []string{"/garmin/" + secret, "/garmin/forged-PLANTED"} {
				w := p.ask("", "POST", public+path, func(r *http.Request) { r.Body = http.NoBody })
				said.WriteString(w.Body.String())
				w = p.send("", request(public+path, body), nil)
				said.WriteString(w.Body.String())
			}
			settle()
		}
		p.lose("workout")
		look("ann")
		look("bob")
		_, err := p.db.ExecContext(t.Context(), `ALTER TABLE lost_workout RENAME TO workout`)
		require.NoError(t, err)
		p.troubles.connecting(&auth.Error{})
		look("ann")

		require.Greater(t, said.Len(), 100_000)
		require.Greater(t, p.log.Len(), 10_000)
		for name, s := range secrets {
			require.GreaterOrEqual(t, len(s), 8, name)
			for _, form := range []string{s, url.QueryEscape(s), url.PathEscape(s), base64.StdEncoding.EncodeToString([]byte(s)), strings.ReplaceAll(s, `+`, `&#43;`)} {
				for place, text := range map[string]string{"the log": p.log.String(), "a page": said.String()} {
					i := strings.Index(text, form)
					require.Negative(t, i, "%s is in %s: %s", name, place, text[max(0, i-300):max(0, min(len(text), i+len(form)))])
				}
			}
		}
	})
}

func request(address, body string) *http.Request {
	r, _ := http.NewRequest("POST", address, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}
