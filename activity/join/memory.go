package join

import (
	"cmp"
	"container/list"
	"context"
	"sync"

	"github.com/garminkit/activityapi/types"
)

// MemoryOptions bound a [Memory]. Zero values are defaults.
type MemoryOptions struct {
	// Records is how many activities are kept. 0 is 100,000.
	Records int
	// Bytes is roughly how much memory they may have, most of which are the
	// samples of details. 0 is 256 MiB.
	Bytes int64
}

// Memory is a [Store] in memory. When it is full, it forgets the activities that
// were touched the longest ago: parts of theirs that come later begin a new
// record. What it has is gone with the process; use it in tests, and where what
// was joined is stored elsewhere and an edit years later may stand alone.
type Memory struct {
	options MemoryOptions

	mu    sync.Mutex
	users map[types.UserID]map[types.ID]*list.Element
	used  *list.List // of *kept, the one touched last in front
	bytes int64
}

// kept is one record of a Memory.
type kept struct {
	key   Key
	rec   *Record
	bytes int64
}

// NewMemory returns an empty store; nil means defaults.
func NewMemory(options *MemoryOptions) *Memory {
	m := &Memory{users: map[types.UserID]map[types.ID]*list.Element{}, used: list.New()}
	if options != nil {
		m.options = *options
	}
	m.options.Records = cmp.Or(m.options.Records, 100_000)
	m.options.Bytes = cmp.Or(m.options.Bytes, 256<<20)
	return m
}

// Update changes a record.
func (m *Memory) Update(ctx context.Context, key Key, f func(*Record) bool) error {
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
	size := rec.size()
	m.bytes += size - k.bytes
	k.bytes = size
	// What was touched last stays, however large it is.
	for m.used.Len() > 1 && (m.used.Len() > m.options.Records || m.bytes > m.options.Bytes) {
		m.remove(m.used.Back())
	}
	return nil
}

// Load returns a record.
func (m *Memory) Load(ctx context.Context, key Key) (*Record, error) {
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
func (m *Memory) Forget(ctx context.Context, user types.UserID) error {
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

func (m *Memory) remove(e *list.Element) {
	k := m.used.Remove(e).(*kept)
	m.bytes -= k.bytes
	delete(m.users[k.key.User], k.key.ID)
	if len(m.users[k.key.User]) == 0 {
		delete(m.users, k.key.User)
	}
}

// size estimates the memory of a record from above: every value that can be
// absent is taken for there.
func (r *Record) size() int64 {
	const each = 1024 // a map's entry, the list's, the record and its hashes
	n := int64(each)
	n += int64(len(r.Legs)) * 64
	if a := r.Summary; a != nil {
		n += activitySize(a)
	}
	if a := (*types.Activity)(r.Manual); a != nil {
		n += activitySize(a)
	}
	if d := r.Details; d != nil {
		const sample = 256 // 16 words, and 14 values that they point to
		n += activitySize(&d.Summary) + int64(cap(d.Samples))*sample + int64(cap(d.Laps))*8 + int64(cap(d.Raw))
	}
	if r.File != nil {
		n += 1024
	}
	return n
}

func activitySize(a *types.Activity) int64 {
	const fields = 1024 // and the values that they point to
	return fields +
		int64(len(a.ActivityName)+len(a.ActivityDescription)+len(a.DeviceName)+cap(a.Raw))
}
