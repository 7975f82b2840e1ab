package control

import (
	"errors"
	"net/http"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/types"
)

type userView struct {
	ID           types.UserID       `json:"id"`
	Connected    bool               `json:"connected"`
	Permissions  []types.Permission `json:"permissions"`
	HistoryFrom  time.Time          `json:"historyFrom"`
	Records      map[types.Kind]int `json:"records"`
	AccessToken  string             `json:"accessToken,omitempty"`
	RefreshToken string             `json:"refreshToken,omitempty"`
	// AccessExpires is left out for a user without tokens.
	AccessExpires     time.Time `json:"accessExpires,omitzero"`
	OAuth1Token       string    `json:"oauth1Token,omitempty"`
	OAuth1TokenSecret string    `json:"oauth1TokenSecret,omitempty"`
}

func view(u *activitytest.User, tokens bool) userView {
	state := u.State()
	v := userView{
		ID: u.ID(), Connected: state.Connected, Permissions: state.Permissions, HistoryFrom: state.HistoryFrom.UTC(),
		Records: state.Records,
	}
	if v.Permissions == nil {
		v.Permissions = []types.Permission{}
	}
	if tokens {
		v.AccessToken, v.RefreshToken, v.AccessExpires = state.AccessToken, state.RefreshToken, state.AccessExpires
		if !v.AccessExpires.IsZero() {
			v.AccessExpires = v.AccessExpires.UTC()
		}
	}
	return v
}

func (c *control) addUser(r *http.Request) (any, error) {
	b := struct {
		ID             types.UserID       `json:"id"`
		Permissions    []types.Permission `json:"permissions"`
		AccessToken    string             `json:"accessToken"`
		FirstConnected *time.Time         `json:"firstConnected"`
		HistoryFrom    *time.Time         `json:"historyFrom"`
		Connected      bool               `json:"connected"`
		OAuth1         bool               `json:"oauth1"`
	}{Connected: true}
	if err := readBody(r, &b); err != nil {
		return nil, err
	}
	o := &activitytest.UserOptions{ID: b.ID, Permissions: b.Permissions, AccessToken: b.AccessToken, NotConnected: !b.Connected || b.OAuth1}
	var err error
	if o.FirstConnected, err = instant(b.FirstConnected, time.Time{}); err != nil {
		return nil, err
	}
	if o.HistoryFrom, err = instant(b.HistoryFrom, time.Time{}); err != nil {
		return nil, err
	}
	switch {
	case b.ID != "" && c.s.User(b.ID) != nil:
		return nil, errors.New("the user exists")
	case b.OAuth1 && c.opts.OAuth1 == nil:
		return nil, errors.New("this server has no OAuth 1.0a: see Options.OAuth1")
	case o.NotConnected && b.AccessToken != "":
		return nil, errors.New("a user without OAuth 2 has no accessToken")
	case b.OAuth1 && !b.Connected:
		return nil, errors.New("a user who is not connected has no token of OAuth 1.0a")
	}
	u := c.s.AddUser(o)
	if !b.OAuth1 {
		return view(u, true), nil
	}
	token, secret := c.opts.OAuth1(u)
	u.Change(func(s *activitytest.UserState) { s.AccessToken, s.RefreshToken = "", "" })
	v := view(u, true)
	v.OAuth1Token, v.OAuth1TokenSecret = token, secret
	return v, nil
}

func changeUser(u *activitytest.User, r *http.Request) (any, error) {
	var b struct {
		Permissions []types.Permission `json:"permissions"`
		HistoryFrom *time.Time         `json:"historyFrom"`
		Connected   *bool              `json:"connected"`
	}
	if err := readBody(r, &b); err != nil {
		return nil, err
	}
	from, err := instant(b.HistoryFrom, u.State().HistoryFrom)
	if err != nil {
		return nil, err
	}
	if b.HistoryFrom != nil {
		u.Change(func(s *activitytest.UserState) { s.HistoryFrom = from })
	}
	if b.Permissions != nil {
		u.SetPermissions(b.Permissions...)
	}
	switch {
	case b.Connected == nil || *b.Connected == u.State().Connected:
	case *b.Connected:
		u.Connect()
	default:
		u.Deregister()
	}
	return view(u, false), nil
}

func setPermissions(u *activitytest.User, r *http.Request) (any, error) {
	p := []types.Permission{}
	if err := readBody(r, &p); err != nil {
		return nil, err
	}
	u.SetPermissions(p...)
	return view(u, false), nil
}

func (c *control) expire(u *activitytest.User, r *http.Request) (any, error) {
	b := struct {
		Access  bool `json:"access"`
		Refresh bool `json:"refresh"`
	}{Access: true}
	if err := readBody(r, &b); err != nil {
		return nil, err
	}
	now := c.s.State().Now
	u.Change(func(s *activitytest.UserState) {
		if b.Access {
			s.AccessExpires = now
		}
		if b.Refresh {
			s.RefreshExpires = now
		}
	})
	return view(u, true), nil
}

func (c *control) sync(u *activitytest.User, r *http.Request) (any, error) {
	b := struct {
		Sport string     `json:"sport"`
		Start *time.Time `json:"start"`
		Seed  uint64     `json:"seed"`
	}{Seed: uint64(time.Now().UnixNano())}
	if err := readBody(r, &b); err != nil {
		return nil, err
	}
	g, t, err := generator(b.Seed, b.Sport)
	if err != nil {
		return nil, err
	}
	start, err := generatorStart(b.Start, c.s.State().Now.Add(-time.Hour))
	if err != nil {
		return nil, err
	}
	u.Sync(g, t, start)
	return view(u, false), nil
}

// generatorStart is a time around which a workout can be made up.
func generatorStart(t *time.Time, or time.Time) (time.Time, error) {
	start, err := instant(t, or)
	if err == nil && (start.Year() < 1970 || start.Year() > 9000) {
		err = errors.New("a start before 1970 or after 9000")
	}
	return start, err
}

func (c *control) fillHistory(u *activitytest.User, r *http.Request) (any, error) {
	now := c.s.State().Now
	var b struct {
		Start *time.Time `json:"start"`
		End   *time.Time `json:"end"`
		Seed  *uint64    `json:"seed"`
	}
	if err := readBody(r, &b); err != nil {
		return nil, err
	}
	if b.Seed == nil {
		b.Seed = new(uint64(time.Now().UnixNano()))
	}
	start, err := generatorStart(b.Start, now.AddDate(0, -1, 0))
	if err != nil {
		return nil, err
	}
	end, err := generatorStart(b.End, now)
	if err != nil {
		return nil, err
	}
	if end.Sub(start) > 20*365*24*time.Hour {
		return nil, errors.New("more than twenty years")
	}
	u.FillHistory(activitytest.NewGenerator(*b.Seed), types.Window{Start: start, End: end})
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
		Start *time.Time `json:"start"`
		End   *time.Time `json:"end"`
	}
	if err := readBody(r, &b); err != nil {
		return nil, err
	}
	start, err := instant(b.Start, time.Time{})
	if err != nil {
		return nil, err
	}
	end, err := instant(b.End, time.Time{})
	if err != nil {
		return nil, err
	}
	if end.Before(start) {
		return nil, errors.New("the end is before the start")
	}
	if err := u.Backfill(b.Kind, types.Window{Start: start, End: end}); err != nil {
		return nil, err
	}
	return map[string]bool{"accepted": true}, nil
}

func (c *control) data(u *activitytest.User, r *http.Request) (any, error) {
	w := types.Window{Start: time.Unix(0, 0), End: c.s.State().Now.Add(24 * time.Hour)}
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
