package spool

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/garminkit/activityapi/notify"
)

// share is the only share of a spool. It has all of its items.
//
// A single pass over the bodies finds the items of all classes, and keeps those
// not asked for yet in a line for each class. A large body gives way to later
// ones; see backlog. Items of ClassAccount have their own pass, over the bodies
// that may hold any, which never waits for the other.
type share struct {
	s       *spool
	ctx     context.Context
	end     context.CancelCauseFunc
	done    chan struct{} // closed by Release
	once    sync.Once
	wanted  chan struct{}
	changed chan struct{}

	mu    sync.Mutex // one scan at a time
	pass  cursor
	lines [notify.Classes]line
	// counting holds the large bodies that gave way and are still being counted.
	counting []*cursor

	account      sync.Mutex // guards lines[ClassAccount] and what follows
	accountSeq   uint64     // all bodies up to this number were looked at
	accountBlock int        // the next block of the large body behind it
	accountPass  cursor
}

// line holds the items of a class that were found and not handed out yet.
type line struct {
	near   []*notify.Item  // the first of them, whole
	held   int             // bytes that these take
	far    []notify.ItemID // those after them, if there are many
	handed notify.ItemID   // the greatest that was handed out
	last   notify.ItemID   // the one that was handed out last
	skip   notify.ItemID   // up to it, all were handed out
	behind behind

	backlogs []*backlog // of large bodies, in order of their numbers
	hidden   int        // items behind them
	turn     int        // the backlog that went on last
}

// behind is a pass for a scan that started again before what was handed out.
type behind struct {
	on   bool
	at   notify.ItemID // where the next scan goes on
	pass cursor
	rest []*notify.Item
}

const (
	// scanTime is how long a scan looks before it returns what it has.
	scanTime = 8 * time.Millisecond
	// scanPatience is how much longer it looks if it has nothing at all.
	scanPatience = 20 * time.Millisecond
	// maxRaw is the size up to which an item's bytes are always handed out with it.
	// Larger ones of the log are, if the line has room.
	maxRaw = 8 << 10
	// maxHeld bounds the items kept in a line; of others, only the ID is kept.
	maxHeld = 4 << 20
	// itemCost is what an item takes without its bytes.
	itemCost = 300
)

// Shares yields the only share, and again after it was released.
func (s *spool) Shares(ctx context.Context) iter.Seq2[notify.Share, error] {
	return func(yield func(notify.Share, error) bool) {
		if ctx.Err() != nil {
			return
		}
		s.mu.Lock()
		if s.closed || s.looping || s.share != nil {
			err := notify.ErrInUse
			if s.closed {
				err = errClosed
			}
			s.mu.Unlock()
			yield(nil, err)
			return
		}
		s.looping = true
		s.mu.Unlock()
		defer func() {
			s.mu.Lock()
			s.looping = false
			s.mu.Unlock()
		}()
		for ctx.Err() == nil {
			h, err := s.newShare()
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(h, nil) {
				return
			}
			select {
			case <-ctx.Done():
			case <-h.done:
			case <-s.ending:
				yield(nil, errClosed)
				return
			}
		}
	}
}

func (s *spool) newShare() (*share, error) {
	h := &share{s: s, pass: cursor{counts: true}, done: make(chan struct{}), wanted: make(chan struct{}), changed: make(chan struct{}, 1)}
	h.ctx, h.end = context.WithCancelCause(context.Background())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	s.share = h
	return h, nil
}

// ring tells the share that there may be something new.
func (s *spool) ring() {
	s.mu.Lock()
	h := s.share
	s.mu.Unlock()
	if h != nil {
		h.ring()
	}
}

