package jsonscan

import "strings"

// What items point to is allocated for several at once, since an allocation costs as
// much as five numbers to read, and the collector's work grows with their number. The
// price: an item that is kept keeps a little of its neighbours' memory, at most what
// the constants here say. The first item of a body is allocated alone, and the next
// ones in groups that grow: a body of one item, as most are, wastes nothing.

// roomOf is how many items share an allocation at most.
const roomOf = 40

// These are the most that items share, in numbers and in bytes of text. Allocations of
// this size fill a span of the allocator, of 24 KiB. With 2 KiB a span has 8 KiB, and a
// tenth of a ping's time went into new ones.
const (
	mostNumbers = 3 << 10 / 8
	mostText    = 6 << 10
)

// room hands out slices.
type room[T any] struct {
	free []T
	used int // counts what was handed out, up to roomOf
}

func (r *room[T]) take(n int) []T {
	if len(r.free) < n {
		if r.used < roomOf {
			r.used++
		}
		r.free = make([]T, max(n, min(n*r.used, mostNumbers)))
	}
	t := r.free[:n:n]
	r.free = r.free[n:]
	return t
}

// texts makes strings, several in one array: a builder with enough capacity does not
// move what it has, so that strings of it stay good while it is written on.
type texts struct {
	b    strings.Builder
	used int
}

func (t *texts) take(text []byte) string {
	n := len(text)
	if t.b.Cap()-t.b.Len() < n {
		if t.used < roomOf {
			t.used++
		}
		t.b.Reset()
		t.b.Grow(max(n, min(n*t.used, mostText)))
	}
	from := t.b.Len()
	t.b.Write(text)
	return t.b.String()[from:]
}

// name makes a string of a text that may be frequent.
func (s *Scanner) name(text []byte) string {
	if len(text) > longestName {
		return s.texts.take(text)
	}
	return s.names.get(text)
}
