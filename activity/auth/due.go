package auth

import (
	"container/heap"
	"time"

	"github.com/garminkit/activityapi/types"
)

// dueIndex orders the tokens that can be refreshed by the end of their refresh
// tokens: each has an entry. An entry whose token has another end by now is out
// of date, and is dropped when it is met.
type dueIndex struct{ entries dueHeap }

type dueEntry struct {
	end    time.Time
	userID types.UserID
}

// refreshable tells that a refresh can keep the token alive.
func (t *Token) refreshable() bool { return t.OAuth2() && !t.Revoked }

// add notes a token that was stored in place of prev, which may be nil. users is
// how many tokens there are, and stored returns that of a user.
func (d *dueIndex) add(t, prev *Token, users int, stored func(types.UserID) *Token) {
	if !t.refreshable() || prev != nil && prev.refreshable() && prev.RefreshExpiry.Equal(t.RefreshExpiry) {
		return
	}
	heap.Push(&d.entries, dueEntry{t.RefreshExpiry, t.UserID})
	if len(d.entries) <= 2*users+1024 {
		return
	}
	seen := make(map[types.UserID]bool, users)
	kept := d.entries[:0]
	for _, e := range d.entries {
		if e.current(stored) != nil && !seen[e.userID] {
			seen[e.userID] = true
			kept = append(kept, e)
		}
	}
	clear(d.entries[len(kept):])
	d.entries = kept
	heap.Init(&d.entries)
}

// before returns the tokens that are due before a time, the next to end first.
func (d *dueIndex) before(before time.Time, stored func(types.UserID) *Token) []*Token {
	var due []*Token
	seen := make(map[types.UserID]bool)
	for len(d.entries) > 0 && d.entries[0].end.Before(before) {
		e := heap.Pop(&d.entries).(dueEntry)
		if t := e.current(stored); t != nil && !seen[e.userID] {
			seen[e.userID] = true
			due = append(due, t)
		}
	}
	for _, t := range due {
		heap.Push(&d.entries, dueEntry{t.RefreshExpiry, t.UserID})
	}
	return due
}

// current returns the token that the entry is about, or nil if it is out of
// date.
func (e dueEntry) current(stored func(types.UserID) *Token) *Token {
	t := stored(e.userID)
	if t == nil || !t.refreshable() || !t.RefreshExpiry.Equal(e.end) {
		return nil
	}
	return t
}

// dueHeap implements heap.Interface.
type dueHeap []dueEntry

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].end.Before(h[j].end) }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)        { *h = append(*h, x.(dueEntry)) }
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = dueEntry{}
	*h = (*h)[:last]
	return e
}
