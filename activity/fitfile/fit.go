package fitfile

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/muktihari/fit/decoder"
	"github.com/muktihari/fit/profile/untyped/fieldnum"
	"github.com/muktihari/fit/profile/untyped/mesgnum"
	"github.com/muktihari/fit/proto"

	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/internal/fitsum"
	"github.com/garminkit/activityapi/types"
)

// fitReader converts the decoder's messages to those of this package.
type fitReader struct {
	out    *output
	cancel context.CancelFunc
	inLoop bool // a message is being looked at by the caller
	next   bool // a second file may follow: its first message will show

	record   Record
	packed   packed
	sport    activitytype.FIT
	known    bool // the sport
	fileIDs  int
	sessions int
	laps     int
	fields   map[[2]byte]developer
}

// developer is the definition of a developer field.
type developer struct {
	name, units   string
	scale, offset float64
	native        uint8
}

func readFIT(b *bufio.Reader, out *output) (err error) {
	mendHeader(b, out)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	f := &fitReader{out: out, cancel: cancel, fields: map[[2]byte]developer{}}
	defer func() {
		// A third party's decoder reads foreign bytes: if it panics, the file ends and
		// the program continues. A panic of the caller's loop is passed on.
		if p := recover(); p != nil {
			if f.inLoop {
				panic(p)
			}
			err = f.end(fmt.Errorf("fitfile: %v", p), WarnCorrupt)
		}
	}()
	r := &counter{r: b, length: unsummed(b)}
	dec := decoder.New(r, decoder.WithMesgListener(f), decoder.WithBroadcastOnly(), decoder.WithNoComponentExpansion())
	var length int64
	for files := 0; ; files++ {
		fit, err := dec.DecodeWithContext(ctx)
		switch {
		case out.ended:
			return nil
		case errors.Is(err, decoder.ErrCRCChecksumMismatch) && out.n > 0:
			switch {
			case files > 0:
				return f.end(err, WarnTrailing)
			case !r.whole():
				return f.end(err, WarnChecksum)
			case r.more():
				return f.end(errors.New("fitfile: there are bytes after the end of the file"), WarnTrailing)
			}
			return f.end(nil, "")
		case r.err != nil && r.err != io.EOF:
			return fmt.Errorf("fitfile: %w", r.err)
		case err != nil && files > 0:
			return f.end(err, WarnTrailing)
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return f.end(err, WarnTruncated)
		case err != nil:
			return f.end(err, WarnCorrupt)
		}
		length += int64(fit.FileHeader.Size) + int64(fit.FileHeader.DataSize) + 2
		if !dec.Next() {
			if r.err != nil && r.err != io.EOF {
				return fmt.Errorf("fitfile: %w", r.err)
			}
			if r.n > length {
				return f.end(fmt.Errorf("fitfile: there are bytes after the end of the file, at %d", length), WarnTrailing)
			}
			return f.end(nil, "")
		}
		f.next = files == 0
	}
}

// end ends a file: with a warning if something was read, otherwise with an error.
func (f *fitReader) end(err error, w Warn) error {
	if err != nil {
		if f.out.n == 0 {
			return fmt.Errorf("%w: %w", ErrFormat, err)
		}
		f.out.warn(w, "%v", err)
	}
	if f.fileIDs == 0 {
		f.out.warn(WarnNoFileID, "there is no file id")
	}
	t, _ := activitytype.FromFIT(f.sport)
	f.out.finish(Session{Type: t, FIT: f.sport})
	return nil
}

// mendHeader corrects a wrong checksum of the header, because of which the decoder
// would refuse the file.
func mendHeader(b *bufio.Reader, out *output) {
	head, err := b.Peek(14)
	if err != nil || head[0] != 14 {
		return // what is wrong is seen when it is read
	}
	if sum := binary.LittleEndian.Uint16(head[12:]); sum != 0 && sum != fitsum.Add(0, head[:12]) {
		out.warn(WarnChecksum, "the checksum of the header is wrong")
		binary.LittleEndian.PutUint16(head[12:], fitsum.Add(0, head[:12])) // Peek gives the buffer itself
	}
}

