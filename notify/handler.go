package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options are the optional settings of [NewHandler].
type Options struct {
	// MaxBody is the largest body that is taken, in bytes and after inflation;
	// a larger one is answered 413. 0 means 128 MiB: Garmin demands 10 MB, and
	// 100 MB for activity details.
	MaxBody int64
	// MaxInFlight bounds the bytes of all bodies being received at one time; a
	// body beyond it is answered 503. It is at least MaxBody. 0 means 1 GiB, or
	// MaxBody if that is more.
	MaxInFlight int64
	// Deadline is how long a request may take from its headers to the 200.
	// Garmin stops listening after 30 s, so it is at most 28 s. 0 means 25 s.
	Deadline time.Duration

	// Origin are the checks that a request must pass, all of them, before its
	// body is looked at. None means that anyone is believed.
	Origin []OriginCheck
	// OriginStatus answers a request that failed a check. 0 means 404. Think
	// twice before 401 or 429: Garmin may turn an endpoint off for the one and
	// throttle for the other.
	OriginStatus int

	// Logger gets a warning for each request that is not answered 200. Nil
	// means none.
	Logger *slog.Logger
	// Observe, if not nil, is called after each request, for metrics. It must
	// be safe for concurrent use.
	Observe func(context.Context, Receipt)
}

// Check reports the first setting that [NewHandler] would refuse. A nil
// *Options is fine.
func (o *Options) Check() error {
	if o == nil {
		return nil
	}
	switch d := o.withDefaults(); {
	case d.MaxBody < 0:
		return errors.New("notify: negative MaxBody")
	case d.MaxInFlight < d.MaxBody:
		return errors.New("notify: MaxInFlight is less than MaxBody")
	case d.Deadline < 0 || d.Deadline > 28*time.Second:
		return errors.New("notify: Deadline is not within 28 s")
	case d.OriginStatus < 400 || d.OriginStatus > 599:
		return errors.New("notify: OriginStatus is no status of a failure")
	}
	for _, c := range o.Origin {
		if c == nil {
			return errors.New("notify: nil OriginCheck")
		}
	}
	return nil
}

func (o *Options) withDefaults() Options {
	var d Options
	if o != nil {
		d = *o
	}
	if d.MaxBody == 0 {
		d.MaxBody = 128 << 20
	}
	if d.MaxInFlight == 0 {
		d.MaxInFlight = max(1<<30, d.MaxBody)
	}
	if d.Deadline == 0 {
		d.Deadline = 25 * time.Second
	}
	if d.OriginStatus == 0 {
		d.OriginStatus = http.StatusNotFound
	}
	return d
}

// Receipt says how one request ended.
type Receipt struct {
	// Status is the answer.
	Status int
	// Bytes is how much of the body was read, after inflation.
	Bytes int64
	// Took is the time from the headers to the answer.
	Took time.Duration
	// Err says why the status is not 200. It holds no secret of the request;
	// of the store it holds what the store's error says.
	Err error
}

// Handler receives Garmin's notifications. It is an [http.Handler], safe for
// concurrent use; see [NewHandler].
type Handler struct {
	store  Store
	opts   Options
	paused atomic.Bool
	budget budget
	gzips  sync.Pool // of *gzip.Reader
}

// NewHandler returns a handler that stores each notification as it came and
// answers 200, with an empty body, only when the store has it. It does not
// parse: a complete body that is no JSON is stored too, and set aside later.
// Whatever goes wrong is answered by another status, upon which Garmin sends
// the notification again:
//
//	400  the body ended early, or its gzip is broken
//	404  a check of Options.Origin failed; nothing was read
//	405  the method is not POST
//	408  the body did not come within Options.Deadline
//	413  the body is larger than Options.MaxBody, or inflates suspiciously
//	415  the Content-Encoding is neither gzip nor identity
//	500  the store panicked
//	503  the store failed or was late, too much is in flight, or the handler is paused
//
// NewHandler panics if store is nil or opts does not pass [Options.Check]:
// both are slips of the program, since the values that come from an
// environment have constructors that return an error, as [PathSecret].
func NewHandler(store Store, opts *Options) *Handler {
	if store == nil {
		panic("notify: NewHandler: nil Store")
	}
	if err := opts.Check(); err != nil {
		panic("notify: NewHandler: " + strings.TrimPrefix(err.Error(), "notify: "))
	}
	h := &Handler{store: store, opts: opts.withDefaults()}
	h.opts.Origin = append([]OriginCheck(nil), h.opts.Origin...)
	h.budget.limit = h.opts.MaxInFlight
	return h
}

// SetPaused stops or resumes the intake of summaries. A paused handler answers
// 503, and Garmin holds the notifications for up to 7 days. Bodies with
// deregistrations or permission changes are still taken, whole, whatever else
// is in them.
func (h *Handler) SetPaused(paused bool) { h.paused.Store(paused) }

