package service

import (
	"net/http"
	"sync"
)

// intake is the handler of notifications with a gate before it: what passes is
// waited for when the gate is closed.
type intake struct {
	handler http.Handler

	mu     sync.Mutex
	closed bool
	inside int
	empty  chan struct{} // closed when the gate is closed and nobody is inside
}

func newIntake(h http.Handler) *intake {
	return &intake{handler: h, empty: make(chan struct{})}
}

func (in *intake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !in.enter() {
		// Garmin sends it again, perhaps to another process.
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	defer in.leave()
	in.handler.ServeHTTP(w, r)
}

func (in *intake) enter() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.closed {
		in.inside++
	}
	return !in.closed
}

func (in *intake) leave() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.inside--
	if in.closed && in.inside == 0 {
		close(in.empty)
	}
}

// close lets nobody in any more.
func (in *intake) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return
	}
	in.closed = true
	if in.inside == 0 {
		close(in.empty)
	}
}
