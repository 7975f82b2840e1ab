package notify

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
)

var (
	errTooLarge = errors.New("the body is too large")
	errBusy     = errors.New("too many bytes in flight")
	errInflate  = errors.New("the body inflates too much")
	errUnread   = errors.New("the store left a part of the body unread")
	errEncoding = errors.New("unknown content encoding")
)

// budget counts the bytes of all bodies being received.
type budget struct {
	limit int64
	used  atomic.Int64
}

func (b *budget) take(n int64) bool {
	if b.used.Add(n) > b.limit {
		b.used.Add(-n)
		return false
	}
	return true
}

// intake is one request's body as the store reads it: inflated, counted
// against the limits, and with its end remembered, since a body that was not
// read to its end is never answered 200.
type intake struct {
	r       io.Reader
	max     int64
	budget  *budget
	held    int64        // what was taken from the budget
	n       atomic.Int64 // bytes given to the store
	packed  *counter     // the compressed side, nil if there is none
	unpack  *gzip.Reader
	err     error // the first error, io.EOF after the whole body
	release func(*gzip.Reader)
}

const (
	// budgetStep is how much a body of unknown length takes at a time.
	budgetStep = 1 << 20
	// A gzip body may be this many times its compressed size once it is larger
	// than freeInflate. Garmin's JSON shrinks 10 to 30 times.
	maxInflate  = 200
	freeInflate = 4 << 20
)

// counter counts what is read from r, up to max.
type counter struct {
	r      io.Reader
	n, max int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if c.n > c.max {
		return 0, errTooLarge
	}
	return n, err
}

// newIntake prepares to read r's body. Its error is one of this file's, or
// about the gzip header.
func (h *Handler) newIntake(r *http.Request) (*intake, error) {
	in := &intake{r: r.Body, max: h.opts.MaxBody, budget: &h.budget}
	if r.ContentLength > in.max {
		return in, errTooLarge
	}
	if r.ContentLength > 0 {
		if !in.budget.take(r.ContentLength) {
			return in, errBusy
		}
		in.held = r.ContentLength
	}
	switch strings.ToLower(strings.TrimSpace(strings.Join(r.Header.Values("Content-Encoding"), ","))) {
	case "", "identity":
	case "gzip", "x-gzip":
		in.packed = &counter{r: r.Body, max: in.max}
		if z, ok := h.gzips.Get().(*gzip.Reader); ok {
			in.unpack = z
		} else {
			in.unpack = new(gzip.Reader)
		}
		in.release = func(z *gzip.Reader) { h.gzips.Put(z) }
		if err := in.unpack.Reset(in.packed); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return in, err
		}
		in.r = in.unpack
	default:
		return in, errEncoding
	}
	return in, nil
}

// Read reads on. Once it has failed it gives the same error for ever.
func (in *intake) Read(p []byte) (int, error) {
	if in.err != nil {
		return 0, in.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := in.r.Read(p)
	total := in.n.Add(int64(n))
	switch {
	case total > in.max:
		n, err = 0, errTooLarge
	case in.packed != nil && total > freeInflate && total > maxInflate*in.packed.n:
		n, err = 0, errInflate
	case total > in.held:
		step := max(total-in.held, budgetStep)
		if in.budget.take(step) {
			in.held += step
		} else {
			n, err = 0, errBusy
		}
	}
	in.err = err
	return n, err
}

// finish reports why the body is not whole, nil if it was read to its end.
func (in *intake) finish() error {
	if in.err == nil {
		var one [1]byte
		if n, err := io.ReadFull(in, one[:]); n > 0 || err == nil {
			return errUnread
		}
	}
	if in.err != io.EOF {
		return in.err
	}
	return nil
}

// close gives back what the intake holds.
func (in *intake) close() {
	in.budget.used.Add(-in.held)
	in.held = 0
	if in.unpack != nil {
		in.release(in.unpack)
		in.unpack = nil
	}
	in.r, in.err = nil, errors.New("notify: the body was read after the answer")
}
