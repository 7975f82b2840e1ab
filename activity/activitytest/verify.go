package activitytest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/garminkit/activityapi/types"
)

// VerifyOptions say how [Verify] goes about it. nil is the zero value.
type VerifyOptions struct {
	// Server is the Garmin that the endpoint under test calls back: its client
	// must use Server.BaseURL and must know two of Server's users with their
	// tokens. Verify gives the users new data and looks at the requests that
	// come. Nil leaves the checks out that need callbacks.
	Server *Server
	// Handler receives the notifications in memory, in place of the URL.
	Handler http.Handler
	// Transport posts to the URL. Nil is [http.DefaultTransport].
	Transport http.RoundTripper
	// CallbackWait is how long Verify waits for callbacks after the 200, and
	// ten times as long as it waits for those that must not come. Zero is 10
	// seconds.
	CallbackWait time.Duration
	// HoldLimit is how long a callback is held up to see whether the
	// notification is held open for it. Zero is 5 seconds.
	HoldLimit time.Duration
	// LargeBody and LargeDetails are the sizes of the large bodies in bytes.
	// Zero is what Garmin's review asks, 10 MB and 100 MB; less than 0 skips
	// the check.
	LargeBody, LargeDetails int64
}

// Verify sends a running endpoint what Garmin's technical review asks of it,
// and what real traffic holds besides, and reports requirement by requirement.
// The error is about Verify's own work: the endpoint is no URL, or ctx has
// ended. An endpoint that cannot be reached is a report in which all fails.
//
// The bodies carry made-up data of two users. Use it on a test system.
func Verify(ctx context.Context, endpoint string, o *VerifyOptions) (*Report, error) {
	if o == nil {
		o = &VerifyOptions{}
	}
	u, err := url.Parse(endpoint)
	if o.Handler == nil && (err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http")) {
		return nil, errors.New("activitytest: the endpoint must be an http or https URL")
	}
	v := &verifier{
		ctx: ctx, options: *o, server: o.Server,
		endpoint: Endpoint{URL: endpoint, Handler: o.Handler},
		g:        NewGenerator(uint64(time.Now().UnixNano())),
		report:   &Report{Started: time.Now()},
	}
	if u != nil {
		v.report.Endpoint = u.Redacted()
	}
	if v.server == nil {
		v.server = NewServer()
		v.server.AddUser(nil)
		v.server.AddUser(nil)
	}
	v.users = v.server.Users()
	gate := v.hold
	v.server.gate.Store(&gate)
	defer v.server.gate.Store(nil)

	for _, c := range checks() {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		v.check(c)
	}
	v.report.Seconds = time.Since(v.report.Started).Seconds()
	return v.report, nil
}

// verifier is one run of Verify.
type verifier struct {
	ctx      context.Context
	options  VerifyOptions
	server   *Server
	users    []*User
	endpoint Endpoint
	g        *Generator
	report   *Report

	slowest time.Duration // of the check that runs

	mu       sync.Mutex
	answered chan struct{} // closed when the notification is answered
	held     bool          // a callback was let go only by the time limit
	got      map[string]*callback
}

// callback is what came back for one URL.
type callback struct {
	n      int  // requests
	bearer bool // all of them with an Authorization header
}

// requirement is a check before it has run.
type requirement struct {
	name, section, text string
	callbacks           bool // needs VerifyOptions.Server
	run                 func(*verifier) error
}

// errSkip is wrapped by the error of a check that does not apply.
var errSkip = errors.New("skipped")

func (v *verifier) check(r requirement) {
	c := Check{Name: r.name, Section: r.section, Requirement: r.text, Verdict: Passed}
	v.slowest = 0
	var err error
	switch {
	case r.callbacks && v.options.Server == nil:
		err = fmt.Errorf("%w: no server to call back was given", errSkip)
	case len(v.users) < 2 && r.name != "two-users":
		err = fmt.Errorf("%w: it takes two users", errSkip)
	default:
		err = r.run(v)
	}
	c.Seconds = v.slowest.Seconds()
	if err != nil {
		c.Verdict, c.Detail = Failed, err.Error()
		if errors.Is(err, errSkip) {
			c.Verdict, c.Detail = Skipped, strings.TrimPrefix(c.Detail, errSkip.Error()+": ")
		}
	}
	v.report.Checks = append(v.report.Checks, c)
}

// post sends a notification and demands 200 within 30 seconds.
func (v *verifier) post(body io.Reader, size int64) error {
	v.mu.Lock()
	answered := make(chan struct{})
	v.answered, v.held = answered, false
	v.got = make(map[string]*callback)
	v.mu.Unlock()

	start := time.Now()
	status, err := v.server.postReader(v.ctx, v.endpoint, v.options.Transport, body, size)
	took := time.Since(start)
	close(answered)
	v.slowest = max(v.slowest, took)
	v.mu.Lock()
	held := v.held
	v.mu.Unlock()
	switch {
	case held:
		return fmt.Errorf("the notification was held open while its callback ran (%.1f s)", took.Seconds())
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("no answer within 30 seconds")
	case err != nil:
		return fmt.Errorf("no answer: %w", hideURL(err))
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fmt.Errorf("answered %d: Garmin signs nothing and logs in nowhere", status)
	case status != http.StatusOK:
		return fmt.Errorf("answered %d; only 200 counts", status)
	}
	return nil
}

