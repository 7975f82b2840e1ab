package fitfile

import (
	"math"
	"strings"
	"time"

	"github.com/muktihari/fit/proto"
)

// number returns the value of a field in its unit, or false if there is none.
func number(f *proto.Field) (float64, bool) {
	v, ok := numeric(f.Value)
	if !ok || f.Scale == 0 || f.Scale == 1 && f.Offset == 0 {
		return v, ok
	}
	return v/f.Scale - f.Offset, true
}

// numeric returns a number as it is written, or false for FIT's invalid value,
// which means that the value is absent.
func numeric(v proto.Value) (float64, bool) {
	switch v.Type() {
	case proto.TypeUint8:
		x := v.Uint8()
		return float64(x), x != math.MaxUint8
	case proto.TypeUint16:
		x := v.Uint16()
		return float64(x), x != math.MaxUint16
	case proto.TypeUint32:
		x := v.Uint32()
		return float64(x), x != math.MaxUint32
	case proto.TypeInt32:
		x := v.Int32()
		return float64(x), x != math.MaxInt32
	case proto.TypeInt16:
		x := v.Int16()
		return float64(x), x != math.MaxInt16
	case proto.TypeInt8:
		x := v.Int8()
		return float64(x), x != math.MaxInt8
	case proto.TypeUint64:
		x := v.Uint64()
		return float64(x), x != math.MaxUint64
	case proto.TypeInt64:
		x := v.Int64()
		return float64(x), x != math.MaxInt64
	case proto.TypeBool:
		x := byte(v.Bool())
		return float64(x), x != math.MaxUint8
	case proto.TypeFloat32:
		x := float64(v.Float32())
		return x, !math.IsNaN(x) && !math.IsInf(x, 0)
	case proto.TypeFloat64:
		x := v.Float64()
		return x, !math.IsNaN(x) && !math.IsInf(x, 0)
	}
	return 0, false
}

// text returns the value of a string field.
func text(v proto.Value) string {
	s := ""
	switch v.Type() {
	case proto.TypeString:
		s = v.String()
	case proto.TypeSliceString:
		s = strings.Join(v.SliceString(), " ")
	}
	// Copied, since the decoder reuses its memory.
	return strings.Clone(strings.ToValidUTF8(strings.TrimSpace(s), "\uFFFD"))
}

// numbers returns a list in its unit; an absent value is NaN.
func numbers(f *proto.Field) []float64 {
	var list []float64
	add := func(v float64, ok bool) {
		if !ok {
			v = math.NaN()
		} else if f.Scale != 0 {
			v = v/f.Scale - f.Offset
		}
		list = append(list, v)
	}
	switch f.Value.Type() {
	case proto.TypeSliceUint8:
		for _, x := range f.Value.SliceUint8() {
			add(numeric(proto.Uint8(x)))
		}
	case proto.TypeSliceUint16:
		for _, x := range f.Value.SliceUint16() {
			add(numeric(proto.Uint16(x)))
		}
	case proto.TypeSliceUint32:
		for _, x := range f.Value.SliceUint32() {
			add(numeric(proto.Uint32(x)))
		}
	default:
		if v, ok := number(f); ok {
			list = append(list, v)
		}
	}
	return list
}

// durations returns a list of seconds; an absent value is 0.
func durations(f *proto.Field) []time.Duration {
	var list []time.Duration
	for _, v := range numbers(f) {
		if math.IsNaN(v) {
			v = 0
		}
		list = append(list, seconds(v))
	}
	return list
}