// unsummed returns the length of a file whose header has no checksum, otherwise 0.
func unsummed(b *bufio.Reader) int64 {
	head, err := b.Peek(14)
	if err != nil || head[0] != 14 || head[12] != 0 || head[13] != 0 {
		return 0
	}
	return 14 + int64(binary.LittleEndian.Uint32(head[4:])) + 2
}

// counter counts the bytes read, and keeps the reader's error.
type counter struct {
	r   io.Reader
	n   int64
	err error

	// length and sum are used if the header has no checksum: the length of the file,
	// and the checksum of all its bytes read so far. The decoder leaves the header
	// out of its own sum, but many programs include it.
	length int64
	sum    uint16
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if part := min(int64(n), c.length-c.n); part > 0 {
		c.sum = fitsum.Add(c.sum, p[:part])
	}
	c.n += int64(n)
	if err != nil {
		c.err = err
	}
	return n, err
}

// whole reports whether the sum over the whole file, its checksum included, is right.
func (c *counter) whole() bool { return c.length > 0 && c.n >= c.length && c.sum == 0 }

// more reports whether there are bytes after those that were summed.
func (c *counter) more() bool {
	_, _ = c.Read(make([]byte, 1))
	return c.n > c.length
}

// put yields a message to the caller's loop.
func (f *fitReader) put(m Message) {
	f.inLoop = true
	more := f.out.put(m)
	f.inLoop = false
	if !more {
		f.cancel()
	}
}

// OnMesg takes a message of the decoder, which is only valid during the call.
func (f *fitReader) OnMesg(m proto.Message) {
	if f.next {
		f.next = false
		f.put(&Warning{Warn: WarnChained, Text: "a second FIT file follows the first"})
	}
	if f.out.ended {
		return
	}
	switch m.Num {
	case mesgnum.Record:
		f.onRecord(&m)
	case mesgnum.FileId:
		f.onFileID(&m)
	case mesgnum.DeviceInfo:
		f.onDevice(&m)
	case mesgnum.Sport:
		for i := range m.Fields {
			switch v, ok := number(&m.Fields[i]); {
			case !ok:
			case m.Fields[i].Num == fieldnum.SportSport:
				f.sport.Sport, f.known = uint8(v), true
			case m.Fields[i].Num == fieldnum.SportSubSport:
				f.sport.SubSport = uint8(v)
			}
		}
	case mesgnum.Session:
		f.onSession(&m)
	case mesgnum.Lap:
		f.onLap(&m)
	case mesgnum.Length:
		f.onLength(&m)
	case mesgnum.Event:
		f.onEvent(&m)
	case mesgnum.TimeInZone:
		f.onZones(&m)
	case mesgnum.FieldDescription:
		f.onDescription(&m)
	}
}

// recordSlots maps the number of a record's field in the FIT profile to its place;
// negative means that it is not kept.
var recordSlots = func() (slots [256]int8) {
	for i := range slots {
		slots[i] = -1
	}
	for num, slot := range map[byte]int8{
		fieldnum.RecordAltitude: elevation, fieldnum.RecordEnhancedAltitude: elevation,
		fieldnum.RecordSpeed: speed, fieldnum.RecordEnhancedSpeed: speed,
		fieldnum.RecordDistance: distance, fieldnum.RecordPower: power, fieldnum.RecordTemperature: temperature,
		fieldnum.RecordGrade: grade, fieldnum.RecordGpsAccuracy: accuracy,
		fieldnum.RecordVerticalOscillation: oscillation, fieldnum.RecordVerticalRatio: ratio,
		fieldnum.RecordStanceTime: stance, fieldnum.RecordStanceTimeBalance: balance,
		fieldnum.RecordStepLength: stepLength, fieldnum.RecordLeftRightBalance: leftRight,
		fieldnum.RecordRespirationRate: breaths, fieldnum.RecordEnhancedRespirationRate: breaths,
		fieldnum.RecordAccumulatedPower: accumulated,
	} {
		slots[num] = slot
	}
	return slots
}()

