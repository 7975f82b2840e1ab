package auth

import (
	"context"
	"errors"
	"time"

	"github.com/garminkit/activityapi/internal/backoff"
	"github.com/garminkit/activityapi/types"
)

const (
	// flightTimeout bounds a refresh as a whole, with the wait for another
	// process that is at it.
	flightTimeout = 2 * time.Minute
	// storeTimeout bounds the storing of a rotated token, repeats included.
	storeTimeout = 30 * time.Second
	// grace is how long a refused refresh waits for another process to have
	// stored what it got. Only clocks that differ by more than a claim's life
	// let two processes come this far.
	grace = 500 * time.Millisecond
	// maxClaim bounds the wait for another process's claim, whatever the
	// clocks say. It leaves room for a refresh within flightTimeout.
	maxClaim = 90 * time.Second
	// maxSpend bounds a refresh's call, whatever Options.Timeout says, so that it
	// has ended and its token is stored before the claim has run out.
	maxSpend = maxClaim - storeTimeout
)

// rotation is a token that takes the place of another.
type rotation struct{ old, new *Token }

// refresh gets the user a token that is good to use, and if force is set a new
// one in any case. If refused is set, it is a token that looked good and that
// Garmin did not take: another one will do.
//
// Processes that share a store keep apart by claims: who wants to refresh
// first stores the token with ClaimedUntil set. One wins that swap; the others
// see the claim and wait for what comes of it. A claim also shows that the
// store takes writes before the refresh token is spent. If the claimant dies,
// another takes over when the claim has run out.
func (u *Users) refresh(ctx context.Context, userID types.UserID, force bool, refused *Token) (*Token, error) {
	ctx, cancel := context.WithTimeout(ctx, flightTimeout)
	defer cancel()
	const op = "refresh token"

	first := refused
	var claim watchedClaim
	for tries := 1; ; tries++ {
		if t, err := u.storeLeftover(ctx, userID); t != nil || err != nil {
			return t, err
		}
		t, err := u.store.Token(ctx, userID)
		if err != nil {
			return nil, wrap(op, userID, err)
		}
		if first == nil {
			first = t
		}
		switch {
		case !t.OAuth2() && !force:
			return t, nil
		case t.Revoked:
			return nil, wrap(op, userID, ErrReconnect)
		case claim.stands(t, u.claimLife()):
			if t.fresh(0) && !force && !t.refused(refused) {
				return t, nil
			}
			if err := backoff.Sleep(ctx, backoff.Wait(tries, 20*time.Millisecond, time.Second)); err != nil {
				return nil, wrap(op, userID, err)
			}
			continue
		case t.fresh(margin) && !(force && t.sameGrant(first)) && !t.refused(refused):
			return t, nil
		case t.fresh(margin) && t.refused(refused) && !u.mayRenew(userID):
			return nil, wrap(op, userID, errRefused)
		}

		claimed := t.clone()
		claimed.ClaimedUntil = time.Now().Add(u.claimLife()).UTC().Truncate(time.Second)
		claimed, err = u.store.Swap(ctx, t, claimed)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return nil, wrap(op, userID, err)
		}
		next, err := u.spend(ctx, claimed)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err == nil && t.refused(refused) {
			u.noteRenewed(userID)
		}
		return next, err
	}
}

// claimLife is how long a refresh may take, and so a claim stands.
func (u *Users) claimLife() time.Duration { return min(u.server.timeout+storeTimeout, maxClaim) }

// watchedClaim is the claim of another process, as one that waits sees it.
type watchedClaim struct {
	version int64     // of the token that carries it
	end     time.Time // by this process's monotonic clock
}

// stands reports whether t is claimed. Life is how long a claim stands.
func (c *watchedClaim) stands(t *Token, life time.Duration) bool {
	if t.ClaimedUntil.IsZero() {
		return false
	}
	if c.version != t.Version {
		c.version = t.Version
		c.end = time.Now().Add(min(max(time.Until(t.ClaimedUntil), life), maxClaim))
	}
	return time.Now().Before(c.end)
}

