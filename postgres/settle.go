package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// Settle implements [notify.Share]. All of it is sent at once and is one
// transaction, so that a process which is stopped holds nothing.
func (s *share) Settle(ctx context.Context, verdicts []notify.Verdict) error {
	last, err := effects(verdicts)
	if err != nil {
		return s.fail("settle", err)
	}
	if s.gone.Load() {
		return s.fail("settle", notify.ErrLost)
	}
	if len(last.again)+len(last.buried) == 0 {
		return s.settleDone(ctx, idsOf(last.done))
	}
	db := s.q.db
	var b pgx.Batch
	b.Queue(byIndex)
	// It fails, and with it the transaction, if another process has had the share
	// since. It also locks the share's row, so that nobody gets the share before this
	// is committed.
	b.Queue(db.sql(`SELECT {s}.hold($1, $2)`), s.number, s.epoch)
	if len(last.buried) == 0 {
		// A power cut may undo it, so nobody waits for the disk.
		b.Queue(`SELECT set_config('synchronous_commit', 'off', true)`)
	}
	last.queue(db, s.number, &b)
	ctx, cancel := db.call(ctx)
	defer cancel()
	if err := db.pool.SendBatch(ctx, &b).Close(); err != nil {
		return s.fail("settle", clean(err))
	}
	return nil
}

// effect is what verdicts come to, each item once.
type effect struct {
	again, done, buried []notify.Verdict
}

var errNoLetter = errors.New("it is to be buried but has no letter")

// effects finds what holds in the end: a verdict on what is finished is passed
// over, and of several Again the last is remembered.
func effects(verdicts []notify.Verdict) (*effect, error) {
	at := make(map[notify.ItemID]int, len(verdicts))
	ends := make([]notify.Verdict, 0, len(verdicts))
	for _, v := range verdicts {
		switch {
		case v.Fate < notify.Done || v.Fate > notify.Buried:
			return nil, fmt.Errorf("item %d: there is no fate %d", v.ID, v.Fate)
		case v.Fate == notify.Buried && v.Letter == nil:
			return nil, fmt.Errorf("item %d: %w", v.ID, errNoLetter)
		}
		i, ok := at[v.ID]
		switch {
		case !ok:
			at[v.ID] = len(ends)
			ends = append(ends, v)
		case ends[i].Fate == notify.Again && v.Fate != notify.Again:
			ends[i].Fate = 0 // the later one finishes it, in its own place
			at[v.ID] = len(ends)
			ends = append(ends, v)
		case ends[i].Fate == notify.Again:
			ends[i] = v
		}
	}
	e := new(effect)
	for _, v := range ends {
		switch v.Fate {
		case notify.Again:
			e.again = append(e.again, v)
		case notify.Done:
			e.done = append(e.done, v)
		case notify.Buried:
			e.buried = append(e.buried, v)
		}
	}
	return e, nil
}

// queue adds the statements.
func (e *effect) queue(db *DB, number int16, b *pgx.Batch) {
	if n := len(e.done); n > 0 {
		classes, ids := split(idsOf(e.done))
		b.Queue(db.sql(`SELECT {s}.remove($1, $2, $3)`), number, classes, ids)
	}
	if n := len(e.again); n > 0 {
		classes, ids := split(idsOf(e.again))
		attempts, next, reasons := make([]int32, n), make([]*time.Time, n), make([][]byte, n)
		for i, v := range e.again {
			attempts[i], next[i] = int32(v.Attempts), orNull(v.Next)
			if db.sealing.sealer() == nil { // It is for who looks at the table.
				reasons[i] = []byte(v.Reason)
			}
		}
		b.Queue(db.sql(`SELECT {s}.again($1, $2, $3, $4, $5, $6)`), number, classes, ids, attempts, next, reasons)
	}
	if len(e.buried) > 0 {
		e.bury(db, number, b)
	}
}

func (e *effect) bury(db *DB, number int16, b *pgx.Batch) {
	n := len(e.buried)
	classes, ids := split(idsOf(e.buried))
	rest, quarantined := make([]bool, n), make([]bool, n)
	keys, users, reasons := make([][]byte, n), make([][]byte, n), make([][]byte, n)
	apps := make([][]byte, n)
	sealed := make([]bool, n) // the reason
	items, attempts := make([]int64, n), make([]int32, n)
	received, buried := make([]time.Time, n), make([]*time.Time, n)
	for i, v := range e.buried {
		l := v.Letter
		rest[i], quarantined[i] = v.Rest, l.Quarantined
		keys[i], users[i] = []byte(l.Key), []byte(l.UserID)
		reasons[i], sealed[i] = db.sealing.sealReason([]byte(l.Reason))
		apps[i] = []byte(types.UserID("").In(l.UserID.App()))
		items[i], attempts[i] = int64(l.Items), int32(l.Attempts)
		received[i], buried[i] = l.Received, orNull(l.Buried)
	}
	b.Queue(db.sql(`SELECT {s}.bury($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`),
		number, classes, ids, rest, keys, users, apps, items, reasons, sealed, quarantined, attempts, received, buried)
}

func idsOf(verdicts []notify.Verdict) []notify.ItemID {
	ids := make([]notify.ItemID, len(verdicts))
	for i, v := range verdicts {
		ids[i] = v.ID
	}
	return ids
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
