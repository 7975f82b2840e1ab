package memqueue

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/garminkit/activityapi/internal/shareof"
	"github.com/garminkit/activityapi/notify"
)

// table is what a database is to a shared queue: all that outlives a process.
// Its methods hold its lock from beginning to end, so each is one transaction.
type table struct {
	claims   *Claims
	lease    time.Duration // 0: for one process, which has its share for ever
	unfenced string        // as in SharedOptions
	scanMost int           // as in SharedOptions

	mu      sync.Mutex
	ahead   time.Duration // of the processes' clocks
	ids     notify.ItemID
	bodies  uint64
	items   map[notify.ItemID]*row
	shares  []*slot
	letters []*letter // oldest first
	rests   map[uint64]*letter
	buried  uint64    // counts letters, for their IDs
	workers []*worker // in order of joining
}

// row is an item. It is not changed once gone is set.
type row struct {
	notify.Item
	share  int
	data   []byte // of the item alone
	reason string // of the last Again
	gone   bool
}

// atHand is up to which size an item comes with its bytes.
const atHand = 8 << 10

// item returns a copy for a worker.
func (r *row) item() *notify.Item {
	it := r.Item
	if len(r.data) <= atHand {
		it.Raw = r.data
	}
	return &it
}

// rowList holds the rows of one class of one share, by ID. Finished ones are
// removed by and by.
type rowList struct {
	rows []*row
	gone int
}

func (l *rowList) add(r *row) { l.rows = append(l.rows, r) }

func (l *rowList) finished() {
	l.gone++
	if l.gone < 64 || l.gone < len(l.rows)/2 {
		return
	}
	l.rows = slices.DeleteFunc(l.rows, func(r *row) bool { return r.gone })
	l.gone = 0
}

// after returns the first unfinished rows beyond an ID.
func (l *rowList) after(id notify.ItemID, most int) []*row {
	var got []*row
	from := sort.Search(len(l.rows), func(i int) bool { return l.rows[i].ID > id })
	for _, r := range l.rows[from:] {
		if len(got) >= most {
			break
		}
		if !r.gone {
			got = append(got, r)
		}
	}
	return got
}

// slot is a share: its items, and who works on them.
type slot struct {
	lists   [notify.Classes]rowList
	owner   *Memory
	epoch   uint64 // grows each time the share falls to somebody
	expires time.Time
	wanted  bool
	changed chan<- struct{} // of the owner
}

func newTable(shares int, lease time.Duration) *table {
	t := &table{lease: lease, claims: NewClaims(), items: map[notify.ItemID]*row{}, rests: map[uint64]*letter{}}
	t.ids = notify.ItemID(t.now().UnixNano()) * 2 // IDs are Orders
	for range shares {
		t.shares = append(t.shares, new(slot))
	}
	return t
}

// now is the table's clock.
func (t *table) now() time.Time { return time.Now().Add(t.ahead) }

// piece is an item before it has an ID.
type piece struct {
	notify.Piece
	data []byte
}

// split takes a body apart.
func split(body []byte) ([]piece, error) {
	var all []piece
	for p, err := range new(notify.Splitter).Split(bytes.NewReader(body)) {
		if err != nil {
			return nil, err
		}
		all = append(all, piece{p, body[p.Offset : p.Offset+p.Size : p.Offset+p.Size]})
	}
	return all, nil
}

// put stores the items of one body, and returns its number. Redriven ones have an
// order already.
func (t *table) put(pieces []piece, order uint64) (body uint64) {
	t.bodies++
	now := t.now()
	told := map[*slot]bool{}
	for _, p := range pieces {
		t.ids++
		r := &row{share: shareof.User(p.UserID, len(t.shares)), data: p.data}
		r.Item = notify.Item{ID: t.ids, Order: uint64(t.ids), Piece: p.Piece, Body: t.bodies, Received: now}
		if order != 0 {
			r.Order = order
		}
		t.items[r.ID] = r
		s := t.shares[r.share]
		s.lists[r.Class].add(r)
		told[s] = true
	}
	for s := range told {
		s.tell()
	}
	return t.bodies
}