// spend refreshes a token that this process has claimed. The error is
// ErrConflict if another came in between.
func (u *Users) spend(ctx context.Context, claimed *Token) (*Token, error) {
	s, err := u.of("refresh token", claimed.UserID)
	if err != nil {
		return nil, err
	}
	calling, cancel := context.WithTimeout(ctx, maxSpend)
	defer cancel()
	next, err := s.next(calling, claimed)
	if err == nil {
		u.refreshed.Add(1)
		u.logger.DebugContext(ctx, "token refreshed", "user", claimed.UserID, "expiry", next.Expiry)
		return u.storeRotation(ctx, &rotation{claimed, next})
	}
	if !errors.Is(err, ErrReconnect) {
		u.failed.Add(1)
		// Garmin may have rotated the token and the answer is lost. Only the
		// next attempt will tell.
		u.mark(ctx, claimed, func(t *Token) { t.ClaimedUntil = time.Time{} })
		return nil, err
	}
	if err := backoff.Sleep(ctx, grace); err != nil {
		return nil, wrap("refresh token", claimed.UserID, err)
	}
	if !u.mark(ctx, claimed, func(t *Token) { t.ClaimedUntil, t.Revoked = time.Time{}, true }) {
		return nil, ErrConflict
	}
	u.reconnect.Add(1)
	u.logger.WarnContext(ctx, "user must connect again", "user", claimed.UserID)
	return nil, err
}

// mark changes a mark of a claimed token. It reports false if the token was
// replaced meanwhile. If the store fails, the mark is lost; the claim then
// runs out by itself.
func (u *Users) mark(ctx context.Context, claimed *Token, set func(*Token)) bool {
	t := claimed.clone()
	set(t)
	_, err := u.store.Swap(ctx, claimed, t)
	if err != nil && !errors.Is(err, ErrConflict) {
		u.logger.ErrorContext(ctx, "claim on token not released", "user", claimed.UserID, "err", err)
	}
	return !errors.Is(err, ErrConflict)
}

// storeRotation stores a token that Garmin gave in exchange for another, and
// does not give up easily: the old one is worthless.
func (u *Users) storeRotation(ctx context.Context, r *rotation) (*Token, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	old := r.old
	for tries := 1; ; tries++ {
		t, err := u.store.Swap(ctx, old, r.new)
		if err == nil {
			return t, nil
		}
		if errors.Is(err, ErrConflict) {
			var now *Token
			now, err = u.store.Token(ctx, r.old.UserID)
			switch {
			case errors.Is(err, ErrNotConnected):
				return nil, wrap("store token", r.old.UserID, err) // forgotten meanwhile
			case err == nil && now.sameGrant(r.old):
				// Only a mark was changed: what we have is newer.
				old = now
				continue
			case err == nil:
				// An earlier swap was made after all, or the user connected
				// anew.
				if now.Revoked {
					return nil, wrap("store token", r.old.UserID, ErrReconnect)
				}
				return now, nil
			}
		}
		if serr := backoff.Sleep(ctx, backoff.Wait(tries, 20*time.Millisecond, 5*time.Second)); serr != nil {
			u.mu.Lock()
			u.unstored[r.old.UserID] = r
			u.mu.Unlock()
			u.logger.ErrorContext(ctx, "rotated token not stored: held in memory", "user", r.old.UserID, "err", err)
			return nil, wrap("store token", r.old.UserID, err)
		}
	}
}

// storeLeftover stores the user's token that the store did not take before. It
// returns nil if there is none.
func (u *Users) storeLeftover(ctx context.Context, userID types.UserID) (*Token, error) {
	u.mu.Lock()
	r := u.unstored[userID]
	delete(u.unstored, userID)
	u.mu.Unlock()
	if r == nil {
		return nil, nil
	}
	return u.storeRotation(ctx, r) // which puts it back if it fails
}