func (f *fitReader) onRecord(m *proto.Message) {
	r := &f.record
	r.clear()
	const semicircle = 180.0 / (1 << 31)
	turns, fraction, turning := 0.0, 0.0, false
	for i := range m.Fields {
		field := &m.Fields[i]
		v, ok := number(field)
		if !ok {
			if field.Num == fieldnum.RecordCompressedSpeedDistance {
				f.packed.take(r, field.Value.SliceUint8())
			}
			continue
		}
		switch field.Num {
		case fieldnum.RecordTimestamp:
			r.StartTimeInSeconds = types.Timestamp(v + epoch)
		case fieldnum.RecordPositionLat:
			r.set(latitude, v*semicircle)
		case fieldnum.RecordPositionLong:
			r.set(longitude, v*semicircle)
		case fieldnum.RecordHeartRate:
			r.setHeart(int(v))
		case fieldnum.RecordDistance:
			r.set(distance, v)
		case fieldnum.RecordCadence:
			turns, turning = v, true
		case fieldnum.RecordFractionalCadence:
			fraction = v
		default:
			slot := int(recordSlots[field.Num])
			if slot < 0 {
				continue
			}
			switch field.Num {
			case fieldnum.RecordAltitude, fieldnum.RecordSpeed, fieldnum.RecordRespirationRate:
				if *r.field(slot) != nil {
					continue // the enhanced one is finer
				}
			}
			r.set(slot, v)
		}
	}
	if turning {
		r.set(cadence, turns+fraction)
		if f.known {
			t, _ := activitytype.FromFIT(f.sport)
			r.setCadence(t)
		}
	}
	for i := range m.DeveloperFields {
		d := &m.DeveloperFields[i]
		def, ok := f.fields[[2]byte{d.DeveloperDataIndex, d.Num}]
		if !ok {
			def.native, def.scale = 255, 1
		}
		value := DeveloperField{Name: def.name, Units: def.units, Native: def.native}
		if v, ok := numeric(d.Value); ok {
			value.Value = new(v/def.scale - def.offset)
		} else if value.Text = text(d.Value); value.Text == "" {
			continue
		}
		r.Developer = append(r.Developer, value)
	}
	f.put(r)
}

// packed reads the field in which old devices write speed and distance in three
// bytes. The distance is a counter that wraps around.
type packed struct {
	last, sum uint32
}

func (p *packed) take(r *Record, b []byte) {
	if len(b) != 3 || b[0] == 0xff && b[1] == 0xff && b[2] == 0xff {
		return
	}
	at := uint32(b[1]>>4) | uint32(b[2])<<4
	p.sum += (at - p.last) & 0xfff
	p.last = at
	if r.SpeedMetersPerSecond == nil {
		r.set(speed, float64(uint32(b[0])|uint32(b[1]&0xf)<<8)/100)
	}
	if r.TotalDistanceInMeters == nil {
		r.set(distance, float64(p.sum)/16)
	}
}

func (f *fitReader) onFileID(m *proto.Message) {
	f.fileIDs++
	id := &FileID{}
	for i := range m.Fields {
		v, ok := number(&m.Fields[i])
		if !ok {
			continue
		}
		switch m.Fields[i].Num {
		case fieldnum.FileIdType:
			id.Type = uint8(v)
		case fieldnum.FileIdManufacturer:
			id.Manufacturer = uint16(v)
		case fieldnum.FileIdProduct:
			id.Product = uint16(v)
		case fieldnum.FileIdSerialNumber:
			id.SerialNumber = uint32(v)
		case fieldnum.FileIdTimeCreated:
			id.Created = fitTime(v)
		}
	}
	f.put(id)
	if id.Type != 4 {
		f.put(&Warning{Warn: WarnNotActivity, Text: fmt.Sprintf("the file is of type %d, and an activity of type 4", id.Type)})
	}
}

