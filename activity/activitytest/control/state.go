package control

import (
	"errors"
	"net/http"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
)

type stateView struct {
	BaseURL     string               `json:"baseURL"`
	ClientID    string               `json:"clientId"`
	RedirectURL string               `json:"redirectURL"`
	Ahead       string               `json:"ahead"`
	Users       []userView           `json:"users"`
	Endpoints   []endpointView       `json:"endpoints"`
	Pending     int                  `json:"pending"`
	Expired     int                  `json:"expired"`
	Deliveries  int64                `json:"deliveries"`
	Requests    int64                `json:"requests"`
	Faults      int                  `json:"faults"`
	Quirks      []activitytest.Quirk `json:"quirks"`
}

func (c *control) state() stateView {
	state := c.s.State()
	v := stateView{
		Pending: state.Pending, Expired: state.Expired, Quirks: c.quirksOn(), Users: []userView{}, Endpoints: c.endpoints(),
		Ahead: state.Ahead.String(), Faults: c.faults().Faults, Deliveries: state.Deliveries, Requests: state.Requests,
	}
	c.s.Backstage().Change(func() { v.BaseURL, v.ClientID, v.RedirectURL = c.s.BaseURL, c.s.ClientID, c.s.RedirectURL })
	for _, u := range c.s.Users() {
		v.Users = append(v.Users, view(u, false))
	}
	return v
}

type appView struct {
	BaseURL      string `json:"baseURL"`
	ClientID     string `json:"clientId"`
	ClientSecret string `json:"clientSecret,omitempty"`
	RedirectURL  string `json:"redirectURL"`
}

func (c *control) app() (v appView) {
	c.s.Backstage().Change(func() { v = appView{c.s.BaseURL, c.s.ClientID, c.s.ClientSecret, c.s.RedirectURL} })
	if c.opts.HideSecret {
		v.ClientSecret = ""
	}
	return v
}

func (c *control) restore(r *http.Request) (any, error) {
	b, err := readRaw(r)
	if err != nil {
		return nil, err
	}
	if err := c.s.Restore(b); err != nil {
		return nil, err
	}
	c.cleared.Store(0)
	return c.state(), nil
}

type clockView struct {
	Now   time.Time `json:"now"`
	Ahead string    `json:"ahead"`
	// Delivered counts what an advance has sent, Failed how much of it was not
	// acknowledged.
	Delivered int `json:"delivered"`
	Failed    int `json:"failed"`
}

func (c *control) clock(sent []activitytest.Delivery) clockView {
	state := c.s.State()
	v := clockView{Now: state.Now.UTC(), Ahead: state.Ahead.String(), Delivered: len(sent)}
	for i := range sent {
		if !sent[i].Acknowledged {
			v.Failed++
		}
	}
	return v
}

func (c *control) advance(r *http.Request) (any, error) {
	var b struct {
		Advance string `json:"advance"`
	}
	if err := readBody(r, &b); err != nil {
		return nil, err
	}
	if b.Advance == "" {
		return nil, errors.New(`by how much? {"advance": "24h"}`)
	}
	d, err := time.ParseDuration(b.Advance)
	if err != nil {
		return nil, err
	}
	sent, err := c.s.Advance(r.Context(), d)
	if err != nil {
		return nil, err
	}
	return c.clock(sent), nil
}
