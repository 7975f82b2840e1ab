package main

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
)

// userPaths are those that need a login.
var userPaths = []string{
	"GET /", "GET /list", "GET /history", "GET /account", "GET /export", "GET /activity/g/5001", "GET /activity/g/5001/gpx",
	"GET /connect", "GET /connected?state=x&code=y", "POST /disconnect", "POST /delete", "POST /logout",
}

func TestPagesNeedALogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, nil)
		for _, page := range userPaths {
			method, path, _ := strings.Cut(page, " ")
			for name, change := range map[string]func(*http.Request){
				"nobody":          nil,
				"a made-up token": func(r *http.Request) { r.AddCookie(&http.Cookie{Name: p.sessions.Cookie.Name, Value: "x"}) },
				"another cookie":  func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "session", Value: p.browsers["ann"].Value}) },
				"a password":      func(r *http.Request) { r.SetBasicAuth("ann", "ann") },
			} {
				w := p.ask("", method, public+path, change)
				if method == "GET" {
					require.Equal(t, http.StatusSeeOther, w.Code, "%s, %s", page, name)
					require.Equal(t, "/login", w.Header().Get("Location"))
				} else {
					require.Equal(t, http.StatusUnauthorized, w.Code, "%s, %s", page, name)
				}
			}
		}
		require.True(t, p.isConnected(p.user.ID()))
	})
}

func TestLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, nil)
		form := func(name, password string) url.Values { return url.Values{"name": {name}, "password": {password}} }
		for _, bad := range [][2]string{{"", "correct horse battery"}, {"eve", "short"}, {"eve", strings.Repeat("x", 73)}, {strings.Repeat("e", 41), "correct horse battery"}, {"a\nb", "correct horse battery"}, {"ann", "correct horse battery"}} {
			require.Equal(t, http.StatusUnprocessableEntity, p.post("", "/signup", form(bad[0], bad[1])).Code, bad)
		}
		w := p.post("", "/signup", form("eve", "correct horse battery"))
		require.Equal(t, http.StatusSeeOther, w.Code)
		first := w.Result().Cookies()[0]
		require.True(t, first.HttpOnly)
		require.True(t, first.Secure)
		require.Equal(t, http.SameSiteLaxMode, first.SameSite)
		require.True(t, strings.HasPrefix(first.Name, "__Host-"))
		p.browsers["eve"] = first
		require.Equal(t, http.StatusOK, p.ask("eve", "GET", public+"/", nil).Code)
		var n int
		require.NoError(t, p.db.QueryRowContext(t.Context(), `SELECT count(*) FROM session WHERE token = $1`, first.Value).Scan(&n))
		require.Zero(t, n, "what a browser has is not in the database")

		// Another token after a login, and the old one is worthless.
		w = p.post("eve", "/login", form("eve", "correct horse battery"))
		require.Equal(t, http.StatusSeeOther, w.Code)
		second := w.Result().Cookies()[0]
		require.NotEqual(t, first.Value, second.Value)
		require.Equal(t, http.StatusSeeOther, p.ask("eve", "GET", public+"/", nil).Code)
		p.browsers["eve"] = second
		require.Equal(t, http.StatusOK, p.ask("eve", "GET", public+"/", nil).Code)
		require.Equal(t, http.StatusSeeOther, p.post("eve", "/logout", nil).Code)
		require.Equal(t, http.StatusSeeOther, p.ask("eve", "GET", public+"/", nil).Code)

		// Guessing is slow.
		for i := range maxWrong + 1 {
			w := p.post("", "/login", form("eve", "a wrong password"))
			require.Equal(t, http.StatusUnauthorized, w.Code)
			require.Equal(t, i == maxWrong, strings.Contains(w.Body.String(), "Too many"))
		}
		require.Equal(t, http.StatusUnauthorized, p.post("", "/login", form("eve", "correct horse battery")).Code)
		settle()
		settle()
		require.Equal(t, http.StatusSeeOther, p.post("", "/login", form("eve", "correct horse battery")).Code)
		require.Equal(t, http.StatusUnauthorized, p.post("", "/login", form("nobody", "correct horse battery")).Code)
	})
}

func TestForeignPagesAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, nil)
		// A page of a stranger makes the browser write.
		for _, header := range [][2]string{{"Origin", "https://evil.example"}, {"Origin", "null"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}} {
			for _, path := range []string{"/disconnect", "/delete", "/login", "/signup", "/logout"} {
				w := p.ask("ann", "POST", public+path, func(r *http.Request) { r.Header.Set(header[0], header[1]) })
				require.Equal(t, http.StatusForbidden, w.Code, header)
			}
		}
		// Its name leads here by now: DNS rebinding.
		for _, host := range []string{"evil.example", "evil.example:8080", "partner.example.evil.example", "", "10.0.0.1:8080", "127.0.0.1", "127.0.0.1:1", "partner.example:8080"} {
			for _, page := range []string{"GET /connect", "GET /operator/", "POST /disconnect", "POST /garmin/" + secret} {
				method, path, _ := strings.Cut(page, " ")
				w := p.ask("ann", method, public+path, func(r *http.Request) { r.Host = host })
				require.Equal(t, http.StatusMisdirectedRequest, w.Code, "%q %s", host, page)
			}
		}
		require.True(t, p.isConnected(p.user.ID()))
		// Ours, also behind a proxy on this machine.
		for _, host := range []string{"partner.example", "PARTNER.example", "partner.example:443", "localhost:8080", "127.0.0.1:8080", "[::1]:8080"} {
			w := p.ask("ann", "GET", public+"/connect", func(r *http.Request) { r.Host = host })
			require.Equal(t, http.StatusSeeOther, w.Code, host)
		}
	})
}

// What browsers are told is the same on every page, also on those of errors.
func TestHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, nil)
		for _, page := range append(userPaths, "GET /login", "GET /nowhere", "GET /style.css") {
			method, path, _ := strings.Cut(page, " ")
			for _, who := range []string{"", "bob"} {
				h := p.ask(who, method, public+path, nil).Header()
				require.Contains(t, h.Get("Content-Security-Policy"), "default-src 'none'", page)
				require.NotContains(t, h.Get("Content-Security-Policy"), "unsafe", page)
				require.NotContains(t, h.Get("Content-Security-Policy"), "script-src", page)
				require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"), page)
			}
		}
	})
}

func TestOperatorPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, nil)
		for _, path := range []string{"/operator/", "/operator/queue/", "/operator/queue/api/letters", "/operator/queue/tokens"} {
			for name, change := range map[string]func(*http.Request){
				"nobody":           nil,
				"no password":      func(r *http.Request) { r.SetBasicAuth("operator", "") },
				"a wrong password": func(r *http.Request) { r.SetBasicAuth("operator", operator+"x") },
				"another name":     func(r *http.Request) { r.SetBasicAuth("ann", operator) },
				"no Basic":         func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+operator) },
			} {
				require.Equal(t, http.StatusUnauthorized, p.ask("ann", "GET", public+path, change).Code, "%s %s", path, name)
			}
			w := p.ask("", "GET", public+path, func(r *http.Request) { r.SetBasicAuth("operator", operator) })
			require.Equal(t, http.StatusOK, w.Code, path)
			require.NotContains(t, w.Body.String(), p.user.State().AccessToken)
			require.NotContains(t, w.Body.String(), secret)
		}
		p.changes.UnknownKey("activities[0].moonPhase")
		w := p.ask("", "GET", public+"/operator/queue/api/drift", func(r *http.Request) { r.SetBasicAuth("operator", operator) })
		require.Contains(t, w.Body.String(), "moonPhase")
	})
}

func TestPathSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, nil)
		for path, want := range map[string]int{
			"/garmin/" + secret:       http.StatusOK,
			"/garmin/" + secret + "x": http.StatusNotFound,
			"/garmin/":                http.StatusNotFound,
		} {
			w := p.ask("", "POST", public+path, func(r *http.Request) { r.Body = http.NoBody })
			if want == http.StatusOK { // an empty body is none
				require.NotEqual(t, http.StatusNotFound, w.Code)
				continue
			}
			require.Equal(t, want, w.Code, path)
		}
		c := testConfig(t, activitytest.NewServer())
		c.secret = ""
		_, err := newPartner(t.Context(), c, slog.New(slog.DiscardHandler), nil)
		require.ErrorContains(t, err, "PathSecret")
	})
}
