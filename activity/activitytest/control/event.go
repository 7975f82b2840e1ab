package control

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// How the event stream is held small: what changes faster than a reader can look
// is sampled.
const (
	eventPause = 100 * time.Millisecond // between two looks at the server
	eventLimit = 50                     // entries of one event
	statePause = 250 * time.Millisecond // between two states
	keepAlive  = 15 * time.Second       // a comment, so that nobody takes the connection for dead
)

// batchView is an event: the latest entries since the last one, and how many were
// left out since there were too many.
type batchView[T any] struct {
	List    []T   `json:"list"`
	Skipped int64 `json:"skipped"`
}

// events is the stream of what happens. It remembers where it is and nothing
// else, so that a reader that is slow costs nothing.
func (c *control) events(w http.ResponseWriter, r *http.Request) {
	changed, stop := c.s.Backstage().Changes()
	defer stop()
	out := http.NewResponseController(w)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream;charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Accel-Buffering", "no")
	at := newPlace(c, r)
	alive := time.NewTicker(keepAlive)
	defer alive.Stop()
	look := time.NewTimer(0)
	defer look.Stop()
	waits, stale := true, true // look is set; the reader's state is an old one
	var last time.Time         // of a state
	for {
		select {
		case <-r.Context().Done():
			return
		case <-alive.C:
			fmt.Fprint(w, ": still here\n\n")
		case <-look.C:
			at.write(w)
			if waits = false; !stale {
				break
			}
			if wait := statePause - time.Since(last); wait > 0 {
				look.Reset(wait)
				waits = true
				break
			}
			last, stale = time.Now(), false
			at.event(w, "state", c.state())
		case <-changed:
			if stale = true; !waits { // else it would never come, where changes never end
				look.Reset(eventPause)
				waits = true
			}
		}
		if out.Flush() != nil {
			return
		}
	}
}

// place is how far a reader has come.
type place struct {
	c                    *control
	deliveries, requests int64
}

// newPlace begins where Last-Event-ID or the query says, or else with the latest
// entries.
func newPlace(c *control, r *http.Request) *place {
	p := &place{c: c}
	if _, err := fmt.Sscanf(r.Header.Get("Last-Event-ID"), "%d.%d", &p.deliveries, &p.requests); err != nil {
		p.deliveries, p.requests = 0, 0
	}
	return p
}

// write writes what is new.
func (p *place) write(w http.ResponseWriter) {
	if now := p.c.s.State(); p.deliveries > now.Deliveries || p.requests > now.Requests {
		p.deliveries, p.requests = 0, 0 // the state is another one, or the program
	}
	if list := p.c.s.Deliveries(p.deliveries); len(list) > 0 {
		before := p.deliveries
		p.deliveries = list[len(list)-1].ID
		list = latest(list, eventLimit)
		p.event(w, "deliveries", batchView[deliveryView]{deliveryViews(list), p.deliveries - before - int64(len(list))})
	}
	before := max(p.requests, p.c.cleared.Load())
	if list := p.c.s.Requests(before); len(list) > 0 {
		p.requests = list[len(list)-1].ID
		list = latest(list, eventLimit)
		p.event(w, "requests", batchView[requestView]{requestViews(list), p.requests - before - int64(len(list))})
	}
}

func (p *place) event(w http.ResponseWriter, name string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // v is always one of ours
	}
	fmt.Fprintf(w, "id: %d.%d\nevent: %s\ndata: %s\n\n", p.deliveries, p.requests, name, b)
}
