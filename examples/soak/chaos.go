package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
)

// chaos decides what goes wrong, and counts it.
type chaos struct {
	// enabled is false for a calm run.
	enabled bool
	// hanging counts the connections that hang.
	hanging atomic.Int64

	mu sync.Mutex
	// on is false while a round comes to its end.
	on     bool
	rand   *rand.Rand
	counts map[string]int
}

func newChaos(seed uint64, enabled bool) *chaos {
	return &chaos{enabled: enabled, rand: rand.New(rand.NewPCG(seed, 1)), counts: map[string]int{}}
}

// turn turns it on or off.
func (c *chaos) turn(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.on = on && c.enabled
}

// happens reports whether it happens now what has this probability.
func (c *chaos) happens(what string, p float64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.on || c.rand.Float64() >= p {
		return false
	}
	c.counts[what]++
	return true
}

// pick returns a number below n.
func (c *chaos) pick(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rand.IntN(n)
}

// pause returns a time shorter than limit.
func (c *chaos) pause(limit time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Duration(c.rand.Int64N(int64(limit)))
}

// count returns how often it has happened.
func (c *chaos) count(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[what]++
	return c.counts[what]
}

// total is how often anything went wrong.
func (c *chaos) total() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, count := range c.counts {
		n += count
	}
	return n
}

// quirks are all that the fake has, without those of files, which are compared
// byte by byte, and four by which Garmin itself withholds data: another user's
// items, callbacks that work once or lead elsewhere, and bodies that are a day
// late.
func quirks() []activitytest.Quirk {
	return slices.DeleteFunc(activitytest.Quirks(), func(q activitytest.Quirk) bool {
		return strings.HasPrefix(string(q), "file-") || slices.Contains([]activitytest.Quirk{"other-user", "summary-gone",
			"redirect", "late"}, q)
	})
}

// quirkShare is the part of the cases that each quirk applies to.
const quirkShare = .02

// afflict makes the fake's API fail now and then.
func (c *chaos) afflict(fake *activitytest.Server) {
	if !c.enabled {
		return
	}
	fake.SetQuirks(quirkShare, quirks()...)
	faults := []struct {
		what string
		activitytest.Fault
	}{
		{"Garmin's API answers 500", activitytest.Fault{Status: http.StatusInternalServerError}},
		{"Garmin's API answers 503", activitytest.Fault{Status: http.StatusServiceUnavailable}},
		{"Garmin's API answers 429", activitytest.Fault{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"1"}}}},
		{"Garmin's API is slow", activitytest.Fault{Delay: 200 * time.Millisecond}},
		{"Garmin's API hangs", activitytest.Fault{Delay: 2 * clientTimeout}},
		{"Garmin's API hangs up", activitytest.Fault{Refuse: true}},
		{"Garmin's API hangs up after its work", activitytest.Fault{Lose: true}},
		{"Garmin's API hangs up after the headers", activitytest.Fault{CutAfter: -1}},
		{"Garmin's API hangs up in the body", activitytest.Fault{CutAfter: 200}},
	}
	fake.Intercept = func(http.ResponseWriter, *http.Request) bool {
		f := faults[c.pick(len(faults))]
		if c.happens(f.what, .05) {
			fake.SetFaults(append(fake.State().Faults, f.Fault)...)
		}
		return false
	}
}

// events are the things that happen to a receiver as a whole.
func (c *chaos) events(ctx context.Context, r *receiver, w *world, round time.Duration) error {
	for c.enabled {
		wait := round/20 + c.pause(round/8)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		switch n := c.pick(10); {
		case n < 2:
			c.count("the receiver restarts")
			if err := r.restart(n == 0, c.pause(100*time.Millisecond)); err != nil {
				return err
			}
		case n < 4:
			c.count("the endpoint answers 503 for a while")
			r.closed.Store(true)
			time.Sleep(round / 100)
			r.closed.Store(false)
		case n < 7:
			w.post(ctx, c.broken())
		default:
			c.count("an endpoint is switched between ping and push")
			w.switchEndpoint(c)
		}
	}
	return nil
}

// broken are bodies that hold nothing of use, each in its own way.
var broken = []string{
	"<html>502 Bad Gateway</html>",
	"\xff\xfe{\x00}\x00",
	`{"activities": [{"userId": "1", "summaryId": "1", "startTime`,
	`{"moveIQActivities": []} and more`,
	`{"activities": [{]}`,
}

// broken returns a body that is no JSON, each time another: the spool does not store
// one that it had in a round before, which the books have forgotten.
func (c *chaos) broken() []byte {
	n := c.count("a body is no JSON")
	return fmt.Appendf(nil, "%s %d", broken[c.pick(len(broken))], n)
}

var errChaos = errors.New("the database is away")

// rough fails in place of next, before it has anything or in the middle.
func (c *chaos) rough(next put) put {
	return func(ctx context.Context, r io.Reader) error {
		switch {
		case c.happens("the store fails", .01):
			return errChaos
		case c.happens("the store panics", .002):
			panic(errChaos)
		case c.happens("the store is slow", .01):
			time.Sleep(50 * time.Millisecond)
		case c.happens("the store fails in the body", .005):
			return next(ctx, io.MultiReader(io.LimitReader(r, 100), brokenReader{}))
		}
		return next(ctx, r)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errChaos }

// callback fails in place of a callback, or panics, or takes its time.
func (c *chaos) callback() error {
	switch {
	case c.happens("a callback fails", .03):
		return errChaos
	case c.happens("a callback panics", .01):
		panic(errChaos)
	case c.happens("a callback is slow", .01):
		time.Sleep(20 * time.Millisecond)
	}
	return nil
}

// refuses tells whether the partner refuses a thing for good. It is the same in
// all its versions.
func (c *chaos) refuses(t thing) bool {
	h := fnv.New32a()
	io.WriteString(h, string(t.user)+string(t.id))
	return c.enabled && h.Sum32()%100 == 0
}

// roughConn is a connection that crawls, hangs and breaks.
type roughConn struct {
	net.Conn
	*chaos
}

func (c roughConn) Read(p []byte) (int, error) {
	if c.happens("a connection breaks", .003) {
		_ = c.Close()
	}
	return c.Conn.Read(p)
}

func (c roughConn) Write(p []byte) (int, error) {
	switch {
	case c.happens("a connection breaks in the middle", .003):
		n, _ := c.Conn.Write(p[:len(p)/2])
		_ = c.Close()
		return n, net.ErrClosed
	case c.happens("a connection hangs", .001):
		c.hanging.Add(1)
		defer c.hanging.Add(-1)
		time.Sleep(2 * deliveryTimeout)
	case c.happens("a connection is slow", .005):
		half := len(p) / 2
		n, err := c.Conn.Write(p[:half])
		if err != nil {
			return n, err
		}
		time.Sleep(50 * time.Millisecond)
		rest, err := c.Conn.Write(p[half:])
		return n + rest, err
	}
	return c.Conn.Write(p)
}

// roughListener accepts rough connections.
type roughListener struct {
	net.Listener
	*chaos
}

func (l roughListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return roughConn{conn, l.chaos}, nil
}

// roughTransport dials rough connections.
func (c *chaos) roughTransport() *http.Transport {
	dialer := &net.Dialer{}
	return &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return roughConn{conn, c}, nil
	}}
}
