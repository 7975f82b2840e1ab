package activitytest

import (
	"cmp"
	"net/http"
	"strings"
)

// errNoAuth is the text for a missing or unreadable Authorization header.
const errNoAuth = "Unable to read oAuth header"

// authenticate finds the user a request is signed for (Appendix B: 401 where
// the authorization fails, 403 where the token is unknown).
func (s *Server) authenticate(r *http.Request) (*User, *apiError) {
	scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch {
	case strings.EqualFold(scheme, "Bearer") && rest != "":
		return s.authenticateBearer(rest)
	case strings.EqualFold(scheme, "OAuth"):
		return s.authenticateOAuth1(r, rest)
	}
	return nil, &apiError{http.StatusUnauthorized, errNoAuth}
}

func (s *Server) authenticateBearer(value string) (*User, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.bearers[value]
	if t == nil {
		return nil, &apiError{http.StatusForbidden, "Unknown UserAccessToken"}
	}
	if t.expired() {
		return nil, &apiError{http.StatusUnauthorized, "Access token expired"}
	}
	return t.user, nil
}

func (s *Server) authenticateOAuth1(r *http.Request, header string) (*User, *apiError) {
	p, err := parseOAuth1(header)
	if err = cmp.Or(err, readForm(r)); err != nil {
		return nil, &apiError{http.StatusUnauthorized, errNoAuth}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.oauth1Ended() {
		return nil, &apiError{http.StatusUnauthorized, "OAuth 1.0 is no longer supported"}
	}
	u := s.oauth1[p["oauth_token"]]
	if u == nil {
		return nil, &apiError{http.StatusForbidden, "Unknown UserAccessToken"}
	}
	if err := s.verifyOAuth1(r, p, u.secret1); err != nil {
		return nil, &apiError{http.StatusUnauthorized, err.Error()}
	}
	return u, nil
}
