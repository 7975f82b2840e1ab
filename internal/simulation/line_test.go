package simulation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"time"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/types"
)

// line is the network between the partner and Garmin's API, and remembers what
// became of each file's token.
type line struct {
	l  *life
	mu sync.Mutex
	// by token
	asked   map[string]int  // the process that last asked
	given   map[string]bool // a byte of the file has come to us
	spoiled map[string]bool // its one download went wrong on the way
	tokens  map[string]string
}

func (n *line) init(l *life) {
	n.l = l
	n.asked, n.given, n.spoiled, n.tokens = map[string]int{}, map[string]bool{}, map[string]bool{}, map[string]string{}
}

// call is one call of the client, and what the line last did to it.
type call struct {
	fault  string
	status int
}

type callKey struct{}

// transport is the line as one process sees it.
type transport struct{ p *process }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	l, ctx := t.p.l, r.Context()
	c, _ := ctx.Value(callKey{}).(*call)
	if c == nil {
		c = &call{}
	}
	*c = call{}
	file := strings.HasSuffix(r.URL.Path, "/activityFile")
	backfill := strings.Contains(r.URL.Path, "/backfill/")
	token := ""
	if file {
		token = r.URL.Query().Get("id")
	}
	_, x := l.try("call", r.URL.Path, r.URL.RawQuery)
	trace := httptrace.ContextClientTrace(ctx)
	if trace != nil && trace.GetConn != nil {
		trace.GetConn(r.URL.Host)
	}
	fail := func(fault string, err error) (*http.Response, error) {
		c.fault = fault
		l.count("fault: call " + fault)
		return nil, err
	}
	// On its way.
	if err := nap(ctx, time.Duration(x*1e6)%900*time.Millisecond); err != nil {
		return fail("unsent", err)
	}
	if t.p.dead.Load() {
		<-ctx.Done() // nothing leaves a dead process
		return fail("unsent", ctx.Err())
	}
	down := l.weather.is(garminDown, "")
	switch {
	case x < .02, down && x < .4:
		return fail("unsent", &netFault{"dial", errors.New("connection refused")})
	case down && x < .6:
		nap(ctx, time.Hour) // the client has a time-out
		return fail("unsent", ctx.Err())
	}
	if trace != nil && trace.WroteHeaders != nil {
		trace.WroteHeaders()
	}
	status := func(code int, header, body string) (*http.Response, error) {
		c.fault, c.status = "refused", code
		l.count(fmt.Sprint("fault: call answered ", code))
		res := &http.Response{StatusCode: code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{},
			Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r}
		if header != "" {
			res.Header.Set("Retry-After", header)
		}
		return res, nil
	}
	switch {
	case x < .04, down && x < .9:
		return status(503, "", "<html>overloaded</html>")
	case x < .05, down:
		return status(500, "", `{"errorMessage":"internal"}`)
	case x < .06 && !backfill:
		return status(429, "30", `{"errorMessage":"slow down"}`)
	}
	if x > .985 || backfill && x > .88 && x < .92 { // on its way to Garmin
		l.line.spoil(token) // as far as the client can know
		return fail("lost", &netFault{"read", errors.New("connection reset by peer")})
	}
	res, err := l.fake.RoundTrip(r)
	if err != nil {
		return res, err
	}
	c.status = res.StatusCode
	if backfill && res.StatusCode == http.StatusAccepted {
		user, resource := l.userOf(r), r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
		l.accepted(user, resource, r.URL.Query())
		if x > .92 && x < .97 {
			return status(502, "", "<html>accepted, but you will not hear of it</html>")
		}
	}
	if file && (res.StatusCode == http.StatusOK || res.StatusCode == http.StatusGone) {
		l.line.ask(t.p, token)
	}
	if file && (x > .97 || res.StatusCode == http.StatusOK && x < .065) {
		l.line.spoil(token) // as far as the client can know
	}
	if x > .97 {
		res.Body.Close()
		return fail("lost", &netFault{"read", errors.New("connection reset by peer")})
	}
	if err := nap(ctx, time.Duration(x*1e7)%1500*time.Millisecond); err != nil || t.p.dead.Load() {
		if file {
			l.line.spoil(token)
		}
		if err == nil {
			<-ctx.Done()
			err = ctx.Err()
		}
		res.Body.Close()
		return fail("lost", err)
	}
	if res.StatusCode == 200 && !backfill {
		b := &answer{ReadCloser: res.Body, t: t, ctx: ctx, token: token, c: c, slow: time.Duration(x*1e8) % 700 * time.Millisecond}
		if x < .065 && res.ContentLength > 1 {
			l.count("fault: call cut in the body")
			b.left, b.cut = res.ContentLength/2, true
		}
		res.Body = b
	}
	return res, nil
}

// userOf tells whose token a request carries.
func (l *life) userOf(r *http.Request) types.UserID {
	bearer := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	for _, p := range l.truth.connected() {
		if p.user.State().AccessToken == bearer {
			return p.id
		}
	}
	return ""
}