func (h *share) ring() {
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

func (h *share) Context() context.Context { return h.ctx }
func (h *share) Changed() <-chan struct{} { return h.changed }
func (h *share) Wanted() <-chan struct{}  { return h.wanted }

// Release gives the share up.
func (h *share) Release() { h.lose(fmt.Errorf("spool: released: %w", notify.ErrLost)) }

func (h *share) lose(why error) {
	h.once.Do(func() {
		h.s.mu.Lock()
		if h.s.share == h {
			h.s.share = nil
		}
		h.s.mu.Unlock()
		h.end(why)
		close(h.done)
	})
}

// enter begins a method of the share, to be ended by h.s.leave.
func (h *share) enter() error {
	if err := h.s.enter(); err != nil {
		return fmt.Errorf("%w: %w", err, notify.ErrLost)
	}
	if h.ctx.Err() != nil {
		h.s.leave()
		return context.Cause(h.ctx)
	}
	return nil
}

// Scan returns the next items of a class; see [notify.Share].
func (h *share) Scan(ctx context.Context, class notify.Class, after notify.ItemID, most int) ([]*notify.Item, error) {
	if err := h.enter(); err != nil {
		return nil, err
	}
	defer h.s.leave()
	if class >= notify.Classes || most <= 0 {
		return nil, nil
	}
	mu, step := &h.mu, h.step
	if class == notify.ClassAccount {
		mu, step = &h.account, h.stepAccount
	}
	mu.Lock()
	defer mu.Unlock()
	n := &h.lines[class]
	until := time.Now().Add(scanTime)
	// A caller that goes on passes the last ID that it got. With a smaller one it starts
	// again, with a greater one it leaves items out.
	if after != n.last || n.behind.on {
		if after < n.handed {
			return h.scanBehind(ctx, class, after, most, until)
		}
		n.skip = after
	}
	n.behind = behind{}
	// Late items and the rest of large bodies get one half each.
	half := func() int {
		if n.yields() {
			return (most + 1) / 2
		}
		return most
	}
	out, err := h.take(ctx, n, nil, half())
	for err == nil && len(out) < half() && n.hidden < maxHidden {
		var more bool
		if more, err = step(ctx); err != nil {
			break
		}
		if out, err = h.take(ctx, n, out, half()); err != nil || !more {
			break
		}
		if now := time.Now(); now.After(until) && (len(out) > 0 || n.yields() || class != notify.ClassAccount && now.After(until.Add(scanPatience))) {
			h.ring()
			break
		}
	}
	if err == nil {
		out, err = h.takeBacklogs(ctx, class, n, out, most)
	}
	if err != nil && len(out) == 0 {
		return nil, err
	}
	// What was taken from the lines must be handed out. The caller comes again, and
	// gets the error then, if it lasts.
	if err != nil {
		h.ring()
	}
	n.end(after, out)
	return out, nil
}

// end notes where a scan ended.
func (n *line) end(after notify.ItemID, out []*notify.Item) {
	n.last = after
	if len(out) > 0 {
		n.last = out[len(out)-1].ID
	}
}

// take moves items from the line to out.
func (h *share) take(ctx context.Context, n *line, out []*notify.Item, most int) ([]*notify.Item, error) {
	for len(n.near) > 0 && len(out) < most {
		it := n.near[0]
		n.near[0] = nil
		n.near = n.near[1:]
		n.held -= itemCost + len(it.Raw)
		n.handed = max(n.handed, it.ID)
		if it.ID > n.skip {
			out = append(out, it)
		}
	}
	for len(n.near) == 0 && len(n.far) > 0 && len(out) < most {
		ids := n.far[:min(len(n.far), most-len(out))]
		list, err := h.s.load(ctx, ids)
		if err != nil {
			return out, err
		}
		for _, it := range list {
			if it.ID > n.skip {
				out = append(out, it)
			}
		}
		n.handed = max(n.handed, ids[len(ids)-1])
		n.far = n.far[len(ids):]
	}
	if len(n.near) == 0 {
		n.near = nil
	}
	if len(n.far) == 0 {
		n.far = nil
	}
	return out, nil
}

// fits reports whether an item of that size would be kept in the line whole.
func (n *line) fits(size int64) bool { return len(n.far) == 0 && int64(n.held)+size <= maxHeld }

// put adds an item to the end of its line. Once there is one of which only the ID is
// kept, it is so for all after it, since near must be before far.
func (n *line) put(it *notify.Item) {
	if len(n.far) > 0 || n.held > maxHeld {
		n.far = append(n.far, it.ID)
		return
	}
	n.held += itemCost + len(it.Raw)
	n.near = append(n.near, it)
}

// step continues the pass.
func (h *share) step(ctx context.Context) (more bool, err error) {
	h.giveWay()
	counts, err := h.count()
	if err != nil {
		return false, err
	}
	more, err = h.s.walk(ctx, &h.pass, h.s.visible(), func(ch *chunk) error {
		return h.s.found(ch, true, func(it *notify.Item) {
			if n := &h.lines[it.Class]; it.Class != notify.ClassAccount {
				if n.hide(it, len(n.backlogs)) {
					return
				}
				if len(n.near) == 0 {
					h.ring() // who asks for another class may not know
				}
				if ch.large == nil && it.Raw == nil && n.fits(it.Size) {
					it.Raw = bytes.Clone(ch.body[it.Offset : it.Offset+it.Size])
				}
				n.put(it)
			} else if !ch.account { // else the other pass finds it
				// The look at the body missed it: late is better than never.
				h.account.Lock()
				h.lines[it.Class].put(it)
				h.account.Unlock()
			}
		})
	})
	return more || counts, err
}

// scanBehind is Scan for a caller that starts again before what was handed out. It has a
// pass of its own, which ends there: the main pass and the lines stay where they are.
func (h *share) scanBehind(ctx context.Context, class notify.Class, after notify.ItemID, most int, until time.Time) ([]*notify.Item, error) {
	n := &h.lines[class]
	b := &n.behind
	if !b.on || b.at != after {
		*b = behind{on: true, at: after, pass: cursor{seq: max(seqOf(after), 1) - 1}}
	}
	more := true
	for more && len(b.rest) < most && (len(b.rest) == 0 || time.Now().Before(until)) {
		if time.Now().After(until.Add(scanPatience)) {
			break
		}
		var err error
		more, err = h.s.walk(ctx, &b.pass, min(seqOf(n.handed), h.s.visible()), func(ch *chunk) error {
			return h.s.found(ch, false, func(it *notify.Item) {
				if it.Class == class && it.ID > after && it.ID <= n.handed {
					b.rest = append(b.rest, it)
				}
			})
		})
		if err != nil {
			return nil, err
		}
	}
	out := b.rest[:min(most, len(b.rest))]
	b.rest = b.rest[len(out):]
	if more || len(b.rest) > 0 {
		h.ring()
		if len(out) > 0 {
			b.at = out[len(out)-1].ID
		}
		return out, nil
	}
	// That was the last before what was not handed out yet.
	if len(out) == 0 {
		*b = behind{}
		n.skip = max(n.skip, n.handed)
		return h.goOn(ctx, class, after, most)
	}
	b.at = out[len(out)-1].ID
	h.ring()
	return out, nil
}

func (h *share) goOn(ctx context.Context, class notify.Class, after notify.ItemID, most int) ([]*notify.Item, error) {
	step := h.step
	if class == notify.ClassAccount {
		step = h.stepAccount
	}
	n := &h.lines[class]
	out, err := h.take(ctx, n, nil, most)
	if err == nil && len(out) == 0 {
		if _, err = step(ctx); err == nil {
			out, err = h.take(ctx, n, nil, most)
		}
		h.ring()
	}
	if err == nil {
		n.end(after, out)
	}
	return out, err
}

// visible returns up to which number all bodies are stored, so that none appears
// behind a scan. Numbers are given out before bodies are stored, and a large one may
// get its name after a small one with the next number: a scan that had passed it would
// not come back.
func (s *spool) visible() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	upTo := s.seq
	for first := range s.unseen {
		upTo = min(upTo, first-1)
	}
	return upTo
}

// begin assigns numbers to the next n bodies, and as many orders as they have
// bytes, and returns the first of each. The bodies are not visible until seen is
// called with their first number.
func (s *spool) begin(n int, now time.Time, bytes int64) (first, order uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first = s.seq + 1
	s.seq += uint64(n)
	s.unseen[first] = struct{}{}
	return first, s.nextOrder(now, uint64(bytes))
}

func (s *spool) seen(first uint64) {
	s.mu.Lock()
	delete(s.unseen, first)
	h := s.share
	s.mu.Unlock()
	if h != nil {
		h.ring()
	}
}
