package spool

import (
	"context"
	"errors"
	"fmt"

	"github.com/garminkit/activityapi/internal/erasure"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

var _ notify.Eraser = (*spool)(nil)

// Erase removes everything that the spool holds of a user; see [notify.Eraser]. A
// segment or large body that also holds items of others is replaced, under the same
// name, by one with theirs alone. So Erase needs free disk space for the largest of
// them. From a body that is not valid JSON it removes each object, as far as its
// braces show, that names the user. Items of others that name the user stay, and
// are counted.
//
// Hashes of bodies are kept, so that a body that Garmin sends again is not stored
// again. They contain no ids.
func (s *spool) Erase(ctx context.Context, user types.UserID) (*notify.Erasure, error) {
	e := &eraser{s: s, ctx: ctx, user: erasure.For(user), id: user, ids: map[notify.ItemID]struct{}{}}
	if e.user.Nobody() {
		return &e.out, errors.New("spool: Erase without a user")
	}
	if err := s.usable(ctx); err != nil {
		return &e.out, err
	}
	s.erasing.Lock()
	defer s.erasing.Unlock()
	// What is written from now on came later. And the writer appends to no segment that
	// is replaced here.
	if err := s.turn(); err != nil {
		return &e.out, fmt.Errorf("spool: %w", err)
	}
	err := e.bodies()
	e.forget()
	if err == nil {
		err = e.letters()
	}
	if err == nil && s.claims != nil {
		err = e.claims()
	}
	s.removeFinished()
	return &e.out, err
}

// eraser is one Erase.
type eraser struct {
	s    *spool
	ctx  context.Context
	user *erasure.User
	id   types.UserID
	out  notify.Erasure
	ids  map[notify.ItemID]struct{} // items that were unfinished
}

// bodies goes through all segments and large bodies that are not written to.
func (e *eraser) bodies() error {
	s := e.s
	s.mu.Lock()
	segments := append([]*segment(nil), s.segments[:len(s.segments)-1]...)
	large := append([]*largeBody(nil), s.largeOrder...)
	s.mu.Unlock()
	for _, g := range segments {
		if err := e.step("bodies", func() error { return e.segment(g) }); err != nil {
			return err
		}
	}
	for _, l := range large {
		if err := e.step("bodies", func() error { return e.large(l) }); err != nil {
			return err
		}
	}
	return nil
}

// step does a part of the work. If that fails, it is left; an error ends the
// work.
func (e *eraser) step(what string, f func() error) error {
	if err := e.ctx.Err(); err != nil {
		return context.Cause(e.ctx)
	}
	if err := e.s.enter(); err != nil {
		return err
	}
	err := f()
	e.s.leave()
	if err != nil && !isNotExist(err) {
		erasure.Leave(&e.out, what, 1, "the disk: "+err.Error())
	}
	return nil
}

// forget drops the items from what was scanned and not handed out yet.
func (e *eraser) forget() {
	s := e.s
	for id := range e.ids {
		s.known.remove(id)
	}
	s.mu.Lock()
	h := s.share
	s.mu.Unlock()
	if h != nil {
		h.forget(e.ids)
	}
}

// forget drops items that were found.
func (h *share) forget(ids map[notify.ItemID]struct{}) {
	h.mu.Lock()
	for class := range h.lines {
		if notify.Class(class) != notify.ClassAccount {
			h.lines[class].forget(ids)
		}
	}
	h.mu.Unlock()
	h.account.Lock()
	h.lines[notify.ClassAccount].forget(ids)
	h.account.Unlock()
}

func (n *line) forget(ids map[notify.ItemID]struct{}) {
	without := func(list []*notify.Item) (out []*notify.Item) {
		for _, it := range list {
			if _, gone := ids[it.ID]; !gone {
				out = append(out, it)
			}
		}
		return out
	}
	n.near = without(n.near)
	n.held = 0
	for _, it := range n.near {
		n.held += itemCost + len(it.Raw)
	}
	n.behind.rest = without(n.behind.rest)
	for _, b := range n.backlogs {
		b.ready = without(b.ready)
	}
}

// settle marks items as done, durably, before their bytes go: m.mu is held. So no
// unfinished item is without its bytes, whenever a crash comes. The file is written
// anew, since the reasons in it may tell of the user.
func (e *eraser) settle(u *unit, st *markState, mine map[notify.ItemID]notify.Class) error {
	s, m := e.s, u.marks
	s.mu.Lock()
	for id, class := range mine {
		if !st.done.has(id) && id <= u.counted {
			u.live[class]--
		}
	}
	s.mu.Unlock()
	for id := range mine {
		st.done.add(id)
		delete(st.again, id)
		e.ids[id] = struct{}{}
		s.known.remove(id)
	}
	err := m.rewrite()
	if err != nil && s.giveReserve() {
		err = m.rewrite()
	}
	if err == nil {
		err = s.fs.SyncDir(dirOf(m.name))
	}
	if err == nil {
		m.fresh = false
	}
	return err
}
