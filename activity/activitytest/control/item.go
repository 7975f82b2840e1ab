package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/types"
)

// addItem uploads the caller's item, or those of a workout that is made up.
func (c *control) addItem(u *activitytest.User, r *http.Request) (any, error) {
	b := struct {
		Kind    types.Kind      `json:"kind"`
		Item    json.RawMessage `json:"item"`
		Sport   string          `json:"sport"`
		Seed    uint64          `json:"seed"`
		Start   *time.Time      `json:"start"`
		History bool            `json:"history"`
		Content []byte          `json:"content"`
	}{Seed: uint64(time.Now().UnixNano())}
	if err := readBody(r, &b); err != nil {
		return nil, err
	}
	if !b.Kind.Known() {
		return nil, errors.New("no such kind")
	}
	if b.Item != nil {
		if b.Sport != "" || b.Start != nil {
			return nil, errors.New("either item, or sport, start and seed")
		}
		rec, err := u.Upload(activitytest.Upload{Kind: b.Kind, JSON: b.Item, History: b.History, Content: b.Content})
		return []activitytest.Record{rec}, err
	}
	start, err := generatorStart(b.Start, c.s.State().Now.Add(-time.Hour))
	if err != nil {
		return nil, err
	}
	g, t, err := generator(b.Seed, b.Sport)
	if err != nil {
		return nil, err
	}
	made := []activitytest.Record{}
	add := func(up activitytest.Upload) {
		up.History = b.History
		if rec, err := u.Upload(up); err == nil { // details of more than a day may not be kept
			made = append(made, rec)
		}
	}
	if b.Kind == types.KindActivityFiles {
		for _, a := range g.Activities(t, start) {
			f, content := g.File("FIT", g.Details(a))
			add(activitytest.Upload{File: &f, Content: content})
		}
		return made, nil
	}
	for _, summary := range makeSummaries(g, b.Kind, t, start) {
		add(activitytest.Upload{Summary: summary})
	}
	return made, nil
}

// find returns the user's record of a kind and id.
func find(u *activitytest.User, kind types.Kind, id types.ID) (activitytest.Record, bool) {
	list := u.View(kind, types.Window{})
	i := slices.IndexFunc(list, func(r activitytest.Record) bool { return r.ID == id })
	if i < 0 {
		return activitytest.Record{}, false
	}
	return list[i], true
}

// makeSummaries makes up those of one kind of a workout.
func makeSummaries(g *activitytest.Generator, kind types.Kind, t activitytype.Type, start time.Time) []types.Summary {
	if kind == types.KindMoveIQ {
		return []types.Summary{g.MoveIQ(start)}
	}
	var list []types.Summary
	for _, a := range g.Activities(t, start) {
		switch kind {
		case types.KindManualActivities:
			list = append(list, g.Edit(a))
		case types.KindActivityDetails:
			list = append(list, g.Details(a))
		default:
			list = append(list, a)
		}
	}
	return list
}

func itemOf(r *http.Request) (types.Kind, types.ID, error) {
	kind := types.Kind(r.PathValue("kind"))
	if !kind.Known() {
		return "", "", fmt.Errorf("%w kind", errNone)
	}
	return kind, types.ID(r.PathValue("item")), nil
}

func getItem(u *activitytest.User, r *http.Request) (any, error) {
	kind, id, err := itemOf(r)
	if err != nil {
		return nil, err
	}
	rec, ok := find(u, kind, id)
	if !ok {
		return nil, fmt.Errorf("%w item", errNone)
	}
	return rec, nil
}

// putItem puts the caller's item in the place of one that the user has.
func putItem(u *activitytest.User, r *http.Request) (any, error) {
	kind, id, err := itemOf(r)
	if err != nil {
		return nil, err
	}
	if _, ok := find(u, kind, id); !ok {
		return nil, fmt.Errorf("%w item", errNone)
	}
	b, err := readRaw(r)
	if err != nil {
		return nil, err
	}
	return u.Upload(activitytest.Upload{Kind: kind, ID: id, JSON: b})
}

// editItem makes a manually updated activity.
func editItem(u *activitytest.User, r *http.Request) (any, error) {
	id := types.ID(r.PathValue("item"))
	rec, ok := find(u, types.KindActivities, id)
	if !ok {
		return nil, fmt.Errorf("%w activity", errNone)
	}
	b, err := readRaw(r)
	if err != nil {
		return nil, err
	}
	if len(b) == 0 { // a change is made up
		var a struct {
			Name string `json:"activityName"`
		}
		_ = json.Unmarshal(rec.JSON, &a) // without a name, there is none before the word
		if b, err = json.Marshal(map[string]string{"activityName": a.Name + " (edited)"}); err != nil {
			return nil, err
		}
	}
	return u.Upload(activitytest.Upload{Edit: true, ID: id, JSON: b})
}
