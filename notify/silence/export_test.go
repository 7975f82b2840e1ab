package silence

import (
	"iter"
	"maps"
	"slices"
)

// All yields everything that is silent as of the last [Detector.Check], reported
// before or not: the key, or its kinds and then its users in order of their ids.
func (d *Detector) All() iter.Seq[Silence] {
	return func(yield func(Silence) bool) {
		for a := range d.each() {
			for _, s := range a.all() {
				if !yield(s) {
					return
				}
			}
		}
	}
}

func (d *Detector) all() (found []Silence) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.whole.silent {
		return []Silence{d.ofSeries("", &d.whole)}
	}
	for i := range d.kinds {
		if d.kinds[i].silent {
			found = append(found, d.ofSeries(kindOf(i), &d.kinds[i]))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(d.users)) {
		for s := range d.ofUser(id, d.users[id]) {
			found = append(found, s)
		}
	}
	return found
}

// MarshalBinary and UnmarshalBinary are what is between a detector and its file.
func (d *Detector) MarshalBinary() ([]byte, error)    { return d.snapshot() }
func (d *Detector) UnmarshalBinary(data []byte) error { return d.restore(data) }

// ErrSnapshot is wrapped by the error of an unreadable file.
var ErrSnapshot = errSnapshot
