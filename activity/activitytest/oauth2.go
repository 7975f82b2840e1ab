package activitytest

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"time"
)

// code is an OAuth 2 authorization code: what it proves, and until when.
type code struct {
	user      *User
	challenge string
	redirect  string // as the authorization request had it, or ""
	expires   time.Time
}

const codeLife = 10 * time.Minute

// verifierSyntax is that of RFC 7636, section 4.1.
var verifierSyntax = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)

// oauth2Error is an error answer of RFC 6749, section 5.2.
type oauth2Error struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

// tokenAnswer is what Garmin's token endpoint sends.
type tokenAnswer struct {
	AccessToken           string `json:"access_token"`
	ExpiresIn             int    `json:"expires_in"`
	TokenType             string `json:"token_type"`
	RefreshToken          string `json:"refresh_token"`
	RefreshTokenExpiresIn int    `json:"refresh_token_expires_in"`
	Scope                 string `json:"scope"`
	JTI                   string `json:"jti"`
}

// serveToken is the token endpoint. The client authenticates in the form.
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		writeJSON(w, http.StatusBadRequest, oauth2Error{"invalid_request", "malformed form"})
		return
	}
	f := r.PostForm
	s.mu.Lock()
	known := f.Get("client_id") == s.ClientID && f.Get("client_secret") == s.ClientSecret
	s.mu.Unlock()
	if !known {
		writeJSON(w, http.StatusUnauthorized, oauth2Error{"invalid_client", "client authentication failed"})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var u *User
	var err *oauth2Error
	switch f.Get("grant_type") {
	case "authorization_code":
		u, err = s.redeem(f)
	case "refresh_token":
		u, err = s.rotate(f.Get("refresh_token"))
	default:
		err = &oauth2Error{"unsupported_grant_type", "grant_type must be authorization_code or refresh_token"}
	}
	if err != nil {
		writeJSON(w, http.StatusBadRequest, err)
		return
	}
	writeJSON(w, http.StatusOK, s.tokenAnswer(u))
}

// redeem trades a code for a connection. A code works once.
func (s *Server) redeem(f url.Values) (*User, *oauth2Error) {
	c := s.codes[f.Get("code")]
	delete(s.codes, f.Get("code"))
	switch {
	case c == nil || !s.now().Before(c.expires):
		return nil, &oauth2Error{"invalid_grant", "authorization code is invalid or expired"}
	case c.redirect != "" && c.redirect != f.Get("redirect_uri"):
		return nil, &oauth2Error{"invalid_grant", "redirect_uri does not match"}
	case !verifierSyntax.MatchString(f.Get("code_verifier")), challenge(f.Get("code_verifier")) != c.challenge:
		return nil, &oauth2Error{"invalid_grant", "code_verifier does not match"}
	}
	c.user.connect()
	c.user.revoke2()
	c.user.itemToken = ""
	c.user.issue2()
	return c.user, nil
}

// rotate trades a refresh token for the next one. A token that was spent before
// shows that it was stolen, or refreshed by two at once: the chain ends.
func (s *Server) rotate(refresh string) (*User, *oauth2Error) {
	t := s.refreshes[refresh]
	switch {
	case t == nil || t.expired() || t.user.refresh == nil:
		return nil, &oauth2Error{"invalid_grant", "refresh token is invalid or expired"}
	case t.user.refresh != t:
		s.reuses++
		t.user.revoke2()
		return nil, &oauth2Error{"invalid_grant", "refresh token was used before"}
	}
	t.user.issue2()
	return t.user, nil
}

func (s *Server) tokenAnswer(u *User) tokenAnswer {
	return tokenAnswer{
		AccessToken:           u.access[len(u.access)-1].value,
		ExpiresIn:             int(accessLife.Seconds()),
		TokenType:             "bearer",
		RefreshToken:          u.refresh.value,
		RefreshTokenExpiresIn: int(refreshLife.Seconds()),
		Scope:                 "PARTNER_WRITE PARTNER_READ CONNECT_READ CONNECT_WRITE",
		JTI:                   s.uuid(),
	}
}

// challenge is the S256 of RFC 7636, section 4.2.
func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
