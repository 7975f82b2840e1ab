package authtest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/types"
)

func secret(s string) types.Secret { return types.Secret(s) }

// token returns the i-th token of a user.
func token(userID types.UserID, i int) *auth.Token {
	at := time.Date(2026, 11, 23, 0, 0, i, 0, time.UTC)
	return &auth.Token{
		UserID:        userID,
		AccessToken:   secret(fmt.Sprintf("access %d of %s", i, userID)),
		RefreshToken:  secret(fmt.Sprintf("refresh %d of %s", i, userID)),
		Expiry:        at,
		RefreshExpiry: at.AddDate(0, 0, 90),
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, s auth.TokenStore, old, new *auth.Token) *auth.Token {
	t.Helper()
	got, err := s.Swap(t.Context(), old, new)
	must(t, err)
	if got == nil {
		t.Fatal("Swap returned no token and no error")
	}
	return got
}

func get(t *testing.T, s auth.TokenStore, userID types.UserID) *auth.Token {
	t.Helper()
	got, err := s.Token(t.Context(), userID)
	must(t, err)
	return got
}

func swap(s auth.TokenStore, old, new *auth.Token) error {
	_, err := s.Swap(context.Background(), old, new)
	return err
}

func conflict(t *testing.T, s auth.TokenStore, old, new *auth.Token) {
	t.Helper()
	if got, err := s.Swap(t.Context(), old, new); got != nil || !errors.Is(err, auth.ErrConflict) {
		t.Errorf("Swap of a state that is not stored = %v, %v, want nil and ErrConflict", got, err)
	}
}

// same compares two tokens. Times need only be the same instant.
func same(t *testing.T, got, want *auth.Token) {
	t.Helper()
	if got.UserID != want.UserID || got.AccessToken != want.AccessToken ||
		got.RefreshToken != want.RefreshToken || got.TokenSecret != want.TokenSecret ||
		!got.Expiry.Equal(want.Expiry) || !got.RefreshExpiry.Equal(want.RefreshExpiry) ||
		!got.ClaimedUntil.Equal(want.ClaimedUntil) || got.Revoked != want.Revoked {
		t.Errorf("token of %s differs from the one stored", want.UserID)
	}
	if got.Version != want.Version {
		t.Errorf("token of %s has version %d, want %d", want.UserID, got.Version, want.Version)
	}
}