// Paused reports whether the handler is paused.
func (h *Handler) Paused() bool { return h.paused.Load() }

// lateBy is how long after the deadline a store that hangs is given up on.
const lateBy = time.Second

var (
	errOrigin   = errors.New("an origin check failed")
	errMethod   = errors.New("the method is not POST")
	errPaused   = errors.New("the handler is paused")
	errDeadline = errors.New("the store was too late")
	errPanic    = errors.New("the store panicked")
)

// ServeHTTP receives one notification.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	a := answer{w: w, start: start}
	for _, check := range h.opts.Origin {
		if !check(r) {
			h.end(r, &a, h.opts.OriginStatus, errOrigin)
			return
		}
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		h.end(r, &a, http.StatusMethodNotAllowed, errMethod)
		return
	}
	in, err := h.newIntake(r)
	a.in = in
	defer in.close()
	if err != nil {
		if err == errEncoding {
			w.Header().Set("Accept-Encoding", "gzip")
		}
		h.end(r, &a, statusOf(err), err)
		return
	}

	deadline := start.Add(h.opts.Deadline)
	// A writer that cannot is one that a test or a middleware made; the
	// context's deadline still holds.
	_ = http.NewResponseController(w).SetReadDeadline(deadline)
	ctx, cancel := context.WithDeadline(r.Context(), deadline)
	defer cancel()

	var body io.Reader = in
	if h.paused.Load() {
		var head []byte
		if head, body = peek(in); !passesPause(head) {
			h.end(r, &a, http.StatusServiceUnavailable, errPaused)
			return
		}
	}
	// Garmin hears no from a store that hangs, not silence. Put returns in its
	// own time; what it says then is not passed on.
	late := time.AfterFunc(h.opts.Deadline+lateBy, func() { h.endLate(r, &a) })
	defer late.Stop()
	status, err := h.put(ctx, in, body)
	if err == nil && !time.Now().Before(deadline) {
		status, err = http.StatusServiceUnavailable, errDeadline
	}
	h.end(r, &a, status, err)
}

// put stores the body and says what to answer.
func (h *Handler) put(ctx context.Context, in *intake, body io.Reader) (status int, err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		// A panic, or a Goexit, after which net/http would answer 200.
		v := recover()
		if h.opts.Logger != nil {
			// The value itself may quote the body.
			h.opts.Logger.ErrorContext(ctx, "notify: panic in Store.Put", "type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
		}
		status, err = http.StatusInternalServerError, errPanic
	}()
	err = h.store.Put(ctx, body)
	returned = true
	// What is wrong with the body goes before what the store made of it.
	if in.err != nil && in.err != io.EOF {
		return statusOf(in.err), in.err
	}
	if err != nil {
		return http.StatusServiceUnavailable, fmt.Errorf("store: %w", err)
	}
	if err := in.finish(); err != nil {
		return statusOf(err), err
	}
	return http.StatusOK, nil
}

func statusOf(err error) int {
	switch {
	case err == errTooLarge, err == errInflate:
		return http.StatusRequestEntityTooLarge
	case err == errEncoding:
		return http.StatusUnsupportedMediaType
	case err == errBusy, err == errUnread:
		return http.StatusServiceUnavailable
	case errors.Is(err, os.ErrDeadlineExceeded):
		return http.StatusRequestTimeout
	default:
		return http.StatusBadRequest
	}
}

// answer sees to it that a request is answered once, by the handler or by the
// timer that gives up on the store.
type answer struct {
	mu    sync.Mutex
	w     http.ResponseWriter
	start time.Time
	in    *intake
	done  bool
}

// end answers, unless that has been done.
func (h *Handler) end(r *http.Request, a *answer, status int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.done {
		h.answer(r, a, status, err)
	}
}

// endLate answers in place of a handler that is stuck in the store.
func (h *Handler) endLate(r *http.Request, a *answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.done {
		a.w.Header().Set("Content-Length", "0") // else Flush begins a chunked body
		h.answer(r, a, http.StatusServiceUnavailable, errDeadline)
		_ = http.NewResponseController(a.w).Flush()
	}
}

func (h *Handler) answer(r *http.Request, a *answer, status int, err error) {
	a.done = true
	receipt := Receipt{Status: status, Err: err}
	if a.in != nil {
		receipt.Bytes = a.in.n.Load()
	}
	a.w.WriteHeader(status)
	receipt.Took = time.Since(a.start)
	if h.opts.Logger != nil && status != http.StatusOK {
		peer, _, _ := net.SplitHostPort(r.RemoteAddr)
		h.opts.Logger.WarnContext(r.Context(), "notify: not acknowledged",
			"status", status, "bytes", receipt.Bytes, "took", receipt.Took, "peer", peer, "err", err)
	}
	if h.opts.Observe != nil {
		h.opts.Observe(r.Context(), receipt)
	}
}
