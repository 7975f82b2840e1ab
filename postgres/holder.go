package postgres

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/garminkit/activityapi/types"
)

// holder is this process among those that claim users and wait in lines. It is
// alive while its row has not expired; the beats see to that, and learn which
// claims were lost. Its number is its own for ever, so that what it wrote before
// a pause cannot be taken for another's.
type holder struct {
	db *DB
	// ctx ends the beats. Tests end it as a kill does, while calls still work.
	ctx  context.Context
	stop context.CancelFunc

	mu      sync.Mutex
	id      int64
	nr      int64     // the last number given out
	until   time.Time // when others may think us dead, by our clock
	beating bool
	timer   *time.Timer
	claims  map[int64]*userClaim // by number
	ended   []int64              // released, and the table does not know
}

func (h *holder) init(db *DB) {
	h.db, h.claims = db, map[int64]*userClaim{}
	h.ctx, h.stop = context.WithCancel(db.ctx)
}

// number is that of this process. No two have the same.
func (h *holder) number(ctx context.Context) (int64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.id != 0 {
		return h.id, nil
	}
	var id int64
	err := h.db.do(ctx, "joining", again, func(ctx context.Context) error {
		return h.db.pool.QueryRow(ctx, h.db.sql(`SELECT nextval('{s}.holder_seq')`)).Scan(&id)
	})
	if err == nil {
		h.id = id
	}
	return h.id, err
}

// join makes the process alive, and keeps it so. It returns its number.
func (h *holder) join(ctx context.Context) (int64, error) {
	id, err := h.number(ctx)
	if err != nil {
		return 0, err
	}
	h.mu.Lock()
	alive, begin := time.Now().Before(h.until), !h.beating && h.ctx.Err() == nil
	h.beating = h.beating || begin
	h.mu.Unlock()
	if begin {
		h.db.tasks.Go(h.beats)
	}
	if alive {
		return id, nil
	}
	return id, h.beat(ctx)
}

// next is a number for a claim or a call.
func (h *holder) next() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.nr++
	return h.nr
}

// beats keep the process alive.
func (h *holder) beats() {
	for {
		t := time.NewTimer(h.db.lease / 8)
		select {
		case <-t.C:
		case <-h.ctx.Done():
			t.Stop()
			h.leave()
			return
		}
		if err := h.beat(h.ctx); err != nil && h.ctx.Err() == nil {
			h.db.log.Warn("postgres: renewing the lease of claims", "error", err)
		}
	}
}

// aliveSQL renews the lease. One that has expired can be renewed: what others
// took meanwhile is theirs.
const aliveSQL = `INSERT INTO {s}.holder AS h (id, expires) VALUES ($1, {s}.clock() + $2::interval)
ON CONFLICT (id) DO UPDATE SET expires = greatest(h.expires, excluded.expires)`

// lostSQL finds the claims that another process has, or nobody.
const lostSQL = `SELECT n.nr FROM unnest($2::bigint[]) n (nr) WHERE NOT EXISTS (SELECT FROM {s}.user_claim c WHERE c.holder = $1 AND c.nr = n.nr)`

// beat renews the lease, gives up what was released, and learns what was lost.
func (h *holder) beat(ctx context.Context) error {
	h.mu.Lock()
	id, ended := h.id, slices.Clone(h.ended)
	held := make([]int64, 0, len(h.claims)) // not NULL
	for nr, c := range h.claims {
		if c.has {
			held = append(held, nr)
		}
	}
	h.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, h.db.lease/3)
	defer cancel()
	var gone []int64
	var sent time.Time
	err := h.db.do(ctx, "lease", again, func(ctx context.Context) error {
		sent = time.Now()
		var b pgx.Batch
		b.Queue(h.db.sql(aliveSQL), id, h.db.lease)
		if len(ended) > 0 {
			b.Queue(h.db.sql(`DELETE FROM {s}.user_claim WHERE holder = $1 AND nr = ANY ($2)`), id, ended)
		}
		if len(held) > 0 {
			b.Queue(h.db.sql(lostSQL), id, held).Query(func(rows pgx.Rows) (err error) {
				gone, err = pgx.CollectRows(rows, pgx.RowTo[int64])
				return err
			})
		}
		return h.db.pool.SendBatch(ctx, &b).Close()
	})
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = slices.DeleteFunc(h.ended, func(nr int64) bool { return slices.Contains(ended, nr) })
	for _, nr := range gone {
		if c := h.claims[nr]; c != nil {
			h.lose(c)
		}
	}
	h.until = sent.Add(h.db.lease * 2 / 3)
	if h.timer != nil {
		h.timer.Stop()
	}
	h.timer = time.AfterFunc(time.Until(h.until), h.lapse)
	return nil
}

// lapse ends what others may have by now.
func (h *holder) lapse() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Now().Before(h.until) {
		return
	}
	for _, c := range h.claims {
		h.lose(c)
	}
}

// leave makes room for others when the process ends in good order.
func (h *holder) leave() {
	h.mu.Lock()
	if h.timer != nil {
		h.timer.Stop()
	}
	id, nr := h.id, h.nr
	killed := h.db.ctx.Err() == nil
	for _, c := range h.claims {
		if !killed {
			h.lose(c)
		}
	}
	h.mu.Unlock()
	if killed {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(h.db.ctx), 2*time.Second)
	defer cancel()
	var b pgx.Batch
	b.Queue(h.db.sql(`DELETE FROM {s}.user_claim WHERE holder = $1 AND nr <= $2`), id, nr)
	b.Queue(h.db.sql(`UPDATE {s}.holder SET expires = '-infinity' WHERE id = $1`), id)
	if err := h.db.pool.SendBatch(ctx, &b).Close(); err != nil {
		h.db.log.Warn("postgres: giving up claims; their lease ends by itself", "error", clean(err))
	}
}

// userClaim is the right to one user.
type userClaim struct {
	h      *holder
	userID types.UserID
	nr     int64
	has    bool // the table says so

	ctx context.Context
	end context.CancelCauseFunc
}

// lose ends a claim. h.mu is held.
func (h *holder) lose(c *userClaim) {
	delete(h.claims, c.nr)
	h.ended = append(h.ended, c.nr) // if nobody else has it
	c.end(c.lost())
}

// claimsOn are the claims of this process on a user.
func (h *holder) claimsOn(userID types.UserID) (all []*userClaim) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.claims {
		if c.has && c.userID == userID {
			all = append(all, c)
		}
	}
	return all
}

// holderAge is how long a process that is silent is remembered.
const holderAge = 24 * time.Hour

// sweepHolders forgets processes that are long gone. After the server's clock was
// set back, a lease may seem to end in an hour: it ends after three leases.
func (db *DB) sweepHolders(ctx context.Context) error {
	return db.do(ctx, "sweep of holders", again, func(ctx context.Context) error {
		var b pgx.Batch
		b.Queue(db.sql(`DELETE FROM {s}.holder WHERE expires < {s}.clock() - $1::interval`), holderAge)
		b.Queue(db.sql(`UPDATE {s}.holder SET expires = {s}.clock() + $1::interval WHERE expires > {s}.clock() + $1::interval`), 3*db.lease)
		return db.pool.SendBatch(ctx, &b).Close()
	})
}
