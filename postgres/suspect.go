package postgres

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// suspects are the items of which the process may have died that had the share
// before: the first of each user. An item that kills its process would else kill
// one after another. So before such an item is worked on, that is written down,
// and an item that was begun maxBegun times, each time by a process that died, is
// given up on. They are handed out without their bytes, so that we hear of it
// when their work begins.
type suspects struct {
	died time.Time // what was received before may have been begun; zero: nothing

	mu    sync.Mutex
	users map[suspectLane]bool
	items map[notify.ItemID]bool // not begun here yet
	begun []suspectItem
}

type suspectLane struct {
	user    types.UserID
	account bool
}

// suspectItem is one that was begun here.
type suspectItem struct {
	id notify.ItemID
	at time.Time
}

const (
	// maxBegun is how many processes may die at an item.
	maxBegun = 5
	// survived is after what time an item has not killed its process.
	survived = time.Minute
)

var errKills = errors.New("the processes that worked on it died, one after another")

// note finds suspects among what a scan brought.
func (u *suspects) note(items []*notify.Item) {
	if u.died.IsZero() {
		return
	}
	u.mu.Lock()
	for _, it := range items {
		lane := suspectLane{it.UserID, it.Class == notify.ClassAccount}
		if it.UserID == "" || !it.Received.Before(u.died) || u.users[lane] {
			continue
		}
		if u.users == nil {
			u.users, u.items = map[suspectLane]bool{}, map[notify.ItemID]bool{}
		}
		u.users[lane], u.items[it.ID] = true, true
	}
	u.mu.Unlock()
	u.hide(items)
}

// hide takes the bytes from suspects.
func (u *suspects) hide(items []*notify.Item) {
	if u.died.IsZero() {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, it := range items {
		if u.items[it.ID] {
			it.Raw = nil
		}
	}
}

// begin is told that work on an item begins.
func (u *suspects) begin(ctx context.Context, s *share, id notify.ItemID) error {
	if u.died.IsZero() {
		return nil
	}
	u.mu.Lock()
	suspect := u.items[id]
	u.mu.Unlock()
	if !suspect {
		return nil
	}
	var begun int
	err := s.q.db.one(ctx, `WITH up AS (UPDATE {s}.item i SET begun = begun + 1 FROM {s}.share f
  WHERE f.share = $1 AND f.epoch = $2 AND i.share = $1 AND i.class = $3 AND i.id = $4 RETURNING i.begun)
SELECT coalesce((SELECT begun FROM up), 0)`, []any{s.number, s.epoch, int16(classOf(int64(id))), int64(id)}, &begun)
	if err != nil {
		return err
	}
	if begun > s.q.db.begun {
		return notify.Permanent(errKills)
	}
	u.mu.Lock()
	delete(u.items, id)
	u.begun = append(u.begun, suspectItem{id, time.Now()})
	u.mu.Unlock()
	return nil
}

// cleared takes the items that were begun so long ago that they are harmless.
func (u *suspects) cleared(now time.Time) (ids []notify.ItemID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for len(u.begun) > 0 && now.Sub(u.begun[0].at) >= survived {
		ids = append(ids, u.begun[0].id)
		u.begun = u.begun[1:]
	}
	return ids
}

// clearSuspects writes down which items are harmless.
func (q *Queue) clearSuspects(ctx context.Context) error {
	for _, s := range q.member.live() {
		ids := s.suspects.cleared(time.Now())
		if len(ids) == 0 {
			continue
		}
		classes, numbers := split(ids)
		if err := q.db.one(ctx, `SELECT {s}.harmless($1, $2, $3)`, []any{s.number, classes, numbers}); err != nil {
			return err
		}
	}
	return nil
}
