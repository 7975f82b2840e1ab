package notify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"github.com/garminkit/activityapi/types"
)

const (
	// smallBody is read into memory as a whole to be split; a larger one is
	// streamed.
	smallBody = 1 << 20
	// largeItem is the size from which an item has workers of its own, and is
	// not held in memory while it waits for them.
	largeItem = 256 << 10

	fileDeadline = 24 * time.Hour
	pingDeadline = 7 * 24 * time.Hour
)

// run is the state of one [Processor.Run].
type run struct {
	*Processor
	ctx   context.Context // of the attempts
	sched *scheduler
	files *fileStore
	buf   []byte // the feeder's, as is dec
	dec   *body

	mu   sync.Mutex
	open map[*openBody]struct{}
}

// openBody counts what is left to do in a body.
type openBody struct {
	Body
	weight int64 // what it may cost in memory
	taken  int   // items that split has seen; the feeder's
	mu     sync.Mutex
	left   int // unmarked items, and one for the feeder while it splits
}

// newOpenBody weighs a body. A large one is a file.
func newOpenBody(b Body) *openBody {
	const handle = 1 << 10
	body := &openBody{Body: b, left: 1, weight: handle}
	if size := b.Size(); size <= smallBody {
		body.weight += size
	}
	return body
}

// feed splits body after body, until ctx ends or the queue fails.
func (r *run) feed(ctx context.Context) error {
	for b, err := range r.queue.Bodies(ctx) {
		if err != nil {
			return err
		}
		body := newOpenBody(b)
		r.mu.Lock()
		r.open[body] = struct{}{}
		r.mu.Unlock()
		if r.sched.enter(ctx, body.weight) != nil {
			return nil
		}
		switch err := r.splitAgain(ctx, body); {
		case err == nil:
			r.release(body)
		case ctx.Err() != nil:
			return nil
		default:
			r.unfinished(body, err)
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return errors.New("notify: the queue ended")
}

// splitAgain gives a queue that fails to read a body two more chances.
func (r *run) splitAgain(ctx context.Context, body *openBody) error {
	err := r.split(ctx, body)
	for wait := 100 * time.Millisecond; err != nil && wait <= time.Second; wait *= 10 {
		select {
		case <-time.After(wait):
			err = r.split(ctx, body)
		case <-ctx.Done():
			return err
		}
	}
	return err
}

// split hands the unfinished items of a body to the scheduler, in order.
func (r *run) split(ctx context.Context, body *openBody) error {
	size := body.Size()
	src := &bodyReader{r: io.NewSectionReader(body, 0, size)}
	var in io.Reader = src
	var raw []byte
	if size <= smallBody {
		if int64(cap(r.buf)) < size {
			r.buf = make([]byte, smallBody)
		}
		raw = r.buf[:size]
		if _, err := io.ReadFull(src, raw); err != nil {
			return fmt.Errorf("notify: reading body %s: %w", body.ID(), err)
		}
		in = bytes.NewReader(raw)
	}
	if r.dec == nil {
		r.dec = r.decoder.newBody(in)
	} else {
		r.dec.reset(in)
	}
	now, clock := time.Now(), r.sched.now()
	age := max(now.Sub(body.Received()), 0)
	ordinal := -1
	for ev, err := range r.dec.decode {
		if src.err != nil {
			return fmt.Errorf("notify: reading body %s: %w", body.ID(), src.err)
		}
		if ordinal++; ordinal < body.taken || body.Done(ordinal) {
			continue
		}
		w := &work{body: body, ordinal: ordinal}
		if err != nil {
			// What follows the last good item is no JSON. The letter holds the
			// whole body, so that nothing is lost.
			w.place = Item{Size: size}
			ev = &Unrecognized{Item: w.place, Err: err}
		}
		r.classify(w, ev, clock-age)
		if at := w.place; raw != nil && (w.class == classPush || w.class == classAccount) {
			w.hash(raw[at.Offset : at.Offset+at.Size])
		}
		body.mu.Lock()
		body.left++
		body.mu.Unlock()
		if err := r.sched.admit(ctx, w); err != nil {
			return err
		}
		body.taken = ordinal + 1
	}
	return nil
}

// classify fills what the scheduler has to know of an item. received is on the
// scheduler's clock.
func (r *run) classify(w *work, ev Event, received time.Duration) {
	if w.place.Size == 0 {
		w.place = ev.Place()
		w.place.Raw = nil
	}
	w.ev, w.user, w.received = ev, ev.Owner(), received
	w.due = received + r.opts.PushDeadline
	switch ev := ev.(type) {
	case *Push:
		w.class, w.touch = classPush, touching(ev.Summary.Kind(), ev.Summary.ID())
		w.cost = w.place.Size
		if w.place.Size > largeItem {
			w.class, w.ev, w.cost = classLarge, nil, 0
		}
	case *Ping:
		w.class, w.touch = classPull, string(ev.CallbackURL)
		w.due = received + pingDeadline
		if ev.Kind == types.KindActivityDetails {
			w.class = classLargePull
		}
	case *FilePing:
		w.class, w.touch = classFile, touching(types.KindActivityFiles, ev.File.SummaryID)
		if ev.File.SummaryID == "" {
			w.touch = string(ev.File.CallbackURL)
		}
		w.due = received + fileDeadline
	case *Deregistration, *PermissionChange:
		w.class, w.touch = classAccount, "account"
	default:
		// Not of any user: kept until it is buried.
		w.class = classAccount
		w.cost = w.place.Size
	}
}

// touching names the thing that two items must not change out of order.
func touching(kind types.Kind, id types.ID) string {
	if id == "" {
		return ""
	}
	return string(kind) + " " + string(id)
}

// release counts down the body's work and finishes it after the last.
func (r *run) release(body *openBody) {
	body.mu.Lock()
	body.left--
	last := body.left == 0
	body.mu.Unlock()
	if !last {
		return
	}
	if err := body.Finish(context.WithoutCancel(r.ctx)); err != nil {
		r.unfinished(body, err)
		return
	}
	r.sched.leave(body.weight)
	r.mu.Lock()
	delete(r.open, body)
	r.mu.Unlock()
}

// unfinished leaves a body to the next loop over the queue, because the queue
// failed to read or to finish it.
func (r *run) unfinished(body *openBody, err error) {
	body.mu.Lock()
	body.left = math.MinInt / 2 // items that still run do not finish it
	body.mu.Unlock()
	r.observe(Outcome{Result: ResultRetry, BodyID: body.ID(), Ordinal: -1, Err: err})
}

func (r *run) closeBodies() {
	r.mu.Lock()
	open := r.open
	r.open = map[*openBody]struct{}{}
	r.mu.Unlock()
	for body := range open {
		_ = body.Close()
	}
}

// bodyReader keeps a failing queue apart from a body that is no JSON.
type bodyReader struct {
	r   io.Reader
	err error
}

func (b *bodyReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

func (w *work) hash(raw []byte) {
	w.rev, w.hashed = sha256.Sum256(raw), true
}
