package silence

import (
	"iter"
	"maps"
	"slices"

	"github.com/garminkit/activityapi/types"
)

// of returns the detector of the user's application. An application with a name
// has one of its own: its key falls silent by itself.
func (d *Detector) of(id types.UserID) *Detector {
	app := id.App()
	if app == "" {
		return d
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.app(app)
}

// app is of, for whoever holds mu.
func (d *Detector) app(app string) *Detector {
	a := d.apps[app]
	if a == nil {
		opts := d.opts
		opts.Key = app
		a = &Detector{opts: opts, users: map[types.UserID]*user{}}
		if d.apps == nil {
			d.apps = map[string]*Detector{}
		}
		d.apps[app] = a
	}
	return a
}

// each yields the detector of each application: its own first.
func (d *Detector) each() iter.Seq[*Detector] {
	return func(yield func(*Detector) bool) {
		d.mu.Lock()
		all := []*Detector{d}
		for _, app := range slices.Sorted(maps.Keys(d.apps)) {
			all = append(all, d.apps[app])
		}
		d.mu.Unlock()
		for _, a := range all {
			if !yield(a) {
				return
			}
		}
	}
}

// nobody reports whether the id is that of an application as a whole.
func nobody(id types.UserID) bool { return id == types.UserID("").In(id.App()) }
