package activitytest

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/garminkit/activityapi/internal/fitsum"
)

// fitBase is a base type of the FIT protocol, which Garmin publishes.
type fitBase byte

const (
	fitEnum    fitBase = 0x00
	fitInt8    fitBase = 0x01
	fitUint8   fitBase = 0x02
	fitString  fitBase = 0x07
	fitBytes   fitBase = 0x0d
	fitUint16  fitBase = 0x84
	fitInt32   fitBase = 0x85
	fitUint32  fitBase = 0x86
	fitFloat32 fitBase = 0x88
	fitUint32z fitBase = 0x8c
)

func (b fitBase) size() byte {
	switch b {
	case fitUint16:
		return 2
	case fitInt32, fitUint32, fitFloat32, fitUint32z:
		return 4
	}
	return 1
}

// fitField is a field of a message, by its number in the FIT profile. One that is
// absent is not written.
type fitField struct {
	fitShape
	bits   uint32
	text   string
	absent bool
}

// fitShape is what the definition of a message says of a field.
type fitShape struct {
	num, size byte
	base      fitBase
	developer bool
}

// fitWriter writes FIT 2.0 message by message: a definition comes first, and again
// when the fields of a message are others than before.
type fitWriter struct {
	data    []byte
	numbers []uint16 // of the messages, by local type
	shapes  [][]fitShape
}

// maxFITTypes is how many messages can be defined at a time.
const maxFITTypes = 16

func (w *fitWriter) message(number uint16, fields ...fitField) {
	fields = slices.DeleteFunc(fields, func(f fitField) bool { return f.absent })
	local := slices.Index(w.numbers, number)
	if local < 0 {
		if local = len(w.numbers); local == maxFITTypes {
			panic("activitytest: too many FIT messages")
		}
		w.numbers, w.shapes = append(w.numbers, number), append(w.shapes, nil)
	}
	if !slices.EqualFunc(w.shapes[local], fields, func(s fitShape, f fitField) bool { return s == f.fitShape }) {
		w.define(byte(local), number, fields)
	}
	w.data = append(w.data, byte(local))
	for i := range fields {
		f := &fields[i]
		switch {
		case f.base == fitString, f.base == fitBytes:
			w.data = append(w.data, f.text...)
		case f.size == 1:
			w.data = append(w.data, byte(f.bits))
		case f.size == 2:
			w.data = binary.LittleEndian.AppendUint16(w.data, uint16(f.bits))
		default:
			w.data = binary.LittleEndian.AppendUint32(w.data, f.bits)
		}
	}
}

// define writes a definition message: fields of the profile first, then those of
// developers.
func (w *fitWriter) define(local byte, number uint16, fields []fitField) {
	n := len(fields)
	if i := slices.IndexFunc(fields, func(f fitField) bool { return f.developer }); i >= 0 {
		n = i
	}
	head := 0x40 | local
	if n < len(fields) {
		head |= 0x20
	}
	w.data = append(w.data, head, 0, 0, byte(number), byte(number>>8), byte(n))
	for i := range fields[:n] {
		w.data = append(w.data, fields[i].num, fields[i].size, byte(fields[i].base))
	}
	if n < len(fields) {
		w.data = append(w.data, byte(len(fields)-n))
		for i := range fields[n:] {
			w.data = append(w.data, fields[n+i].num, fields[n+i].size, 0) // of the first developer
		}
	}
	w.shapes[local] = w.shapes[local][:0]
	for i := range fields {
		w.shapes[local] = append(w.shapes[local], fields[i].fitShape)
	}
}

// file returns header, messages and checksums.
func (w *fitWriter) file() []byte {
	head := []byte{14, 0x20, 0x54, 0x08, 0, 0, 0, 0, '.', 'F', 'I', 'T'}
	binary.LittleEndian.PutUint32(head[4:], uint32(len(w.data)))
	head = binary.LittleEndian.AppendUint16(head, fitsum.Add(0, head))
	file := append(head, w.data...)
	return binary.LittleEndian.AppendUint16(file, fitsum.Add(0, file))
}

// whole is an integer field.
func whole(num byte, base fitBase, v int64) fitField {
	return fitField{fitShape: fitShape{num: num, size: base.size(), base: base}, bits: uint32(v)}
}

// scaled is a field of a number that is kept as an integer: value × scale +
// offset. It is absent if there is none, or no room for it.
func scaled(num byte, base fitBase, scale, offset float64, v *float64) fitField {
	least, most := 0.0, math.Pow(256, float64(base.size()))-2 // the last is "no value"
	if base == fitInt8 || base == fitInt32 {
		most = (most+2)/2 - 2
		least = -most - 2
	}
	if v == nil {
		return fitField{absent: true}
	}
	n := math.Round(*v*scale + offset)
	if !(n >= least && n <= most) {
		return fitField{absent: true}
	}
	return whole(num, base, int64(n))
}

// count is an integer field that may be absent.
func count(num byte, base fitBase, v *int) fitField {
	if v == nil {
		return fitField{absent: true}
	}
	return scaled(num, base, 1, 0, new(float64(*v)))
}

// text is a field of a string, which ends with a 0.
func text(num byte, s string) fitField {
	if s == "" {
		return fitField{absent: true}
	}
	s = s[:min(len(s), 200)] + "\x00"
	return fitField{fitShape: fitShape{num: num, size: byte(len(s)), base: fitString}, text: s}
}

// bytesField is a field of bytes.
func bytesField(num byte, s string) fitField {
	return fitField{fitShape: fitShape{num: num, size: byte(len(s)), base: fitBytes}, text: s}
}

// developed is a field of the first developer.
func developed(num byte, base fitBase, bits uint32) fitField {
	return fitField{fitShape: fitShape{num: num, size: base.size(), base: base, developer: true}, bits: bits}
}
