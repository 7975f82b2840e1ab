package authtest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/types"
)

// due checks which tokens are due, and in which order.
func due(t *testing.T, s auth.TokenStore) {
	at := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 20 {
		tok := token(types.UserID(fmt.Sprint("user", i)), i)
		tok.RefreshExpiry = at.AddDate(0, 0, (i*7)%20)
		put(t, s, nil, tok)
	}
	put(t, s, nil, &auth.Token{UserID: "one", AccessToken: "a", TokenSecret: "s"})
	put(t, s, nil, &auth.Token{UserID: "dead", AccessToken: "a", RefreshToken: "r", Revoked: true})
	put(t, s, nil, &auth.Token{UserID: "unknown end", AccessToken: "a", RefreshToken: "r"})
	for _, days := range []int{-1, 0, 1, 7, 19, 20} {
		var want []types.UserID
		want = append(want, "unknown end")
		for d := range days {
			for i := range 20 {
				if (i*7)%20 == d {
					want = append(want, types.UserID(fmt.Sprint("user", i)))
				}
			}
		}
		dueIs(t, s, at.AddDate(0, 0, days), want...)
	}
	for _, err := range s.Due(t.Context(), at.AddDate(1, 0, 0)) {
		_ = err
		break
	}
	dueIs(t, s, at.AddDate(0, 0, 1), "unknown end", "user0")
}

// dueFollows checks that what is due follows the swaps, also those that the
// loop makes.
func dueFollows(t *testing.T, s auth.TokenStore) {
	at := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	end := func(user types.UserID, d int) *auth.Token {
		tok := token(user, d)
		tok.RefreshExpiry = at.AddDate(0, 0, d)
		return tok
	}
	a, b, c := put(t, s, nil, end("a", 1)), put(t, s, nil, end("b", 2)), put(t, s, nil, end("c", 3))
	claimed := end("a", 1)
	claimed.ClaimedUntil = at
	a = put(t, s, a, claimed)
	dueIs(t, s, at.AddDate(0, 0, 4), "a", "b", "c")
	a = put(t, s, a, end("a", 90))
	dueIs(t, s, at.AddDate(0, 0, 4), "b", "c")
	dead := end("b", 2)
	dead.Revoked = true
	b = put(t, s, b, dead)
	dueIs(t, s, at.AddDate(0, 0, 4), "c")
	b = put(t, s, b, end("b", 2)) // connected again
	must(t, swap(s, c, nil))
	dueIs(t, s, at.AddDate(0, 0, 4), "b")
	put(t, s, nil, end("c", 3))
	put(t, s, a, end("a", 1)) // a clock that was set
	dueIs(t, s, at.AddDate(0, 0, 4), "a", "b", "c")
	_ = b
	for tok, err := range s.Due(t.Context(), at.AddDate(0, 0, 4)) {
		must(t, err)
		put(t, s, tok, end(tok.UserID, 90))
	}
	dueIs(t, s, at.AddDate(0, 0, 4))
	dueIs(t, s, at.AddDate(0, 0, 91), "a", "b", "c")
}

// dueIs checks who is due before a time: in this order, but that the order of
// those whose tokens end at once is free.
func dueIs(t *testing.T, s auth.TokenStore, before time.Time, want ...types.UserID) {
	t.Helper()
	var got []types.UserID
	var last time.Time
	for tok, err := range s.Due(t.Context(), before) {
		must(t, err)
		same(t, tok, get(t, s, tok.UserID))
		if tok.RefreshExpiry.Before(last) {
			t.Errorf("Due yields %s, which ends before the one it yielded first", tok.UserID)
		}
		last = tok.RefreshExpiry
		got = append(got, tok.UserID)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("due before %s are %v, want %v", before.Format(time.DateOnly), got, want)
	}
}
