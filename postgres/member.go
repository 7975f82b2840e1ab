package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/garminkit/activityapi/notify"
)

// member is this process among those that work on the queue. Its beats renew the
// lease, and compare both ways what is ours in the table and what we think.
type member struct {
	q     *Queue
	kick  chan struct{} // beat now
	ready chan struct{} // granted has something

	mu       sync.Mutex
	looping  bool          // somebody takes shares
	beating  chan struct{} // closed when the beats have ended; nil while there are none
	id       int64         // 0: we are none
	former   int64         // who we were before we lapsed
	boot     [16]byte      // names the time since when the server runs
	until    time.Time     // when our rights end, by our clock; belongs to id
	watchdog *time.Timer
	hand     map[int16]*share // not released by the worker yet
	ended    []right          // released, and the table does not know
	granted  []*share         // not yielded yet
}

// right is the lease on a share. Its epoch is never used again.
type right struct {
	number int16
	epoch  int64
}

// tenure is what the table says of a right of ours: since when, if the last who
// had the share did not release it, else zero.
type tenure struct {
	epoch int64
	died  time.Time
}

func (m *member) init(q *Queue) {
	m.q, m.kick, m.ready, m.hand = q, make(chan struct{}, 1), make(chan struct{}, 1), map[int16]*share{}
}

// Shares implements [notify.Queue]. While another loop of this process runs, it
// yields only [notify.ErrInUse].
func (q *Queue) Shares(ctx context.Context) iter.Seq2[notify.Share, error] {
	return func(yield func(notify.Share, error) bool) {
		if ctx.Err() != nil {
			return
		}
		m := &q.member
		if err := m.begin(); err != nil {
			yield(nil, err)
			return
		}
		defer m.end()
		for {
			s := m.next()
			if ctx.Err() != nil {
				if s != nil {
					s.Release() // nobody has seen it
				}
				return
			}
			if s != nil {
				if !yield(s, nil) {
					return
				}
				continue
			}
			select {
			case <-m.ready:
			case <-ctx.Done():
			case <-q.db.ctx.Done():
				yield(nil, errClosed)
				return
			}
		}
	}
}

// begin makes the process a worker.
func (m *member) begin() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.q.db.ctx.Err() != nil:
		return errClosed
	case m.looping:
		return notify.ErrInUse
	}
	m.looping = true
	if m.beating != nil {
		signal(m.kick)
		return nil
	}
	m.beating = make(chan struct{})
	m.q.db.tasks.Go(m.beats)
	return nil
}

// end takes no more shares.
func (m *member) end() {
	m.mu.Lock()
	m.looping = false
	left := m.granted
	m.granted = nil
	m.mu.Unlock()
	for _, s := range left {
		s.Release()
	}
	signal(m.kick)
}

// next is the next share to yield, or nil.
func (m *member) next() *share {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.granted) > 0 {
		s := m.granted[0]
		m.granted = m.granted[1:]
		if s.ctx.Err() == nil {
			return s
		}
		m.released(s) // lost before anybody saw it
	}
	return nil
}

// leave gives everything back, and waits until the others can have it.
func (q *Queue) leave() {
	m := &q.member
	m.mu.Lock()
	m.looping, m.granted = false, nil
	var all []*share
	for _, s := range m.hand {
		all = append(all, s)
	}
	beating := m.beating
	m.mu.Unlock()
	for _, s := range all {
		s.Release()
	}
	if beating == nil {
		return
	}
	signal(m.kick)
	most := time.NewTimer(5 * time.Second) // if the server does not answer, the lease ends by itself
	defer most.Stop()
	select {
	case <-beating:
	case <-most.C:
	case <-q.db.ctx.Done():
	}
}

// beats beats until the process has nothing more.
func (m *member) beats() {
	db := m.q.db
	ctx, cancel := context.WithCancel(db.ctx)
	var tasks sync.WaitGroup
	tasks.Go(func() { m.q.listens(ctx) })
	tasks.Go(func() { m.q.polls(ctx) })
	defer tasks.Wait()
	defer cancel()
	for {
		wait := db.lease / 8 // several beats must fail before the lease ends
		joins := m.joins()
		if err := m.beat(); err != nil && db.ctx.Err() == nil {
			db.log.Warn("postgres: renewing the lease", "error", clean(err))
			wait = min(wait, 200*time.Millisecond)
		} else if joins {
			wait /= 2 // who joins takes nothing from the dead before that
		}
		if m.finished() {
			return
		}
		t := time.NewTimer(wait)
		select {
		case <-m.kick:
		case <-t.C:
		case <-db.ctx.Done():
			t.Stop()
			m.mu.Lock()
			m.lapse("the database was closed")
			close(m.beating)
			m.beating = nil
			m.mu.Unlock()
			return
		}
		t.Stop()
	}
}

