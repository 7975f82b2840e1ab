package control

import (
	"errors"
	"net/http"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
)

type faultView struct {
	N        int         `json:"n"`
	Path     string      `json:"path"`
	Status   int         `json:"status"`
	Header   http.Header `json:"header"`
	Body     string      `json:"body"`
	Delay    string      `json:"delay"`
	Refuse   bool        `json:"refuse"`
	Lose     bool        `json:"lose"`
	CutAfter int         `json:"cutAfter"`
}

type faultsView struct {
	// Faults counts the requests that will fail.
	Faults int         `json:"faults"`
	List   []faultView `json:"list"`
}

func (c *control) faults() faultsView {
	v := faultsView{List: []faultView{}}
	for _, f := range c.s.State().Faults {
		h := f.Header
		if h == nil {
			h = http.Header{}
		}
		v.Faults += f.Times
		v.List = append(v.List, faultView{f.Times, f.Path, f.Status, h, f.Body, f.Delay.String(), f.Refuse, f.Lose, f.CutAfter})
	}
	return v
}

func (c *control) addFault(r *http.Request) (any, error) {
	b := faultView{N: 1, Delay: "0s"}
	if err := readBody(r, &b); err != nil {
		return nil, err
	}
	delay, err := time.ParseDuration(b.Delay)
	switch {
	case err != nil:
		return nil, err
	case delay < 0:
		return nil, errors.New("the delay is negative")
	case b.N < 0 || b.N > 1e9:
		return nil, errors.New("n is negative or more than a thousand million")
	case b.Status != 0 && (b.Status < 200 || b.Status > 999):
		return nil, errors.New("no such status")
	}
	if b.N > 0 {
		c.s.SetFaults(append(c.s.State().Faults, activitytest.Fault{
			Times: b.N, Path: b.Path, Status: b.Status, Header: b.Header, Body: b.Body, Delay: delay, Refuse: b.Refuse, Lose: b.Lose, CutAfter: b.CutAfter,
		})...)
	}
	return c.faults(), nil
}
