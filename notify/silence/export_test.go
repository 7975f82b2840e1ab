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

// MarshalBinary and UnmarshalBinary are what is between a detector and its file.
func (d *Detector) MarshalBinary() ([]byte, error)    { return d.snapshot() }
func (d *Detector) UnmarshalBinary(data []byte) error { return d.restore(data) }

// ErrSnapshot is wrapped by the error of an unreadable file.
var ErrSnapshot = errSnapshot
