// Package control makes the fake Garmin of package activitytest available to
// programs in any language, by an HTTP API.
package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/activitytest/verification"
	"github.com/garminkit/activityapi/types"
)

// Options are the optional settings of [Handler]. nil means the zero value.
type Options struct {
	// Hosts are the host names, without port, under which the control API may
	// be called besides localhost and loopback addresses, such as
	// "fake-garmin" in a network of containers.
	Hosts []string
	// OAuth1 gives a user an OAuth 1.0a token, as Connect of package oauth1test
	// does. If nil, the control API cannot make such users.
	OAuth1 func(u *activitytest.User) (token, secret string)
	// HideSecret leaves the client secret out of GET /app.
	HideSecret bool
}

// Handler returns the control API of s. It has a call for nearly every method of
// Server and User. Bodies are JSON. Times are RFC 3339, and durations are
// written as in "24h". An error is {"error": "..."} with status 400, 403, 404,
// 409 or 410. A field that a PUT leaves out stays as it is.
//
// GET /openapi.json describes each call, its body and its answer, in OpenAPI 3.1.
// /garmin.json does so for the Garmin API as the server simulates it, and
// /notifications.json for the notifications, in AsyncAPI. The folder openapi beside
// this file has the same documents.
//
// Whoever can call it sees the tokens and can make the server send requests. It
// refuses requests under a host name that is not in Options.Hosts, and writes
// that come from other web pages, so that no page in the developer's browser can
// use it. Other programs can use it, so let it listen on a loopback address
// only.
//
//	GET    /state                    users, endpoints, queues, quirks
//	GET    /app                      base URL, client id and secret
//	GET    /events                   what happens, as server-sent events
//	POST   /users                    {"id", "permissions", "accessToken", "firstConnected", "historyFrom", "connected", "oauth1"}
//	GET    /users/{id}               the user with tokens
//	PUT    /users/{id}               {"permissions", "historyFrom", "connected"}
//	DELETE /users/{id}               the user disconnects
//	PUT    /users/{id}/permissions   ["ACTIVITY_EXPORT", ...]
//	POST   /users/{id}/expire        {"access", "refresh"}: tokens expire now
//	POST   /users/{id}/items         {"kind", "item"} or {"kind", "sport", "seed", "start"}; "history", "content"
//	GET    /users/{id}/items/{kind}/{item}
//	PUT    /users/{id}/items/{kind}/{item}        the whole item, of any fields
//	POST   /users/{id}/items/activities/{item}/edit    the fields that the user has changed by hand
//	POST   /users/{id}/sync          {"sport", "start", "seed"}: Data Generator
//	POST   /users/{id}/history       {"start", "end", "seed"}: data for backfills
//	POST   /users/{id}/resend        {"kinds"}: Summary Resender
//	POST   /users/{id}/backfill      {"kind", "start", "end"}: Backfill
//	GET    /users/{id}/data          ?kind=&start=&end=: Data Viewer
//	PUT    /endpoints/{key}          {"url", "enabled", "onHold", "push"}; key "all" is every row
//	GET    /deliveries               ?after=&limit=: attempts, oldest first
//	GET    /deliveries/{id}          with headers and bodies of both sides
//	POST   /deliveries/{id}/resend   its body once more, now
//	POST   /deliveries/{id}/retry    its body, which waits to be sent again, now
//	POST   /deliver                  send what is due now
//	POST   /retry                    send all that waits to be sent again now
//	GET    /requests                 ?after=&limit=: the log of the API's requests
//	GET    /requests/{id}            with headers and bodies of both sides
//	DELETE /requests                 empty the log
//	GET    /clock                    the server's time
//	POST   /clock                    {"advance": "24h"}
//	GET    /limits, PUT /limits      rules, limits and what is kept
//	GET    /verification             Partner Verification
//	POST   /verify                   {"endpoint"}: run package verification with this server
//	GET    /quirks                   every quirk, and the share of the cases it applies to
//	PUT    /quirks                   {"share", "names"} and {"shares": {name: share}}
//	GET    /faults                   those that are not used up
//	POST   /faults                   {"n", "path", "status", "header", "body", "delay", "refuse", "lose", "cutAfter"}
//	DELETE /faults                   forget them
//	POST   /reset                    a new server
//	GET    /snapshot, PUT /snapshot  the whole state
func Handler(s *activitytest.Server, opts *Options) http.Handler {
	if opts == nil {
		opts = &Options{}
	}
	c := &control{s: s, opts: *opts}
	mux := http.NewServeMux()
	for _, r := range c.routes() {
		limit := int64(maxBody)
		if r.pattern == "PUT /snapshot" {
			limit = maxSnapshot
		}
		mux.HandleFunc(r.pattern, func(w http.ResponseWriter, req *http.Request) {
			req.Body = http.MaxBytesReader(w, req.Body, limit)
			v, err := r.serve(req)
			if err != nil {
				writeJSON(w, status(err), failure{err.Error()})
				return
			}
			writeJSON(w, http.StatusOK, v)
		})
	}
	mux.HandleFunc("GET /events", c.events)
	return guard(mux, opts.Hosts)
}

