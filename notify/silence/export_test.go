package silence

import "iter"

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
