package jsonscan

import (
	"encoding/binary"
	"math"
)

// How a key is read. The samples of a body have the same keys in the same order,
// written with the same white space, thousands of times. So a key is seldom read:
// the bytes between two values are compared, all at once, with those that stood
// there in the object before. What must hold: the comparison is of every byte, so
// whatever is equal has been checked as JSON once, when it was learnt. Whatever
// differs is read byte by byte, and learnt.

// order remembers the layout of the objects of one type: which field follows
// which, and the bytes before its value, from the value before it or the opening
// brace on: white space, comma, key and colon. The objects of a body have nearly
// the same layout, so that one comparison checks all of that.
type order struct {
	plan *plan
	// first is what an object begins with. It has no comma, so it is remembered
	// separately.
	first place
	// places has one for each field, and one for the end of the object. What
	// comes after unknown keys alone is in the next of the last.
	places [maxFields + 1]place
	// seam is what stands between the last value of a list's element and the first
	// of the next, as `},{"startTimeInSeconds":`. The brace that begins the next
	// is behind so many bytes.
	seam  place
	brace int
	// bare are for numbers behind a key that was read already: the zero lead has no
	// bytes that count, so that nothing differs from it.
	bare bare
}

// place is what is expected somewhere in an object.
type place struct {
	field int // or end
	form  form
	// The number that stood here before had this sign, 1 for minus, and so many
	// digits before its point.
	sign, whole uint8
	row         row
	next        [rivals]uint8 // the fields seen after it, or end, the last seen first
	then        *place        // that of next[0]
	// self is the one in places. What comes after a place is learnt there, and
	// order.first and order.seam are copies with leads of their own.
	self *place
	// behind has the bits of the fields of the same row that stand in the struct
	// here or later.
	behind uint64
	lead   lead
}

// row says where on the tape a value of a list's element goes.
type row uint8

const (
	rowHeads row = iota
	rowFloats
	rowInts
)

// rivals is how many fields may come after one before one is forgotten. Records of
// different sports have different fields: behind the heart rate of a run comes its
// step rate, and behind that of a ride the rate of the pedals. To compare with four
// costs less than to read one key.
const rivals = 4

const (
	start   = maxFields // stands before the first field
	end     = maxFields // stands behind the last one
	unknown = -1        // a key without field
)

// newOrder expects the keys in the order of the fields.
func newOrder(p *plan) *order {
	o := &order{plan: p, bare: bare{formInt: {form: formInt}, formFloat: {form: formFloat}}}
	for i := range p.fields {
		at := &o.places[i]
		*at = place{field: i, form: p.fields[i].kind.form(), self: at}
		o.expect(i, i+1)
		same := ^p.pointers()
		switch bit := uint64(1) << i; {
		case p.floatPtrs&bit != 0:
			same, at.row = p.floatPtrs, rowFloats
		case p.intPtrs&bit != 0:
			same, at.row = p.intPtrs, rowInts
		}
		at.behind = same &^ (1<<i - 1)
	}
	o.places[end] = place{field: end, self: &o.places[end]}
	o.expect(start, 0)
	o.expect(len(p.fields)-1, end)
	// Until it is learnt, the lead of a place is found nowhere.
	for i := range o.places {
		o.places[i].lead.set(nil)
	}
	o.first, o.seam = o.places[0], o.places[0]
	return o
}

// expect makes field i what is expected after field prev.
func (o *order) expect(prev, i int) {
	o.places[prev].next[0], o.places[prev].then = uint8(i), &o.places[i]
}

// after returns what is expected after field prev.
func (o *order) after(prev int) *place { return o.places[prev].then }

// rival returns what came after prev at some time before and stands at b[i:], or
// nil, and expects it from now on.
func (o *order) rival(b []byte, i, prev int, first bool) *place {
	if first {
		return nil
	}
	next := &o.places[prev].next
	for n := 1; n < rivals; n++ {
		if at := &o.places[next[n]]; at.lead.at(b, i) {
			copy(next[1:n+1], next[:n])
			o.expect(prev, at.field)
			return at
		}
	}
	return nil
}

