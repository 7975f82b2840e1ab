package activitytest

import (
	"cmp"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"regexp"

	"github.com/garminkit/activityapi/internal/secureurl"
	"github.com/garminkit/activityapi/types"
)

// consentRequest is what a partner sends a user's browser to Garmin with
// (connect.garmin.com/oauth2Confirm).
type consentRequest struct {
	redirect  *url.URL
	challenge string
	state     string
	named     string // redirect_uri as it was sent, or ""
}

// challengeSyntax is that of an S256 challenge.
var challengeSyntax = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

func (s *Server) readConsentRequest(u *url.URL) (*consentRequest, error) {
	s.mu.Lock()
	id, preset, strict := s.ClientID, s.RedirectURL, s.StrictRedirect
	s.mu.Unlock()
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errors.New("malformed query")
	}
	switch {
	case q.Get("response_type") != "code":
		return nil, errors.New("response_type must be code")
	case q.Get("client_id") != id:
		return nil, errors.New("unknown client_id")
	case q.Get("code_challenge_method") != "S256":
		return nil, errors.New("code_challenge_method must be S256")
	case !challengeSyntax.MatchString(q.Get("code_challenge")):
		return nil, errors.New("code_challenge is missing or malformed")
	}
	c := &consentRequest{challenge: q.Get("code_challenge"), state: q.Get("state"), named: q.Get("redirect_uri")}
	c.redirect, err = url.Parse(cmp.Or(c.named, preset))
	if err != nil || !c.redirect.IsAbs() {
		return nil, errors.New("no redirect URL: neither in the request nor preset")
	}
	if c.named != "" && c.named != preset && (preset != "" || strict && !secureurl.Loopback(c.redirect.Hostname())) {
		return nil, errors.New("the redirect_uri is not registered: it must be the preset one")
	}
	return c, nil
}

// Consent agrees on the OAuth 2 consent page at authorizeURL on behalf of u; if u is
// nil, the user does not agree. It returns the partner's URL to which the browser
// is then sent. The user grants [UserState.Permissions].
func (s *Server) Consent(authorizeURL string, u *User) (redirect string, err error) {
	page, err := url.Parse(authorizeURL)
	if err != nil {
		return "", errors.New("activitytest: malformed URL")
	}
	c, err := s.readConsentRequest(page)
	if err != nil {
		return "", fmt.Errorf("activitytest: %w", err)
	}
	return s.answer(c, u), nil
}

// answer notes the decision of a user, nil being a refusal, and returns where
// the browser goes. What the redirect URL has of its own is kept.
func (s *Server) answer(c *consentRequest, user *User) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := c.redirect.Query()
	if user == nil {
		q.Set("error", "access_denied")
	} else {
		value := s.hex(16)
		s.codes[value] = &code{user, c.challenge, c.named, s.now().Add(codeLife)}
		q.Set("code", value)
	}
	if c.state != "" {
		q.Set("state", c.state)
	}
	target := *c.redirect
	target.RawQuery = q.Encode()
	return target.String()
}

// serveConsentPage shows the page to a browser. Every user of the server can be
// chosen; history is off, as at Garmin.
func (s *Server) serveConsentPage(w http.ResponseWriter, r *http.Request) {
	if _, err := s.readConsentRequest(r.URL); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var page struct {
		Users       []types.UserID
		Permissions []consentBox
	}
	for _, u := range s.Users() {
		page.Users = append(page.Users, u.id)
	}
	page.Permissions = []consentBox{
		{types.PermissionActivityExport, "Activities", true},
		{"HEALTH_EXPORT", "Daily health stats", true},
		{types.PermissionHistoricalDataExport, "Historical data", false},
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = consentPage.Execute(w, page)
}

type consentBox struct {
	Permission types.Permission
	Label      string
	On         bool
}

// serveConsent takes the page's form.
func (s *Server) serveConsent(w http.ResponseWriter, r *http.Request) {
	c, err := s.readConsentRequest(r.URL)
	if err == nil {
		err = r.ParseForm()
	}
	var user *User
	if err == nil && r.PostForm.Get("answer") == "agree" {
		if user = s.User(types.UserID(r.PostForm.Get("user"))); user == nil {
			err = errors.New("no such user")
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if user != nil {
		s.mu.Lock()
		user.permissions = []types.Permission{}
		for _, p := range r.PostForm["permission"] {
			user.permissions = append(user.permissions, types.Permission(p))
		}
		s.mu.Unlock()
	}
	http.Redirect(w, r, s.answer(c, user), http.StatusFound)
}

// consentPage posts back to its own URL, query and all.
var consentPage = template.Must(template.New("consent").Parse(`<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Fake Garmin: connect</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:32em;margin:3em auto;padding:0 1em}label{display:block}button{font:inherit;margin:1em .5em 0 0}</style>
<h1>Share your data?</h1>
<p>This is a fake Garmin. Choose who you are and what you share.</p>
<form method="post">
<label>User <select name="user">{{range .Users}}<option>{{.}}</option>{{end}}</select></label>
{{range .Permissions}}<label><input type="checkbox" name="permission" value="{{.Permission}}"{{if .On}} checked{{end}}> {{.Label}}</label>
{{end}}<button name="answer" value="agree">Agree</button><button name="answer" value="deny">Deny</button>
</form></html>
`))
