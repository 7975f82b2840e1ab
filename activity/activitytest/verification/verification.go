// Package verification tests a partner's endpoint as Garmin's technical review
// does.
//
//	report, err := verification.Run(ctx, endpoint, opts)
//	if err != nil {
//		return err
//	}
//	fmt.Println(report.OK())
package verification

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/internal/backoff"
	"github.com/garminkit/activityapi/types"
)

// Options are the optional settings of [Run]. nil means the zero value.
type Options struct {
	// Server is the fake Garmin from which the endpoint under test pulls. The
	// endpoint's client must use Server.BaseURL, and must know two of Server's
	// users with their tokens. Run gives these users new data and observes the
	// requests. If Server is nil, checks that need callbacks are skipped.
	Server *activitytest.Server
	// Users are at least two users that the endpoint knows, if Server is nil.
	// Without Server and Users, the data belongs to users whom the endpoint does
	// not know.
	Users []types.UserID
	// Delivered reports whether the application behind the endpoint has stored a
	// summary of a user. If nil, that is not verified, and the report says so: an
	// endpoint that answers 200 and discards everything would pass. It needs
	// users that the endpoint knows.
	Delivered func(ctx context.Context, user types.UserID, summaryID types.ID) (bool, error)
	// Handler receives the notifications in memory, in place of the URL.
	Handler http.Handler
	// Transport posts to the URL. Nil means [http.DefaultTransport].
	Transport http.RoundTripper
	// CallbackWait is how long Run waits for callbacks and deliveries after the
	// 200. For callbacks that must not come it waits a tenth of that. Zero means
	// 10 seconds.
	CallbackWait time.Duration
	// HoldLimit is how long a callback is delayed to see whether the endpoint
	// answers the notification without waiting for it. Zero means 5 seconds.
	HoldLimit time.Duration
	// LargeBody and LargeDetails are the sizes of the large bodies in bytes. Zero
	// means those of Garmin's review, 10 MB and 100 MB; a negative value skips
	// the check.
	LargeBody, LargeDetails int64
}

// Run sends a running endpoint what Garmin's technical review sends, and further
// cases from real traffic, and reports each requirement. A check passes only for
// what was observed. Checks that cannot observe enough are skipped, and
// [Report.Unverified] says what that leaves open. Run returns an error if the
// endpoint is not a URL or ctx has ended. If the endpoint cannot be reached, it
// returns a report in which everything fails.
//
// The bodies carry made-up data of two users. Use it on a test system.
func Run(ctx context.Context, endpoint string, o *Options) (*Report, error) {
	if o == nil {
		o = &Options{}
	}
	u, err := url.Parse(endpoint)
	if o.Handler == nil && (err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http")) {
		return nil, errors.New("verification: the endpoint must be an http or https URL")
	}
	if o.Delivered != nil && o.Server == nil && len(o.Users) == 0 {
		return nil, errors.New("verification: Delivered needs users that the endpoint knows: Server or Users")
	}
	v := &verifier{
		ctx: ctx, options: *o, server: o.Server,
		endpoint: activitytest.Endpoint{URL: endpoint, Handler: o.Handler, Transport: o.Transport},
		g:        activitytest.NewGenerator(uint64(time.Now().UnixNano())),
		report:   &Report{Started: time.Now()},
	}
	if u != nil {
		v.report.Endpoint = shown(u)
	}
	if v.server == nil {
		v.server = activitytest.NewServer()
		v.addUsers(o.Users)
	}
	v.users = connected(v.server)
	defer v.server.Backstage().Watch(v.hold)()

	for _, c := range checks() {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		v.check(c)
	}
	v.report.open(o)
	v.report.Seconds = time.Since(v.report.Started).Seconds()
	return v.report, nil
}

// shown is the endpoint without what may be secret of it: strangers are kept out
// by its path.
func shown(u *url.URL) string {
	s := u.Scheme + "://" + u.Host
	if u.Path != "" && u.Path != "/" {
		s += "/..."
	}
	return s
}

