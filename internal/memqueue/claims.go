package memqueue

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/garminkit/activityapi/internal/claimdir"
	"github.com/garminkit/activityapi/notify"
)

// Claims are [notify.Claims] in memory, for tests. Each handle represents a
// process. They use [time.Now].
type Claims struct {
	shared *sharedClaims
	holder string
}

type sharedClaims struct {
	mu      sync.Mutex
	handles int
	claims  map[string]notify.Claim
}

// NewClaims returns the first handle of a new set of claims.
func NewClaims() *Claims {
	return (&Claims{shared: &sharedClaims{claims: map[string]notify.Claim{}}}).Another()
}

// Another returns another handle of the same claims.
func (m *Claims) Another() *Claims {
	m.shared.mu.Lock()
	defer m.shared.mu.Unlock()
	m.shared.handles++
	return &Claims{m.shared, strconv.Itoa(m.shared.handles)}
}

var _ notify.Claims = (*Claims)(nil)

// Begin implements [notify.Claims].
func (m *Claims) Begin(_ context.Context, id string, lease time.Duration) (notify.Claim, bool, error) {
	m.shared.mu.Lock()
	defer m.shared.mu.Unlock()
	before := m.shared.claims[id]
	now := time.Now()
	c := notify.Claim{State: notify.ClaimBegun, Holder: m.holder, Asked: now, Until: now.Add(lease)}
	switch {
	case before.State == notify.ClaimNone:
	case before.State != notify.ClaimBegun:
		return before, false, nil
	case before.Holder == m.holder || !now.Before(before.Until) || before.Until.After(c.Until):
		c.Asked, c.Kept = before.Asked, before.Kept
	default:
		return before, false, nil
	}
	m.shared.claims[id] = c
	return before, true, nil
}

// Renew implements [notify.Claims].
func (m *Claims) Renew(_ context.Context, id string, lease time.Duration) error {
	m.shared.mu.Lock()
	defer m.shared.mu.Unlock()
	c := m.shared.claims[id]
	if c.State != notify.ClaimBegun || c.Holder != m.holder {
		return notify.ErrLost
	}
	c.Until = time.Now().Add(lease)
	m.shared.claims[id] = c
	return nil
}

// Settle implements [notify.Claims].
func (m *Claims) Settle(_ context.Context, id string, c notify.Claim) error {
	m.shared.mu.Lock()
	defer m.shared.mu.Unlock()
	before := m.shared.claims[id]
	if !claimdir.MaySettle(&before, c.State, m.holder) {
		return notify.ErrLost
	}
	if c.State == notify.ClaimNone {
		delete(m.shared.claims, id)
		return nil
	}
	c.Holder, c.Until = "", time.Time{}
	if c.Asked.IsZero() {
		c.Asked = before.Asked
	}
	m.shared.claims[id] = c
	return nil
}
