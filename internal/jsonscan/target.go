package jsonscan

import (
	"math"
	"math/bits"
	"reflect"
)

// The scanner knows no struct: it reads into Values, and a Target moves these into the
// struct. A target is generated for each model (package wire), so that the compiler
// checks names and types, and a field is set by a plain assignment. For others, there
// is one by package reflect.

// Target stores what was read in a struct. Fields are counted as they stand in
// it, those with a key alone; a struct that it inlines counts with its fields.
type Target interface {
	// Len returns how many fields there are.
	Len() int
	// Strings sets a list of strings.
	Strings(field int, list []string)
	// Object returns the target of a struct in the struct.
	Object(field int) Target
	// List makes a list of n structs.
	List(field, n int) List
	// Clear makes a struct in the struct, or a list, zero again.
	Clear(field int)
	// Store sets the fields that v has a value for.
	Store(v *Values, a *Arena)
}

// List stores what was read in a list of structs.
type List interface {
	Store(elem int, v *Values, a *Arena)
}

// Values are what was read for the fields of one struct. Bit i of Seen is set
// once field i has a value; if it is a number or a flag, Bits[i] is it, and if
// it is a string or an id, Text[i].
type Values struct {
	Seen uint64
	// Bit i of lost is set if a value of field i could not be read; unless bit i
	// of Seen is set too, that was the last one.
	lost uint64
	Bits [maxFields]uint64
	Text [maxFields]string
}

func (v *Values) set(i int, bits uint64) {
	v.Seen |= 1 << i
	v.Bits[i] = bits
}

// Arena holds the numbers that a struct, or a list of them, points to, in the
// order of the fields. Whoever stores takes from the front, and leaves the rest.
type Arena struct {
	Floats []float64
	Ints   []int
}

// gather puts the numbers that vals has for pointers at the front.
func (a *Arena) gather(p *plan, vals *Values) {
	n := 0
	for m := vals.Seen & p.floatPtrs; m != 0; m &= m - 1 {
		a.Floats[n] = math.Float64frombits(vals.Bits[bits.TrailingZeros64(m)])
		n++
	}
	n = 0
	for m := vals.Seen & p.intPtrs; m != 0; m &= m - 1 {
		a.Ints[n] = int(vals.Bits[bits.TrailingZeros64(m)])
		n++
	}
}

// reflected is a target that needs nothing generated.
type reflected struct {
	plan *plan
	v    reflect.Value
}

// targetOf returns a target for the struct that dst points to.
func targetOf(dst any) Target {
	v := reflect.ValueOf(dst).Elem()
	return reflected{planOf(v.Type()), v}
}

func (r reflected) field(i int) reflect.Value { return r.v.FieldByIndex(r.plan.fields[i].path) }

func (r reflected) Len() int { return len(r.plan.fields) }

func (r reflected) Strings(i int, list []string) {
	f := r.field(i)
	if list == nil {
		f.SetZero()
		return
	}
	f.Set(reflect.MakeSlice(f.Type(), len(list), len(list)))
	for n, s := range list {
		f.Index(n).SetString(s)
	}
}

func (r reflected) Object(i int) Target { return reflected{r.plan.fields[i].plan, r.field(i)} }

func (r reflected) List(i, n int) List {
	f := r.field(i)
	f.Set(reflect.MakeSlice(f.Type(), n, n))
	return reflectedList{r.plan.fields[i].plan, f}
}

func (r reflected) Clear(i int) { r.field(i).SetZero() }

func (r reflected) Store(v *Values, a *Arena) {
	for m := v.Seen & r.plan.stored; m != 0; m &= m - 1 {
		i := bits.TrailingZeros64(m)
		f, x := r.field(i), v.Bits[i]
		switch r.plan.fields[i].kind {
		case kindString, kindID:
			f.SetString(v.Text[i])
		case kindBool:
			f.SetBool(x != 0)
		case kindInt:
			f.SetInt(int64(x))
		case kindFloat:
			f.SetFloat(math.Float64frombits(x))
		case kindIntPtr:
			f.Set(reflect.ValueOf(&a.Ints[0]))
			a.Ints = a.Ints[1:]
		case kindFloatPtr:
			f.Set(reflect.ValueOf(&a.Floats[0]))
			a.Floats = a.Floats[1:]
		}
	}
}

type reflectedList struct {
	plan *plan
	v    reflect.Value
}

func (l reflectedList) Store(e int, v *Values, a *Arena) {
	reflected{l.plan, l.v.Index(e)}.Store(v, a)
}