// answer is a body on its way to us.
type answer struct {
	io.ReadCloser
	t     transport
	ctx   context.Context
	c     *call
	token string // of a file
	slow  time.Duration
	cut   bool
	left  int64
}

func (a *answer) Read(p []byte) (int, error) {
	if a.slow > 0 {
		err := nap(a.ctx, a.slow)
		a.slow = 0
		if err == nil && a.t.p.dead.Load() {
			<-a.ctx.Done()
			err = a.ctx.Err()
		}
		if err != nil {
			a.t.p.l.line.spoil(a.token)
			a.c.fault = "stopped"
			return 0, err
		}
	}
	if a.cut {
		if a.left == 0 {
			a.c.fault = "cut"
			return 0, io.ErrUnexpectedEOF
		}
		p = p[:min(int64(len(p)), a.left)]
	}
	n, err := a.ReadCloser.Read(p)
	a.left -= int64(n)
	if a.token != "" && n > 0 {
		a.t.p.l.line.give(a.token)
	}
	return n, err
}

type netFault struct {
	op  string
	err error
}

func (e *netFault) Error() string { return e.op + " tcp 192.0.2.7:443: " + e.err.Error() }
func (e *netFault) Unwrap() error { return e.err }

// ask notes that a request for a file, with a good token, has reached Garmin.
func (n *line) ask(p *process, token string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	last, before := n.asked[token]
	switch {
	case !before:
	case last == p.gen:
		n.l.fail("I4", token, "one process asks twice for the file %s", token)
	case n.given[token]:
		n.l.fail("I4", token, "the file %s is asked for again, and part of it had come", token)
	default:
		n.l.count("file asked for again after the process died unanswered")
	}
	n.asked[token] = p.gen
}

func (n *line) spoil(token string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if token != "" {
		n.spoiled[token] = true
	}
}

func (n *line) give(token string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.given[token] = true
}

// lost tells whether a file's one download went wrong, or was under way when a
// process ended.
func (n *line) lost(token string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.spoiled[token]
}

// caller is the client as the partner has it, with an eye on its errors.
type caller struct {
	p *process
	*activity.Client
}

func (c caller) Follow(ctx context.Context, kind types.Kind, u types.Secret) iter.Seq2[types.Summary, error] {
	return func(yield func(types.Summary, error) bool) {
		note := &call{}
		for s, err := range c.Client.Follow(context.WithValue(ctx, callKey{}, note), kind, u) {
			if err != nil {
				err = c.p.typed(ctx, "Follow", note, err)
			}
			if !yield(s, err) {
				return
			}
		}
	}
}

func (c caller) Download(ctx context.Context, u types.Secret) (io.ReadCloser, error) {
	note := &call{}
	body, err := c.Client.Download(context.WithValue(ctx, callKey{}, note), u)
	if err != nil {
		return nil, c.p.typed(ctx, "Download", note, err)
	}
	return &checkedFile{body, c.p, ctx, note}, nil
}

type checkedFile struct {
	io.ReadCloser
	p    *process
	ctx  context.Context
	note *call
}

func (f *checkedFile) Read(b []byte) (int, error) {
	n, err := f.ReadCloser.Read(b)
	if err != nil && err != io.EOF {
		err = f.p.typed(f.ctx, "Download", f.note, err)
	}
	return n, err
}

// typed checks that an error says what can be done about it, and what it says
// is what happened on the line.
func (p *process) typed(ctx context.Context, op string, c *call, err error) error {
	l := p.l
	if l.sabotage != nil && l.sabotage.errors != nil {
		err = l.sabotage.errors(err)
	}
	l.heard("an error", fmt.Sprintf("%v %+v", err, err))
	e, ok := errors.AsType[*activity.Error](err)
	if !ok {
		l.fail("I7", "", "%s gives an error without type: %v", op, err)
		return err
	}
	if ctx.Err() != nil || p.dead.Load() {
		return err
	}
	user := e.Fault() == types.FaultUser
	again := !user && e.Fault() != types.FaultItem
	once := op == "Download" || op == "Backfill"
	spent := errors.Is(err, activity.ErrMaybeSpent)
	class := "permanent"
	switch {
	case spent:
		class = "ambiguous"
	case user:
		class = "unauthorized"
	case again:
		class = "retryable"
	}
	want := "permanent"
	switch {
	case c.fault == "unsent":
		want = "retryable"
	case once && (c.fault == "lost" || c.fault == "cut"):
		want = "ambiguous"
	case c.fault == "lost" || c.fault == "cut":
		want = "retryable"
	case c.status == 401 || c.status == 403 || c.status == 412:
		want = "unauthorized"
	case c.status == 429 || c.status >= 500:
		want = "retryable"
	}
	l.count("error " + class)
	if class != want || spent && again && op == "Download" {
		l.fail("I7", "", "%s: %q is %s (again %v), and what happened (%s %d) is %s", op, err, class, again, c.fault, c.status, want)
	}
	return err
}
