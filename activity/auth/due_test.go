package auth

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/types"
)

// A look at many tokens of which ten are due is a look at ten, and the
// index holds no more than the tokens do, however often they are swapped.
func TestDueCostsWhatIsDue(t *testing.T) {
	t.Parallel()
	const users = 100_000
	start := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	tokens := make([]*Token, users)
	asked := 0
	var d dueIndex
	number := make(map[types.UserID]int, users)
	stored := func(id types.UserID) *Token { asked++; return tokens[number[id]] }
	for i := range tokens {
		id := types.UserID(fmt.Sprint(i))
		number[id] = i
		tokens[i] = &Token{UserID: id, RefreshToken: "r", RefreshExpiry: start.Add(time.Duration(i+10) * time.Minute)}
		d.add(tokens[i], nil, users, stored)
	}
	asked = 0
	began := time.Now()
	for range 100 {
		require.Len(t, d.before(start.Add(20*time.Minute), stored), 10)
	}
	t.Logf("100 looks at %d tokens: %s", users, time.Since(began))
	require.Equal(t, 1000, asked)

	// Each is refreshed three times.
	for round := range 3 {
		for i, old := range tokens {
			next := *old
			next.RefreshExpiry = start.AddDate(0, 0, 90*(round+1))
			tokens[i] = &next
			d.add(&next, old, users, stored)
		}
	}
	require.LessOrEqual(t, len(d.entries), 2*users+1024)
	require.Empty(t, d.before(start.AddDate(0, 0, 270), stored))
}

// What is due is what a look at all tokens finds.
func TestDueAgreesWithAScan(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	tokens := map[types.UserID]*Token{}
	stored := func(id types.UserID) *Token { return tokens[id] }
	start := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	var d dueIndex
	for range 20_000 {
		id := types.UserID(fmt.Sprint(rng.IntN(50)))
		switch prev := tokens[id]; rng.IntN(6) {
		case 0:
			delete(tokens, id)
		case 1:
			before := start.Add(time.Duration(rng.IntN(100)) * time.Hour)
			var got, want []types.UserID
			for _, tok := range d.before(before, stored) {
				got = append(got, tok.UserID)
			}
			for id, tok := range tokens {
				if tok.refreshable() && tok.RefreshExpiry.Before(before) {
					want = append(want, id)
				}
			}
			slices.Sort(got)
			slices.Sort(want)
			require.Equal(t, want, got)
		default:
			next := &Token{UserID: id, RefreshToken: "r", Revoked: rng.IntN(5) == 0, RefreshExpiry: start.Add(time.Duration(rng.IntN(100)) * time.Hour)}
			if rng.IntN(8) == 0 {
				next.TokenSecret = "s"
			}
			tokens[id] = next
			d.add(next, prev, len(tokens), stored)
		}
	}
}
