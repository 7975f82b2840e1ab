// Package recording records HTTP traffic, such as that of an incident, without
// personal data, so that it can be inspected and sent again.
//
//	r, err := recording.New(file, nil)
//	if err != nil {
//		return err
//	}
//	serve(r.Handler(handler))
//	return r.Close()
//
// Put [Recorder.Handler] in front of the handler of package notify, or of the
// fake Garmin of package activitytest. Package replay, below activitytest, sends
// a recording again.
//
// # What is left of a body
//
// Structure, order, white space, lengths and relations between values stay. Only
// values known to be harmless stay:
//
//   - ids, names and all other texts are replaced by others, in the same way
//     throughout the recording: equal values stay equal, in a number, a string or
//     a URL. Letters become consonants, digits become other digits.
//   - tokens are crossed out, also in the parameters of callback URLs.
//   - places are rotated about the center of the Earth, all by the same rotation,
//     so that distances and shapes stay. Elevations are raised, all by the same
//     height.
//   - times are moved by the same number of whole days.
//   - measurements keep five digits; further digits are random.
//   - keys, activity types, file types and permissions stay if they are in
//     Garmin's documents.
//   - numbers under unknown keys are random.
//
// If a body is not JSON, or is larger than Options.MaxBody, only its size is
// recorded. A request is recorded with its method, its time, and the path and
// parameters of Garmin's API, but without headers.
//
// How values were replaced is forgotten when the recorder ends. Somebody who
// has the original, or knows the shape and speed of a route, can still find it
// in the recording: share a recording only with people who may see such data.
package recording

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Options are the limits of a [Recorder]. nil means the zero value.
type Options struct {
	// MaxBody is the largest recorded body in bytes. Zero means 16 MiB.
	MaxBody int64
	// MaxTotal limits the bytes written. Zero means 256 MiB. Later requests are
	// only counted.
	MaxTotal int64
}

// Recorder writes a recording. It is safe for concurrent use.
type Recorder struct {
	maxBody, maxTotal, maxQueued int64
	begun                        time.Time
	done                         chan struct{}

	mu     sync.Mutex
	queue  []*heard
	queued int64 // bytes
	more   *sync.Cond
	closed bool
	lost   int

	// What follows belongs to the goroutine that writes.
	out   *bufio.Writer
	total int64
	err   error
	d     *disguise
}

// heard is a request that waits to be written.
type heard struct {
	Entry
	path, query string
	encoding    string
	raw         []byte
	whole       bool
}

// maxQueued is how many bytes may wait to be written. What comes when there are
// more is lost: a recording must not delay an answer.
const maxQueued = 64 << 20

// New returns a recorder that writes to w. It writes in a goroutine, which Close
// ends.
func New(w io.Writer, o *Options) (*Recorder, error) {
	if o == nil {
		o = &Options{}
	}
	if o.MaxBody < 0 || o.MaxTotal < 0 {
		return nil, errors.New("recording: Options has a negative limit")
	}
	r := &Recorder{
		maxBody: o.MaxBody, maxTotal: o.MaxTotal, maxQueued: maxQueued, begun: time.Now(),
		done: make(chan struct{}), out: bufio.NewWriter(w),
	}
	if r.maxBody == 0 {
		r.maxBody = 16 << 20
	}
	if r.maxTotal == 0 {
		r.maxTotal = 256 << 20
	}
	var seed [32]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return nil, err
	}
	r.d = newDisguise(seed)
	r.more = sync.NewCond(&r.mu)
	go r.run()
	return r, nil
}

