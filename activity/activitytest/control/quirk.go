package control

import (
	"errors"
	"net/http"

	"github.com/garminkit/activityapi/activity/activitytest"
)

type quirkView struct {
	Name  activitytest.Quirk `json:"name"`
	About string             `json:"about"`
	On    bool               `json:"on"`
	Share float64            `json:"share"`
}

func (c *control) quirks() []quirkView {
	var views []quirkView
	shares := c.s.State().Quirks
	for _, q := range activitytest.Quirks() {
		share := shares[q]
		views = append(views, quirkView{q, q.About(), share > 0, share})
	}
	return views
}

// setQuirks takes names, which are then those that are on, a share, which is then
// that of those that are on, and shares of single quirks, which leave the others
// alone.
func (c *control) setQuirks(r *http.Request) (any, error) {
	var b struct {
		Share  *float64                       `json:"share"`
		Names  []activitytest.Quirk           `json:"names"`
		Shares map[activitytest.Quirk]float64 `json:"shares"`
	}
	if err := readBody(r, &b); err != nil {
		return nil, err
	}
	shares := make([]float64, 0, len(b.Shares)+1)
	if b.Share != nil {
		shares = append(shares, *b.Share)
	}
	for q, share := range b.Shares {
		shares = append(shares, share)
		if q.About() == "" {
			return nil, errors.New("no such quirk")
		}
	}
	for _, q := range b.Names {
		if q.About() == "" {
			return nil, errors.New("no such quirk")
		}
	}
	for _, share := range shares {
		if share < 0 || share > 1 {
			return nil, errors.New("a share is from 0 to 1")
		}
	}
	names, share := b.Names, 1.0
	if b.Share != nil {
		share = *b.Share
		if names == nil {
			names = c.quirksOn()
		}
	}
	if names != nil {
		c.s.SetQuirks(0, activitytest.Quirks()...)
		c.s.SetQuirks(share, names...)
	}
	for q, share := range b.Shares {
		c.s.SetQuirks(share, q)
	}
	return c.quirks(), nil
}

// quirksOn returns the quirks that are on, never nil.
func (c *control) quirksOn() []activitytest.Quirk {
	shares := c.s.State().Quirks
	on := []activitytest.Quirk{}
	for _, q := range activitytest.Quirks() {
		if shares[q] > 0 {
			on = append(on, q)
		}
	}
	return on
}
