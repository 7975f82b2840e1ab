package authtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/types"
)

func empty(t *testing.T, s auth.TokenStore) {
	if tok, err := s.Token(t.Context(), "nobody"); tok != nil || !errors.Is(err, auth.ErrNotConnected) {
		t.Errorf("Token of an unknown user = %v, %v, want nil and ErrNotConnected", tok, err)
	}
	for tok, err := range s.Tokens(t.Context()) {
		t.Errorf("Tokens of an empty store yields %v, %v", tok, err)
	}
	for tok, err := range s.Due(t.Context(), time.Now()) {
		t.Errorf("Due of an empty store yields %v, %v", tok, err)
	}
	conflict(t, s, &auth.Token{UserID: "nobody", Version: 1}, token("nobody", 1))
	conflict(t, s, &auth.Token{UserID: "nobody", Version: 1}, nil)
}

func keepsAllFields(t *testing.T, s auth.TokenStore) {
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for i, want := range []*auth.Token{
		{UserID: "a", AccessToken: "access", RefreshToken: "refresh", Expiry: at, RefreshExpiry: at.AddDate(0, 3, 0)},
		{UserID: "b", AccessToken: "access", RefreshToken: "r", Expiry: at, Revoked: true, ClaimedUntil: at.Add(time.Minute)},
		{UserID: "c", AccessToken: "token", TokenSecret: "secret"},
		{UserID: "d", AccessToken: "with \x00 \n\t \"quotes\" ' and ümlauts"},
	} {
		stored := put(t, s, nil, want)
		if stored.Version <= 0 {
			t.Errorf("token %d: Swap gave version %d, want more than 0", i, stored.Version)
		}
		want.Version = stored.Version
		same(t, stored, want)
		same(t, get(t, s, want.UserID), want)
	}
}

func createOnlyOnce(t *testing.T, s auth.TokenStore) {
	one := put(t, s, nil, token("u", 1))
	conflict(t, s, nil, token("u", 2))
	same(t, get(t, s, "u"), one)
}

func swapNeedsVersion(t *testing.T, s auth.TokenStore) {
	one := put(t, s, nil, token("u", 1))
	two := put(t, s, one, token("u", 2))
	if one.Version == two.Version {
		t.Error("two states of a token have the same version")
	}
	same(t, get(t, s, "u"), two)
	conflict(t, s, one, token("u", 3))
	conflict(t, s, one, nil)
	same(t, get(t, s, "u"), two)
	// The same content is another state all the same.
	three := put(t, s, two, two)
	conflict(t, s, two, token("u", 4))
	// Only user and version of old count.
	put(t, s, &auth.Token{UserID: "u", Version: three.Version}, token("u", 5))
}

func remove(t *testing.T, s auth.TokenStore) {
	one := put(t, s, nil, token("u", 1))
	got, err := s.Swap(t.Context(), one, nil)
	must(t, err)
	if got != nil {
		t.Errorf("Swap for nil returned %v", got)
	}
	if _, err := s.Token(t.Context(), "u"); !errors.Is(err, auth.ErrNotConnected) {
		t.Errorf("Token after removal: err = %v, want ErrNotConnected", err)
	}
	conflict(t, s, one, nil)
	conflict(t, s, one, token("u", 2))
	put(t, s, nil, token("u", 3))
}

func versionsNeverReturn(t *testing.T, s auth.TokenStore) {
	seen := make(map[int64]bool)
	for i := range 5 {
		one := put(t, s, nil, token("u", i))
		if seen[one.Version] {
			t.Fatalf("version %d given out twice", one.Version)
		}
		seen[one.Version] = true
		must(t, swap(s, one, nil))
	}
}

func usersApart(t *testing.T, s auth.TokenStore) {
	a, b := put(t, s, nil, token("a", 1)), put(t, s, nil, token("b", 1))
	a = put(t, s, a, token("a", 2))
	same(t, get(t, s, "b"), b)
	must(t, swap(s, b, nil))
	same(t, get(t, s, "a"), a)
}

func oddUserIDs(t *testing.T, s auth.TokenStore) {
	ids := []types.UserID{"A", "a", "ä", " a", "../a", "a\nb", "a'--", "%41", "4aacafe8-2427-c251-df9c-9592d0c06768"}
	for i, id := range ids {
		put(t, s, nil, token(id, i))
	}
	for i, id := range ids {
		if got := get(t, s, id); got.UserID != id || got.AccessToken != token(id, i).AccessToken {
			t.Errorf("Token(%q) is that of another user", id)
		}
	}
}

