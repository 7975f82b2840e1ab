package backfilltest_test

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

// ttl is how long a process of the models is believed to live without a sign.
const ttl = 10 * time.Second

// ledgerDB stands for a database: it outlives the processes that use it.
type ledgerDB struct {
	mu    sync.Mutex
	book  backfill.Ledger
	rows  map[types.UserID]*claimRow
	flaws map[string]bool
}

// claimRow is who may save for a user. epoch grows with each claim.
type claimRow struct {
	epoch int
	until time.Time
}

func newLedgerDB(flaws ...string) *ledgerDB {
	d := &ledgerDB{book: backfill.NewLedger(), rows: map[types.UserID]*claimRow{}, flaws: map[string]bool{}}
	for _, f := range flaws {
		d.flaws[f] = true
	}
	return d
}

func (d *ledgerDB) row(user types.UserID) *claimRow {
	if d.rows[user] == nil {
		d.rows[user] = &claimRow{}
	}
	return d.rows[user]
}

// modelLedger is one process's handle on a ledgerDB.
type modelLedger struct {
	backfill.Ledger // reads, and arrivals
	db              *ledgerDB
	alive           context.Context
	kill            context.CancelFunc
}

func (d *ledgerDB) open(t *testing.T) *modelLedger {
	l := &modelLedger{Ledger: d.book, db: d}
	l.alive, l.kill = context.WithCancel(context.Background())
	t.Cleanup(l.kill)
	if d.flaws["each handle has a copy"] {
		own := backfill.NewLedger()
		l.Ledger = own
	}
	return l
}

type modelClaim struct {
	l     *modelLedger
	user  types.UserID
	epoch int
	ctx   context.Context
	end   context.CancelCauseFunc
}

func (l *modelLedger) Claim(ctx context.Context, user types.UserID) (backfill.Claim, error) {
	d := l.db
	d.mu.Lock()
	defer d.mu.Unlock()
	row := d.row(user)
	if row.until.After(time.Now()) && !d.flaws["claims know one handle"] {
		return nil, fmt.Errorf("%w: %s", backfill.ErrBusy, user)
	}
	row.epoch++
	row.until = time.Now().Add(ttl)
	if d.flaws["claims never end"] {
		row.until = time.Now().Add(10_000 * time.Hour)
	}
	c := &modelClaim{l: l, user: user, epoch: row.epoch}
	parent := context.Background()
	if d.flaws["claims end with the call"] {
		parent = ctx
	}
	c.ctx, c.end = context.WithCancelCause(parent)
	go c.renew()
	return c, nil
}

// renew keeps the claim while its process lives.
func (c *modelClaim) renew() {
	d := c.l.db
	for {
		select {
		case <-time.After(ttl / 3):
		case <-c.l.alive.Done():
			return
		case <-c.ctx.Done():
			return
		}
		d.mu.Lock()
		row := d.row(c.user)
		good := row.epoch == c.epoch && row.until.After(time.Now())
		if good && !d.flaws["claims are not renewed"] {
			row.until = time.Now().Add(ttl)
		}
		d.mu.Unlock()
		if !good && !d.flaws["contexts never end"] {
			c.end(backfill.ErrBusy)
			return
		}
	}
}

func (c *modelClaim) Context() context.Context { return c.ctx }

func (c *modelClaim) Save(ctx context.Context, chunks ...*backfill.Chunk) error {
	d := c.l.db
	d.mu.Lock()
	defer d.mu.Unlock()
	row := d.row(c.user)
	if (row.epoch != c.epoch || !row.until.After(time.Now())) && !d.flaws["no fence"] {
		return fmt.Errorf("%w: lost", backfill.ErrBusy)
	}
	book := d.book
	if d.flaws["each handle has a copy"] {
		book = c.l.Ledger
	}
	inner, err := book.Claim(ctx, c.user)
	if err != nil {
		return err
	}
	defer inner.Release()
	if d.flaws["saves one by one"] {
		for _, x := range chunks {
			if err := inner.Save(ctx, x); err != nil {
				return err
			}
		}
		return nil
	}
	return inner.Save(ctx, chunks...)
}

func (c *modelClaim) Release() {
	d := c.l.db
	d.mu.Lock()
	defer d.mu.Unlock()
	if row := d.row(c.user); row.epoch == c.epoch || d.flaws["an old release counts"] {
		row.until = time.Time{}
	}
	c.end(nil)
}

func (l *modelLedger) Forget(ctx context.Context, user types.UserID) error {
	d := l.db
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.flaws["forget leaves the claim"] {
		d.row(user).epoch++
		d.row(user).until = time.Time{}
	}
	if d.flaws["forget keeps the chunks"] {
		return nil
	}
	return d.book.Forget(ctx, user)
}

func (l *modelLedger) Chunks(ctx context.Context, user types.UserID) iter.Seq2[*backfill.Chunk, error] {
	return l.Ledger.Chunks(ctx, user)
}
