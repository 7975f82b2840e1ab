package activitytest

import (
	"context"
	"net/http"
	"strings"
)

// errNoAuth is the text for a missing or unreadable Authorization header.
const errNoAuth = "Unable to read oAuth header"

type signedKey struct{}

// Signed returns a copy of r that the server accepts as a request of the user,
// whatever its Authorization header. It is for handlers of [Server.Use].
func Signed(r *http.Request, u *User) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), signedKey{}, u))
}

// claimed returns the user whose access token a request has, or nil.
func (s *Server) claimed(r *http.Request) *User {
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.bearers[value]; t != nil && strings.EqualFold(scheme, "Bearer") {
		return t.user
	}
	return nil
}

// authenticate finds the user a request is signed for (Appendix B: 401 where
// the authorization fails, 403 where the token is unknown).
func (s *Server) authenticate(r *http.Request) (*User, *apiError) {
	if u, ok := r.Context().Value(signedKey{}).(*User); ok {
		return u, nil
	}
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || value == "" {
		return nil, &apiError{http.StatusUnauthorized, errNoAuth}
	}
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
