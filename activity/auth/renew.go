package auth

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/garminkit/activityapi/internal/verdict"
	"github.com/garminkit/activityapi/types"
)

const (
	// renewPause is how long no other token is got for a user because of a
	// 401. A Garmin that refuses every token must not cost a refresh for each
	// request.
	renewPause = time.Hour
	// doubtLife is how long Garmin has to refuse tokens that it has just
	// given before that judges the user: an outage, a wrong key or a wrong
	// clock gives the same answer, and is mended by then.
	doubtLife = 24 * time.Hour
)

// errRefused says that Garmin refuses a token that came of such a refresh.
var errRefused = errors.New("token refused by Garmin")

// doubt is what is known of a user whose token looked good and was refused.
type doubt struct {
	renewed time.Time // the last refresh because of that
	since   time.Time // the first refusal of a token that came of one
}

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

func (u *Users) mayRenew(userID types.UserID) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	d := u.doubts[userID]
	return d == nil || d.renewed.IsZero() || time.Since(d.renewed) >= renewPause
}

func (u *Users) noteRenewed(userID types.UserID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.doubtOf(userID).renewed = time.Now()
}

// doubtOf returns what is known of a user, for whoever holds mu. What is two
// days old is of no use any more.
func (u *Users) doubtOf(userID types.UserID) *doubt {
	if now := time.Now(); now.Sub(u.swept) > renewPause {
		u.swept = now
		for id, d := range u.doubts {
			if now.Sub(d.renewed) > 2*doubtLife {
				delete(u.doubts, id)
			}
		}
	}
	d := u.doubts[userID]
	if d == nil {
		d = &doubt{}
		u.doubts[userID] = d
	}
	return d
}

// accepted notes that Garmin has taken a token of the user.
func (u *Users) accepted(userID types.UserID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if d := u.doubts[userID]; d != nil {
		d.since = time.Time{}
	}
}

// judge notes a refusal of a token of which Garmin's OAuth server has said
// that the user is connected, or has not said that the user is not. Until such
// refusals have lasted, they do not judge the user.
func (u *Users) judge(userID types.UserID, resp *http.Response) {
	u.mu.Lock()
	defer u.mu.Unlock()
	d := u.doubtOf(userID)
	if d.since.IsZero() && !d.renewed.IsZero() {
		d.since = time.Now()
	}
	if d.since.IsZero() || time.Since(d.since) < doubtLife {
		verdict.Withhold(resp)
	}
}

// refuses reports whether resp refuses the token, which a gateway's page does
// not. It reads the body and puts it back.
func refuses(resp *http.Response) bool {
	if resp.StatusCode != http.StatusUnauthorized {
		return false
	}
	head, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	rest := io.Reader(resp.Body)
	if err != nil {
		rest = failing{err}
	}
	resp.Body = &putBack{io.MultiReader(bytes.NewReader(head), rest), resp.Body}
	return !isPage(head)
}

// putBack is a body whose beginning was read.
type putBack struct {
	io.Reader
	io.Closer
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
