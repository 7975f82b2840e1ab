package postgres

import (
	"context"
	"slices"

	"github.com/garminkit/activityapi/notify"
)

// settling are items of a share that are done, and wait for the next statement.
type settling struct {
	right
	ids  []notify.ItemID
	err  error
	done chan struct{}
}

// settleMost is how many items one statement deletes at most, beyond those of
// one share.
const settleMost = 4096

// settleDone removes items. It is done with those of other shares.
func (s *share) settleDone(ctx context.Context, ids []notify.ItemID) error {
	if len(ids) == 0 {
		// Nothing is changed, but the caller may want to know of a loss.
		if s.ctx.Err() != nil {
			return s.fail("settle", notify.ErrLost)
		}
		return nil
	}
	c := &settling{right: s.right, ids: ids, done: make(chan struct{})}
	select {
	case s.q.settles <- c:
	case <-ctx.Done():
		return s.fail("settle", context.Cause(ctx))
	case <-s.q.db.ctx.Done():
		return errClosed
	}
	<-c.done
	if c.err != nil {
		return s.fail("settle", c.err)
	}
	return nil
}

// settlesAll serves all that wait by one statement: while it runs, the next
// gather.
func (q *Queue) settlesAll() {
	var next *settling // of a share that the batch has already, under another right
	for {
		var batch []*settling
		if next != nil {
			batch, next = append(batch, next), nil
		} else {
			select {
			case c := <-q.settles:
				batch = append(batch, c)
			case <-q.db.ctx.Done():
				return
			}
		}
		n, turns := len(batch[0].ids), 0
	gather:
		for n < settleMost {
			select {
			case c := <-q.settles:
				if slices.ContainsFunc(batch, func(b *settling) bool { return b.number == c.number && b.epoch != c.epoch }) {
					next = c
					break gather
				}
				batch = append(batch, c)
				n, turns = n+len(c.ids), 0
			default:
				if !letOthers(&turns) {
					break gather
				}
			}
		}
		err := q.finish(batch)
		for _, c := range batch {
			if c.err == nil {
				c.err = err
			}
			close(c.done)
		}
	}
}

// finish deletes, and tells each right whether it held.
func (q *Queue) finish(batch []*settling) error {
	var rights, shares, classes []int16
	var epochs, ids []int64
	for _, c := range batch {
		if !slices.Contains(rights, c.number) {
			rights, epochs = append(rights, c.number), append(epochs, c.epoch)
		}
		for _, id := range c.ids {
			shares, classes, ids = append(shares, c.number), append(classes, int16(classOf(int64(id)))), append(ids, int64(id))
		}
	}
	ctx, cancel := q.db.call(context.Background())
	defer cancel()
	var held []int16
	err := q.db.pool.QueryRow(ctx, q.db.sql(`SELECT held FROM {s}.finish($1, $2, $3, $4, $5)`), rights, epochs, shares, classes, ids).Scan(&held)
	if err != nil {
		return clean(err)
	}
	for _, c := range batch {
		if !slices.Contains(held, c.number) {
			c.err = notify.ErrLost
		}
	}
	return nil
}
