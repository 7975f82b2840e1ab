package join

import (
	"cmp"
	"container/list"
	"context"
	"sync"

	"github.com/garminkit/activityapi/types"
)

// MemoryOptions bounds the store of [NewMemory]. Zero values mean defaults.
type MemoryOptions struct {
	// Records is the maximum number of activities. 0 means 100,000.
	Records int
	// Bytes roughly limits their memory, most of which is for the samples of
	// details. 0 means 256 MiB.
	Bytes int64
}

type memory struct {
	options MemoryOptions

	mu    sync.Mutex
	users map[types.UserID]map[types.ID]*list.Element
	used  *list.List // of *kept, the one touched last in front
	bytes int64
}

// kept is one record of a memory.
type kept struct {
	key   Key
	rec   *Record
	bytes int64
}

// NewMemory returns an empty [Store] in memory; nil means defaults. When it is full,
// it forgets the least recently used activities; later parts of them start a new
// record. Its content is lost when the process ends. Use it in tests, and in
// programs that store joined activities elsewhere and can do without the other parts
// when an edit comes years later.
func NewMemory(options *MemoryOptions) Store {
	m := &memory{users: map[types.UserID]map[types.ID]*list.Element{}, used: list.New()}
	if options != nil {
		m.options = *options
	}
	m.options.Records = cmp.Or(m.options.Records, 100_000)
	m.options.Bytes = cmp.Or(m.options.Bytes, 256<<20)
	return m
}

// Update changes a record.
func (m *memory) Update(ctx context.Context, key Key, f func(*Record) bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.users[key.User][key.ID]
	rec := &Record{}
	if e != nil {
		rec = e.Value.(*kept).rec.clone()
	}
	if !f(rec) {
		return nil
	}
	if e == nil {
		e = m.used.PushFront(&kept{key: key})
		if m.users[key.User] == nil {
			m.users[key.User] = map[types.ID]*list.Element{}
		}
		m.users[key.User][key.ID] = e
	} else {
		m.used.MoveToFront(e)
	}
	k := e.Value.(*kept)
	k.rec = rec
	size := rec.size() + int64(len(key.User)+len(key.ID))
	m.bytes += size - k.bytes
	k.bytes = size
	// What was touched last stays, however large it is.
	for m.used.Len() > 1 && (m.used.Len() > m.options.Records || m.bytes > m.options.Bytes) {
		m.remove(m.used.Back())
	}
	return nil
}

// Load returns a record.
func (m *memory) Load(ctx context.Context, key Key) (*Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.users[key.User][key.ID]
	if e == nil {
		return nil, nil
	}
	return e.Value.(*kept).rec, nil // its parts are never changed, it is replaced
}

// Forget removes all records of a user.
func (m *memory) Forget(ctx context.Context, user types.UserID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.users[user] {
		m.remove(e)
	}
	return nil
}

func (m *memory) remove(e *list.Element) {
	k := m.used.Remove(e).(*kept)
	m.bytes -= k.bytes
	delete(m.users[k.key.User], k.key.ID)
	if len(m.users[k.key.User]) == 0 {
		delete(m.users, k.key.User)
	}
}

// size estimates the memory of a record from above: every value that can be
// absent is taken for there, and a text may have any length.
func (r *Record) size() int64 {
	const each = 1024 // a map's entry, the list's, the record and its hashes
	n := int64(each)
	for _, l := range r.Legs {
		n += 64 + int64(len(l.ID))
	}
	for _, id := range r.Parents {
		n += int64(len(id))
	}
	for _, v := range r.Versions {
		n += int64(len(v.Revision))
	}
	if a := r.Summary; a != nil {
		n += activitySize(a)
	}
	if a := (*types.Activity)(r.Manual); a != nil {
		n += activitySize(a)
	}
	if d := r.Details; d != nil {
		const sample = 256 // 16 words, and 14 values that they point to
		n += activitySize(&d.Summary) + int64(cap(d.Samples))*sample + int64(cap(d.Laps))*8 +
			int64(len(d.UserID)+len(d.SummaryID)+len(d.ActivityID)+cap(d.Raw))
	}
	if f := r.File; f != nil {
		a := &f.Announced
		n += 1024 + int64(len(f.Name)+len(a.UserID)+len(a.SummaryID)+len(a.FileType)+len(a.ActivityID)+
			len(a.ActivityName)+len(a.ActivityDescription)+len(a.ActivityType)+len(a.DeviceName))
	}
	return n
}

func activitySize(a *types.Activity) int64 {
	const fields = 1024 // and the values that they point to
	return fields + int64(len(a.UserID)+len(a.SummaryID)+len(a.ActivityID)+len(a.ActivityName)+
		len(a.ActivityDescription)+len(a.ActivityType)+len(a.DeviceName)+len(a.ParentSummaryID)+cap(a.Raw))
}
