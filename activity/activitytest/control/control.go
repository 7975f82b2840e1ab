// Package control gives a fake Garmin's tools to programs in any language.
package control

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/activitytest/verification"
	"github.com/garminkit/activityapi/types"
)

// Options are the choices of [Handler]. nil is the zero value.
type Options struct {
	// Hosts are the names, besides localhost and loopback addresses, by which
	// the control API may be called, without port: such as "fake-garmin" in a
	// network of containers.
	Hosts []string
}

// Handler returns the control API of s, by which a program in any language can
// use what the methods of Server and User give. Bodies are JSON, times are RFC
// 3339, and an error is {"error": "..."} with status 400, 403 or 404.
//
// Whoever can call it sees the tokens and makes the server send requests. It
// refuses requests under a host name that is not in Options.Hosts, and writes
// that come from other web pages, so that no page in the developer's browser can
// use it. Other programs can: let it listen on a loopback address.
//
//	GET    /state                    users, endpoints, queues, quirks
//	POST   /users                    {"id", "permissions", "accessToken"} -> the user with tokens
//	GET    /users/{id}               the user with tokens
//	DELETE /users/{id}               the user disconnects
//	PUT    /users/{id}/permissions   ["ACTIVITY_EXPORT", ...]
//	POST   /users/{id}/sync          {"sport", "start", "seed"}: Data Generator
//	POST   /users/{id}/history       {"start", "end", "seed"}: data for backfills
//	POST   /users/{id}/resend        {"kinds"}: Summary Resender
//	POST   /users/{id}/backfill      {"kind", "start", "end"}: Backfill
//	GET    /users/{id}/data          ?kind=&start=&end=: Data Viewer
//	PUT    /endpoints/{key}          {"url", "enabled", "onHold", "push"}; key "all" is every row
//	GET    /deliveries               each attempt, oldest first
//	POST   /deliver                  send what is due now
//	GET    /requests                 the log of the API's requests
//	GET    /verification             Partner Verification
//	POST   /verify                   {"endpoint"}: run package verification with this server
//	GET    /quirks                   every quirk, and whether it is on
//	PUT    /quirks                   {"share", "names"}
//	POST   /faults                   {"n", "path", "status", "body", "delay", "refuse", "lose", "cutAfter"}
func Handler(s *activitytest.Server, opts *Options) http.Handler {
	if opts == nil {
		opts = &Options{}
	}
	c := &control{s}
	mux := http.NewServeMux()
	for _, r := range c.routes() {
		mux.HandleFunc(r.pattern, func(w http.ResponseWriter, req *http.Request) {
			req.Body = http.MaxBytesReader(w, req.Body, 1<<20)
			v, err := r.serve(req)
			switch {
			case errors.Is(err, errNoUser):
				writeJSON(w, http.StatusNotFound, failure{err.Error()})
			case err != nil:
				writeJSON(w, http.StatusBadRequest, failure{err.Error()})
			default:
				writeJSON(w, http.StatusOK, v)
			}
		})
	}
	return guard(mux, opts.Hosts)
}

// control is the control API of a server.
type control struct{ s *activitytest.Server }

// route is one call.
type route struct {
	pattern string
	serve   func(r *http.Request) (any, error)
}

func (c *control) routes() []route {
	return []route{
		{"GET /state", func(*http.Request) (any, error) { return c.state(), nil }},
		{"POST /users", c.addUser},
		{"GET /users/{id}", c.forUser(func(u *activitytest.User, _ *http.Request) (any, error) { return view(u, true), nil })},
		{"DELETE /users/{id}", c.forUser(func(u *activitytest.User, _ *http.Request) (any, error) {
			u.Deregister()
			return view(u, false), nil
		})},
		{"PUT /users/{id}/permissions", c.forUser(setPermissions)},
		{"POST /users/{id}/sync", c.forUser(sync)},
		{"POST /users/{id}/history", c.forUser(fillHistory)},
		{"POST /users/{id}/resend", c.forUser(resend)},
		{"POST /users/{id}/backfill", c.forUser(backfill)},
		{"GET /users/{id}/data", c.forUser(data)},
		{"PUT /endpoints/{key}", c.setEndpoint},
		{"GET /deliveries", func(*http.Request) (any, error) { return deliveryViews(c.s.Deliveries()), nil }},
		{"POST /deliver", func(r *http.Request) (any, error) { return deliveryViews(c.s.Deliver(r.Context())), nil }},
		{"GET /requests", func(*http.Request) (any, error) { return c.s.Requests(), nil }},
		{"GET /verification", func(*http.Request) (any, error) { return verification.Partner(c.s), nil }},
		{"POST /verify", c.verify},
		{"GET /quirks", func(*http.Request) (any, error) { return c.quirks(), nil }},
		{"PUT /quirks", c.setQuirks},
		{"POST /faults", c.addFault},
	}
}

var errNoUser = errors.New("no such user")

type failure struct {
	Error string `json:"error"`
}