// learn notes that field i came first or followed prev, and the bytes before its
// value. It is not for aliases, so that errors name the key as it was written.
func (o *order) learn(prev, i int, first bool, text []byte) {
	if first {
		o.first = o.places[i]
		o.first.lead.set(text)
		return
	}
	// To the front, and the others one back as far as its old place.
	next := &o.places[prev].next
	n := 0
	for n < rivals-1 && int(next[n]) != i {
		n++
	}
	copy(next[1:n+1], next[:n])
	o.expect(prev, i)
	o.places[i].lead.set(text)
}

// learnSeam notes that an element's field i comes first, and the bytes before its
// value from the last value of the element before on, with the brace behind so
// many of them.
func (o *order) learnSeam(i int, text []byte, brace int) {
	o.seam, o.brace = o.places[i], brace
	o.seam.lead.set(text)
}

// find does what [Scanner.member] does, if all of it is in b[i:] and the key is
// spelt plainly. The index it returns is that of the value, or 0.
func (o *order) find(b []byte, i, prev int, first bool) (field, next int) {
	from := i
	i = blank(b, i)
	if i < len(b) && b[i] == '}' {
		i++
		o.learn(prev, end, first, b[from:i])
		return end, i
	}
	if !first {
		if i >= len(b) || b[i] != ',' {
			return 0, 0
		}
		i = blank(b, i+1)
	}
	if i >= len(b) || b[i] != '"' {
		return 0, 0
	}
	key := i + 1
	if i = plain(b, key); i >= len(b) || b[i] != '"' {
		return 0, 0
	}
	field, spelt := o.plan.index.find(b[key:i])
	// An alias is left to member, which remembers it for errors.
	if field != unknown && spelt != o.plan.fields[field].key() {
		return 0, 0
	}
	if i = blank(b, i+1); i >= len(b) || b[i] != ':' {
		return 0, 0
	}
	if i = blank(b, i+1); i >= len(b) {
		return 0, 0
	}
	if field != unknown {
		o.learn(prev, field, first, b[from:i])
	}
	return field, i
}

// lead is the text that stands before a value. It is compared in words of eight
// bytes. There is no loop, because the length differs from key to key, and the
// processor would guess the end of the loop wrongly: nearly all leads of a compact
// body have at most 32 bytes, and those of an indented one at most 63.
type lead struct {
	near, far [4]part // its first and last 32 bytes; far is only for long ones
	n         uint    // its length
	long      bool
}

// part is eight bytes of a lead, of which those in the mask count.
type part struct{ bytes, mask uint64 }

func (w *part) differs(p []byte) uint64 { return (binary.LittleEndian.Uint64(p) ^ w.bytes) & w.mask }

// leadRoom is more than the longest lead has.
const leadRoom = 64

// set makes l the lead with this text. It is none if that is too long.
func (l *lead) set(text []byte) {
	*l = lead{n: uint(len(text)), long: len(text) > leadRoom/2}
	// No text is equal to none: UTF-8 has no such bytes.
	if l.n == 0 || l.n >= leadRoom {
		*l = lead{near: [4]part{{math.MaxUint64, math.MaxUint64}}}
		return
	}
	var all, mask [leadRoom]byte
	copy(all[:], text)
	for i := range text {
		mask[i] = math.MaxUint8
	}
	for i := range 4 {
		l.near[i] = part{binary.LittleEndian.Uint64(all[8*i:]), binary.LittleEndian.Uint64(mask[8*i:])}
		l.far[i] = part{binary.LittleEndian.Uint64(all[leadRoom/2+8*i:]), binary.LittleEndian.Uint64(mask[leadRoom/2+8*i:])}
	}
}

// differs returns 0 if p begins with the lead.
func (l *lead) differs(p *[numberRoom]byte) uint64 {
	w := &l.near
	x := w[0].differs(p[0:]) | w[1].differs(p[8:]) | w[2].differs(p[16:]) | w[3].differs(p[24:])
	if l.long {
		w = &l.far
		x |= w[0].differs(p[32:]) | w[1].differs(p[40:]) | w[2].differs(p[48:]) | w[3].differs(p[56:])
	}
	return x
}

// at reports whether the lead stands at b[i:]. It says no near the end of b, where
// the words would reach beyond it.
func (l *lead) at(b []byte, i int) bool {
	return len(b)-i >= numberRoom && l.n > 0 && l.differs((*[numberRoom]byte)(b[i:])) == 0
}
