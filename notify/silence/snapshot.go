package silence

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/garminkit/activityapi/internal/appname"
	"github.com/garminkit/activityapi/internal/atomicfile"
	"github.com/garminkit/activityapi/types"
)

// errSnapshot is wrapped by the error of an unreadable snapshot.
var errSnapshot = errors.New("silence: snapshot")

// header is the format and its version.
const header = "gsilence\x01"

// snapshot returns the detector for restore.
func (d *Detector) snapshot() ([]byte, error) {
	w := new(writer)
	w.data = append(w.data, header...)
	for a := range d.each() {
		if a != d {
			w.text(a.opts.Key)
		}
		a.write(w)
	}
	return binary.LittleEndian.AppendUint32(w.data, crc32.ChecksumIEEE(w.data)), nil
}

func (d *Detector) write(w *writer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	const ofKey, ofUser = 20_000, 300
	w.data = slices.Grow(w.data, ofKey+len(d.users)*ofUser)
	d.code(w)
	w.uint(uint64(len(d.users)))
	for _, id := range slices.Sorted(maps.Keys(d.users)) {
		w.text(string(id))
		d.users[id].code(w)
	}
}

// restore replaces the detector's state by that of a snapshot.
// Its options stay. After an error the state is unchanged.
func (d *Detector) restore(data []byte) error {
	n := len(data) - 4
	if n < len(header) || string(data[:len(header)]) != header {
		return fmt.Errorf("%w: not one of this version", errSnapshot)
	}
	if binary.LittleEndian.Uint32(data[n:]) != crc32.ChecksumIEEE(data[:n]) {
		return fmt.Errorf("%w: the checksum is wrong", errSnapshot)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	next := &Detector{opts: d.opts, users: map[types.UserID]*user{}}
	r := &reader{data: data[len(header):n]}
	next.read(r)
	// What follows are the applications with a name.
	for name := ""; r.err == nil && len(r.data) > 0; {
		var app string
		if r.text(&app); r.err == nil && (app <= name || appname.Check(app) != nil) {
			r.err = errors.New("an application's name is odd or out of order")
		}
		if name = app; r.err == nil {
			next.app(app).read(r)
		}
	}
	if r.err != nil {
		return fmt.Errorf("%w: %w", errSnapshot, r.err)
	}
	d.now, d.lived, d.awake, d.scanned = next.now, next.lived, next.awake, next.scanned
	d.whole, d.kinds, d.cause, d.users, d.apps = next.whole, next.kinds, next.cause, next.users, next.apps
	return nil
}

// read reads what write wrote.
func (d *Detector) read(r *reader) {
	d.code(r)
	var users uint64
	r.uint(&users)
	var last string
	for i := uint64(0); i < users && r.err == nil; i++ {
		var id string
		r.text(&id)
		if r.err == nil && id <= last {
			r.err = errors.New("users are not in order")
		}
		last = id
		u := new(user)
		u.code(r)
		// The rest has no room, if there is less than before.
		if len(d.users) < d.opts.MaxUsers {
			d.users[types.UserID(id)] = u
		}
	}
}

// Save writes a snapshot to a file and replaces an earlier one.
func (d *Detector) Save(path string) error {
	d.saving.Lock()
	defer d.saving.Unlock()
	data, err := d.snapshot()
	if err != nil {
		return err
	}
	// What a crash left holds users that may have been forgotten since.
	dir, name := filepath.Split(path)
	root, err := os.OpenRoot(filepath.Clean(dir))
	if err != nil {
		return err
	}
	defer root.Close()
	temp := ".silence-" + name + "-"
	names, err := fs.ReadDir(root.FS(), ".")
	for _, e := range names {
		if strings.HasPrefix(e.Name(), temp) {
			err = errors.Join(err, root.Remove(e.Name()))
		}
	}
	if err != nil {
		return err
	}
	return atomicfile.Write(root, temp+rand.Text(), name, (*os.File).Sync, data)
}

// Load returns a detector with the snapshot in a file, or an empty one if the
// file does not exist.
func Load(path string, opts *Options) (*Detector, error) {
	d, err := New(opts)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err == nil {
		err = d.restore(data)
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// coder reads or writes fields in one order.
type coder interface {
	u8(*uint8)
	u32(*uint32)
	i64(*int64)
	f32(*float32)
	f64(*float64)
}

func bit(c coder, v *bool) {
	var b uint8
	if *v {
		b = 1
	}
	c.u8(&b)
	*v = b != 0
}

func span(c coder, v *time.Duration) {
	n := int64(*v)
	c.i64(&n)
	*v = time.Duration(n)
}

// moment has seconds and nanoseconds apart: all times fit.
func moment(c coder, v *time.Time) {
	sec, nano := v.Unix(), uint32(v.Nanosecond())
	c.i64(&sec)
	c.u32(&nano)
	*v = time.Unix(sec, int64(nano)).UTC()
}

func causes() [9]string {
	return [...]string{causeUnknown, causeToken, causePermission, causeLeft, causeFading, causeEndpoint, causeOutage, causeQueue, causeFiles}
}

func reason(c coder, v *string) {
	all := causes()
	n := uint8(max(slices.Index(all[:], *v), 0))
	c.u8(&n)
	*v = all[min(int(n), len(all)-1)]
}

func (d *Detector) code(c coder) {
	moment(c, &d.now)
	for _, v := range []*time.Duration{&d.lived, &d.awake, &d.scanned} {
		span(c, v)
	}
	reason(c, &d.cause)
	d.whole.code(c)
	for i := range d.kinds {
		d.kinds[i].code(c)
	}
}

func (s *series) code(c coder) {
	for i := range s.profile {
		c.f32(&s.profile[i])
		c.u8(&s.weeks[i])
	}
	for i := range s.count {
		c.u32(&s.count[i])
		c.f32(&s.want[i])
	}
	for _, v := range []*float64{&s.came, &s.due, &s.counted, &s.missing} {
		c.f64(v)
	}
	c.i64(&s.hour)
	c.i64(&s.slot)
	for _, v := range []*time.Duration{&s.watched, &s.quiet, &s.from} {
		span(c, v)
	}
	moment(c, &s.heard)
	moment(c, &s.since)
	bit(c, &s.deaf)
	bit(c, &s.fresh)
	bit(c, &s.silent)
	c.u32(&s.others)
}

func (u *user) code(c coder) {
	span(c, &u.first)
	span(c, &u.last)
	moment(c, &u.heard)
	c.u32(&u.gaps)
	for i := range u.hist {
		c.f32(&u.hist[i])
	}
	c.f32(&u.slow)
	c.f32(&u.fast)
	reason(c, &u.cause)
	c.u8(&u.said)
	for i := range u.kinds {
		k := &u.kinds[i]
		bit(c, &k.seen)
		span(c, &k.last)
		moment(c, &k.heard)
		c.f32(&k.share)
		c.f32(&k.asked)
		c.u32(&k.missed)
	}
}

type writer struct{ data []byte }

func (w *writer) uint(v uint64) { w.data = binary.AppendUvarint(w.data, v) }
func (w *writer) text(v string) { w.uint(uint64(len(v))); w.data = append(w.data, v...) }
func (w *writer) u8(v *uint8)   { w.data = append(w.data, *v) }
func (w *writer) u32(v *uint32) { w.data = binary.LittleEndian.AppendUint32(w.data, *v) }
func (w *writer) i64(v *int64)  { w.data = binary.LittleEndian.AppendUint64(w.data, uint64(*v)) }
func (w *writer) f32(v *float32) {
	w.data = binary.LittleEndian.AppendUint32(w.data, math.Float32bits(*v))
}
func (w *writer) f64(v *float64) {
	w.data = binary.LittleEndian.AppendUint64(w.data, math.Float64bits(*v))
}

// reader keeps its first error, and gives zeros after it.
type reader struct {
	data []byte
	err  error
}

var errShort = errors.New("it is cut short")

func (r *reader) take(n int) []byte {
	if r.err == nil && len(r.data) < n {
		r.err = errShort
	}
	if r.err != nil {
		return make([]byte, min(n, 8))
	}
	b := r.data[:n]
	r.data = r.data[n:]
	return b
}

func (r *reader) uint(v *uint64) {
	n, size := binary.Uvarint(r.data)
	if r.err == nil && size <= 0 {
		r.err = errShort
	}
	if r.err == nil {
		*v, r.data = n, r.data[size:]
	}
}

func (r *reader) text(v *string) {
	var n uint64
	r.uint(&n)
	if r.err == nil && (n == 0 || n > longestID) {
		r.err = errors.New("a user's id has an odd length")
	}
	if r.err == nil {
		*v = string(r.take(int(n)))
	}
}

func (r *reader) u8(v *uint8)   { *v = r.take(1)[0] }
func (r *reader) u32(v *uint32) { *v = binary.LittleEndian.Uint32(r.take(4)) }

// i64 is a time in seconds or nanoseconds: none is far enough from zero for sums
// of two to overflow.
func (r *reader) i64(v *int64) {
	*v = int64(binary.LittleEndian.Uint64(r.take(8)))
	if *v > math.MaxInt64/4 || *v < math.MinInt64/4 {
		r.err = errors.Join(r.err, errors.New("a time is out of range"))
	}
}

func (r *reader) f32(v *float32) {
	*v = math.Float32frombits(binary.LittleEndian.Uint32(r.take(4)))
	r.finite(float64(*v), math.MaxFloat32/1e6)
}

func (r *reader) f64(v *float64) {
	*v = math.Float64frombits(binary.LittleEndian.Uint64(r.take(8)))
	r.finite(*v, 1e30)
}

func (r *reader) finite(v, most float64) {
	if !(v >= -most && v <= most) && r.err == nil {
		r.err = errors.New("a number is out of range")
	}
}
