package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
	"unicode/utf8"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/types"
)

type deliveryView struct {
	ID           int64      `json:"id"`
	Notification int64      `json:"notification"`
	Key          types.Kind `json:"key"`
	Items        int        `json:"items"`
	Users        int        `json:"users"`
	URL          string     `json:"url"`
	Attempt      int        `json:"attempt"`
	Sent         time.Time  `json:"sent"`
	Seconds      float64    `json:"seconds"`
	Status       int        `json:"status"`
	Error        string     `json:"error,omitempty"`
	Acknowledged bool       `json:"acknowledged"`
	Next         time.Time  `json:"next,omitzero"`
	// Request and Answer are those of one delivery, not of a list's.
	Request *messageView `json:"request,omitempty"`
	Answer  *messageView `json:"answer,omitempty"`
}

// messageView is what one side has sent. Text is the body, or Base64 if it is no
// text.
type messageView struct {
	Header  http.Header `json:"header"`
	Text    string      `json:"text"`
	Base64  []byte      `json:"base64,omitempty"`
	Size    int64       `json:"size"`
	Cut     bool        `json:"cut"`
	Dropped bool        `json:"dropped"`
}

func newMessageView(m activitytest.Message) *messageView {
	v := &messageView{Header: m.Header, Size: m.Size, Cut: !m.Dropped && int64(len(m.Body)) < m.Size, Dropped: m.Dropped}
	if v.Header == nil {
		v.Header = http.Header{}
	}
	if utf8.Valid(m.Body) || v.Cut && utf8.Valid(m.Body[:max(0, len(m.Body)-utf8.UTFMax)]) {
		v.Text = string(m.Body)
	} else {
		v.Base64 = m.Body
	}
	return v
}

func newDeliveryView(d *activitytest.Delivery) deliveryView {
	v := deliveryView{
		ID: d.ID, Notification: d.Notification, Key: d.Key, Items: d.Items, Users: d.Users, URL: d.URL, Attempt: d.Attempt,
		Sent: d.Sent.UTC(), Seconds: d.Took.Seconds(), Status: d.Status, Acknowledged: d.Acknowledged,
	}
	if !d.Next.IsZero() {
		v.Next = d.Next.UTC()
	}
	if d.Err != nil {
		v.Error = cause(d.Err).Error()
	}
	return v
}

func deliveryViews(list []activitytest.Delivery) []deliveryView {
	views := []deliveryView{}
	for i := range list {
		views = append(views, newDeliveryView(&list[i]))
	}
	return views
}

func (c *control) deliveries(r *http.Request) (any, error) {
	after, limit, err := page(r)
	if err != nil {
		return nil, err
	}
	return deliveryViews(latest(c.s.Deliveries(max(after, c.s.State().Deliveries-limit)), limit)), nil
}

func (c *control) delivery(r *http.Request) (any, error) {
	d, err := c.findDelivery(r)
	if err != nil {
		return nil, err
	}
	return wholeDelivery(d), nil
}

func (c *control) findDelivery(r *http.Request) (*activitytest.Delivery, error) {
	id, err := number(r)
	if err != nil {
		return nil, err
	}
	list := c.s.Deliveries(id - 1)
	if len(list) == 0 || list[0].ID != id {
		return nil, fmt.Errorf("%w delivery", errNone)
	}
	return &list[0], nil
}

func wholeDelivery(d *activitytest.Delivery) deliveryView {
	v := newDeliveryView(d)
	v.Request = newMessageView(activitytest.Message{Header: d.Header, Body: d.Body, Size: int64(len(d.Body)), Dropped: d.Answer.Dropped})
	v.Answer = newMessageView(d.Answer)
	return v
}

func (c *control) retry(ctx context.Context, id int64) (activitytest.Delivery, error) {
	sent, err := c.s.Retry(ctx, id)
	if err != nil {
		return activitytest.Delivery{}, err
	}
	return sent[0], nil
}

func (c *control) sendAgain(send func(context.Context, int64) (activitytest.Delivery, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		old, err := c.findDelivery(r)
		if err != nil {
			return nil, err
		}
		if old.Answer.Dropped {
			return nil, errNotKept
		}
		d, err := send(r.Context(), old.ID)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errNotSent, err)
		}
		return wholeDelivery(&d), nil
	}
}

// cause takes the URL off an error of package net/http.
func cause(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