// joins tells that the next beat makes us a member.
func (m *member) joins() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.id == 0
}

// finished leaves the table if nothing is left to do.
func (m *member) finished() bool {
	m.mu.Lock()
	if m.looping || len(m.hand) > 0 || len(m.ended) > 0 {
		m.mu.Unlock()
		return false
	}
	id, done := m.id, m.beating
	m.id, m.beating = 0, nil
	if m.watchdog != nil {
		m.watchdog.Stop()
	}
	m.mu.Unlock()
	defer close(done)
	if id == 0 {
		return true
	}
	db := m.q.db
	ctx, cancel := context.WithTimeout(db.ctx, db.lease/3)
	defer cancel()
	if _, err := db.pool.Exec(ctx, db.sql(`DELETE FROM {s}.member WHERE id = $1`), id); err == nil {
		_, _ = db.pool.Exec(ctx, `SELECT pg_notify($1, '0 kick')`, db.channel())
	}
	return true
}

// beat renews the lease and learns what is ours.
func (m *member) beat() error {
	db := m.q.db
	m.mu.Lock()
	id, former, looping, told := m.id, m.former, m.looping, slices.Clone(m.ended)
	busy := []int16{} // not NULL
	for n := range m.hand {
		busy = append(busy, n)
	}
	m.mu.Unlock()
	if id == 0 && !looping {
		if len(told) == 0 {
			return nil
		}
		return m.free(told)
	}
	var freed []int16
	var epochs []int64
	for _, r := range told {
		freed, epochs = append(freed, r.number), append(epochs, r.epoch)
	}
	ctx, cancel := context.WithTimeout(db.ctx, db.lease/3)
	defer cancel()
	var b pgx.Batch
	b.Queue(opensSQL, db.sealing.opens())
	before := 1
	if id == 0 && former != 0 {
		// Or the shares would be divided by our old self, too. It holds the lock that
		// beat takes: between the two somebody else would find neither of us.
		b.Queue(`SELECT pg_advisory_xact_lock($1)`, lockKey(db.schema, "member"))
		b.Queue(db.sql(`DELETE FROM {s}.member WHERE id = $1 AND expires <= clock_timestamp()`), former)
		before += 2
	}
	b.Queue(db.sql(`SELECT o_member, o_part, o_moved, o_share, o_epoch, o_died, o_now, o_boot FROM {s}.beat($1, $2, $3::interval, $4, $5, $6, $7)`),
		lockKey(db.schema, "member"), id, db.lease, looping, freed, epochs, busy)
	// Our rights count from here, the server's lease from when it gets this: whatever
	// the network does, ours end first.
	sent := time.Now()
	res := db.pool.SendBatch(ctx, &b)
	defer func() { _ = res.Close() }()
	for range before {
		if _, err := res.Exec(); err != nil {
			return err
		}
	}
	rows, err := res.Query()
	if err != nil {
		return err
	}
	defer rows.Close()
	mine := map[int16]tenure{}
	var me int64
	var part int
	var moved bool
	var boot [16]byte
	for rows.Next() {
		var number *int16
		var epoch *int64
		var died *bool
		var now time.Time
		if err := rows.Scan(&me, &part, &moved, &number, &epoch, &died, &now, &boot); err != nil {
			return err
		}
		if number != nil {
			g := tenure{epoch: *epoch}
			if *died {
				g.died = now
			}
			mine[*number] = g
		}
	}
	rows.Close()
	if err := cmp.Or(rows.Err(), res.Close()); err != nil { // it is committed by then
		if isLost(err) {
			m.mu.Lock()
			defer m.mu.Unlock()
			if m.id == id {
				m.lapse("another process has it")
			}
			signal(m.kick)
		}
		return err
	}
	if moved {
		m.q.tellMoved()
	}
	m.learn(id, me, sent, mine, part, told)
	m.compare(boot)
	return nil
}

