package oauth1test

import (
	"encoding/json"
	"errors"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/types"
)

// request is a request token on its way to consent.
type request struct {
	secret   string
	callback string
	user     types.UserID // once consented
	verifier string       // "NULL" if denied
	expires  time.Time
}

const requestLife = 10 * time.Minute

// serveRequestToken is the first leg of OAuth 1.0a.
func (g *Garmin) serveRequestToken(w http.ResponseWriter, r *http.Request) {
	p, err := readHeader(r)
	g.mu.Lock()
	defer g.mu.Unlock()
	if err == nil {
		err = g.verify(r, p, "")
	}
	if err != nil {
		writeError(w, http.StatusUnauthorized, err.Error())
		return
	}
	callback := p["oauth_callback"]
	if callback == "oob" {
		callback = ""
	}
	token := random(16)
	t := &request{secret: random(16), callback: callback, expires: g.fake.State().Now.Add(requestLife)}
	g.requests[token] = t
	form := url.Values{"oauth_token": {token}, "oauth_token_secret": {t.secret}}
	if g.CallbackConfirmed {
		form.Set("oauth_callback_confirmed", "true")
	}
	writeForm(w, form)
}

// serveAccessToken is the third leg. The token of an earlier connection dies.
func (g *Garmin) serveAccessToken(w http.ResponseWriter, r *http.Request) {
	user, err := g.redeem(r)
	if err != nil {
		writeError(w, http.StatusUnauthorized, err.Error())
		return
	}
	token, secret := g.Connect(user)
	writeForm(w, url.Values{"oauth_token": {token}, "oauth_token_secret": {secret}})
}

// redeem spends a request token and returns who has consented.
func (g *Garmin) redeem(r *http.Request) (*activitytest.User, error) {
	p, err := readHeader(r)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.requests[p["oauth_token"]]
	if t == nil || !g.fake.State().Now.Before(t.expires) {
		return nil, errors.New("Unknown request token")
	}
	if err := g.verify(r, p, t.secret); err != nil {
		return nil, err
	}
	user := g.fake.User(t.user)
	if user == nil || t.verifier == "NULL" || p["oauth_verifier"] != t.verifier {
		return nil, errors.New("Invalid oauth_verifier")
	}
	delete(g.requests, p["oauth_token"])
	return user, nil
}

// serveExchange moves a user from OAuth 1.0a to OAuth 2. The old token still
// works; notifications no longer carry it.
func (g *Garmin) serveExchange(w http.ResponseWriter, r *http.Request) {
	if !signed(r) {
		writeError(w, http.StatusUnauthorized, errNoAuth)
		return
	}
	u := g.user(w, r)
	if u == nil {
		return
	}
	u.Change(func(s *activitytest.UserState) { s.ItemToken = "" })
	u.Connect()
	state := u.State()
	b, _ := json.Marshal(map[string]any{ // cannot fail
		"access_token": state.AccessToken, "expires_in": 86400, "token_type": "bearer",
		"refresh_token": state.RefreshToken, "refresh_token_expires_in": 7775998,
	})
	writeJSON(w, http.StatusOK, b)
}

// Consent agrees on the consent page at authorizeURL on behalf of user; if user is
// nil, the user does not agree. It returns the partner's URL to which the browser
// is then sent.
func (g *Garmin) Consent(authorizeURL string, user *activitytest.User) (redirect string, err error) {
	u, err := url.Parse(authorizeURL)
	if err != nil {
		return "", errors.New("oauth1test: malformed URL")
	}
	token := u.Query().Get("oauth_token")
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.requests[token]
	if t == nil || !g.fake.State().Now.Before(t.expires) {
		return "", errors.New("oauth1test: unknown oauth_token")
	}
	var target string
	g.fake.Backstage().Change(func() { target = g.fake.RedirectURL })
	for _, callback := range []string{t.callback, u.Query().Get("oauth_callback")} {
		if callback != "" {
			target = callback
		}
	}
	back, err := url.Parse(target)
	if err != nil || !back.IsAbs() {
		return "", errors.New("oauth1test: no redirect URL: neither in the request nor preset")
	}
	t.user, t.verifier = "", "NULL"
	if user != nil {
		t.user = user.ID()
		t.verifier = random(8)
	}
	q := back.Query()
	q.Set("oauth_token", token)
	q.Set("oauth_verifier", t.verifier)
	back.RawQuery = q.Encode()
	return back.String(), nil
}

// servePage is the consent page, and takes its form.
func (g *Garmin) servePage(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = page.Execute(w, g.fake.Users())
		return
	}
	var user *activitytest.User
	if r.PostFormValue("answer") == "agree" {
		if user = g.fake.User(types.UserID(r.PostFormValue("user"))); user == nil {
			http.Error(w, "no such user", http.StatusBadRequest)
			return
		}
	}
	back, err := g.Consent(r.URL.String(), user)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	http.Redirect(w, r, back, http.StatusFound)
}

// page posts back to its own URL, query and all.
var page = template.Must(template.New("consent").Parse(`<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>Fake Garmin: connect</title>
<h1>Share your data?</h1>
<form method="post">
<label>User <select name="user">{{range .}}<option>{{.ID}}</option>{{end}}</select></label>
<button name="answer" value="agree">Agree</button><button name="answer" value="deny">Deny</button>
</form></html>
`))

func writeForm(w http.ResponseWriter, v url.Values) {
	w.Header().Set("Content-Type", "application/x-www-form-urlencoded")
	_, _ = io.WriteString(w, v.Encode())
}
