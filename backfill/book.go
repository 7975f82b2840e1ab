package backfill

import (
	"cmp"
	"slices"
	"sort"
	"time"

	"github.com/garminkit/activityapi/types"
)

// book is the content of a ledger in memory. It is not locked.
type book struct {
	users  map[types.UserID]*account
	chunks int
	starts int // arrivals
	claims map[types.UserID]*claim
	spare  []account // made ahead, in one piece
}

// newBook returns an empty book with room for so many users.
func newBook(users int) *book {
	return &book{users: make(map[types.UserID]*account, users), claims: map[types.UserID]*claim{}}
}

// open returns a user's account, new if need be.
func (b *book) open(id types.UserID) *account {
	if a := b.users[id]; a != nil {
		return a
	}
	return b.add(id)
}

// add returns the account of a user who has none yet.
func (b *book) add(id types.UserID) *account {
	if len(b.spare) == 0 {
		b.spare = make([]account, min(len(b.users)+1, 256))
	}
	a := &b.spare[0]
	b.spare = b.spare[1:]
	a.id = id
	b.users[id] = a
	return a
}

// account is one user's chunks: for each kind, by start, without overlap.
type account struct {
	id    types.UserID
	kinds [len(kinds)][]entry
}

// entry is a chunk in little room, for ledgers of millions.
type entry struct {
	start     int64 // Unix seconds
	end       int64
	requested int64 // Unix nanoseconds, 0 for never
	answered  int64
	state     State
	attempts  uint8
	more      *more
}

// more is what few chunks have.
type more struct {
	reason   string
	detail   string
	earlier  types.Window
	inDoubt  int64   // Unix nanoseconds, 0 for never
	arrivals []int64 // starts, Unix seconds, ascending, distinct
}

// remove forgets a user.
func (b *book) remove(id types.UserID) {
	a := b.users[id]
	if a == nil {
		return
	}
	for _, es := range a.kinds {
		b.chunks -= len(es)
		for i := range es {
			if m := es[i].more; m != nil {
				b.starts -= len(m.arrivals)
			}
		}
	}
	delete(b.users, id)
	*a = account{} // it may share its memory with others
}

func (b *book) entries(userID types.UserID, kind types.Kind) []entry {
	a := b.users[userID]
	n, ok := numberOf(kind)
	if a == nil || !ok {
		return nil
	}
	return a.kinds[n]
}

// check tells whether a user's chunks can be put, without putting them.
func (b *book) check(userID types.UserID, chunks []*Chunk) error {
	if err := CheckChunks(userID, chunks); err != nil {
		return err
	}
	for _, c := range chunks {
		es := b.entries(c.UserID, c.Kind)
		i, _ := find(es, c.Window.Start.Unix())
		for j := max(0, i-1); j < len(es) && es[j].start < c.Window.End.Unix(); j++ {
			if es[j].end > c.Window.Start.Unix() && !replaced(chunks, c.Kind, es[j].start) {
				return errOverlap(c.Window, es[j].window())
			}
		}
	}
	return nil
}

// replaced tells whether one of the chunks takes the place of the entry.
func replaced(chunks []*Chunk, kind types.Kind, start int64) bool {
	return slices.ContainsFunc(chunks, func(c *Chunk) bool {
		return c.Kind == kind && c.Window.Start.Unix() == start
	})
}

// put stores chunks that passed check.
func (b *book) put(chunks []*Chunk) {
	if len(chunks) == 0 {
		return
	}
	a := b.open(chunks[0].UserID)
	var stray [len(kinds)][]int64
	for _, c := range chunks {
		k, _ := numberOf(c.Kind)
		stray[k] = append(stray[k], b.insert(&a.kinds[k], entryOf(c))...)
	}
	for k, starts := range stray {
		for _, s := range starts {
			b.arrive(a.id, number(k).kind(), s)
		}
	}
}

