package jsonscan

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// kind says how a field is read and stored.
type kind uint8

const (
	kindString kind = iota
	kindID          // a string that keeps the digits of a number
	kindStrings
	kindStruct
	kindList // a slice of structs that have only values

	// The kinds from here on are values, each gathered as 64 bits.
	kindBool
	kindInt // an integer, however it is written
	kindIntPtr
	kindFloat
	kindFloatPtr
)

func (k kind) value() bool { return k >= kindBool }

// form is how a number is read.
type form uint8

const (
	formNone form = iota // it is no number
	formInt
	formFloat
)

func (k kind) form() form {
	switch k {
	case kindInt, kindIntPtr:
		return formInt
	case kindFloat, kindFloatPtr:
		return formFloat
	}
	return formNone
}

// stored reports whether values of the kind wait in Values to be stored.
func (k kind) stored() bool { return k.value() || k == kindString || k == kindID }

// A plan is made from a struct's tags when a struct is first read, and is kept for
// good. There are about a dozen.

// plan describes how to read the JSON object of a struct type. It is made from
// the struct's tags, so that a field is declared in only one place:
//
//	Field T `json:"key,omitempty" alias:"otherKey"`
//
// An embedded struct with the tag `json:",inline"` adds its fields. A plan does
// not change once made.
type plan struct {
	typ    reflect.Type
	fields []field
	index  index
	// lengths has the bits of the lengths of all keys.
	lengths uint64
	// The bits of fields of one kind.
	floatPtrs, intPtrs, stored uint64
}

// pointers has the bits of fields that are pointers.
func (p *plan) pointers() uint64 { return p.floatPtrs | p.intPtrs }

// maxFields is how many fields a struct may have: as many as a mask has bits.
const maxFields = 64

type field struct {
	quoted string // the key in quotes
	kind   kind
	path   []int // to the field, for package reflect
	plan   *plan // of the object or of the list's elements
}

func (f *field) key() string { return f.quoted[1 : len(f.quoted)-1] }

// plans caches every plan made. A plan depends on its type and nothing else.
var plans sync.Map // reflect.Type to *plan

func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p := &plan{typ: t}
	aliases := map[string]int{}
	p.add(t, nil, aliases)
	if len(p.fields) > maxFields {
		panic(fmt.Sprintf("jsonscan: %v has more than %d fields", t, maxFields))
	}
	for i, f := range p.fields {
		switch {
		case f.kind == kindFloatPtr:
			p.floatPtrs |= 1 << i
		case f.kind == kindIntPtr:
			p.intPtrs |= 1 << i
		}
		if f.kind.stored() {
			p.stored |= 1 << i
		}
	}
	p.index.build(p.fields, aliases)
	for _, key := range p.index.keys {
		p.lengths |= 1 << len(key)
	}
	actual, _ := plans.LoadOrStore(t, p)
	return actual.(*plan)
}

// inline reports whether the fields of a struct in a struct count as the outer
// one's.
func inline(f reflect.StructField) bool { return f.Tag.Get("json") == ",inline" }

// add appends the fields of t, a struct that path leads to in the plan's. A key
// belongs to the first field that has it.
func (p *plan) add(t reflect.Type, path []int, aliases map[string]int) {
	for sf := range t.Fields() {
		at := append(slices.Clip(path), sf.Index...)
		if inline(sf) {
			p.add(sf.Type, at, aliases)
			continue
		}
		key, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
		if key == "" || key == "-" || slices.ContainsFunc(p.fields, func(f field) bool { return f.key() == key }) {
			continue
		}
		f := field{quoted: `"` + key + `"`, path: at}
		f.kind, f.plan = kindOf(sf.Type)
		if alias := sf.Tag.Get("alias"); alias != "" {
			aliases[alias] = len(p.fields)
		}
		p.fields = append(p.fields, f)
	}
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

func kindOf(t reflect.Type) (kind, *plan) {
	switch t.Kind() {
	case reflect.String:
		if reflect.PointerTo(t).Implements(unmarshaler) {
			return kindID, nil
		}
		return kindString, nil
	case reflect.Bool:
		return kindBool, nil
	case reflect.Int:
		return kindInt, nil
	case reflect.Float64:
		return kindFloat, nil
	case reflect.Struct:
		return kindStruct, planOf(t)
	case reflect.Pointer:
		switch t.Elem().Kind() {
		case reflect.Int:
			return kindIntPtr, nil
		case reflect.Float64:
			return kindFloatPtr, nil
		}
	case reflect.Slice:
		switch t.Elem().Kind() {
		case reflect.String:
			return kindStrings, nil
		case reflect.Struct:
			p := planOf(t.Elem())
			for _, f := range p.fields {
				if !f.kind.value() {
					panic(fmt.Sprintf("jsonscan: field %s of a list's element is no value", f.key()))
				}
			}
			if len(p.fields) > 31 {
				panic(fmt.Sprintf("jsonscan: %v has more than 31 fields", p.typ))
			}
			return kindList, p
		}
	}
	panic(fmt.Sprintf("jsonscan: no way to read a %v", t))
}

// index finds a field by its key: a hash table in which collisions go to the next
// slots.
type index struct {
	keys []string
	fld  []uint8
	slot [256]uint8 // 1 + index into keys, or 0
}

func (x *index) build(fields []field, aliases map[string]int) {
	for i := range fields {
		x.add(fields[i].key(), i)
	}
	for alias, i := range aliases {
		x.add(alias, i)
	}
}

func (x *index) add(key string, field int) {
	x.keys = append(x.keys, key)
	x.fld = append(x.fld, uint8(field))
	h := hash([]byte(key))
	for x.slot[h] != 0 {
		h++
	}
	x.slot[h] = uint8(len(x.keys))
}

// hash tells most keys apart by their length and four of their bytes.
func hash(key []byte) uint8 {
	n := len(key)
	h := uint32(n) ^ uint32(key[0])<<8 ^ uint32(key[n-1])<<16 ^ uint32(key[n/2])<<24 ^ uint32(key[n/3])<<12
	return uint8(h * 2654435761 >> 24)
}

// find returns the field with this key and the key, or -1.
func (x *index) find(key []byte) (int, string) {
	if len(key) == 0 {
		return -1, ""
	}
	for h := hash(key); x.slot[h] != 0; h++ {
		if i := x.slot[h] - 1; x.keys[i] == string(key) {
			return int(x.fld[i]), x.keys[i]
		}
	}
	return -1, ""
}
