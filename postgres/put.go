package postgres

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/garminkit/activityapi/internal/shareof"
	"github.com/garminkit/activityapi/notify"
)

// small is up to which size a body is held in memory, and stored by one
// statement with others.
const small = 64 << 10

// put is a body that waits for the next commit.
type put struct {
	body      int64
	pieces    []notify.Piece
	raw       []byte
	sum       [sha256.Size]byte
	mayRepeat bool // it has pushes only; if not, it is stored even as a repeat
	stored    bool // it was no repeat; set before done has the error
	done      chan error
}

// puts are the bodies that wait.
type puts struct {
	mu   sync.Mutex
	list []*put
	more chan struct{} // there may be some
}

func (w *puts) add(p *put) {
	w.mu.Lock()
	w.list = append(w.list, p)
	w.mu.Unlock()
	signal(w.more)
}

// remove takes one back, and reports whether it still waited.
func (w *puts) remove(p *put) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.Index(w.list, p)
	if i < 0 {
		return false
	}
	w.list = slices.Delete(w.list, i, i+1)
	return true
}

// take moves what waits to a group of so many rows and bytes, as far as it has
// room, and reports whether there was any.
func (w *puts) take(g *group) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for n < len(w.list) && g.add(w.list[n]) {
		n++
	}
	w.list = slices.Delete(w.list, 0, n)
	if len(w.list) > 0 {
		signal(w.more)
	}
	return n > 0
}

// group are bodies that are stored together, and what that needs.
type group struct {
	all        []*put
	rows, size int
	cols       columns
	own, fresh blobs
	sealed     []byte // the bytes of items, as they are stored
	known      map[[sha256.Size]byte]struct{}
}

func (g *group) add(p *put) bool {
	if len(g.all) > 0 && (g.rows+len(p.pieces) > batchRows || g.size+len(p.raw) > batchBytes) {
		return false
	}
	g.all, g.rows, g.size = append(g.all, p), g.rows+len(p.pieces), g.size+len(p.raw)
	return true
}

func (g *group) reset() {
	clear(g.all)
	clear(g.known)
	g.all, g.rows, g.size = g.all[:0], 0, 0
	g.own, g.fresh, g.sealed = g.own.reset(), g.fresh.reset(), g.sealed[:0]
	g.cols.reset()
}

// scratch is what a Put of a small body needs.
type scratch struct {
	buf   bytes.Buffer
	in    bytes.Reader
	split notify.Splitter
	put   put
}

var scratches = sync.Pool{New: func() any { return &scratch{put: put{done: make(chan error, 1)}} }}

// Put implements [notify.Queue].
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
	p := &s.put
	p.raw, p.pieces, p.stored, p.mayRepeat = s.buf.Bytes(), p.pieces[:0], false, q.db.repeat > 0
	s.in.Reset(p.raw)
	for piece, err := range s.split.Split(&s.in) {
		p.mayRepeat = p.mayRepeat && piece.Class == notify.ClassPush
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
	if p.mayRepeat {
		p.sum = sha256.Sum256(p.raw)
		if q.repeats.has(p.sum) {
			return nil
		}
	}
	if p.body, err = q.bodies.take(ctx); err != nil {
		return err
	}
	q.puts.add(p)
	select {
	case err = <-p.done:
	case <-ctx.Done():
		if q.puts.remove(p) {
			return context.Cause(ctx)
		}
		err = <-p.done // and not before: the bytes are needed until then
	case <-q.db.ctx.Done():
		if q.puts.remove(p) {
			return errClosed
		}
		err = <-p.done
	}
	if err == nil && p.stored {
		notify.StoredAs(ctx, uint64(p.body))
	}
	return err
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
	g := &group{known: map[[sha256.Size]byte]struct{}{}}
	for {
		select {
		case <-q.puts.more:
		case <-q.db.ctx.Done():
			return
		}
		for turns := 0; letOthers(&turns); {
			if q.puts.take(g) {
				turns = 0
			}
		}
		if len(g.all) == 0 {
			continue // another has taken them
		}
		touched, err := q.insert(g)
		if err == nil {
			// Before Put returns: the next Scan in this process looks for what it stored.
			q.tell(touched)
		}
		for _, p := range g.all {
			p.done <- err
		}
		g.reset()
	}
}

// sumSize is how much of a SHA-256 is kept: nobody finds another body with the
// same half.
const sumSize = sha256.Size / 2

