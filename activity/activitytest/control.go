package activitytest

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/garminkit/activityapi/types"
)

// Control returns the server's control API, by which a program in any language
// can use what the methods of [Server] and [User] give. Mount it apart from the
// server, and only where everybody may see the tokens. Bodies are JSON, times
// are RFC 3339, and an error is {"error": "..."} with status 400 or 404.
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
//	POST   /verify                   {"endpoint"}: run Verify with this server
//	GET    /quirks                   every quirk, and whether it is on
//	PUT    /quirks                   {"share", "names"}
//	POST   /faults                   {"n", "path", "status", "body", "delay", "refuse", "lose", "cutAfter"}
func (s *Server) Control() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, h func(r *http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
			v, err := h(r)
			switch {
			case errors.Is(err, errNoUser):
				writeJSON(w, http.StatusNotFound, controlError{err.Error()})
			case err != nil:
				writeJSON(w, http.StatusBadRequest, controlError{err.Error()})
			default:
				writeJSON(w, http.StatusOK, v)
			}
		})
	}
	handle("GET /state", func(*http.Request) (any, error) { return s.state(), nil })
	handle("POST /users", s.controlAddUser)
	handle("GET /users/{id}", s.forUser(func(u *User, _ *http.Request) (any, error) { return u.view(true), nil }))
	handle("DELETE /users/{id}", s.forUser(func(u *User, _ *http.Request) (any, error) {
		u.Deregister()
		return u.view(false), nil
	}))
	handle("PUT /users/{id}/permissions", s.forUser(func(u *User, r *http.Request) (any, error) {
		var p []types.Permission
		if err := readBody(r, &p); err != nil {
			return nil, err
		}
		u.SetPermissions(p...)
		return u.view(false), nil
	}))
	handle("POST /users/{id}/sync", s.forUser(controlSync))
	handle("POST /users/{id}/history", s.forUser(controlHistory))
	handle("POST /users/{id}/resend", s.forUser(controlResend))
	handle("POST /users/{id}/backfill", s.forUser(controlBackfill))
	handle("GET /users/{id}/data", s.forUser(controlData))
	handle("PUT /endpoints/{key}", s.controlEndpoint)
	handle("GET /deliveries", func(*http.Request) (any, error) { return deliveryViews(s.Deliveries()), nil })
	handle("POST /deliver", func(r *http.Request) (any, error) { return deliveryViews(s.Deliver(r.Context())), nil })
	handle("GET /requests", func(*http.Request) (any, error) { return s.Requests(), nil })
	handle("GET /verification", func(*http.Request) (any, error) { return s.PartnerVerification(), nil })
	handle("POST /verify", s.controlVerify)
	handle("GET /quirks", func(*http.Request) (any, error) { return s.quirkViews(), nil })
	handle("PUT /quirks", s.controlQuirks)
	handle("POST /faults", s.controlFault)
	return mux
}

var errNoUser = errors.New("no such user")