// readBody reads a JSON body; an empty one leaves v as it is.
func readBody(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil && err != io.EOF {
		return err
	}
	return nil
}

func (c *control) forUser(h func(*activitytest.User, *http.Request) (any, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		u := c.s.User(types.UserID(r.PathValue("id")))
		if u == nil {
			return nil, errNoUser
		}
		return h(u, r)
	}
}

type userView struct {
	ID           types.UserID       `json:"id"`
	Connected    bool               `json:"connected"`
	Permissions  []types.Permission `json:"permissions"`
	Records      map[types.Kind]int `json:"records"`
	AccessToken  string             `json:"accessToken,omitempty"`
	RefreshToken string             `json:"refreshToken,omitempty"`
}

func view(u *activitytest.User, tokens bool) userView {
	v := userView{ID: u.ID(), Connected: u.Connected(), Permissions: u.Permissions(), Records: make(map[types.Kind]int)}
	for _, kind := range types.Kinds() {
		v.Records[kind] = u.Count(kind)
	}
	if tokens {
		v.AccessToken, v.RefreshToken = u.AccessToken(), u.RefreshToken()
	}
	return v
}

type endpointView struct {
	Key     types.Kind `json:"key"`
	URL     string     `json:"url"`
	Enabled bool       `json:"enabled"`
	OnHold  bool       `json:"onHold"`
	Push    bool       `json:"push"`
	// Waiting are items not yet sent, Failed those that will be sent again.
	Waiting int `json:"waiting"`
	Failed  int `json:"failed"`
}

type stateView struct {
	BaseURL   string               `json:"baseURL"`
	Users     []userView           `json:"users"`
	Endpoints []endpointView       `json:"endpoints"`
	Pending   int                  `json:"pending"`
	Quirks    []activitytest.Quirk `json:"quirks"`
}

func (c *control) state() stateView {
	v := stateView{BaseURL: c.s.BaseURL, Pending: c.s.Pending(), Quirks: c.s.QuirksOn(), Users: []userView{}}
	for _, key := range activitytest.ListKeys() {
		e := c.s.Endpoint(key)
		waiting, failed := c.s.Queued(key)
		v.Endpoints = append(v.Endpoints, endpointView{key, e.URL, e.Enabled, e.OnHold, e.Push, waiting, failed})
	}
	for _, u := range c.s.Users() {
		v.Users = append(v.Users, view(u, false))
	}
	return v
}

func (c *control) addUser(r *http.Request) (any, error) {
	var b struct {
		ID          types.UserID       `json:"id"`
		Permissions []types.Permission `json:"permissions"`
		AccessToken string             `json:"accessToken"`
	}
	if err := readBody(r, &b); err != nil {
		return nil, err
	}
	if b.ID != "" && c.s.User(b.ID) != nil {
		return nil, errors.New("the user exists")
	}
	return view(c.s.AddUser(&activitytest.UserOptions{ID: b.ID, Permissions: b.Permissions, AccessToken: b.AccessToken}), true), nil
}

func sync(u *activitytest.User, r *http.Request) (any, error) {
	b := struct {
		Sport activitytest.Sport `json:"sport"`
		Start time.Time          `json:"start"`
		Seed  uint64             `json:"seed"`
	}{Start: time.Now().Add(-time.Hour), Seed: uint64(time.Now().UnixNano())}
	if err := readBody(r, &b); err != nil {
		return nil, err
	}
	g := activitytest.NewGenerator(b.Seed)
	b.Sport = cmp.Or(b.Sport, g.Any())
	if !slices.Contains(activitytest.Sports(), b.Sport) {
		return nil, errors.New("no such sport")
	}
	u.Sync(g, b.Sport, b.Start)
	return view(u, false), nil
}

func fillHistory(u *activitytest.User, r *http.Request) (any, error) {
	b := struct {
		Start time.Time `json:"start"`
		End   time.Time `json:"end"`
		Seed  uint64    `json:"seed"`
	}{Start: time.Now().AddDate(0, -1, 0), End: time.Now(), Seed: uint64(time.Now().UnixNano())}
	if err := readBody(r, &b); err != nil {
		return nil, err
	}
	if b.End.Sub(b.Start) > 20*365*24*time.Hour {
		return nil, errors.New("more than twenty years")
	}
	u.FillHistory(activitytest.NewGenerator(b.Seed), types.Window{Start: b.Start, End: b.End})
	return view(u, false), nil
}

func resend(u *activitytest.User, r *http.Request) (any, error) {
	var b struct {
		Kinds []types.Kind `json:"kinds"`
	}
	if err := readBody(r, &b); err != nil {
		return nil, err
	}
	return map[string]int{"resent": u.Resend(b.Kinds...)}, nil
}

