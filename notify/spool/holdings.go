package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/garminkit/activityapi/internal/erasure"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// Holdings yields the unfinished items and the letters of a user, those that
// could not be read and name the user among them. All bodies are read for it.
func (s *spool) Holdings(ctx context.Context, user types.UserID) iter.Seq2[*notify.Holding, error] {
	return func(yield func(*notify.Holding, error) bool) {
		h := &holder{s: s, ctx: ctx, id: user, user: erasure.For(user), yield: yield}
		err := s.usable(ctx)
		if err == nil && h.user.Nobody() {
			err = errors.New("spool: Holdings without a user")
		}
		if err != nil {
			yield(nil, err)
			return
		}
		if err = h.items(); err == nil {
			err = h.letters()
		}
		if err != nil && !errors.Is(err, errEnough) {
			yield(nil, err)
		}
	}
}

// holder is one loop over Holdings.
type holder struct {
	s     *spool
	ctx   context.Context
	id    types.UserID
	user  *erasure.User
	yield func(*notify.Holding, error) bool
}

func (h *holder) give(g *notify.Holding) error {
	if !h.yield(g, nil) {
		return errEnough
	}
	return nil
}

func (h *holder) items() error {
	s := h.s
	visible := s.visible()
	for c := (&cursor{}); ; {
		var found []*notify.Item
		more, err := s.step(h.ctx, c, visible, func(it *notify.Item) {
			if it.UserID == h.id || it.Class == notify.ClassBad && h.user.Unread(it.UserID) {
				found = append(found, it)
			}
		})
		if err != nil {
			return err
		}
		for _, it := range found {
			if err := h.item(it); err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
	}
}

// step goes on with a pass over all unfinished items, and makes the index of a
// large body if it is missing.
func (s *spool) step(ctx context.Context, c *cursor, visible uint64, emit func(*notify.Item)) (more bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, context.Cause(ctx)
	}
	if err := s.enter(); err != nil {
		return false, err
	}
	more, err = s.walk(ctx, c, visible, func(ch *chunk) error { return s.found(ch, false, emit) })
	s.leave()
	if err == nil && !more && c.in != nil {
		s.rebuild(c.in)
		more = true
	}
	return more, err
}

func (h *holder) item(it *notify.Item) error {
	open := func() (io.ReadCloser, error) {
		if err := h.s.enter(); err != nil {
			return nil, err
		}
		defer h.s.leave()
		r, it, err := h.s.openItem(it.ID)
		if err != nil || it.Key == "" {
			return r, err
		}
		return letterReader{io.MultiReader(strings.NewReader(notify.AppLine(it.UserID.App())+bodyStart(it.Key)), r, strings.NewReader("]}")), r}, nil
	}
	g := &notify.Holding{What: "items", Name: fmt.Sprintf("%016x", uint64(it.ID)), Key: it.Key, Open: open}
	if it.UserID == h.id {
		return h.give(g)
	}
	return h.part(g)
}

// part yields what of a thing is the user's, if anything.
func (h *holder) part(g *notify.Holding) error {
	text, err := readAll(g.Open)
	if isNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if !h.user.MayBeIn(text) {
		return nil
	}
	found, err := h.user.Look(bytes.NewReader(text), int64(len(text)))
	if err != nil || len(found.Cuts) == 0 {
		return err
	}
	if len(found.Others) > 0 {
		var mine [][]byte
		for _, c := range found.Cuts {
			mine = append(mine, text[c.Off:c.Off+c.Size])
		}
		text = bytes.Join(mine, []byte("\n"))
	}
	part := *g
	part.Open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }
	return h.give(&part)
}

func readAll(open func() (io.ReadCloser, error)) ([]byte, error) {
	r, err := open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func (h *holder) letters() error {
	names := slices.Clone(h.s.letters.all())
	for _, n := range names {
		if err := h.ctx.Err(); err != nil {
			return context.Cause(h.ctx)
		}
		id := n.String()
		l, err := h.s.Letter(h.ctx, id)
		if isNotExist(err) {
			continue
		}
		if err != nil {
			return err
		}
		g := &notify.Holding{What: "letters", Name: id, Key: l.Key, Reason: l.Reason,
			Open: func() (io.ReadCloser, error) { return h.s.OpenLetter(h.ctx, id) }}
		if l.UserID == h.id {
			err = h.give(g)
		} else if h.user.Unread(l.UserID) {
			err = h.part(g)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