// tell says that a scan may find something.
func (s *slot) tell() {
	if s.changed == nil {
		return
	}
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// right is what a worker shows to do something to a share.
type right struct {
	share int
	owner *Memory
	epoch uint64
}

// fence fails if the right has ended.
func (t *table) fence(op string, r right) error {
	s := t.shares[r.share]
	if op == t.unfenced || s.owner == r.owner && s.epoch == r.epoch && !t.lapsed(s) {
		return nil
	}
	return fmt.Errorf("memqueue: %s: %w", op, notify.ErrLost)
}

// lapsed tells that the lease on a share has ended.
func (t *table) lapsed(s *slot) bool { return t.lease > 0 && !t.now().Before(s.expires) }

func (t *table) scan(r right, class notify.Class, after notify.ItemID, most int) ([]*notify.Item, error) {
	if err := t.fence("scan", r); err != nil {
		return nil, err
	}
	if class >= notify.Classes {
		return nil, fmt.Errorf("memqueue: scan: there is no %v", class)
	}
	s := t.shares[r.share]
	few := t.scanMost > 0 && most > t.scanMost
	if few {
		most = t.scanMost
	}
	var got []*notify.Item
	for _, row := range s.lists[class].after(after, most) {
		got = append(got, row.item())
	}
	if few && len(got) == most {
		s.tell()
	}
	return got, nil
}

// find returns an unfinished row of the share.
func (t *table) find(r right, id notify.ItemID) *row {
	row := t.items[id]
	if row == nil || row.share != r.share {
		return nil
	}
	return row
}

func (t *table) load(r right, ids []notify.ItemID) ([]*notify.Item, error) {
	if err := t.fence("load", r); err != nil {
		return nil, err
	}
	var got []*notify.Item
	for _, id := range ids {
		if row := t.find(r, id); row != nil {
			got = append(got, row.item())
		}
	}
	return got, nil
}

func (t *table) open(r right, id notify.ItemID) ([]byte, error) {
	if err := t.fence("open", r); err != nil {
		return nil, err
	}
	row := t.find(r, id)
	if row == nil {
		return nil, fmt.Errorf("memqueue: item %d: %w", id, fs.ErrNotExist)
	}
	return row.data, nil
}

func (t *table) settle(r right, verdicts []notify.Verdict) error {
	if err := t.fence("settle", r); err != nil {
		return err
	}
	for _, v := range verdicts {
		switch {
		case v.Fate < notify.Done || v.Fate > notify.Buried:
			return fmt.Errorf("memqueue: item %d: there is no fate %d", v.ID, v.Fate)
		case v.Fate == notify.Buried && v.Letter == nil:
			return fmt.Errorf("memqueue: item %d: %w", v.ID, errNoLetter)
		}
	}
	for _, v := range verdicts {
		row := t.find(r, v.ID)
		if row == nil {
			continue
		}
		if v.Fate == notify.Again {
			row.Attempts, row.Next, row.reason = v.Attempts, v.Next, v.Reason
			continue
		}
		if v.Fate == notify.Buried {
			t.bury(row, v)
		}
		row.gone = true
		delete(t.items, v.ID)
		t.shares[row.share].lists[row.Class].finished()
	}
	return nil
}

var errNoLetter = errors.New("it is to be buried but has no letter")

func (t *table) stats() notify.QueueStats {
	var st notify.QueueStats
	for _, r := range t.items {
		st.Items[r.Class]++
		st.Bytes += r.Size
		if old := &st.Oldest[r.Class]; old.IsZero() || r.Received.Before(*old) {
			*old = r.Received
		}
	}
	for _, l := range t.letters {
		st.Bytes += l.Size
	}
	st.Letters = int64(len(t.letters))
	return st
}