func (f *fitReader) onDevice(m *proto.Message) {
	d := &Device{}
	for i := range m.Fields {
		field := &m.Fields[i]
		v, ok := number(field)
		switch {
		case field.Num == fieldnum.DeviceInfoProductName || field.Num == fieldnum.DeviceInfoDescriptor && d.Name == "":
			d.Name = text(field.Value)
		case !ok:
		case field.Num == fieldnum.DeviceInfoDeviceIndex:
			d.Creator = v == 0
		case field.Num == fieldnum.DeviceInfoManufacturer:
			d.Manufacturer = uint16(v)
		case field.Num == fieldnum.DeviceInfoProduct:
			d.Product = uint16(v)
		case field.Num == fieldnum.DeviceInfoSerialNumber:
			d.SerialNumber = uint32(v)
		case field.Num == fieldnum.DeviceInfoSoftwareVersion:
			d.SoftwareVersion = strconv.FormatFloat(v, 'f', 2, 64)
		}
	}
	f.put(d)
}

// onDescription keeps the definition of a developer field.
func (f *fitReader) onDescription(m *proto.Message) {
	def := developer{native: 255, scale: 1}
	var key [2]byte
	for i := range m.Fields {
		field := &m.Fields[i]
		v, ok := number(field)
		switch {
		case field.Num == fieldnum.FieldDescriptionFieldName:
			def.name = text(field.Value)
		case field.Num == fieldnum.FieldDescriptionUnits:
			def.units = text(field.Value)
		case !ok:
		case field.Num == fieldnum.FieldDescriptionDeveloperDataIndex:
			key[0] = uint8(v)
		case field.Num == fieldnum.FieldDescriptionFieldDefinitionNumber:
			key[1] = uint8(v)
		case field.Num == fieldnum.FieldDescriptionScale && v != 0:
			def.scale = v
		case field.Num == fieldnum.FieldDescriptionOffset:
			def.offset = v
		case field.Num == fieldnum.FieldDescriptionNativeFieldNum:
			def.native = uint8(v)
		}
	}
	f.fields[key] = def
}

func (f *fitReader) onEvent(m *proto.Message) {
	e := &Event{}
	for i := range m.Fields {
		v, ok := number(&m.Fields[i])
		if !ok {
			continue
		}
		switch m.Fields[i].Num {
		case fieldnum.EventTimestamp:
			e.Time = fitTime(v)
		case fieldnum.EventEvent:
			e.Event = uint8(v)
		case fieldnum.EventEventType:
			e.Type = uint8(v)
		case fieldnum.EventData:
			e.Data = new(uint32(v))
		case fieldnum.EventData16:
			if e.Data == nil {
				e.Data = new(uint32(v))
			}
		}
	}
	f.put(e)
}

func (f *fitReader) onLength(m *proto.Message) {
	l := &Length{}
	for i := range m.Fields {
		v, ok := number(&m.Fields[i])
		if !ok {
			continue
		}
		switch m.Fields[i].Num {
		case fieldnum.LengthStartTime:
			l.Start = fitTime(v)
		case fieldnum.LengthTotalElapsedTime:
			l.Elapsed = seconds(v)
		case fieldnum.LengthTotalTimerTime:
			l.Timer = seconds(v)
		case fieldnum.LengthLengthType:
			l.Active = v == 1
		case fieldnum.LengthSwimStroke:
			l.Stroke = new(int(v))
		case fieldnum.LengthTotalStrokes:
			l.Strokes = new(int(v))
		case fieldnum.LengthAvgSpeed:
			l.AverageSpeedInMetersPerSecond = new(v)
		}
	}
	f.put(l)
}
