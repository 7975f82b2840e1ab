package notify

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
)

var (
	errTooLarge = errors.New("the body is larger than MaxBody")
	errBusy     = errors.New("too many bytes in flight")
	errExpands  = errors.New("the body expands too much")
	errUnread   = errors.New("the store left a part of the body unread")
	errEncoding = errors.New("unknown Content-Encoding")
	errOver     = errors.New("notify: the body was read after the answer")
)

const (
	// A gzip body larger than freeExpansion may be this many times its compressed
	// size. Garmin's JSON shrinks 10 to 30 times.
	maxExpansion  = 200
	freeExpansion = 4 << 20
)

// intake is the body of a request as the store reads it: decompressed and counted
// against the limits. It remembers whether its end was read, since only such a
// body is answered 200.
type intake struct {
	h     *handler // nil if the request was refused before
	src   io.Reader
	share share
	n     atomic.Int64 // bytes of the body given to the store
	err   error        // the first error, io.EOF after the whole body
	app   string
	line  []byte // what is given first

	packed *counter // the compressed side, nil if there is none
	unpack *gzip.Reader
}

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

// open prepares to read the body of x's request. It reads nothing yet: the
// header of a gzip body may be as slow as the rest.
func (in *intake) open(x *exchange) error {
	r, limit := x.r, x.h.opts.MaxBody
	in.h, in.src, in.share.owner = x.h, r.Body, x
	if in.app = x.app; in.app != "" {
		in.line = []byte(AppLine(in.app))
	}
	if in.src == nil {
		in.src = http.NoBody
	}
	if r.ContentLength > limit {
		return fmt.Errorf("%w: %d bytes, accepted are %d", errTooLarge, r.ContentLength, limit)
	}
	switch strings.ToLower(strings.TrimSpace(strings.Join(r.Header.Values("Content-Encoding"), ","))) {
	case "", "identity":
		return nil
	case "gzip", "x-gzip":
		in.packed = &counter{r: in.src, max: limit}
		return nil
	default:
		return errEncoding
	}
}

// Read implements io.Reader. Once it has failed, it returns the same error
// forever.
func (in *intake) Read(p []byte) (int, error) {
	if len(in.line) > 0 {
		n := copy(p, in.line)
		in.line = in.line[n:]
		return n, nil
	}
	if in.err != nil {
		return 0, in.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	begins := in.app == "" && in.n.Load() == 0
	n, err := in.read(p)
	if begins && n > 0 && p[0] == lineQuote {
		in.line = in.escaped(p[:n])
		return in.Read(p)
	}
	return n, err
}

// escaped is what begins a stored body whose own first bytes those are: if they
// look like an AppLine, they stand behind an empty one.
func (in *intake) escaped(first []byte) []byte {
	head := bytes.Clone(first)
	for in.err == nil && len(head) < longestLine && bytes.IndexByte(head, '\n') < 0 {
		var one [1]byte
		n, _ := in.read(one[:])
		head = append(head, one[:n]...)
	}
	if _, _, ok := cutLine(head); ok {
		return append([]byte(emptyLine), head...)
	}
	return head
}

// read reads some of the body.
func (in *intake) read(p []byte) (int, error) {
	in.h.budget.wait(&in.share)
	n, err := in.next(p)
	total := in.n.Add(int64(n))
	switch {
	case total > in.h.opts.MaxBody:
		n, err = 0, errTooLarge
	case in.packed != nil && total > freeExpansion && total > maxExpansion*in.packed.n:
		n, err = 0, errExpands
	case !in.h.budget.arrived(&in.share, int64(n), err == io.EOF):
		n, err = 0, errBusy
	}
	in.err = plain(err)
	return n, in.err
}

// next reads from the body, or from its decompressor.
func (in *intake) next(p []byte) (int, error) {
	if in.packed == nil {
		return in.src.Read(p)
	}
	if in.unpack == nil {
		z, ok := in.h.gzips.Get().(*gzip.Reader)
		if !ok {
			z = new(gzip.Reader)
		}
		if err := z.Reset(in.packed); err != nil {
			in.h.gzips.Put(z)
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
		in.unpack = z
	}
	return in.unpack.Read(p)
}

// plain describes a reader's error in words.
func plain(err error) error {
	switch {
	case err == nil, err == io.EOF, err == errTooLarge, err == errBusy, err == errExpands:
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &foreignError{"the body did not come within the Deadline: ", err}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &foreignError{"the body ended early: ", err}
	default:
		return &foreignError{"the body: ", err}
	}
}

// failed tells whether the body could not be read.
func (in *intake) failed() bool { return in.err != nil && in.err != io.EOF }

// finish reports why the body is not whole, nil if it was read to its end.
func (in *intake) finish() error {
	if in.err == nil {
		var one [1]byte
		if n, err := io.ReadFull(in, one[:]); n > 0 || err == nil {
			return errUnread
		}
	}
	if len(in.line) > 0 {
		return errUnread
	}
	if in.failed() {
		return in.err
	}
	return nil
}

// close gives back what the intake holds.
func (in *intake) close() {
	if in.h == nil {
		return
	}
	in.h.budget.release(&in.share)
	if in.unpack != nil {
		in.h.gzips.Put(in.unpack)
		in.unpack = nil
	}
	in.src, in.packed, in.err, in.line = nil, nil, errOver, nil
}
