package notify

import "sync"

// together lets callers that come at the same time share a call, which begins
// after all of them have come.
type together struct {
	turn chan struct{} // has an element during a call
	mu   sync.Mutex
	next *sharedCall
}

func newTogether() *together { return &together{turn: make(chan struct{}, 1)} }

// sharedCall is a call that is made once for several callers.
type sharedCall struct {
	done bool // who has the turn may use it, and err
	err  error
}

// do returns the result of a call of f that began after do did: its own, or that of
// another caller, whose f must do the same.
func (t *together) do(f func() error) error {
	t.mu.Lock()
	if t.next == nil {
		t.next = new(sharedCall)
	}
	c := t.next
	t.mu.Unlock()
	t.turn <- struct{}{}
	defer func() { <-t.turn }()
	if c.done {
		return c.err
	}
	t.mu.Lock()
	t.next = nil // Who comes from now on may come too late for this one.
	t.mu.Unlock()
	c.done, c.err = true, f()
	return c.err
}
