package notify

import (
	"regexp"
	"sync"

	"github.com/garminkit/activityapi/types"
)

// mostDefects is how many defects an outcome names.
const mostDefects = 16

// noteDefects adds defects to the outcome. place, if not nil, translates a path
// and an offset into those of the body.
func (a *attempt) noteDefects(d *types.Defects, place func(string, int64) (string, int64)) {
	if d == nil {
		return
	}
	if a.defects == nil {
		a.defects = &types.Defects{}
	}
	a.defects.Count += d.Count
	for _, one := range d.First {
		if len(a.defects.First) == mostDefects {
			return
		}
		if place != nil {
			one.Path, one.Offset = place(one.Path, one.Offset)
		}
		a.defects.First = append(a.defects.First, one)
	}
}

// defectsOf returns the defects of a summary.
func defectsOf(s types.Summary) *types.Defects {
	switch s := s.(type) {
	case *types.Activity:
		return s.Defects
	case *types.ManualActivity:
		return s.Defects
	case *types.ActivityDetails:
		return s.Defects
	case *types.MoveIQ:
		return s.Defects
	}
	return nil
}

// oddFields remembers which fields were logged. When Garmin starts to write one
// differently, all items of all users have it.
type oddFields struct {
	mu   sync.Mutex
	told map[string]bool
}

// mostFields bounds the memory; the types have fewer fields.
const mostFields = 1000

var index = regexp.MustCompile(`\[[0-9]+\]`)

// news reports whether the defects contain a field that was not logged before.
func (f *oddFields) news(d *types.Defects) bool {
	if d == nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	found := false
	for _, one := range d.First {
		field := index.ReplaceAllString(one.Path, "")
		if !f.told[field] && len(f.told) < mostFields {
			if f.told == nil {
				f.told = make(map[string]bool)
			}
			f.told[field], found = true, true
		}
	}
	return found
}
