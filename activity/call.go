package activity

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/garminkit/activityapi/internal/retryafter"
	"github.com/garminkit/activityapi/internal/verdict"
	"github.com/garminkit/activityapi/types"
)

// call is one call of a method: up to MaxRetries+1 attempts. It is the
// RoundTripper that the retrying client sees, so that each attempt passes the
// credential anew: retry(call(credential(pin(transport)))).
type call struct {
	client *Client
	op     string
	method string // GET if empty
	path   string // below the base URL's path
	query  string // raw
	want   int    // the status that means success
	// once means that the request is sent a second time only if it is proven
	// that the first never left.
	once bool
	// single means that it is not sent a second time even then.
	single bool

	attempts int
	wait     time.Duration
	last     *Error // of the last attempt, nil if it went well

	auth atomic.Value // string: the last Authorization header
	// What the current attempt has come to: given to the base transport; seen
	// to be net/http's, which reports what it does; request headers written.
	handed, traced, wrote atomic.Bool
}

// do makes the call. The answer's body must be closed.
func (c *Client) do(ctx context.Context, cl *call) (*body, error) {
	cl.client = c
	o := &c.pool.opts
	if ctx.Err() != nil {
		e := &Error{Op: cl.op, Err: ctxError(ctx)}
		if cl.once {
			e.Err = &because{types.ErrNotSent, e.Err}
		}
		return nil, e
	}
	retrying := retryablehttp.Client{
		HTTPClient: &http.Client{
			Transport:     cl,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		RetryMax:     o.MaxRetries,
		CheckRetry:   cl.checkRetry,
		Backoff:      func(_, _ time.Duration, _ int, _ *http.Response) time.Duration { return cl.wait },
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	//nolint:bodyclose // it is returned; all other answers are read and closed in RoundTrip
	resp, err := retrying.Do(&retryablehttp.Request{Request: cl.request(ctx)})
	if cl.last == nil && err == nil {
		return resp.Body.(*body), nil
	}
	e := cl.last
	if e == nil {
		e = &Error{Op: cl.op, Err: errBase}
	}
	if err != nil && err == ctx.Err() {
		// It ended in the wait before a repeat: both that and what the repeat
		// was for matter.
		stopped := *e
		stopped.Err = ctxError(ctx)
		if e.Err != nil {
			stopped.Err = &because{e.Err, stopped.Err}
		}
		e = &stopped
	}
	e.Attempts = cl.attempts
	return nil, e
}

// request builds the request on the client's own base URL. Nothing is parsed,
// so no error can print it.
func (cl *call) request(ctx context.Context) *http.Request {
	base := cl.client.pool.base
	req := &http.Request{
		Method:     cl.verb(),
		URL:        &url.URL{Scheme: base.Scheme, Host: base.Host, Path: base.Path + cl.path, RawQuery: cl.query},
		Host:       base.Host,
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     http.Header{"User-Agent": {cl.client.pool.opts.UserAgent}},
	}
	if cl.once {
		req.Body = noBody{}
		// What net/http inflates has no length to check it against.
		req.Header["Accept-Encoding"] = []string{"identity"}
	}
	return req.WithContext(ctx)
}

func (cl *call) verb() string {
	if cl.method == "" {
		return http.MethodGet
	}
	return cl.method
}

// RoundTrip makes one attempt. What the answer says is kept in cl.last, and the
// body of an answer other than the one wanted is read here, so that the
// retrying client finds nothing to read without a limit.
func (cl *call) RoundTrip(req *http.Request) (*http.Response, error) {
	pool := cl.client.pool
	cl.attempts++
	cl.handed.Store(false)
	cl.traced.Store(false)
	cl.wrote.Store(false)

	ctx, cancel := context.WithCancelCause(req.Context())
	dog := watch(pool.opts.Timeout, cancel)
	began := time.Now()
	actx := withCall(ctx, cl)
	next := cl.client.shared
	if cl.once {
		next = cl.client.once
		actx = httptrace.WithClientTrace(actx, &httptrace.ClientTrace{
			GetConn:      func(string) { cl.traced.Store(true) },
			WroteHeaders: func() { cl.wrote.Store(true) },
		})
	}
	resp, err := next.RoundTrip(req.WithContext(actx))
	dog.rest()
	if err != nil {
		dog.stop()
		cl.last = cl.failure(ctx, err)
		cancel(nil)
		cl.log(req.Context(), began)
		return nil, cl.last
	}
	// http.Client follows what it finds here; it must not.
	resp.Header.Del("Location")
	good := cl.good(resp.StatusCode)
	if good || !passing(resp.StatusCode) {
		pool.budget.earn()
	}
	if good {
		cl.last = nil
		resp.Body = newBody(ctx, cancel, cl, resp, dog)
	} else {
		dog.stop()
		cl.last = cl.refusal(resp, cancel)
		cancel(nil)
		resp.Body = http.NoBody
	}
	cl.log(req.Context(), began)
	return resp, nil
}

// good tells whether an answer with this status is read as what was asked for. A
// file is given out once: its bytes are taken under each status that may bring
// them.
func (cl *call) good(status int) bool {
	return status == cl.want ||
		cl.op == opDownload && (status == http.StatusNonAuthoritativeInfo || status == http.StatusPartialContent)
}

// failure makes an error of an attempt without answer.
func (cl *call) failure(ctx context.Context, err error) *Error {
	network, below := errors.AsType[*netError](err)
	switch {
	case ctx.Err() != nil:
		network, below = nil, false
		err = ctxError(ctx)
		if errors.Is(err, errTimeout) {
			err = errTimeout
		}
	case below:
		err = network.err
	default:
		_, below = errors.AsType[net.Error](err) // to the token server
		network = nil
		err = credentialError(cl, err)
	}
	e := &Error{Op: cl.op, Err: err, network: below || err == errTimeout}
	e.repeat = (network != nil || err == errTimeout) && fleeting(err)
	switch {
	case !cl.once:
	case cl.handed.Load() && (cl.wrote.Load() || !cl.traced.Load()):
		e.Err, e.repeat = &because{ErrMaybeSpent, &because{errNoAnswer, err}}, false
	default:
		e.Err = &because{types.ErrNotSent, err}
	}
	return e
}

// refusal makes an error of an answer that is not the one wanted.
func (cl *call) refusal(resp *http.Response, cancel context.CancelCauseFunc) *Error {
	// A body that drips must not hold up the call.
	slow := time.AfterFunc(min(5*time.Second, cl.client.pool.opts.Timeout), func() { cancel(errTimeout) })
	text, _ := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	slow.Stop()
	resp.Body.Close()

	e := &Error{Op: cl.op, StatusCode: resp.StatusCode, Wait: retryafter.Of(resp.Header)}
	e.withheld = verdict.Withheld(resp)
	e.read(cl.uncut(text), cl.scrub)
	if cl.vague(e) {
		e.withheld = true
	}
	e.repeat = passing(resp.StatusCode) && !cl.once
	if errors.Is(e.Err, ErrUnauthorized) {
		if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
			if skew := time.Since(at).Round(time.Second); skew.Abs() > time.Minute {
				e.ClockSkew = skew
			}
		}
	}
	return e
}

// vague tells that a refusal does not say what it refuses: the header could not
// be read, as if somebody had taken it off, or a signature is wrong, which may
// be the application's doing as well as the user's.
func (cl *call) vague(e *Error) bool {
	if strings.Contains(e.Message, errUnread) {
		return true
	}
	auth, _ := cl.auth.Load().(string)
	return strings.HasPrefix(auth, "OAuth ") && e.StatusCode == http.StatusUnauthorized && !strings.Contains(e.Message, errToken)
}

// What Garmin's messages say of a header that it could not read, and of a
// token that it does not know.
const (
	errUnread = "read oAuth header"
	errToken  = "UserAccessToken"
)

// checkRetry decides on a repeat, and how long to wait before it. It never
// gives an error of its own: cl.last is what the caller gets.
func (cl *call) checkRetry(ctx context.Context, _ *http.Response, _ error) (bool, error) {
	o := &cl.client.pool.opts
	if cl.last == nil || !cl.last.repeat || cl.single || cl.attempts > o.MaxRetries || ctx.Err() != nil {
		return false, nil //nolint:nilerr // Client.do finds out by itself that ctx has ended
	}
	cl.wait = o.backoff(cl.attempts-1, cl.last.Wait)
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= cl.wait {
		return false, nil // The cause tells more than the deadline would.
	}
	if !cl.client.pool.budget.spend() {
		return false, nil
	}
	if l := o.Logger; l != nil {
		l.LogAttrs(ctx, slog.LevelWarn, "activity: repeating", slog.String("op", cl.op),
			slog.Int("attempt", cl.attempts), slog.Int("status", cl.last.StatusCode),
			slog.Any("err", cl.last), slog.Duration("wait", cl.wait))
	}
	return true, nil
}

func (cl *call) log(ctx context.Context, began time.Time) {
	l := cl.client.pool.opts.Logger
	if l == nil || !l.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{slog.String("op", cl.op), slog.Int("attempt", cl.attempts), slog.Duration("took", time.Since(began))}
	if cl.last != nil {
		attrs = append(attrs, slog.Any("err", cl.last))
	}
	l.LogAttrs(ctx, slog.LevelDebug, "activity: attempt", attrs...)
}
