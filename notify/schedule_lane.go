package notify

import (
	"hash/maphash"
	"time"

	"github.com/garminkit/activityapi/types"
)

// laneKey identifies a lane. A user's deregistrations and permission changes have
// their own lane; all unreadable items share one.
type laneKey struct {
	user    types.UserID
	account bool
}

func keyOf(it *Item) laneKey { return laneKey{it.UserID, it.Class == ClassAccount} }

// lane holds the items of one Garmin user that are not waiting. An item is in
// one place at a time: in the line, at the head, running, or in the park; or it
// waits in the share, by itself or behind another.
type lane struct {
	key     laneKey
	share   *shareState
	line    line
	loading bool  // the first of the line is being read
	head    *task // ready
	running *task
	park    *park
}

func (l *lane) empty() bool {
	return l.running == nil && l.head == nil && !l.loading && l.line.Len() == 0 && l.park == nil
}

// entry is what is remembered of an item that is not in memory.
type entry struct {
	id       ItemID
	hold     uint64 // what it touches, see holdKey
	received int32  // in seconds on the scheduler's clock
	attempts uint16
	refusals uint8
	class    Class
	flags    uint8
}

const (
	flagWarned uint8 = 1 << iota
	flagProbe
	flagOutageProbe
)

// newEntry is the entry of an item that comes from the queue.
func (s *scheduler) newEntry(it *Item) entry {
	return entry{
		id: it.ID, hold: s.holdKey(it), class: it.Class,
		received: int32(s.received(it) / time.Second),
		attempts: uint16(min(it.Attempts, 1<<16-1)),
	}
}

// entry is what is remembered of t when it leaves memory.
func (t *task) entry() entry {
	e := t.e
	e.attempts = uint16(min(t.Attempts, 1<<16-1))
	e.refusals = uint8(min(t.refusals, 1<<8-1))
	e.flags &^= flagProbe | flagOutageProbe
	if t.warned {
		e.flags |= flagWarned
	}
	return e
}

// due is until when the item is tried.
func (s *scheduler) dueOf(e entry) time.Duration {
	return s.due(e.class, time.Duration(e.received)*time.Second)
}

// holdKey identifies what an item must not change out of order; 0 means nothing.
// It is keyed, so that nobody can construct a collision.
func (s *scheduler) holdKey(it *Item) uint64 {
	if it.Touch == ([16]byte{}) {
		return 0
	}
	k := maphash.Comparable(s.seed, struct {
		user  types.UserID
		touch [16]byte
	}{it.UserID, it.Touch})
	return max(k, 1)
}

// hold keeps an item's place: what touches the same thing stays behind it.
func (sh *shareState) hold(e entry) {
	if e.hold == 0 {
		return
	}
	if _, ok := sh.holds[e.hold]; !ok {
		sh.holds[e.hold] = e.id
	}
}

// behind puts an item behind the one that holds what it touches, and reports
// whether there is one.
func (sh *shareState) behind(e entry) bool {
	owner, ok := sh.holds[e.hold]
	if !ok || owner == e.id {
		return false
	}
	list := sh.waitBehind[e.hold]
	if list == nil {
		list = new(line)
		sh.waitBehind[e.hold] = list
	}
	list.push(e)
	return true
}

// letGo ends an item's hold, and passes it to the first item behind.
func (sh *shareState) letGo(e entry) {
	if e.hold == 0 || sh.holds[e.hold] != e.id {
		return
	}
	list := sh.waitBehind[e.hold]
	if list == nil {
		delete(sh.holds, e.hold)
		return
	}
	next := list.pop()
	if list.Len() == 0 {
		delete(sh.waitBehind, e.hold)
	}
	sh.holds[e.hold] = next.id
	sh.find(next)
}

// lineUp puts an item in the line of its lane.
func (sh *shareState) lineUp(l *lane, e entry) {
	l.line.push(e)
	sh.queued[e.class]++
}

// admit takes items that a scan found.
func (sh *shareState) admit(items []*Item, generation int) {
	s := sh.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if sh.dead {
		return
	}
	now := s.now()
	for _, it := range items {
		if generation != s.rereads {
			it.Raw = nil // It may be gone: see reread.
		}
		e := s.newEntry(it)
		if !it.Next.IsZero() {
			// An earlier worker set the time. Its clock is trusted for one wait.
			if at := now + min(it.Next.Round(0).Sub(time.Now().Round(0)), s.longestWait()); at > now && !sh.behind(e) {
				sh.hold(e)
				sh.waitUntil(at, e)
				continue
			} else if at > now {
				continue
			}
		}
		sh.enter(it, e)
	}
}

// enter puts an item in the line of its lane.
func (sh *shareState) enter(it *Item, e entry) {
	key := keyOf(it)
	l := sh.lanes[key]
	if l == nil {
		l = &lane{key: key, share: sh}
		sh.lanes[key] = l
	}
	// Of a large body, a scan may leave the bytes away: they are read when the
	// lane is near the item.
	if l.line.Len() < sh.ahead() && (it.Raw != nil || it.Size > smallItem) {
		sh.keep(it)
	}
	sh.lineUp(l, e)
	sh.s.advance(l)
}