type controlError struct {
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

func (s *Server) forUser(h func(*User, *http.Request) (any, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		u := s.User(r.PathValue("id"))
		if u == nil {
			return nil, errNoUser
		}
		return h(u, r)
	}
}

type userView struct {
	ID           string             `json:"id"`
	Connected    bool               `json:"connected"`
	Permissions  []types.Permission `json:"permissions"`
	Records      map[types.Kind]int `json:"records"`
	AccessToken  string             `json:"accessToken,omitempty"`
	RefreshToken string             `json:"refreshToken,omitempty"`
	OAuth1Token  string             `json:"oauth1Token,omitempty"`
	OAuth1Secret string             `json:"oauth1Secret,omitempty"`
}

func (u *User) view(tokens bool) userView {
	v := userView{ID: u.id, Connected: u.Connected(), Permissions: u.Permissions(), Records: make(map[types.Kind]int)}
	for _, kind := range types.Kinds() {
		v.Records[kind] = u.Count(kind)
	}
	if tokens {
		v.AccessToken, v.RefreshToken = u.AccessToken(), u.RefreshToken()
		v.OAuth1Token, v.OAuth1Secret = u.OAuth1()
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
	BaseURL   string         `json:"baseURL"`
	Users     []userView     `json:"users"`
	Endpoints []endpointView `json:"endpoints"`
	Pending   int            `json:"pending"`
	Quirks    []Quirk        `json:"quirks"`
}

func (s *Server) state() stateView {
	v := stateView{BaseURL: s.BaseURL, Pending: s.Pending(), Quirks: s.QuirksOn(), Users: []userView{}}
	s.mu.Lock()
	users := append([]*User{}, s.order...)
	for _, key := range ListKeys() {
		e := s.endpoints[key]
		row := endpointView{Key: key, URL: e.URL, Enabled: e.Enabled, OnHold: e.OnHold, Push: e.Push, Waiting: len(s.waiting[key])}
		for _, p := range s.retries {
			if p.key == key {
				row.Failed += len(p.notices)
			}
		}
		v.Endpoints = append(v.Endpoints, row)
	}
	s.mu.Unlock()
	for _, u := range users {
		v.Users = append(v.Users, u.view(false))
	}
	return v
}

func (s *Server) controlAddUser(r *http.Request) (any, error) {
	var b struct {
		ID          string             `json:"id"`
		Permissions []types.Permission `json:"permissions"`
		AccessToken string             `json:"accessToken"`
	}
	if err := readBody(r, &b); err != nil {
		return nil, err
	}
	if b.ID != "" && s.User(b.ID) != nil {
		return nil, errors.New("the user exists")
	}
	return s.AddUser(&UserOptions{ID: b.ID, Permissions: b.Permissions, AccessToken: b.AccessToken}).view(true), nil
}

func controlSync(u *User, r *http.Request) (any, error) {
	b := struct {
		Sport Sport     `json:"sport"`
		Start time.Time `json:"start"`
		Seed  uint64    `json:"seed"`
	}{Start: time.Now().Add(-time.Hour), Seed: uint64(time.Now().UnixNano())}
	if err := readBody(r, &b); err != nil {
		return nil, err
	}
	g := NewGenerator(b.Seed)
	b.Sport = cmp.Or(b.Sport, g.Any())
	if _, ok := profiles[b.Sport]; !ok && b.Sport != Triathlon && b.Sport != ManualEntry {
		return nil, errors.New("no such sport")
	}
	u.Sync(g, b.Sport, b.Start)
	return u.view(false), nil
}

func controlHistory(u *User, r *http.Request) (any, error) {
	b := struct {
		Start time.Time `json:"start"`
		End   time.Time `json:"end"`
		Seed  uint64    `json:"seed"`
	}{Start: time.Now().AddDate(0, -1, 0), End: time.Now(), Seed: uint64(time.Now().UnixNano())}
	if err := readBody(r, &b); err != nil {
		return nil, err
	}
	if b.End.Sub(b.Start) > 20*365*day {
		return nil, errors.New("more than twenty years")
	}
	u.FillHistory(NewGenerator(b.Seed), types.Window{Start: b.Start, End: b.End})
	return u.view(false), nil
}

func controlResend(u *User, r *http.Request) (any, error) {
	var b struct {
		Kinds []types.Kind `json:"kinds"`
	}
	if err := readBody(r, &b); err != nil {
		return nil, err
	}
	return map[string]int{"resent": u.Resend(b.Kinds...)}, nil
}

func controlBackfill(u *User, r *http.Request) (any, error) {
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

func controlData(u *User, r *http.Request) (any, error) {
	w := types.Window{Start: time.Unix(0, 0), End: time.Now().Add(day)}
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

func (s *Server) controlEndpoint(r *http.Request) (any, error) {
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
	e := Endpoint{URL: b.URL, Enabled: b.Enabled, OnHold: b.OnHold, Push: b.Push}
	switch key := types.Kind(r.PathValue("key")); {
	case key == "all":
		s.SetEndpoints(e)
	case key.Known() || key == Deregistrations || key == PermissionChanges:
		s.SetEndpoint(key, e)
	default:
		return nil, errors.New("no such list key")
	}
	return s.state().Endpoints, nil
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

func deliveryViews(list []Delivery) []deliveryView {
	views := []deliveryView{}
	for _, d := range list {
		v := deliveryView{d.Key, d.Items, d.Users, d.Attempt, d.Sent, d.Took.Seconds(), d.Status, "", d.Acknowledged(), d.Next}
		if d.Err != nil {
			v.Error = hideURL(d.Err).Error()
		}
		views = append(views, v)
	}
	return views
}

func (s *Server) controlVerify(r *http.Request) (any, error) {
	var b struct {
		Endpoint string `json:"endpoint"`
	}
	if err := readBody(r, &b); err != nil {
		return nil, err
	}
	return Verify(r.Context(), b.Endpoint, &VerifyOptions{Server: s})
}

type quirkView struct {
	Name  Quirk  `json:"name"`
	About string `json:"about"`
	On    bool   `json:"on"`
}

func (s *Server) quirkViews() []quirkView {
	s.mu.Lock()
	defer s.mu.Unlock()
	var views []quirkView
	for _, q := range quirks {
		views = append(views, quirkView{q.name, q.about, s.quirks[q.name]})
	}
	return views
}

func (s *Server) controlQuirks(r *http.Request) (any, error) {
	b := struct {
		Share float64 `json:"share"`
		Names []Quirk `json:"names"`
	}{Share: 1}
	if err := readBody(r, &b); err != nil {
		return nil, err
	}
	for _, q := range b.Names {
		if q.About() == "" {
			return nil, errors.New("no such quirk")
		}
	}
	s.SetQuirks(b.Share, b.Names...)
	return s.quirkViews(), nil
}

func (s *Server) controlFault(r *http.Request) (any, error) {
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
	s.Fail(b.N, Fault{Path: b.Path, Status: b.Status, Body: b.Body, Delay: delay, Refuse: b.Refuse, Lose: b.Lose, CutAfter: b.CutAfter})
	return map[string]int{"faults": b.N}, nil
}
