package auth

import (
	"context"
	"errors"
	"time"
)

// renewPause is how long no other token is got for a user because of a 401. A
// Garmin that refuses every token must not cost a refresh for each request.
const renewPause = time.Hour

// errRefused says that Garmin refuses a token that came of such a refresh.
var errRefused = errors.New("token refused by Garmin")

// renew returns another token of the user in place of one that looks good and
// that Garmin refuses. If another request or process has replaced it, that is
// the one; else renew refreshes, together with all who ask.
func (u *Users) renew(ctx context.Context, refused *Token) (*Token, error) {
	t, err := u.join(ctx, refused.UserID, false, refused)
	if err == nil && t.sameGrant(refused) {
		// A refresh that others began was content with it.
		return nil, wrap("refresh token", refused.UserID, errRefused)
	}
	return t, err
}

func (u *Users) mayRenew(userID string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return !u.renewed[userID]
}

func (u *Users) noteRenewed(userID string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.renewed[userID] = true
	time.AfterFunc(renewPause, func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.renewed, userID)
	})
}