// free tells the table of rights that were released after the process had
// lapsed.
func (m *member) free(told []right) error {
	db := m.q.db
	ctx, cancel := context.WithTimeout(db.ctx, db.lease/3)
	defer cancel()
	for _, r := range told {
		_, err := db.pool.Exec(ctx, db.sql(`UPDATE {s}.share SET owner = NULL, epoch = epoch + 1 WHERE share = $1 AND epoch = $2`), r.number, r.epoch)
		if err != nil {
			return err
		}
	}
	m.mu.Lock()
	m.forget(told)
	m.mu.Unlock()
	m.q.tellMoved()
	return nil
}

func (m *member) forget(told []right) {
	m.ended = slices.DeleteFunc(m.ended, func(r right) bool { return slices.Contains(told, r) })
}

// compare gives up all rights if the server has crashed, or is another one, since
// we got them: it may have again what was settled, and only who begins with a
// share looks for that.
func (m *member) compare(boot [16]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.boot != boot && m.boot != ([16]byte{}) && len(m.hand) > 0 {
		m.lapse("the server was restarted")
		signal(m.kick)
	}
	m.boot = boot
}

// learn takes in what a beat told.
func (m *member) learn(id, me int64, sent time.Time, mine map[int16]tenure, part int, told []right) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(told)
	if m.id != id {
		return // we lapsed meanwhile: what the table thinks is ours expires
	}
	m.id, m.until = me, sent.Add(m.q.db.lease*2/3)
	if !time.Now().Before(m.until) {
		m.lapse("the lease was not renewed in time")
		return
	}
	m.watch()
	held := 0
	for n, s := range m.hand {
		switch {
		case s.ctx.Err() != nil:
		case mine[n].epoch != s.epoch:
			s.lose("another process has it")
		case !s.back:
			held++
		}
	}
	for n, g := range mine {
		if m.hand[n] != nil || slices.Contains(m.ended, right{n, g.epoch}) {
			continue
		}
		s := newShare(m.q, right{n, g.epoch}, g.died)
		m.hand[n] = s
		m.granted = append(m.granted, s)
		held++
		signal(m.ready)
	}
	for n := int16(shares - 1); n >= 0 && held > part; n-- {
		if s := m.hand[n]; s != nil && s.ctx.Err() == nil && !s.back {
			s.back = true
			close(s.wanted)
			held--
		}
	}
	if !m.looping { // the loop ended while the beat was on its way
		left := m.granted
		m.granted = nil
		for _, s := range left {
			m.released(s)
			s.lose("it was released")
		}
	}
}

// released notes that nothing of a share runs any more. m.mu is held.
func (m *member) released(s *share) {
	if m.hand[s.number] == s {
		delete(m.hand, s.number)
		m.ended = append(m.ended, s.right)
		signal(m.kick)
	}
}

// lapse ends all our rights: the table may give them to others soon. We join as
// a new member, and have the old shares again when they are released. m.mu is
// held.
func (m *member) lapse(why string) {
	if m.id != 0 {
		m.former = m.id
	}
	m.id = 0
	for _, s := range m.hand {
		s.lose(why)
	}
	if m.watchdog != nil {
		m.watchdog.Stop()
	}
}

// watch sets the watchdog to when the rights end. m.mu is held.
func (m *member) watch() {
	if m.watchdog != nil {
		m.watchdog.Stop()
	}
	id := m.id
	m.watchdog = time.AfterFunc(time.Until(m.until), func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.id == id && !time.Now().Before(m.until) {
			m.lapse("the lease was not renewed in time")
			signal(m.kick)
		}
	})
}

// signal wakes our shares that have something new, and returns what belongs to
// others.
func (m *member) signal(n newItems) (others newItems) {
	others = n
	for _, s := range m.live() {
		woken := false
		for c := range n {
			if bit := uint64(1) << s.number; n[c]&bit != 0 {
				others[c] &^= bit
				s.fresh[c].Store(true)
				woken = true
			}
		}
		if woken {
			signal(s.changed)
		}
	}
	return others
}

// live returns the shares whose right has not ended.
func (m *member) live() []*share {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []*share
	for _, s := range m.hand {
		if s.ctx.Err() == nil {
			all = append(all, s)
		}
	}
	return all
}

// isLost tells that a statement found that the right had ended.
func isLost(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "AL001"
}

func (s *share) lose(why string) { s.cancel(fmt.Errorf("%w: %s", notify.ErrLost, why)) }