// insert stores bodies in one statement, so that a process which stops in the
// middle holds nothing up. It returns the shares that have something new, by
// class.
func (q *Queue) insert(g *group) (n newItems, err error) {
	c := &g.cols
	c.seal = q.db.sealing.sealer()
	since := q.repeats.since() // what is learnt from here on is found by the statement
	for _, p := range g.all {
		var sum []byte
		if p.mayRepeat {
			if _, ok := g.known[p.sum]; ok || q.repeats.has(p.sum) {
				continue
			}
			g.known[p.sum] = struct{}{}
			kept := p.sum
			if c.seal != nil {
				kept = c.seal.keyed(p.sum)
			}
			sum = kept[:sumSize]
			g.fresh = append(g.fresh, sum)
		}
		p.stored = true
		for i := range p.pieces {
			piece := &p.pieces[i]
			g.own = append(g.own, sum)
			n.add(c.add(piece))
			data := p.raw[piece.Offset : piece.Offset+piece.Size]
			if c.seal != nil {
				at := len(g.sealed)
				g.sealed = c.seal.sealItem(g.sealed, data, p.body, piece.Offset)
				data = g.sealed[at:]
			}
			c.bodies, c.datas = append(c.bodies, p.body), append(c.datas, data)
		}
	}
	if len(c.datas) == 0 {
		return newItems{}, nil
	}
	ctx, cancel := q.db.call(context.Background())
	defer cancel()
	var ids []int64
	var ats []time.Time
	var sums [][]byte
	err = q.db.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		takeBlobs(conn.Conn())
		return conn.QueryRow(ctx, q.db.sql(`CALL {s}.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, NULL, NULL, NULL)`),
			lockKey(q.db.schema, "append"), c.shares, c.classes, c.bodies, c.keys, c.idx, c.offs, c.sizes, c.users, c.touches, c.datas,
			g.own, g.fresh, since).Scan(&ids, &ats, &sums)
	})
	if err != nil {
		return newItems{}, fmt.Errorf("postgres: put: %w", clean(err))
	}
	for i, id := range ids {
		q.repeats.add(received{ID: id, At: ats[i], Sums: sums[i]})
	}
	return n, nil
}

// blob is a value of a bytea array. A nil one is NULL.
type blob []byte

// BytesValue implements [pgtype.BytesValuer].
func (b *blob) BytesValue() ([]byte, error) { return *b, nil }

// blobs are a bytea[]. pgx encodes a [][]byte by reflection, which costs as much as
// the rest of the statement.
type blobs []blob

// Dimensions implements [pgtype.ArrayGetter], as the next two do.
func (b blobs) Dimensions() []pgtype.ArrayDimension {
	if b == nil {
		return nil
	}
	return []pgtype.ArrayDimension{{Length: int32(len(b)), LowerBound: 1}}
}

func (b blobs) Index(i int) any { return &b[i] }

func (b blobs) IndexType() any { return new(blob) }

// takeBlobs lets a connection take blobs in every mode of pgx: some do not ask the
// server what an argument is.
func takeBlobs(conn *pgx.Conn) {
	types := conn.TypeMap()
	if _, ok := types.TypeForValue(blobs(nil)); !ok {
		types.RegisterDefaultPgType(blobs(nil), "_bytea")
	}
}

// reset empties it, and lets go of what it had.
func (b blobs) reset() blobs {
	clear(b)
	return b[:0]
}

// columns are pieces as arrays for a statement.
type columns struct {
	shares, classes             []int16
	bodies, offs, sizes         []int64
	idx                         []int32
	keys, users, touches, datas blobs
	text                        []byte // what keys, users and touches are parts of
	seal                        *keys  // nil: they are stored in clear
}

func newColumns(rows int) *columns {
	return &columns{
		shares: make([]int16, 0, rows), classes: make([]int16, 0, rows),
		offs: make([]int64, 0, rows), sizes: make([]int64, 0, rows), idx: make([]int32, 0, rows),
		keys: make(blobs, 0, rows), users: make(blobs, 0, rows), touches: make(blobs, 0, rows),
	}
}

// add adds a piece, and returns its share and class.
func (c *columns) add(p *notify.Piece) (int, notify.Class) {
	share := shareof.User(p.UserID, shares)
	c.shares, c.classes = append(c.shares, int16(share)), append(c.classes, int16(p.Class))
	c.offs, c.sizes, c.idx = append(c.offs, p.Offset), append(c.sizes, p.Size), append(c.idx, int32(p.Index))
	// Should text move, what was cut out of it before stays where it is.
	key := len(c.text)
	c.text = append(c.text, p.Key...)
	user := len(c.text)
	c.text = append(c.text, p.UserID...)
	touch := len(c.text)
	c.text = c.seal.appendTouch(c.text, p.Touch)
	c.keys, c.users, c.touches = append(c.keys, c.text[key:user]), append(c.users, c.text[user:touch]), append(c.touches, c.text[touch:])
	return share, p.Class
}

func (c *columns) reset() {
	*c = columns{
		shares: c.shares[:0], classes: c.classes[:0], bodies: c.bodies[:0], offs: c.offs[:0], sizes: c.sizes[:0], idx: c.idx[:0],
		keys: c.keys.reset(), users: c.users.reset(), touches: c.touches.reset(), datas: c.datas.reset(), text: c.text[:0],
	}
}
