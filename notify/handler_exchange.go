package notify

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// exchange is one request and its answer.
type exchange struct {
	h        *handler
	w        http.ResponseWriter
	r        *http.Request
	control  *http.ResponseController
	start    time.Time
	deadline time.Time
	body     intake
	stored   atomic.Uint64 // the body's number, see StoredAs
	app      string

	// mu ensures that there is one answer, from the handler or from the timer
	// that gives up on the store. It is held while the answer is written and
	// reported.
	mu       sync.Mutex
	answered bool
	broken   bool // the writer panicked

	// live means that the handler has not returned yet: after that w belongs to
	// the server.
	liveMu sync.Mutex
	live   bool
}

func newExchange(h *handler, w http.ResponseWriter, r *http.Request) *exchange {
	now := time.Now()
	return &exchange{
		h: h, w: w, r: r, control: http.NewResponseController(w),
		start: now, deadline: now.Add(h.opts.Deadline), live: true,
	}
}

// setDeadlines bounds the time of everything that follows, before anything is
// read.
func (x *exchange) setDeadlines() {
	err := x.readUntil(x.deadline)
	if err == nil {
		err = guard("the ResponseWriter", func() { _ = x.control.SetWriteDeadline(x.deadline.Add(lateBy + answerTime)) })
	}
	if err != nil {
		x.h.untold.Do(func() {
			x.h.log.log(x.r.Context(), slog.LevelWarn, "notify: the ResponseWriter sets no deadlines, so that a slow body can hold its connection; give the middleware's writer an Unwrap method", "err", err)
		})
	}
}

// readUntil sets the time at which the server stops reading the request. It
// may be called from any goroutine.
func (x *exchange) readUntil(t time.Time) (err error) {
	x.liveMu.Lock()
	defer x.liveMu.Unlock()
	if !x.live {
		return nil
	}
	if panicked := guard("the ResponseWriter", func() { err = x.control.SetReadDeadline(t) }); panicked != nil {
		return panicked
	}
	return err
}

// giveUp makes the body's reader fail.
func (x *exchange) giveUp() { _ = x.readUntil(x.start) }

// close ends the exchange when the handler returns or its goroutine ends.
func (x *exchange) close() {
	defer x.body.close()
	x.liveMu.Lock()
	x.live = false
	x.liveMu.Unlock()
}

// abortIfBroken ends the connection if the answer could not be written: the
// handler's return would be a 200.
func (x *exchange) abortIfBroken() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.broken {
		panic(http.ErrAbortHandler)
	}
}

// route finds out for which application the request is.
func (x *exchange) route() error {
	app, err := x.h.appOf(x.r)
	x.mu.Lock() // the answer may be late already
	defer x.mu.Unlock()
	x.app = app
	return err
}

// put stores the body and returns the status to answer.
func (x *exchange) put(ctx context.Context) (status int, err error) {
	var failed error
	ctx = context.WithValue(ctx, storedKey{}, &x.stored)
	if panicked := guard("put", func() { failed = x.h.put(ctx, &x.body) }); panicked != nil {
		x.h.log.panicked(ctx, panicked)
		return http.StatusInternalServerError, panicked
	}
	// An error of the body takes precedence over the store's result.
	if x.body.failed() {
		return statusOf(x.body.err), x.body.err
	}
	if failed != nil {
		return http.StatusServiceUnavailable, &foreignError{"store: ", failed}
	}
	if panicked := guard("the request's body", func() { err = x.body.finish() }); panicked != nil {
		x.h.log.panicked(ctx, panicked)
		return http.StatusBadRequest, panicked
	}
	if err != nil {
		return statusOf(err), err
	}
	return http.StatusOK, nil
}

// statusOf is the answer for an error of an intake.
func statusOf(err error) int {
	switch {
	case errors.Is(err, errTooLarge), errors.Is(err, errExpands):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, errEncoding):
		return http.StatusUnsupportedMediaType
	case errors.Is(err, errBusy), errors.Is(err, errUnread):
		return http.StatusServiceUnavailable
	case errors.Is(err, os.ErrDeadlineExceeded):
		return http.StatusRequestTimeout
	default:
		return http.StatusBadRequest
	}
}

// end answers, unless there was an answer already.
func (x *exchange) end(status int, err error) { x.answer(status, err, false) }

// endLate answers instead of a handler that is stuck in the store.
func (x *exchange) endLate() { x.answer(http.StatusServiceUnavailable, errLate, true) }

// answer also reports the answer, so that everything is reported when the handler
// returns.
func (x *exchange) answer(status int, err error, now bool) {
	x.mu.Lock()
	defer x.mu.Unlock() // also if what is called ends the goroutine
	if x.answered {
		return
	}
	x.answered, x.broken = true, true
	panicked := guard("the ResponseWriter", func() { x.write(status, now) })
	x.broken = panicked != nil
	x.h.log.panicked(x.r.Context(), panicked)
	x.report(Receipt{Status: status, App: x.app, Bytes: x.body.n.Load(), Took: time.Since(x.start), Body: x.stored.Load(), Err: err})
}

// write writes the answer; now sends it before the handler returns.
func (x *exchange) write(status int, now bool) {
	header := x.w.Header()
	switch status {
	case http.StatusMethodNotAllowed:
		header.Set("Allow", http.MethodPost)
	case http.StatusUnsupportedMediaType:
		header.Set("Accept-Encoding", "gzip")
	}
	refused := status != http.StatusOK && x.r.ProtoMajor < 2
	if refused {
		// Otherwise net/http reads the rest of the body before it answers. An
		// HTTP/2 stream is reset without this, and its connection is shared.
		header.Set("Connection", "close")
	}
	if now {
		header.Set("Content-Length", "0") // else Flush begins a chunked body
	}
	x.w.WriteHeader(status)
	if now {
		_ = x.control.Flush()
	}
	if soon := time.Now().Add(linger); refused && soon.Before(x.deadline) {
		// net/http reads on for a little to spare the sender a reset.
		_ = x.readUntil(soon)
	}
}

// report tells the logger and the observer.
func (x *exchange) report(receipt Receipt) {
	ctx := x.r.Context()
	if receipt.Status != http.StatusOK {
		peer, _, _ := net.SplitHostPort(x.r.RemoteAddr)
		x.h.log.log(ctx, slog.LevelWarn, "notify: not acknowledged",
			"status", receipt.Status, "bytes", receipt.Bytes, "took", receipt.Took, "peer", peer, "err", receipt.Err)
	}
	if observe := x.h.opts.Observe; observe != nil {
		x.h.log.panicked(ctx, guard("HandlerOptions.Observe", func() { observe(ctx, receipt) }))
	}
}