func backfill(u *activitytest.User, r *http.Request) (any, error) {
	var b struct {
		Kind  types.Kind `json:"kind"`
		Start time.Time  `json:"start"`
		End   time.Time  `json:"end"`
	}
	if err := readBody(r, &b); err != nil {
		return nil, err
	}
	if err := u.Backfill(b.Kind, types.Window{Start: b.Start, End: b.End}); err != nil {
		return nil, err
	}
	return map[string]bool{"accepted": true}, nil
}

func data(u *activitytest.User, r *http.Request) (any, error) {
	w := types.Window{Start: time.Unix(0, 0), End: time.Now().Add(24 * time.Hour)}
	q := r.URL.Query()
	for key, t := range map[string]*time.Time{"start": &w.Start, "end": &w.End} {
		if q.Get(key) != "" {
			var err error
			if *t, err = time.Parse(time.RFC3339, q.Get(key)); err != nil {
				return nil, err
			}
		}
	}
	return u.View(types.Kind(q.Get("kind")), w), nil
}

func (c *control) setEndpoint(r *http.Request) (any, error) {
	var b struct {
		URL     string `json:"url"`
		Enabled bool   `json:"enabled"`
		OnHold  bool   `json:"onHold"`
		Push    bool   `json:"push"`
	}
	if err := readBody(r, &b); err != nil {
		return nil, err
	}
	if b.URL != "" && !strings.HasPrefix(b.URL, "http://") && !strings.HasPrefix(b.URL, "https://") {
		return nil, errors.New("the URL is neither http nor https")
	}
	e := activitytest.Endpoint{URL: b.URL, Enabled: b.Enabled, OnHold: b.OnHold, Push: b.Push}
	switch key := types.Kind(r.PathValue("key")); {
	case key == "all":
		c.s.SetEndpoints(e)
	case key.Known() || key == types.KindDeregistrations || key == types.KindPermissionChanges:
		c.s.SetEndpoint(key, e)
	default:
		return nil, errors.New("no such list key")
	}
	return c.state().Endpoints, nil
}

type deliveryView struct {
	Key          types.Kind `json:"key"`
	Items        int        `json:"items"`
	Users        int        `json:"users"`
	Attempt      int        `json:"attempt"`
	Sent         time.Time  `json:"sent"`
	Seconds      float64    `json:"seconds"`
	Status       int        `json:"status"`
	Error        string     `json:"error,omitempty"`
	Acknowledged bool       `json:"acknowledged"`
	Next         time.Time  `json:"next,omitzero"`
}

func deliveryViews(list []activitytest.Delivery) []deliveryView {
	views := []deliveryView{}
	for _, d := range list {
		v := deliveryView{d.Key, d.Items, d.Users, d.Attempt, d.Sent, d.Took.Seconds(), d.Status, "", d.Acknowledged(), d.Next}
		if d.Err != nil {
			v.Error = cause(d.Err).Error()
		}
		views = append(views, v)
	}
	return views
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

type quirkView struct {
	Name  activitytest.Quirk `json:"name"`
	About string             `json:"about"`
	On    bool               `json:"on"`
}

func (c *control) quirks() []quirkView {
	on := c.s.QuirksOn()
	var views []quirkView
	for _, q := range activitytest.Quirks() {
		views = append(views, quirkView{q, q.About(), slices.Contains(on, q)})
	}
	return views
}

func (c *control) setQuirks(r *http.Request) (any, error) {
	b := struct {
		Share float64              `json:"share"`
		Names []activitytest.Quirk `json:"names"`
	}{Share: 1}
	if err := readBody(r, &b); err != nil {
		return nil, err
	}
	for _, q := range b.Names {
		if q.About() == "" {
			return nil, errors.New("no such quirk")
		}
	}
	c.s.SetQuirks(b.Share, b.Names...)
	return c.quirks(), nil
}

func (c *control) addFault(r *http.Request) (any, error) {
	b := struct {
		N        int    `json:"n"`
		Path     string `json:"path"`
		Status   int    `json:"status"`
		Body     string `json:"body"`
		Delay    string `json:"delay"`
		Refuse   bool   `json:"refuse"`
		Lose     bool   `json:"lose"`
		CutAfter int    `json:"cutAfter"`
	}{N: 1, Delay: "0s"}
	if err := readBody(r, &b); err != nil {
		return nil, err
	}
	delay, err := time.ParseDuration(b.Delay)
	if err != nil {
		return nil, err
	}
	if b.Status != 0 && (b.Status < 200 || b.Status > 999) {
		return nil, errors.New("no such status")
	}
	c.s.Fail(b.N, activitytest.Fault{Path: b.Path, Status: b.Status, Body: b.Body, Delay: delay, Refuse: b.Refuse, Lose: b.Lose, CutAfter: b.CutAfter})
	return map[string]int{"faults": b.N}, nil
}

func setPermissions(u *activitytest.User, r *http.Request) (any, error) {
	var p []types.Permission
	if err := readBody(r, &p); err != nil {
		return nil, err
	}
	u.SetPermissions(p...)
	return view(u, false), nil
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // v is always one of ours
	}
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(b)
}

// cause takes the URL off an error of package net/http.
func cause(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
