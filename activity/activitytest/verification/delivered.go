package verification

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/internal/backoff"
	"github.com/garminkit/activityapi/types"
)

// addUsers gives the server of a Run that has none its users.
func (v *verifier) addUsers(ids []types.UserID) {
	if len(ids) == 0 {
		v.server.AddUser(nil)
		v.server.AddUser(nil)
	}
	for _, id := range ids {
		if v.server.User(id) == nil {
			v.server.AddUser(&activitytest.UserOptions{ID: id})
		}
	}
}

// checkTwoUsers demands a sign that two users are connected: their tokens, or
// their data where the application keeps it. A 200 is no such sign.
func (v *verifier) checkTwoUsers() error {
	if len(v.users) < 2 {
		return fmt.Errorf("the server has %d", len(v.users))
	}
	if v.options.Server == nil {
		switch err := v.postString(v.pushOfTwo(types.KindActivities)); {
		case err != nil:
			return err
		case v.options.Delivered == nil:
			return fmt.Errorf("%w: the users are made up; nothing shows whom the endpoint knows", errSkip)
		}
		return v.checkPushDelivered(types.KindActivities)
	}
	one, first, _ := v.ping(v.users[0], types.KindActivities)
	two, second, _ := v.ping(v.users[1], types.KindActivities)
	if err := v.postString(bodyOf(types.KindActivities, one, two)); err != nil {
		return err
	}
	if err := v.await([]string{first, second}, []string{"the first user", "the second user"}); err != nil {
		return err
	}
	return cmp.Or(v.authorized(first, v.users[0]), v.authorized(second, v.users[1]))
}

func (v *verifier) pushOfTwo(kind types.Kind) string {
	one, _ := v.push(v.users[0], kind)
	two, _ := v.push(v.users[1], kind)
	return bodyOf(kind, one, two)
}

// checkDeliveries asks for what was never sent.
func (v *verifier) checkDeliveries() error {
	for _, u := range v.users[:2] {
		switch has, err := v.options.Delivered(v.ctx, u.ID(), v.summary(types.KindActivities).ID()); {
		case err != nil:
			return fmt.Errorf("what was stored cannot be seen: %w", hideURL(err))
		case has:
			return errors.New("a summary that was never sent is said to be stored")
		}
	}
	return nil
}

func (v *verifier) checkPushDelivered(kind types.Kind) error {
	one, first := v.push(v.users[0], kind)
	two, second := v.push(v.users[1], kind)
	if err := v.postString(bodyOf(kind, one, two)); err != nil {
		return err
	}
	return v.awaitDelivered(v.wait(), first, second)
}

func (v *verifier) checkPingDelivered(kind types.Kind) error {
	one, _, first := v.ping(v.users[0], kind)
	two, _, second := v.ping(v.users[1], kind)
	if err := v.postString(bodyOf(kind, one, two)); err != nil {
		return err
	}
	return v.awaitDelivered(v.wait(), first, second)
}

// checkLargeDelivered waits longer: all that comes before must be stored too.
func (v *verifier) checkLargeDelivered() error {
	switch {
	case v.options.LargeBody < 0:
		return fmt.Errorf("%w: turned off", errSkip)
	case v.lastLarge == "":
		return errors.New("the large body was not taken")
	}
	return v.awaitDelivered(10*v.wait(), v.lastLarge)
}

// awaitDelivered waits until the first id is stored for the first user, the
// second for the second.
func (v *verifier) awaitDelivered(wait time.Duration, ids ...types.ID) error {
	deadline := time.Now().Add(wait)
	for i, id := range ids {
		for {
			has, err := v.options.Delivered(v.ctx, v.users[i].ID(), id)
			switch {
			case err == nil && has:
			case time.Now().Before(deadline) && v.ctx.Err() == nil:
				_ = backoff.Sleep(v.ctx, 100*time.Millisecond)
				continue
			case err != nil:
				return fmt.Errorf("what was stored cannot be seen: %w", hideURL(err))
			default:
				return fmt.Errorf("answered 200, and nothing is stored for the %s user", [2]string{"first", "second"}[i])
			}
			break
		}
	}
	return nil
}