func badSwap(t *testing.T, s auth.TokenStore) {
	one := put(t, s, nil, token("u", 1))
	for name, swap := range map[string][2]*auth.Token{
		"nothing for nothing":   {nil, nil},
		"between two users":     {one, token("other", 1)},
		"no user id":            {nil, token("", 1)},
		"old that has no state": {token("u", 1), token("u", 2)},
	} {
		if _, err := s.Swap(t.Context(), swap[0], swap[1]); err == nil {
			t.Errorf("Swap of %s: no error", name)
		}
	}
	same(t, get(t, s, "u"), one)
}

func copies(t *testing.T, s auth.TokenStore) {
	given := token("u", 1)
	stored := put(t, s, nil, given)
	if given.Version != 0 {
		t.Error("Swap changed the token it was given")
	}
	want := *stored
	given.AccessToken, stored.AccessToken = "changed", "changed"
	got := get(t, s, "u")
	same(t, got, &want)
	got.AccessToken = "changed"
	same(t, get(t, s, "u"), &want)
}

func tokens(t *testing.T, s auth.TokenStore) {
	const n = 25
	for i := range n {
		put(t, s, nil, token(types.UserID(fmt.Sprint("user", i)), i))
	}
	seen := make(map[types.UserID]bool)
	for tok, err := range s.Tokens(t.Context()) {
		must(t, err)
		if seen[tok.UserID] {
			t.Errorf("%s yielded twice", tok.UserID)
		}
		seen[tok.UserID] = true
		// The loop may use the store; a token as yielded can be swapped.
		must(t, swap(s, tok, token(tok.UserID, 100)))
	}
	if len(seen) != n {
		t.Errorf("Tokens yielded %d users, want %d", len(seen), n)
	}
	for _, err := range s.Tokens(t.Context()) {
		must(t, err)
		break
	}
}

func endedContext(t *testing.T, s auth.TokenStore) {
	one := put(t, s, nil, token("u", 1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Token(ctx, "u"); !errors.Is(err, context.Canceled) {
		t.Errorf("Token with an ended context: err = %v, want context.Canceled", err)
	}
	// A store that waits for its lock or for the end, whichever is first, goes
	// either way when both are there.
	for range 30 {
		if _, err := s.Swap(ctx, one, token("u", 2)); !errors.Is(err, context.Canceled) {
			t.Fatalf("Swap with an ended context: err = %v, want context.Canceled", err)
		}
	}
	var last error
	for _, err := range s.Tokens(ctx) {
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("Tokens with an ended context: last err = %v, want context.Canceled", last)
	}
	last = nil
	for _, err := range s.Due(ctx, one.RefreshExpiry.Add(time.Second)) {
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("Due with an ended context: last err = %v, want context.Canceled", last)
	}
	same(t, get(t, s, "u"), one)
}

// concurrent lets goroutines count in the token of one user, through two
// views. Each swap that succeeds counts once: a lost one shows in the sum.
func concurrent(t *testing.T, a, b auth.TokenStore) {
	const workers, rounds = 8, 10
	put(t, a, nil, &auth.Token{UserID: "u", AccessToken: "0"})
	var wg sync.WaitGroup
	var conflicts atomic.Int64
	versions := make(chan int64, workers*rounds)
	for w := range workers {
		s := a
		if w%2 == 1 {
			s = b
		}
		wg.Go(func() {
			for done := 0; done < rounds; {
				old, err := s.Token(t.Context(), "u")
				if err != nil {
					t.Errorf("Token: %v", err)
					return
				}
				var n int
				_, _ = fmt.Sscan(string(old.AccessToken), &n)
				next := token("u", 0)
				next.AccessToken = secret(fmt.Sprint(n + 1))
				got, err := s.Swap(t.Context(), old, next)
				switch {
				case err == nil:
					done++
					versions <- got.Version
				case errors.Is(err, auth.ErrConflict):
					conflicts.Add(1)
				default:
					t.Errorf("Swap: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	close(versions)
	if got := string(get(t, b, "u").AccessToken); got != fmt.Sprint(workers*rounds) {
		t.Errorf("%d swaps succeeded, but the count is %s: some were lost", workers*rounds, got)
	}
	seen := make(map[int64]bool)
	for v := range versions {
		if seen[v] {
			t.Errorf("version %d given out twice", v)
		}
		seen[v] = true
	}
	t.Logf("%d conflicts", conflicts.Load())
}
