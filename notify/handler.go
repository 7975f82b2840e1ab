package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/garminkit/activityapi/internal/appname"
)

// HandlerOptions are the optional settings of [NewHandler].
type HandlerOptions struct {
	// MaxBody is the largest accepted body in bytes, before and after
	// decompression. 0 means 128 MiB: Garmin requires 10 MB, and 100 MB for
	// activity details.
	MaxBody int64
	// MaxInFlight limits the sum of all bodies that are being received, in bytes.
	// Bytes count when they arrive, not when Content-Length announces them. If
	// there is no room, requests of slow senders are refused, the slowest first;
	// if none is slow, the request that needs room is refused. MaxInFlight must
	// not be less than MaxBody. 0 means 1 GiB, or MaxBody if that is more.
	MaxInFlight int64
	// Deadline is how long a request may take from its headers to the answer.
	// Garmin stops listening after 30 s, so it is at most 28 s. 0 means 25 s.
	Deadline time.Duration

	// Origin holds the checks that a request must all pass before its body is
	// read. Without checks every request passes.
	Origin []OriginCheck
	// Apps are the applications of the handler, if there are several: one for
	// evaluation and one for production, or one for each tenant. The key is the
	// application's name, and the value its own checks, such as the path secret of
	// its endpoints. A request must pass Origin, and is then for the application
	// whose checks all pass. The ids of an application's users have its name (see
	// [types.UserID.In]), and a stored body begins with its [AppLine]. The
	// application that was the only one before keeps the name "", so that nothing
	// changes for its users. A name has up to 64 characters of A-Z, a-z, 0-9 and
	// "-._".
	Apps map[string][]OriginCheck
	// OriginStatus is the answer to a request that failed a check. 0 means 404.
	// Avoid 401 and 429: Garmin may disable an endpoint after a 401 and slow
	// down after a 429.
	OriginStatus int

	// Logger gets a warning for each request that is not answered with 200. Nil
	// is silent.
	Logger *slog.Logger
	// Observe, if not nil, is called after each request, for metrics. It must be
	// safe for concurrent use. If it panics, that is logged.
	Observe func(context.Context, Receipt)
}

// Check returns an error for the first setting that [NewHandler] would refuse. A
// nil *HandlerOptions is valid.
func (o *HandlerOptions) Check() error {
	if o == nil {
		return nil
	}
	refuse := func(field string, value any, want string) error {
		return fmt.Errorf("notify: HandlerOptions.%s is %v, want %s", field, value, want)
	}
	switch d := o.withDefaults(); {
	case d.MaxBody < 0:
		return refuse("MaxBody", d.MaxBody, "0 or more")
	case d.MaxInFlight < d.MaxBody:
		return refuse("MaxInFlight", d.MaxInFlight, fmt.Sprintf("at least MaxBody (%d)", d.MaxBody))
	case d.Deadline < 0 || d.Deadline > maxDeadline:
		return refuse("Deadline", d.Deadline, fmt.Sprintf("0 to %v", maxDeadline))
	case d.OriginStatus < 400 || d.OriginStatus > 599:
		return refuse("OriginStatus", d.OriginStatus, "400 to 599")
	}
	if err := checkChecks("Origin", o.Origin); err != nil {
		return err
	}
	for _, app := range slices.Sorted(maps.Keys(o.Apps)) {
		field := fmt.Sprintf("Apps[%q]", app)
		if err := appname.Check(app); err != nil {
			return fmt.Errorf("notify: HandlerOptions.%s: %w", field, err)
		}
		if len(o.Apps[app]) == 0 {
			return refuse(field, "empty", "a check: it would take what is for others")
		}
		if err := checkChecks(field, o.Apps[app]); err != nil {
			return err
		}
	}
	return nil
}

// checkChecks refuses a check that is none.
func checkChecks(field string, checks []OriginCheck) error {
	for i, c := range checks {
		if c == nil {
			return fmt.Errorf("notify: HandlerOptions.%s[%d] is nil, want a check", field, i)
		}
	}
	return nil
}

const (
	maxDeadline = 28 * time.Second
	// lateBy is how long after the deadline a store that hangs is given up on.
	lateBy = time.Second
	// answerTime is how long after that the peer may take to read the answer.
	answerTime = 5 * time.Second
	// linger is how long the rest of a refused request may still arrive, so that
	// its sender sees the answer: closing a connection with unread bytes resets
	// it, and the answer may be lost.
	linger = 500 * time.Millisecond
)