// insert puts an entry in its place, instead of all that it overlaps or begins
// with, and returns the arrivals of what it displaced. Within one save, an
// entry may displace what a later one brings back.
func (b *book) insert(es *[]entry, e entry) (stray []int64) {
	if n := len(*es); n == 0 || (*es)[n-1].end <= e.start {
		*es = append(*es, e)
		b.chunks++
		return nil
	}
	from, _ := find(*es, e.start)
	if from > 0 && (*es)[from-1].end > e.start {
		from--
	}
	to := from
	for ; to < len(*es) && (*es)[to].start < e.end; to++ {
		if m := (*es)[to].more; m != nil {
			stray = append(stray, m.arrivals...)
			b.starts -= len(m.arrivals)
		}
	}
	b.chunks += 1 - (to - from)
	*es = slices.Replace(*es, from, to, e)
	return stray
}

// arrive counts a start, and tells whether it is new and in a chunk.
func (b *book) arrive(userID types.UserID, kind types.Kind, start int64) bool {
	e := b.holding(userID, kind, start)
	if e == nil {
		return false
	}
	if e.more == nil {
		e.more = &more{}
	}
	i, found := slices.BinarySearch(e.more.arrivals, start)
	if found {
		return false
	}
	e.more.arrivals = slices.Insert(e.more.arrivals, i, start)
	b.starts++
	return true
}

// holding returns the requested entry that holds the second, or nil.
func (b *book) holding(userID types.UserID, kind types.Kind, start int64) *entry {
	es := b.entries(userID, kind)
	i, found := find(es, start)
	if !found {
		i--
	}
	if i < 0 || start >= es[i].end || es[i].requested == 0 {
		return nil
	}
	return &es[i]
}

func (b *book) userChunks(userID types.UserID) []*Chunk {
	a := b.users[userID]
	if a == nil {
		return nil
	}
	var out []*Chunk
	for k, es := range a.kinds {
		for i := range es {
			out = append(out, es[i].chunk(userID, number(k).kind()))
		}
	}
	return out
}

func (b *book) recent(since time.Time) []*Chunk {
	var out []*Chunk
	at := since.UnixNano()
	for id, a := range b.users {
		for k, es := range a.kinds {
			for i := range es {
				if e := &es[i]; e.requested != 0 && (e.requested >= at || e.answered >= at) {
					out = append(out, e.chunk(id, number(k).kind()))
				}
			}
		}
	}
	return out
}

func (b *book) arrivals(userID types.UserID, kind types.Kind, w types.Window) []time.Time {
	var out []time.Time
	for _, e := range b.entries(userID, kind) {
		if e.more == nil || e.end <= w.Start.Unix() || e.start >= w.End.Unix() {
			continue
		}
		for _, s := range e.more.arrivals {
			if t := time.Unix(s, 0).UTC(); w.Contains(t) {
				out = append(out, t)
			}
		}
	}
	return out
}

// find returns the place of the entry that begins at start, or where it would
// be inserted.
func find(es []entry, start int64) (int, bool) {
	return sort.Find(len(es), func(i int) int { return cmp.Compare(start, es[i].start) })
}

func entryOf(c *Chunk) entry {
	e := entry{
		start: c.Window.Start.Unix(), end: c.Window.End.Unix(),
		requested: nano(c.Requested), answered: nano(c.Answered),
		state: c.State, attempts: uint8(max(0, min(c.Attempts, 255))),
	}
	if c.Reason != "" || c.Detail != "" || c.Earlier != (types.Window{}) || !c.InDoubt.IsZero() {
		e.more = &more{reason: c.Reason, detail: c.Detail, earlier: c.Earlier, inDoubt: nano(c.InDoubt)}
	}
	return e
}

func (e *entry) window() types.Window {
	return types.Window{Start: time.Unix(e.start, 0).UTC(), End: time.Unix(e.end, 0).UTC()}
}

func (e *entry) chunk(userID types.UserID, kind types.Kind) *Chunk {
	c := &Chunk{
		UserID: userID, Kind: kind, Window: e.window(), State: e.state,
		Attempts: int(e.attempts), Requested: moment(e.requested), Answered: moment(e.answered),
	}
	if m := e.more; m != nil {
		c.Reason, c.Detail, c.Earlier = m.reason, m.detail, m.earlier
		c.InDoubt, c.Arrived = moment(m.inDoubt), len(m.arrivals)
	}
	return c
}

func nano(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func moment(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}