// maxBody holds a file of 32 MB in base64. maxSnapshot is a state of many users.
const (
	maxBody     = 48 << 20
	maxSnapshot = 1 << 30
)

// control is the control API of a server.
type control struct {
	s    *activitytest.Server
	opts Options
	// cleared is the latest request when DELETE /requests emptied the log.
	cleared atomic.Int64
	// changing is held by calls that read what they then change.
	changing sync.Mutex
}

// route is one call.
type route struct {
	pattern string
	serve   func(r *http.Request) (any, error)
}

func (c *control) routes() []route {
	return []route{
		{"GET /state", func(*http.Request) (any, error) { return c.state(), nil }},
		{"GET /app", func(*http.Request) (any, error) { return c.app(), nil }},
		{"POST /users", c.alone(c.addUser)},
		{"GET /users/{id}", c.forUser(func(u *activitytest.User, _ *http.Request) (any, error) { return view(u, true), nil })},
		{"PUT /users/{id}", c.forUser(changeUser)},
		{"DELETE /users/{id}", c.forUser(func(u *activitytest.User, _ *http.Request) (any, error) {
			u.Deregister()
			return view(u, false), nil
		})},
		{"PUT /users/{id}/permissions", c.forUser(setPermissions)},
		{"POST /users/{id}/expire", c.forUser(c.expire)},
		{"POST /users/{id}/items", c.forUser(c.addItem)},
		{"GET /users/{id}/items/{kind}/{item}", c.forUser(getItem)},
		{"PUT /users/{id}/items/{kind}/{item}", c.forUser(putItem)},
		{"POST /users/{id}/items/activities/{item}/edit", c.forUser(editItem)},
		{"POST /users/{id}/sync", c.forUser(c.sync)},
		{"POST /users/{id}/history", c.forUser(c.fillHistory)},
		{"POST /users/{id}/resend", c.forUser(resend)},
		{"POST /users/{id}/backfill", c.forUser(backfill)},
		{"GET /users/{id}/data", c.forUser(c.data)},
		{"PUT /endpoints/{key}", c.alone(c.setEndpoint)},
		{"GET /deliveries", c.deliveries},
		{"GET /deliveries/{id}", c.delivery},
		{"POST /deliveries/{id}/resend", c.sendAgain(c.s.Resend)},
		{"POST /deliveries/{id}/retry", c.sendAgain(c.retry)},
		{"POST /deliver", func(r *http.Request) (any, error) { return deliveryViews(c.s.Deliver(r.Context())), nil }},
		{"POST /retry", func(r *http.Request) (any, error) {
			sent, err := c.s.Retry(r.Context())
			return deliveryViews(sent), err
		}},
		{"GET /requests", c.requests},
		{"GET /requests/{id}", c.request},
		{"DELETE /requests", func(*http.Request) (any, error) {
			c.cleared.Store(c.s.State().Requests)
			return []requestView{}, nil
		}},
		{"GET /clock", func(*http.Request) (any, error) { return c.clock(nil), nil }},
		{"POST /clock", c.advance},
		{"GET /limits", func(*http.Request) (any, error) { return c.limits(), nil }},
		{"PUT /limits", c.alone(c.setLimits)},
		{"GET /verification", func(*http.Request) (any, error) { return verification.Partner(c.s), nil }},
		{"POST /verify", c.verify},
		{"GET /quirks", func(*http.Request) (any, error) { return c.quirks(), nil }},
		{"PUT /quirks", c.alone(c.setQuirks)},
		{"GET /faults", func(*http.Request) (any, error) { return c.faults(), nil }},
		{"POST /faults", c.alone(c.addFault)},
		{"DELETE /faults", c.alone(func(*http.Request) (any, error) {
			c.s.SetFaults()
			return c.faults(), nil
		})},
		{"POST /reset", func(*http.Request) (any, error) {
			c.cleared.Store(0)
			err := c.s.Restore(nil)
			return c.state(), err
		}},
		{"GET /snapshot", func(*http.Request) (any, error) {
			b, err := c.s.Snapshot()
			return json.RawMessage(b), err
		}},
		{"PUT /snapshot", c.restore},
		{"GET /openapi.json", document("control")},
		{"GET /garmin.json", document("garmin")},
		{"GET /notifications.json", document("notifications")},
	}
}

