package postgres

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	"github.com/garminkit/activityapi/notify"
)

// small is up to which size a body is held in memory, and stored by one
// statement with others.
const small = 64 << 10

// put is a body that waits for the next commit.
type put struct {
	body   int64
	pieces []notify.Piece
	raw    []byte
	sum    *[sha256.Size]byte // nil if it is stored even as a repeat: it has more than pushes
	stored bool               // it was no repeat; set before done has the error
	done   chan error
}

// scratch is what a Put of a small body needs.
type scratch struct {
	buf   bytes.Buffer
	split notify.Splitter
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// Put implements [notify.Store].
func (q *Queue) Put(ctx context.Context, r io.Reader) error {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	s.buf.Reset()
	n, err := io.CopyN(&s.buf, r, small+1)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("postgres: reading a body: %w", err)
	}
	if n > small {
		return q.putLarge(ctx, io.MultiReader(bytes.NewReader(s.buf.Bytes()), r), nil)
	}
	p := &put{raw: s.buf.Bytes(), done: make(chan error, 1)}
	mayRepeat := q.db.repeat > 0
	for piece, err := range s.split.Split(bytes.NewReader(p.raw)) {
		mayRepeat = mayRepeat && piece.Class == notify.ClassPush
		if err != nil {
			return fmt.Errorf("postgres: %w", err)
		}
		p.pieces = append(p.pieces, piece)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if len(p.pieces) == 0 {
		return nil
	}
	if q.room.full.Load() {
		return ErrFull
	}
	if mayRepeat {
		sum := sha256.Sum256(p.raw)
		if q.repeats.has(sum) {
			return nil
		}
		p.sum = &sum
	}
	if p.body, err = q.bodies.take(ctx); err != nil {
		return err
	}
	select {
	case q.puts <- p:
		// It is answered, and not before the bytes are no longer needed.
		err := <-p.done
		if err == nil && p.stored {
			notify.StoredAs(ctx, uint64(p.body))
		}
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-q.db.ctx.Done():
		return errClosed
	}
}

const (
	// What goes into one statement at most.
	batchRows  = 1024
	batchBytes = 1 << 20
	// committers is how many statements run at once. While one waits for the
	// disk, the other stores its items. More would make smaller groups.
	committers = 2
)

// letOthers lets the goroutines run that are about to join a group, and reports
// whether to look again. A statement costs as much as ten bodies, and those whose
// bodies were stored by the last one come with the next within microseconds. It
// waits for nobody: turns is how often none has come.
func letOthers(turns *int) bool {
	if *turns == 3 {
		return false
	}
	*turns++
	runtime.Gosched()
	return true
}

// commits stores the bodies that wait, all of them at a time: while one commit
// runs, the next gather.
func (q *Queue) commits() {
	var held *put
	for {
		var batch []*put
		rows, size := 0, 0
		add := func(p *put) bool {
			if len(batch) > 0 && (rows+len(p.pieces) > batchRows || size+len(p.raw) > batchBytes) {
				held = p
				return false
			}
			batch, rows, size = append(batch, p), rows+len(p.pieces), size+len(p.raw)
			return true
		}
		if held != nil {
			p := held
			held = nil
			add(p)
		} else {
			select {
			case p := <-q.puts:
				add(p)
			case <-q.db.ctx.Done():
				return
			}
		}
		turns := 0
	gather:
		for {
			select {
			case p := <-q.puts:
				if !add(p) {
					break gather
				}
				turns = 0
			default:
				if !letOthers(&turns) {
					break gather
				}
			}
		}
		touched, err := q.insert(batch, rows)
		for _, p := range batch {
			p.done <- err
		}
		if err == nil {
			q.tell(touched)
		}
	}
}

// sumSize is how much of a SHA-256 is kept: nobody finds another body with the
// same half.
const sumSize = sha256.Size / 2

// insert stores bodies in one statement, so that a process which stops in the
// middle holds nothing up. It returns the shares that have something new, by
// class.
func (q *Queue) insert(batch []*put, rows int) (n newItems, err error) {
	c := newColumns(rows)
	fresh, own := [][]byte{}, make([][]byte, 0, rows)
	known := map[string]bool{}
	since := q.repeats.since() // what is learnt from here on is found by the statement
	data := make([][]byte, 0, rows)
	for _, p := range batch {
		var sum []byte
		if p.sum != nil {
			if known[string(p.sum[:])] || q.repeats.has(*p.sum) {
				continue
			}
			known[string(p.sum[:])] = true
			sum = p.sum[:sumSize]
			fresh = append(fresh, sum)
		}
		p.stored = true
		for _, piece := range p.pieces {
			own = append(own, sum)
			n.add(c.add(piece))
			c.bodies = append(c.bodies, p.body)
			data = append(data, p.raw[piece.Offset:piece.Offset+piece.Size])
		}
	}
	if len(data) == 0 {
		return newItems{}, nil
	}
	ctx, cancel := q.db.call(context.Background())
	defer cancel()
	var ids []int64
	var ats []time.Time
	var sums [][]byte
	err = q.db.pool.QueryRow(ctx, q.db.sql(`CALL {s}.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, NULL, NULL, NULL)`),
		lockKey(q.db.schema, "append"), c.shares, c.classes, c.bodies, c.keys, c.idx, c.offs, c.sizes, c.users, c.touches, data,
		own, fresh, since).Scan(&ids, &ats, &sums)
	if err != nil {
		return newItems{}, fmt.Errorf("postgres: put: %w", clean(err))
	}
	for i, id := range ids {
		q.repeats.add(received{ID: id, At: ats[i], Sums: sums[i]})
	}
	return n, nil
}

// columns are pieces as arrays for a statement.
type columns struct {
	shares, classes      []int16
	bodies, offs, sizes  []int64
	idx                  []int32
	keys, users, touches [][]byte
}

func newColumns(rows int) *columns {
	return &columns{
		shares: make([]int16, 0, rows), classes: make([]int16, 0, rows),
		bodies: make([]int64, 0, rows), offs: make([]int64, 0, rows), sizes: make([]int64, 0, rows),
		idx:  make([]int32, 0, rows),
		keys: make([][]byte, 0, rows), users: make([][]byte, 0, rows), touches: make([][]byte, 0, rows),
	}
}

// add adds a piece, and returns its share and class.
func (c *columns) add(p notify.Piece) (int, notify.Class) {
	share := notify.ShareOf(p.UserID, shares)
	c.shares, c.classes = append(c.shares, int16(share)), append(c.classes, int16(p.Class))
	c.offs, c.sizes, c.idx = append(c.offs, p.Offset), append(c.sizes, p.Size), append(c.idx, int32(p.Index))
	c.keys, c.users = append(c.keys, []byte(p.Key)), append(c.users, []byte(p.UserID))
	touch := p.Touch
	c.touches = append(c.touches, touch[:])
	return share, p.Class
}
