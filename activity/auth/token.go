package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/garminkit/activityapi/types"
)

// Token lets an application act for one user. It is either an OAuth 2 token,
// which has a RefreshToken and expires, or one of Options.Scheme, which has a
// TokenSecret and lasts until the user withdraws consent.
//
// Packages fmt, log/slog and encoding/json print a Token without its secrets.
// A store writes it with [Token.MarshalBinary].
type Token struct {
	// UserID is Garmin's id of the user. It is the key in a TokenStore.
	UserID types.UserID `json:"user_id"`
	// AccessToken is what requests carry.
	AccessToken types.Secret `json:"-"`

	// RefreshToken is used once to get the next access token. Each refresh
	// returns a new one and invalidates the old.
	RefreshToken types.Secret `json:"-"`
	// Expiry is when AccessToken expires.
	Expiry time.Time `json:"expiry,omitzero"`
	// RefreshExpiry is when RefreshToken expires, 90 days after the last refresh.
	RefreshExpiry time.Time `json:"refresh_expiry,omitzero"`

	// TokenSecret is the secret of a token of Options.Scheme. It is empty in an
	// OAuth 2 token.
	TokenSecret types.Secret `json:"-"`

	// Revoked means that Garmin refused RefreshToken permanently. The user has to
	// connect again.
	Revoked bool `json:"revoked,omitempty"`
	// ClaimedUntil is set while one process has the right to refresh this token,
	// and is the time when that right ends. It is zero otherwise.
	ClaimedUntil time.Time `json:"claimed_until,omitzero"`

	// Version is set by the store, which gives each stored state of a token a
	// different one. It is zero in a token that was never stored.
	Version int64 `json:"version,omitzero"`
}

// OAuth2 reports whether t is an OAuth 2 token.
func (t *Token) OAuth2() bool { return t.TokenSecret == "" }

// fresh reports whether the access token may be used now and for margin more.
func (t *Token) fresh(margin time.Duration) bool {
	return !t.OAuth2() || time.Until(t.Expiry) > margin
}

// sameGrant reports whether t and o are the same but for marks.
func (t *Token) sameGrant(o *Token) bool {
	return t.AccessToken == o.AccessToken && t.RefreshToken == o.RefreshToken && t.TokenSecret == o.TokenSecret
}

// refused reports whether t is the token that Garmin did not take.
func (t *Token) refused(r *Token) bool { return r != nil && t.sameGrant(r) }

func (t *Token) clone() *Token {
	c := *t
	return &c
}

// tokenFields is the stored form of a Token. Version is not in it: each store
// has its own place for that.
type tokenFields struct {
	UserID        types.UserID `json:"user_id"`
	AccessToken   string       `json:"access_token,omitempty"`
	RefreshToken  string       `json:"refresh_token,omitempty"`
	Expiry        time.Time    `json:"expiry,omitzero"`
	RefreshExpiry time.Time    `json:"refresh_expiry,omitzero"`
	TokenSecret   string       `json:"token_secret,omitempty"`
	Revoked       bool         `json:"revoked,omitempty"`
	ClaimedUntil  time.Time    `json:"claimed_until,omitzero"`
}

func (t *Token) fields() (*tokenFields, error) {
	for _, s := range []string{string(t.UserID), string(t.AccessToken), string(t.RefreshToken), string(t.TokenSecret)} {
		if !utf8.ValidString(s) {
			return nil, errors.New("auth: token is not UTF-8")
		}
	}
	return &tokenFields{
		UserID:        t.UserID,
		AccessToken:   string(t.AccessToken),
		RefreshToken:  string(t.RefreshToken),
		Expiry:        t.Expiry.UTC(),
		RefreshExpiry: t.RefreshExpiry.UTC(),
		TokenSecret:   string(t.TokenSecret),
		Revoked:       t.Revoked,
		ClaimedUntil:  t.ClaimedUntil.UTC(),
	}, nil
}

func (f *tokenFields) token(version int64) *Token {
	return &Token{
		UserID:        f.UserID,
		AccessToken:   types.Secret(f.AccessToken),
		RefreshToken:  types.Secret(f.RefreshToken),
		Expiry:        f.Expiry,
		RefreshExpiry: f.RefreshExpiry,
		TokenSecret:   types.Secret(f.TokenSecret),
		Revoked:       f.Revoked,
		ClaimedUntil:  f.ClaimedUntil,
		Version:       version,
	}
}

// MarshalBinary returns all of t but Version, with unencrypted secrets, for a
// store to keep. The result is a JSON object, so that it fits a JSON column.
//
// It refuses text that is not UTF-8, since JSON would change it and two users
// could become one.
func (t Token) MarshalBinary() ([]byte, error) {
	fields, err := t.fields()
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(fields) //nolint:gosec // for the store alone
	if err != nil {
		return nil, errors.New("auth: token with a time that cannot be written")
	}
	return b, nil
}

// UnmarshalBinary reads what MarshalBinary wrote and does not change Version. Its
// errors contain nothing of b.
func (t *Token) UnmarshalBinary(b []byte) error {
	var f tokenFields
	if err := json.Unmarshal(b, &f); err != nil {
		return errors.New("auth: unreadable token")
	}
	if f.UserID == "" {
		return errors.New("auth: token without user id")
	}
	*t = *f.token(t.Version)
	return nil
}

// UnmarshalJSON always fails: the JSON of a token lacks the secrets.
func (t *Token) UnmarshalJSON([]byte) error {
	return errors.New("auth: the JSON of a Token has no secrets: use MarshalBinary and UnmarshalBinary")
}

// Format implements [fmt.Formatter]: every verb prints the user id and the expiry,
// and no secret.
func (t Token) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "Token(user %s, expires %s)", t.UserID, t.Expiry.UTC().Format(time.RFC3339))
}
