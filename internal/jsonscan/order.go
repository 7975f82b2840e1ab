package jsonscan

// order remembers the layout of the objects of one type: which field follows
// which, and the bytes before its value, from the value before it or the opening
// brace on: white space, comma, key and colon. The objects of a body have nearly
// the same layout, so that one comparison checks all of that.
type order struct {
	plan *plan
	// The first field has no comma before it, so it is remembered separately.
	first uint8
	head  []byte
	next  [maxFields + 1]uint8 // by the field before, or start if that has none
	lead  [maxFields + 1][]byte
}

const (
	start   = maxFields // stands before the first field
	end     = maxFields // stands behind the last one
	unknown = -1        // a key without field
)

// newOrder expects the keys in the order of the fields.
func newOrder(p *plan) *order {
	o := &order{plan: p}
	for i := range p.fields {
		o.next[i] = uint8(i + 1)
	}
	o.next[len(p.fields)-1] = end
	return o
}

// guess returns the expected field and the bytes before its value.
func (o *order) guess(prev int, first bool) (field int, lead []byte) {
	if first {
		return int(o.first), o.head
	}
	field = int(o.next[prev])
	return field, o.lead[field]
}

// learn notes that field i came first or followed prev, and the bytes before its
// value. It is not for aliases, so that errors name the key as it was written.
func (o *order) learn(prev, i int, first bool, lead []byte) {
	const most = 128
	if len(lead) > most {
		lead = nil
	}
	if first {
		o.first, o.head = uint8(i), append(o.head[:0], lead...)
		return
	}
	o.next[prev] = uint8(i)
	o.lead[i] = append(o.lead[i][:0], lead...)
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
