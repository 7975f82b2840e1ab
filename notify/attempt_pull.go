package notify

import (
	"fmt"

	"github.com/garminkit/activityapi/types"
)

// maxPull bounds how much of a pull is held until its end: summaries, with a
// sample counted as a tenth of one.
const maxPull = 2000

// pull fetches what a ping announces, with the first user whose token is valid,
// and passes it to every user.
func (a *attempt) pull(users []User, ping *Ping) error {
	a.many = true
	var err error
	for _, u := range users {
		if u.Client == nil {
			if err == nil {
				err = fmt.Errorf("notify: user %q has no client to pull with", u.ID)
			}
			continue
		}
		if err = a.follow(u.Client, users, ping); err == nil || !blamesUser(err) {
			return err
		}
	}
	return err
}

// blamesUser reports whether the error of a call says that the user's token was
// refused.
func blamesUser(err error) bool {
	f, _ := faultOf(err)
	return f == types.FaultUser && !fromCallback(err)
}

// follow delivers a pull when it is complete, so that nothing is delivered of one
// that breaks off and is repeated, or that has another user's data. A pull beyond
// maxPull is delivered in parts.
func (a *attempt) follow(client Client, users []User, ping *Ping) error {
	var held []types.Summary
	var errs worstOf
	weight := 0
	flush := func() {
		for _, s := range held {
			rev, err := revisionOf(s)
			if err != nil {
				errs.add(Permanent(err))
				continue
			}
			errs.add(a.each(users, s, rev, true))
		}
		clear(held)
		held, weight = held[:0], 0
	}
	for s, err := range client.Follow(a.ctx, ping.Kind, ping.CallbackURL) {
		if err != nil {
			// What came is valid. If there will be no other pull, deliver it, so
			// that for example one unreadable item does not cost the others.
			f, _ := faultOf(err)
			if f == types.FaultItem || a.last && f != types.FaultUser {
				flush()
			}
			errs.add(err)
			return errs.err
		}
		if id := userOf(s); id != nil && *id != "" {
			if id.In(a.ev.UserID.App()) != a.ev.UserID {
				return Permanent(fmt.Errorf("%w: %q, not %q", errWrongUser, *id, a.ev.UserID))
			}
			setSummaryOwner(s, a.ev.UserID)
		}
		a.noteDefects(defectsOf(s), nil)
		held = append(held, s)
		weight += 1
		if d, ok := s.(*types.ActivityDetails); ok {
			weight += len(d.Samples) / 10
		}
		if weight > maxPull {
			flush()
		}
	}
	a.answered = true
	flush()
	return errs.err
}
