package memqueue

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/garminkit/activityapi/internal/erasure"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

var _ notify.Eraser = (*Memory)(nil)

// Erase implements [notify.Eraser].
func (m *Memory) Erase(ctx context.Context, user types.UserID) (*notify.Erasure, error) {
	out := &notify.Erasure{}
	err := m.call(ctx, "erase", func(t *table) error { return t.erase(user, out) })
	return out, err
}

// Holdings implements [notify.Eraser].
func (m *Memory) Holdings(ctx context.Context, user types.UserID) iter.Seq2[*notify.Holding, error] {
	return func(yield func(*notify.Holding, error) bool) {
		var all []*notify.Holding
		err := m.call(ctx, "holdings", func(t *table) (err error) {
			all, err = t.holdings(user)
			return err
		})
		if err != nil {
			yield(nil, err)
			return
		}
		for _, h := range all {
			if !yield(h, nil) {
				return
			}
		}
	}
}

// without returns an item without what is the user's, or nil if that is all of
// it. The bytes that were given stay.
func without(u *erasure.User, app, key string, data []byte) ([]byte, *erasure.Found, error) {
	start, end := "", ""
	if key != "" {
		name, err := json.Marshal(key)
		if err != nil {
			return nil, nil, err
		}
		start, end = notify.AppLine(app)+"{"+string(name)+":[", "]}"
	}
	body := slices.Concat([]byte(start), data, []byte(end))
	found, err := u.Look(bytes.NewReader(body), int64(len(body)))
	if err != nil || len(found.Cuts) == 0 {
		return data, found, err
	}
	if len(found.Others) == 0 {
		return nil, found, nil
	}
	erasure.Apply(body, found.Cuts)
	return body[len(start) : len(start)+len(data)], found, nil
}

func (t *table) erase(user types.UserID, out *notify.Erasure) error {
	u := erasure.For(user)
	for id, r := range t.items {
		data, _, err := without(u, r.UserID.App(), r.Key, r.data)
		if err != nil {
			return err
		}
		if r.UserID != user && data != nil {
			r.data = data
			continue
		}
		r.gone = true
		delete(t.items, id)
		t.shares[r.share].lists[r.Class].finished()
		erasure.Remove(out, "items", 1)
	}
	for i, l := range slices.Backward(t.letters) {
		var stay []keyed
		for _, it := range l.items {
			data, _, err := without(u, l.UserID.App(), it.key, it.data)
			if err != nil {
				return err
			}
			if data != nil {
				stay = append(stay, keyed{it.key, data})
			}
		}
		if l.UserID != user && len(stay) > 0 {
			if n := len(l.items) - len(stay); n > 0 {
				l.Items -= n
				erasure.Remove(out, "letter items", n)
			}
			l.items = stay
			continue
		}
		t.drop(i)
		erasure.Remove(out, "letters", 1)
	}
	return nil
}

func (t *table) holdings(user types.UserID) (all []*notify.Holding, err error) {
	u := erasure.For(user)
	add := func(what, name, app, key, reason string, items ...keyed) error {
		var mine []keyed
		for _, it := range items {
			_, found, err := without(u, app, it.key, it.data)
			if err != nil {
				return err
			}
			if len(found.Cuts) > 0 && len(found.Others) == 0 {
				mine = append(mine, it)
			}
		}
		if len(mine) > 0 {
			l := &letter{DeadLetter: notify.DeadLetter{UserID: types.UserID("").In(app)}, items: mine}
			all = append(all, &notify.Holding{What: what, Name: name, Key: key, Reason: reason,
				Open: func() (io.ReadCloser, error) { return io.NopCloser(l.open()), nil }})
		}
		return nil
	}
	for id, r := range t.items {
		if err := add("items", fmt.Sprint(id), r.UserID.App(), r.Key, "", keyed{r.Key, r.data}); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(all, func(a, b *notify.Holding) int { return strings.Compare(a.Name, b.Name) })
	for _, l := range t.letters {
		if err := add("letters", l.ID, l.UserID.App(), l.Key, l.Reason, l.items...); err != nil {
			return nil, err
		}
	}
	return all, nil
}
