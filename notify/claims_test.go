package notify

import (
	"context"
	"sync"
	"time"
)

// oneClaims are the [Claims] of one process, in memory. sync, if not nil, is called
// when a claim must be safe; if it fails, nothing has changed.
type oneClaims struct {
	sync func(ClaimState) error

	mu  sync.Mutex
	all map[string]Claim
}

func (o *oneClaims) Begin(_ context.Context, id string, lease time.Duration) (Claim, bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := o.all[id]
	if before.State != ClaimNone && before.State != ClaimBegun {
		return before, false, nil
	}
	now := time.Now()
	c := Claim{State: ClaimBegun, Asked: now, Until: now.Add(lease), Kept: before.Kept}
	return before, true, o.put(id, c)
}

func (o *oneClaims) Renew(context.Context, string, time.Duration) error { return nil }

func (o *oneClaims) Settle(_ context.Context, id string, c Claim) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.put(id, c)
}

func (o *oneClaims) put(id string, c Claim) error {
	if o.sync != nil {
		if err := o.sync(c.State); err != nil {
			return err
		}
	}
	if o.all == nil {
		o.all = map[string]Claim{}
	}
	o.all[id] = c
	return nil
}
