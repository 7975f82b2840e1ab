package spool

import (
	"context"
	"time"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// backlog holds the remaining items of one class in a large body. They are handed
// out a block at a time, between those of later bodies, so that a body of many
// items delays no other.
//
// The order of a user's items is kept: the index tells which users may have items
// in the body, and later items of these users wait until the body is finished.
type backlog struct {
	l      *largeBody
	users  userSet
	block  int            // the next one to be read
	ready  []*notify.Item // of the block that was read
	behind []hidden       // later items of users who may be in the body
}

// hidden is an item that waits for an earlier large body.
type hidden struct {
	id   notify.ItemID
	user uint32 // see userHash
}

const (
	// backlogBlocks is the least number of blocks of a body that gives way.
	backlogBlocks = 5
	// maxBacklogs bounds the backlogs of a class, and maxHidden the items that
	// wait for them. Beyond that the scan waits.
	maxBacklogs = 128
	maxHidden   = 1 << 20
)

// giveWay makes backlogs of the large body that the pass has reached, if it has
// many items. In any other case the body is walked through at once.
func (h *share) giveWay() {
	s, c := h.s, &h.pass
	l := c.in
	if l == nil || c.block != 0 {
		return
	}
	idx, err := s.indexOf(l)
	if err != nil || idx == nil || len(idx.blocks) < backlogBlocks || idx.counts[notify.ClassAccount] > 0 && !l.account() {
		return
	}
	for class, n := range idx.counts {
		if n > 0 && len(h.lines[class].backlogs) >= maxBacklogs {
			return
		}
	}
	s.mu.Lock()
	gone := s.large[l.seq] != l || l.pinned
	counted := l.counted == itemID(l.seq, wholeBody)
	s.mu.Unlock()
	if gone {
		return
	}
	for class, n := range idx.counts {
		if n > 0 && notify.Class(class) != notify.ClassAccount {
			h.lines[class].backlogs = append(h.lines[class].backlogs, &backlog{l: l, users: idx.users})
			h.ring()
		}
	}
	if !counted {
		h.counting = append(h.counting, &cursor{in: l, counts: true})
	}
	c.seq, c.in = l.seq, nil
}

// count continues to count the unfinished items of bodies that gave way, a block
// at a time. It reports whether to call it again at once.
func (h *share) count() (more bool, err error) {
	for len(h.counting) > 0 {
		c := h.counting[0]
		more, err = h.s.walkLarge(c, func(ch *chunk) error { return h.s.found(ch, true, nil) })
		if c.in != nil {
			return more, err
		}
		h.counting = h.counting[1:]
	}
	return false, nil
}

// hide makes an item wait for the backlog of an earlier body, if it may be of the
// same user; earlier is the number of backlogs that came before it.
func (n *line) hide(it *notify.Item, earlier int) bool {
	if it.Class == notify.ClassBad {
		return false // of nobody
	}
	user := userHash(it.UserID)
	// Behind the last of these bodies: when that one is finished, fill asks again about
	// those before it.
	for i := earlier - 1; i >= 0; i-- {
		if b := n.backlogs[i]; b.users.has(user) {
			b.behind = append(b.behind, hidden{it.ID, user})
			n.hidden++
			return true
		}
	}
	return false
}

// yields reports whether a backlog may continue: everything before its body was
// handed out.
func (n *line) yields() bool { return n.firstBacklog() > 0 }

// firstBacklog counts the backlogs that may continue.
func (n *line) firstBacklog() int {
	first := notify.ItemID(1<<64 - 1)
	if len(n.near) > 0 {
		first = n.near[0].ID
	} else if len(n.far) > 0 {
		first = n.far[0]
	}
	for i, b := range n.backlogs {
		if itemID(b.l.seq, 0) > first {
			return i
		}
	}
	return len(n.backlogs)
}

// takeBacklogs moves items of backlogs to out, one block after another.
func (h *share) takeBacklogs(ctx context.Context, class notify.Class, n *line, out []*notify.Item, most int) ([]*notify.Item, error) {
	until := time.Now().Add(scanTime / 4)
	for len(out) < most && n.yields() {
		n.turn = (n.turn + 1) % n.firstBacklog()
		b := n.backlogs[n.turn]
		if len(b.ready) == 0 {
			if now := time.Now(); now.After(until) && (len(out) > 0 || now.After(until.Add(scanPatience))) {
				break
			}
			more, err := h.fill(ctx, class, n, n.turn)
			if err != nil {
				return out, err
			}
			if !more {
				n.backlogs = append(n.backlogs[:n.turn:n.turn], n.backlogs[n.turn+1:]...)
				continue
			}
		}
		for len(b.ready) > 0 && len(out) < most {
			it := b.ready[0]
			b.ready = b.ready[1:]
			n.handed = max(n.handed, it.ID)
			if it.ID > n.skip {
				out = append(out, it)
			}
		}
	}
	if n.yields() {
		h.ring()
	}
	return out, nil
}

// fill reads the next items of a backlog. There are no more when it returns
// false.
func (h *share) fill(ctx context.Context, class notify.Class, n *line, i int) (more bool, err error) {
	s, b := h.s, n.backlogs[i]
	add := func(it *notify.Item) {
		if it.Class == class && !n.hide(it, i) {
			b.ready = append(b.ready, it)
		}
	}
	s.mu.Lock()
	gone := s.large[b.l.seq] != b.l || b.l.pinned
	s.mu.Unlock()
	if !gone {
		idx, err := s.indexAndMarks(b.l)
		if err != nil {
			return true, s.leaveLarge(b.l, err)
		}
		if idx == nil {
			return true, nil // The builder rings when it is ready.
		}
		for b.block < len(idx.blocks) && idx.blocks[b.block].classes&(1<<class) == 0 {
			b.block++
		}
		if b.block < len(idx.blocks) {
			ch := s.blockChunk(b.l, idx, b.block)
			if ch == nil {
				return true, nil
			}
			ch.bare = true
			b.block++
			return true, s.found(ch, false, add)
		}
	}
	if len(b.behind) == 0 {
		return false, nil
	}
	ids := make([]notify.ItemID, 0, blockItems)
	for _, w := range b.behind[:min(len(b.behind), blockItems)] {
		ids = append(ids, w.id)
	}
	items, err := s.load(ctx, ids)
	if err != nil {
		return true, err
	}
	n.hidden -= len(ids)
	b.behind = b.behind[len(ids):]
	for _, it := range items {
		add(it)
	}
	return true, nil
}

// userSet tells which users may have items in a body: a bit for each of their
// hashes. Its size is a power of two. It is never wrong about a user who has items. Of
// another user with the same bit, items wait in vain, which costs time and nothing else.
type userSet []byte

const (
	// maxUserSet is the size that a set has while it is made, and minUserSet
	// the least that it is folded to.
	maxUserSet = 128 << 10
	minUserSet = 1 << 10
)

func userHash(user types.UserID) uint32 {
	h := uint32(2166136261) // FNV-1a
	for i := range len(user) {
		h = (h ^ uint32(user[i])) * 16777619
	}
	return h ^ h>>15
}

func (u userSet) add(user types.UserID) {
	bit := userHash(user) % uint32(8*len(u))
	u[bit/8] |= 1 << (bit % 8)
}

func (u userSet) has(hash uint32) bool {
	if len(u) == 0 {
		return false
	}
	bit := hash % uint32(8*len(u))
	return u[bit/8]&(1<<(bit%8)) != 0
}

// fold shrinks a set to what suits a body of this size. It joins the halves: a hash
// modulo half the size is its place in either half, so no user is lost.
func (u userSet) fold(size int64) userSet {
	for len(u) > minUserSet && int64(len(u)) > size/64 {
		half := u[:len(u)/2]
		for i, b := range u[len(u)/2:] {
			half[i] |= b
		}
		u = half
	}
	return append(userSet(nil), u...)
}