func (o *HandlerOptions) withDefaults() HandlerOptions {
	var d HandlerOptions
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

// Receipt reports how a request to the handler ended.
type Receipt struct {
	// Status is the answer.
	Status int
	// App is the application of HandlerOptions.Apps that the request was for. It
	// is "" if there is none, or no application's checks passed.
	App string
	// Bytes is how much of the body was read, after decompression.
	Bytes int64
	// Took is the time from the headers to the answer.
	Took time.Duration
	// Body is the number that the queue gave the body, which is that of
	// [Item].Body; see [StoredAs]. It is zero if the queue did not report one.
	Body uint64
	// Err says why the status is not 200. It holds no secret of the request;
	// errors of put and of an OriginCheck are included unchanged.
	Err error
}

// handler receives Garmin's notifications; see [NewHandler].
type handler struct {
	put    func(ctx context.Context, r io.Reader) error
	opts   HandlerOptions
	apps   []appChecks
	log    logger
	budget budget
	gzips  sync.Pool // of *gzip.Reader
	untold sync.Once // a writer without deadlines was not reported yet
}

// NewHandler returns a handler for Garmin's notifications. It passes each body, as
// it came, to put, and answers 200, with an empty body, only once put has returned
// nil. put is normally the method Put of a [Queue]; any other function must
// promise the same. nil options mean defaults. The handler is safe for concurrent
// use. It does not parse: a complete body that is not JSON is stored too, and
// becomes a dead letter later. In all other cases the answer has another status,
// and Garmin sends the notification again:
//
//	400  the body ended early, or its gzip is broken
//	404  a check of HandlerOptions.Origin failed; the body was not read
//	405  the method is not POST
//	408  the body did not come within HandlerOptions.Deadline
//	413  the body is larger than HandlerOptions.MaxBody, or expands suspiciously
//	415  the Content-Encoding is neither gzip nor identity
//	500  put panicked
//	503  put failed, it or a check was late, or too much is in flight
//
// A handler cannot be paused, so that a user's deregistration is never
// refused. To stop processing for a while, end [Processor.Run]; notifications
// wait in the queue.
//
// NewHandler panics if put is nil or opts fails [HandlerOptions.Check], which
// are programming errors. Values that come from the environment have constructors
// that return an error, such as [PathSecret].
//
// # Time
//
// Every request is answered within HandlerOptions.Deadline plus a second, even if
// its body arrives slowly. Every answer but 200 ends an HTTP/1 connection and
// resets an HTTP/2 stream; after it, the handler reads only what arrives within
// half a second. This needs a ResponseWriter that supports
// [http.ResponseController.SetReadDeadline], as those of net/http do. A
// middleware's writer needs an Unwrap method; without one the Logger gets a
// warning, and a slow body is bounded by the server alone.
//
// Register it without a method, as "/garmin/": a pattern such as "POST /garmin/"
// leaves other methods to the [http.ServeMux], which has no deadline.
//
// The server is responsible for what happens before a handler is called, between
// requests, and on other paths. An open port needs a server with limits, which
// the zero [http.Server] does not have:
//
//	server := &http.Server{
//		Addr:              ":8443",
//		Handler:           mux,
//		ReadHeaderTimeout: 5 * time.Second,
//		ReadTimeout:       30 * time.Second, // the handler sets its own
//		WriteTimeout:      60 * time.Second,
//		IdleTimeout:       60 * time.Second,
//		MaxHeaderBytes:    64 << 10,
//	}
func NewHandler(put func(ctx context.Context, r io.Reader) error, opts *HandlerOptions) http.Handler {
	if put == nil {
		panic("notify: NewHandler: put is nil")
	}
	if err := opts.Check(); err != nil {
		panic("notify: NewHandler: " + strings.TrimPrefix(err.Error(), "notify: "))
	}
	h := &handler{put: put, opts: opts.withDefaults()}
	h.opts.Origin = append([]OriginCheck(nil), h.opts.Origin...)
	h.apps = checksOf(h.opts.Apps)
	h.log = logger{h.opts.Logger}
	h.budget = budget{limit: h.opts.MaxInFlight, epoch: time.Now()}
	return h
}

// ServeHTTP receives one notification.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := newExchange(h, w, r)
	defer x.abortIfBroken()
	defer x.close()
	defer x.end(http.StatusInternalServerError, errGone) // if nothing else answered
	x.setDeadlines()
	// If the store or a check hangs, Garmin gets a refusal instead of no answer.
	// Put may return later; its result is then ignored.
	late := time.AfterFunc(h.opts.Deadline+lateBy, x.endLate)
	defer late.Stop()
	err := h.pass(r, h.opts.Origin)
	if err == nil {
		err = x.route()
	}
	if err != nil {
		x.end(h.opts.OriginStatus, err)
		return
	}
	if r.Method != http.MethodPost {
		x.end(http.StatusMethodNotAllowed, errMethod)
		return
	}
	if err := x.body.open(x); err != nil {
		x.end(statusOf(err), err)
		return
	}
	ctx, cancel := context.WithDeadline(r.Context(), x.deadline)
	defer cancel()
	status, err := x.put(ctx)
	if err == nil && !time.Now().Before(x.deadline) {
		status, err = http.StatusServiceUnavailable, errLate
	}
	x.end(status, err)
}

// pass asks each check. One that panics has refused.
func (h *handler) pass(r *http.Request, checks []OriginCheck) (err error) {
	for _, check := range checks {
		if panicked := guard("an OriginCheck", func() { err = check(r) }); panicked != nil {
			h.log.panicked(r.Context(), panicked)
			err = panicked
		}
		if err != nil {
			return &foreignError{"origin: ", err}
		}
	}
	return nil
}

var (
	errMethod = errors.New("the method is not POST")
	errLate   = errors.New("the store or a check was too late")
	errGone   = errors.New("a callback ended the goroutine")
)