// verifier is one call of Run.
type verifier struct {
	ctx      context.Context
	options  Options
	server   *activitytest.Server
	users    []*activitytest.User
	endpoint activitytest.Endpoint
	g        *activitytest.Generator
	report   *Report

	slowest time.Duration // of the check that runs
	silent  int           // notifications in a row that had no answer
	// lastLarge is the last summary of the large body, if that was taken.
	lastLarge types.ID

	mu       sync.Mutex
	answered chan struct{} // closed when the notification is answered
	held     bool          // a callback was let go only by the time limit
	got      map[string]*callback
}

// callback is what came back for one URL.
type callback struct {
	n      int          // requests
	header bool         // all of them with an Authorization header
	user   types.UserID // whose token they had, "" if not all had the same
}

// requirement is a check before it has run.
type requirement struct {
	name, section, text string
	needs               need
	run                 func(*verifier) error
}

// need is what a check cannot do without.
type need int

const (
	callbacks  need = 1 << iota // Options.Server
	deliveries                  // Options.Delivered
)

// tooSilent is after how many notifications without an answer nothing more is
// sent: each may take half a minute.
const tooSilent = 3

// errSkip is wrapped by the error of a check that does not apply.
var errSkip = errors.New("skipped")

func (v *verifier) check(r requirement) {
	c := Check{Name: r.name, Section: r.section, Requirement: r.text, Verdict: Passed}
	v.slowest = 0
	var err error
	switch {
	case v.silent >= tooSilent:
		err = fmt.Errorf("not tried: %d notifications in a row had no answer", v.silent)
	case r.needs&callbacks != 0 && v.options.Server == nil:
		err = fmt.Errorf("%w: no server to call back was given", errSkip)
	case r.needs&deliveries != 0 && v.options.Delivered == nil:
		err = fmt.Errorf("%w: nothing tells what was stored", errSkip)
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
	answer, err := v.send(body, size)
	took := time.Since(start)
	close(answered)
	if v.silent++; answer {
		v.silent = 0
	}
	v.slowest = max(v.slowest, took)
	v.mu.Lock()
	held := v.held
	v.mu.Unlock()
	if held {
		return fmt.Errorf("the notification was held open while its callback ran (%.1f s)", took.Seconds())
	}
	return err
}

// send tells whether there was an answer, and what is wrong with it.
func (v *verifier) send(body io.Reader, size int64) (answer bool, err error) {
	sent := &countingReader{r: body}
	status := 0
	res, err := v.server.Post(v.ctx, v.endpoint, sent, size) //nolint:bodyclose // Post has closed it
	if err == nil {
		status = res.StatusCode
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return false, errors.New("no answer within 30 seconds")
	case err != nil:
		return false, fmt.Errorf("no answer: %w", hideURL(err))
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return true, fmt.Errorf("answered %d: Garmin signs nothing and logs in nowhere", status)
	case status >= 300 && status < 400:
		return true, fmt.Errorf("answered %d: Garmin follows no redirect", status)
	case status != http.StatusOK:
		return true, fmt.Errorf("answered %d; only 200 counts", status)
	case sent.n.Load() < size:
		return true, fmt.Errorf("answered 200 when %d of %d bytes were sent: the rest was not received", sent.n.Load(), size)
	}
	return true, nil
}

// countingReader counts what was read of a body. A transport reads it in a
// goroutine of its own.
type countingReader struct {
	r io.Reader
	n atomic.Int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

func (v *verifier) postString(body string) error {
	return v.post(strings.NewReader(body), int64(len(body)))
}

// hold watches the server: a callback waits until the notification is answered.
func (v *verifier) hold(r *http.Request, user types.UserID) {
	v.mu.Lock()
	answered := v.answered
	if v.got != nil {
		key := seenKey(r.Host, r.Method, r.URL)
		c := v.got[key]
		if c == nil {
			c = &callback{header: true, user: user}
			v.got[key] = c
		}
		c.n++
		c.header = c.header && r.Header.Get("Authorization") != ""
		if c.user != user {
			c.user = ""
		}
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

// requests returns what GET requests came for a URL.
func (v *verifier) requests(raw string) callback {
	v.mu.Lock()
	defer v.mu.Unlock()
	if c := v.got[callbackKey(http.MethodGet, raw)]; c != nil {
		return *c
	}
	return callback{header: true}
}

// authorized demands that the requests for a URL had the user's token.
func (v *verifier) authorized(raw string, u *activitytest.User) error {
	switch c := v.requests(raw); {
	case !c.header:
		return errors.New("the request had no Authorization header; Garmin answers 400")
	case c.user != u.ID():
		return errors.New("the request did not have the user's access token; Garmin answers 403")
	}
	return nil
}

// await waits until each URL was asked for. What names the missing one.
func (v *verifier) await(urls []string, what []string) error {
	deadline := time.Now().Add(v.wait())
	for {
		missing := ""
		for i, u := range urls {
			if v.requests(u).n == 0 {
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
		_ = backoff.Sleep(v.ctx, 20*time.Millisecond)
	}
}

func (v *verifier) wait() time.Duration { return cmp.Or(v.options.CallbackWait, 10*time.Second) }

// settle gives wrong receivers the time to do what they should not.
func (v *verifier) settle() {
	_ = backoff.Sleep(v.ctx, v.wait()/10)
}

// item is an entry of a notification: a user's JSON object, with a callback URL
// if it is a ping.
func item(user types.UserID, body []byte, callbackURL string) []byte {
	var head struct {
		UserID      types.UserID `json:"userId"`
		CallbackURL string       `json:"callbackURL,omitempty"`
	}
	head.UserID, head.CallbackURL = user, callbackURL
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // Garmin's URLs have a plain &.
	_ = e.Encode(head)     // cannot fail
	b.Truncate(b.Len() - len("}\n"))
	if rest := body[1:]; rest[0] != '}' {
		b.WriteByte(',')
	}
	b.Write(body[1:])
	return b.Bytes()
}

// summary makes new data of a kind that is no file.
func (v *verifier) summary(kind types.Kind) types.Summary {
	start := time.Now().Add(-2 * time.Hour)
	a := v.g.Activities(activitytype.Running, start)[0]
	switch kind {
	case types.KindManualActivities:
		return v.g.Edit(a)
	case types.KindActivityDetails:
		a.DurationInSeconds = 600
		return v.g.Details(a)
	case types.KindMoveIQ:
		return v.g.MoveIQ(start)
	}
	return a
}

// push returns the item of new data of a kind, and its id.
func (v *verifier) push(u *activitytest.User, kind types.Kind) ([]byte, types.ID) {
	s := v.summary(kind)
	return item(u.ID(), activitytest.Item(s), ""), s.ID()
}

// ping uploads new data of a kind and returns the item that announces it, its
// URL and its id.
func (v *verifier) ping(u *activitytest.User, kind types.Kind) (entry []byte, callbackURL string, id types.ID) {
	if kind == types.KindActivityFiles {
		a := v.g.Activities(activitytype.Running, time.Now().Add(-2*time.Hour))[0]
		a.DurationInSeconds = 600
		file, content := v.g.File("FIT", v.g.Details(a))
		made, _ := u.Upload(activitytest.Upload{File: &file, Content: content, Silent: true}) // cannot fail
		return item(u.ID(), made.JSON, made.CallbackURL), made.CallbackURL, file.SummaryID
	}
	s := v.summary(kind)
	made, _ := u.Upload(activitytest.Upload{Summary: s, Silent: true}) // it is short
	return item(u.ID(), []byte("{}"), made.CallbackURL), made.CallbackURL, s.ID()
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