func (v *verifier) postString(body string) error {
	return v.post(strings.NewReader(body), int64(len(body)))
}

// hold is the gate of the server: a callback waits until the notification is
// answered.
func (v *verifier) hold(r *http.Request) {
	v.mu.Lock()
	answered := v.answered
	if v.got != nil {
		key := seenKey(r.Host, r.Method, r.URL)
		c := v.got[key]
		if c == nil {
			c = &callback{bearer: true}
			v.got[key] = c
		}
		c.n++
		c.bearer = c.bearer && r.Header.Get("Authorization") != ""
	}
	v.mu.Unlock()
	if answered == nil {
		return
	}
	t := time.NewTimer(cmp.Or(v.options.HoldLimit, 5*time.Second))
	defer t.Stop()
	select {
	case <-answered:
	case <-r.Context().Done():
	case <-t.C:
		v.mu.Lock()
		v.held = true
		v.mu.Unlock()
	}
}

func seenKey(host, method string, u *url.URL) string {
	return method + " " + host + u.Path + "?" + u.RawQuery
}

// callbackKey is how a request for the URL is seen by hold.
func callbackKey(method, raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return seenKey(u.Host, method, u)
}

// requests returns how often a URL was asked for with GET, and whether always with a
// token.
func (v *verifier) requests(raw string) (n int, bearer bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if c := v.got[callbackKey(http.MethodGet, raw)]; c != nil {
		return c.n, c.bearer
	}
	return 0, true
}

// await waits until each URL was asked for. What names the missing one.
func (v *verifier) await(urls []string, what []string) error {
	deadline := time.Now().Add(cmp.Or(v.options.CallbackWait, 10*time.Second))
	for {
		missing := ""
		for i, u := range urls {
			if n, _ := v.requests(u); n == 0 {
				missing = what[i]
				break
			}
		}
		switch {
		case missing == "":
			return nil
		case !time.Now().Before(deadline) || v.ctx.Err() != nil:
			return fmt.Errorf("no callback came for %s", missing)
		}
		sleep(v.ctx, 20*time.Millisecond, nil)
	}
}

// settle gives wrong receivers the time to do what they should not.
func (v *verifier) settle() {
	sleep(v.ctx, cmp.Or(v.options.CallbackWait, 10*time.Second)/10, nil)
}

// item is an entry of a notification, by user.
func (v *verifier) item(u *User, body []byte, fields ...field) []byte {
	return appendItem(nil, body, append([]field{{"userId", u.id}}, fields...)...)
}

// upload gives the user a record without notifying anyone.
func (v *verifier) upload(u *User, r *record) *record {
	v.server.mu.Lock()
	defer v.server.mu.Unlock()
	r.uploaded = time.Now().Truncate(time.Second)
	u.put(r)
	return r
}

// record makes new data of a kind.
func (v *verifier) record(kind types.Kind) *record {
	start := time.Now().Add(-2 * time.Hour)
	a := v.g.Activities(Run, start)[0]
	v.server.mu.Lock()
	defer v.server.mu.Unlock()
	switch kind {
	case types.KindManualActivities:
		return v.server.newRecord(v.g.Edit(a))
	case types.KindActivityDetails:
		a.DurationInSeconds = 600
		return v.server.newRecord(v.g.Details(a))
	case types.KindActivityFiles:
		a.DurationInSeconds = 600
		return v.server.newFile(v.g.File(v.g.Details(a)))
	case types.KindMoveIQ:
		return v.server.newRecord(v.g.MoveIQ(start))
	}
	return v.server.newRecord(a)
}

// ping uploads new data of a kind and returns the item that announces it, and
// its URL.
func (v *verifier) ping(u *User, kind types.Kind) (item []byte, callback string) {
	r := v.upload(u, v.record(kind))
	if kind == types.KindActivityFiles {
		callback = u.FileURL(r.id)
		return v.item(u, r.body, field{"callbackURL", callback}), callback
	}
	callback = u.CallbackURL(kind, types.Window{Start: r.uploaded, End: r.uploaded.Add(time.Second)})
	return v.item(u, []byte("{}"), field{"callbackURL", callback}), callback
}

func bodyOf(key types.Kind, items ...[]byte) string {
	return "{" + listOf(key, items...) + "}"
}

func listOf(key types.Kind, items ...[]byte) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q:[", string(key))
	for i, item := range items {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(item)
	}
	b.WriteByte(']')
	return b.String()
}

// hideURL takes the URL out of an error of package net/http.
func hideURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
