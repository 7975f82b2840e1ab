package control

import (
	"fmt"
	"net/http"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/types"
)

type requestView struct {
	ID        int64        `json:"id"`
	Time      time.Time    `json:"time"`
	Seconds   float64      `json:"seconds"`
	Method    string       `json:"method"`
	Host      string       `json:"host"`
	Path      string       `json:"path"`
	Query     string       `json:"query"`
	QueryKeys []string     `json:"queryKeys"`
	Auth      string       `json:"auth"`
	UserID    types.UserID `json:"userId"`
	Status    int          `json:"status"`
	By        string       `json:"by,omitempty"`
	// Request and Answer are those of one request, not of a list's.
	Request *messageView `json:"request,omitempty"`
	Answer  *messageView `json:"answer,omitempty"`
}

func newRequestView(e *activitytest.Request) requestView {
	v := requestView{
		e.ID, e.Time.UTC(), e.Took.Seconds(), e.Method, e.Host, e.Path, e.Query, e.QueryKeys, e.Auth, e.UserID, e.Status, e.By, nil, nil,
	}
	if v.QueryKeys == nil {
		v.QueryKeys = []string{}
	}
	return v
}

func requestViews(list []activitytest.Request) []requestView {
	views := []requestView{}
	for i := range list {
		views = append(views, newRequestView(&list[i]))
	}
	return views
}

func (c *control) requests(r *http.Request) (any, error) {
	after, limit, err := page(r)
	if err != nil {
		return nil, err
	}
	after = max(after, c.cleared.Load(), c.s.State().Requests-limit)
	return requestViews(latest(c.s.Requests(after), limit)), nil
}

func (c *control) request(r *http.Request) (any, error) {
	id, err := number(r)
	if err != nil {
		return nil, err
	}
	list := c.s.Requests(max(id-1, c.cleared.Load()))
	if len(list) == 0 || list[0].ID != id {
		return nil, fmt.Errorf("%w request", errNone)
	}
	v := newRequestView(&list[0])
	v.Request, v.Answer = newMessageView(list[0].Sent), newMessageView(list[0].Answer)
	return v, nil
}
