package activitytest

import (
	"net/http"
	"strings"

	"github.com/garminkit/activityapi/types"
)

// errNoAuth is the text for a missing or unreadable Authorization header.
const errNoAuth = "Unable to read oAuth header"

// errUnknownToken is the text for a token that is not, or no longer, a user's.
const errUnknownToken = "Unknown UserAccessToken"

// signedKey is of the context of a request that Signed has returned.
type signedKey struct{}

// claimed returns the id of the user whose access token a request has, or "".
func (s *Server) claimed(r *http.Request) types.UserID {
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.bearers[value]; t != nil && strings.EqualFold(scheme, "Bearer") {
		return t.user.id
	}
	return ""
}

// authenticate finds the user a request is signed for (Appendix B: 401 where
// the authorization fails, 403 where the token is unknown).
func (s *Server) authenticate(r *http.Request) (*User, *apiError) {
	if id, ok := r.Context().Value(signedKey{}).(types.UserID); ok {
		if u := s.User(id); u != nil {
			return u, nil
		}
	}
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || value == "" {
		return nil, &apiError{http.StatusUnauthorized, errNoAuth}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.bearers[value]
	if t == nil {
		return nil, &apiError{http.StatusForbidden, errUnknownToken}
	}
	if t.expired() {
		return nil, &apiError{http.StatusUnauthorized, "Access token expired"}
	}
	return t.user, nil
}