// alone lets one call at a time read and change. The body is read before, since
// whoever sends it may be slow.
func (c *control) alone(serve func(*http.Request) (any, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		b, err := readRaw(r)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(b))
		c.changing.Lock()
		defer c.changing.Unlock()
		return serve(r)
	}
}

var errNoUser = errors.New("no such user")

// What is asked for is not there, is not possible now, or is there no more.
var (
	errNone    = errors.New("there is no such")
	errNotSent = errors.New("nothing can be sent")
	errNotKept = errors.New("the body is no longer kept")
)

type failure struct {
	Error string `json:"error"`
}

func status(err error) int {
	switch {
	case errors.Is(err, errNoUser), errors.Is(err, errNone):
		return http.StatusNotFound
	case errors.Is(err, errNotSent):
		return http.StatusConflict
	case errors.Is(err, errNotKept):
		return http.StatusGone
	}
	return http.StatusBadRequest
}

// readBody reads a JSON body; an empty one leaves v as it is.
func readBody(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	switch err := d.Decode(v); err {
	case io.EOF:
		return nil
	case nil:
		if _, err := d.Token(); err != io.EOF {
			return errors.New("there is more after the body's JSON")
		}
		return nil
	default:
		return err
	}
}

// readRaw reads a body as it is.
func readRaw(r *http.Request) ([]byte, error) { return io.ReadAll(r.Body) }

func (c *control) forUser(h func(*activitytest.User, *http.Request) (any, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		u := c.s.User(types.UserID(r.PathValue("id")))
		if u == nil {
			return nil, errNoUser
		}
		return h(u, r)
	}
}

// page reads which entries of a log are asked for.
func page(r *http.Request) (after, limit int64, err error) {
	limit = math.MaxInt64
	q := r.URL.Query()
	for key, n := range map[string]*int64{"after": &after, "limit": &limit} {
		if v := q.Get(key); v != "" {
			if *n, err = strconv.ParseInt(v, 10, 64); err != nil || *n < 0 {
				return 0, 0, errors.New(key + " is no number")
			}
		}
	}
	return after, limit, nil
}

// latest returns the last entries of a log, limit at most.
func latest[T any](list []T, limit int64) []T {
	return list[max(0, int64(len(list))-limit):]
}

// number reads the number of a delivery or a request from the path.
func number(r *http.Request) (int64, error) {
	n, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w entry", errNone)
	}
	return n, nil
}

// instant reads a time that JSON can write again.
func instant(t *time.Time, or time.Time) (time.Time, error) {
	switch {
	case t == nil:
		return or, nil
	case t.UTC().Year() < 1 || t.UTC().Year() > 9999:
		return or, errors.New("a time before the year 1 or after 9999")
	}
	return *t, nil
}

func (c *control) verify(r *http.Request) (any, error) {
	var b struct {
		Endpoint string `json:"endpoint"`
	}
	if err := readBody(r, &b); err != nil {
		return nil, err
	}
	return verification.Run(r.Context(), b.Endpoint, &verification.Options{Server: c.s})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, ok := v.(json.RawMessage) // a snapshot is not to be changed
	if !ok {
		var err error
		if b, err = json.Marshal(v); err != nil {
			panic(err) // v is always one of ours
		}
	}
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(b)
}