// Handler returns a handler that records the requests and passes them to next.
// Recording does not delay an answer. After Close the handler passes requests on
// without recording them.
func (r *Recorder) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		h := &heard{
			Entry: Entry{At: time.Since(r.begun), Method: req.Method},
			path:  req.URL.Path, query: req.URL.RawQuery, encoding: req.Header.Get("Content-Encoding"),
		}
		copied := &copier{r: req.Body, most: r.maxBody}
		answer := &statusWriter{ResponseWriter: w}
		sent := *req
		if req.Body != nil && req.Body != http.NoBody {
			sent.Body = copied
		}
		start := time.Now()
		defer func() {
			h.Status, h.Took = answer.status, time.Since(start)
			h.Size, h.raw, h.whole = copied.n, copied.kept.Bytes(), copied.n <= r.maxBody
			r.add(h)
		}()
		next.ServeHTTP(answer, &sent)
		if answer.status == 0 {
			answer.status = http.StatusOK
		}
	})
}

// copier copies what is read.
type copier struct {
	r    io.ReadCloser
	most int64
	n    int64
	kept bytes.Buffer
}

func (c *copier) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.n += int64(n); c.n <= c.most {
		c.kept.Write(p[:n])
	}
	return n, err
}

func (c *copier) Close() error { return c.r.Close() }

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (r *Recorder) add(h *heard) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch size := int64(len(h.raw)); {
	case r.closed:
	case r.queued+size > r.maxQueued:
		r.lost++
	default:
		r.queued += size
		r.queue = append(r.queue, h)
		r.more.Signal()
	}
}

// Close writes the rest, ends the recording and returns the first error of
// writing. It does not close the writer.
func (r *Recorder) Close() error {
	r.mu.Lock()
	r.closed = true
	r.more.Signal()
	r.mu.Unlock()
	<-r.done
	return r.err
}

func (r *Recorder) run() {
	defer close(r.done)
	r.line(header{Recording: formatName, Version: formatVersion})
	for {
		r.mu.Lock()
		for len(r.queue) == 0 && !r.closed {
			r.more.Wait()
		}
		if len(r.queue) == 0 {
			lost := r.lost
			r.mu.Unlock()
			if lost > 0 {
				r.line(lineOf(&Entry{Lost: lost}))
			}
			return
		}
		h := r.queue[0]
		r.queue = r.queue[1:]
		r.queued -= int64(len(h.raw))
		r.mu.Unlock()
		if r.total >= r.maxTotal || r.err != nil {
			r.mu.Lock()
			r.lost++
			r.mu.Unlock()
			continue
		}
		e := r.redacted(h)
		r.line(lineOf(&e))
	}
}

// line writes one line, and at once: a program that ends badly has it too.
func (r *Recorder) line(v any) {
	b, err := json.Marshal(v)
	if err == nil {
		_, err = r.out.Write(append(b, '\n'))
		r.total += int64(len(b)) + 1
	}
	if err == nil {
		err = r.out.Flush()
	}
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("recording: %w", err)
	}
}

// redacted returns what may be written of a request.
func (r *Recorder) redacted(h *heard) (e Entry) {
	e = h.Entry
	if !method(e.Method) {
		e.Method = ""
	}
	if apiPath(h.path) {
		e.Path, e.Query = h.path, r.d.query(h.query)
	}
	// A panic here is a mistake of ours, and no reason to end the program that
	// is recorded: the entry has its size alone.
	defer func() {
		if recover() != nil {
			e.Body = nil
		}
	}()
	if raw, ok := r.plain(h); ok {
		e.Body = r.d.body(raw)
		e.Size = max(e.Size, int64(len(raw)))
	}
	return e
}

// plain returns the whole body without its encoding.
func (r *Recorder) plain(h *heard) ([]byte, bool) {
	if !h.whole {
		return nil, false
	}
	switch strings.ToLower(h.encoding) {
	case "", "identity":
		return h.raw, true
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(bytes.NewReader(h.raw))
		if err != nil {
			return nil, false
		}
		b, err := io.ReadAll(io.LimitReader(z, r.maxBody+1))
		return b, err == nil && int64(len(b)) <= r.maxBody
	}
	return nil, false
}

// wait returns when t has come or ctx has ended, then with its error.
func wait(ctx context.Context, t time.Time) error {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
