package activitytest

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// request1 is an OAuth 1.0a request token on its way to consent.
type request1 struct {
	secret   string
	callback string
	user     *User  // once consented
	verifier string // "NULL" if denied
	expires  time.Time
}

const requestLife = 10 * time.Minute

func (s *Server) oauth1Ended() bool {
	return !s.OAuth1Ends.IsZero() && !time.Now().Before(s.OAuth1Ends)
}

// serveRequestToken is the first leg of OAuth 1.0a.
func (s *Server) serveRequestToken(w http.ResponseWriter, r *http.Request) {
	p, err := readOAuth1(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		err = s.verifyOAuth1(r, p, "")
	}
	if err != nil {
		writeError(w, http.StatusUnauthorized, err.Error())
		return
	}
	callback := p["oauth_callback"]
	if callback == "oob" {
		callback = ""
	}
	token := s.uuid()
	t := &request1{secret: s.hex(16), callback: callback, expires: time.Now().Add(requestLife)}
	s.requests1[token] = t
	form := url.Values{"oauth_token": {token}, "oauth_token_secret": {t.secret}}
	if s.CallbackConfirmed {
		form.Set("oauth_callback_confirmed", "true")
	}
	writeForm(w, form)
}

// serveAccessToken is the third leg. The token of an earlier connection dies.
func (s *Server) serveAccessToken(w http.ResponseWriter, r *http.Request) {
	p, err := readOAuth1(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.requests1[p["oauth_token"]]
	switch {
	case err != nil:
	case t == nil || !time.Now().Before(t.expires):
		err = errors.New("Unknown request token")
	default:
		err = s.verifyOAuth1(r, p, t.secret)
	}
	if err == nil && (t.user == nil || t.verifier == "NULL" || p["oauth_verifier"] != t.verifier) {
		err = errors.New("Invalid oauth_verifier")
	}
	if err != nil {
		writeError(w, http.StatusUnauthorized, err.Error())
		return
	}
	delete(s.requests1, p["oauth_token"])
	t.user.connect()
	t.user.legacy = true
	t.user.issue1()
	writeForm(w, url.Values{"oauth_token": {t.user.token1}, "oauth_token_secret": {t.user.secret1}})
}

// serveTokenExchange moves a user from OAuth 1.0a to OAuth 2. The old token
// still works; notifications no longer carry it.
func (s *Server) serveTokenExchange(w http.ResponseWriter, r *http.Request) {
	scheme, header, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "OAuth") {
		writeError(w, http.StatusUnauthorized, errNoAuth)
		return
	}
	u, err := s.authenticateOAuth1(r, header)
	if err != nil {
		err.write(w)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u.legacy = false
	u.issue2()
	writeJSON(w, http.StatusOK, s.tokenAnswer(u))
}

// readOAuth1 reads the header and the form of a signed request.
func readOAuth1(r *http.Request) (map[string]string, error) {
	scheme, header, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "OAuth") {
		return nil, errors.New(errNoAuth)
	}
	p, err := parseOAuth1(header)
	return p, cmp.Or(err, readForm(r))
}

func writeForm(w http.ResponseWriter, v url.Values) {
	w.Header().Set("Content-Type", "application/x-www-form-urlencoded")
	io.WriteString(w, v.Encode())
}
