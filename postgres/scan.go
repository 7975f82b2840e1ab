package postgres

import (
	"context"
	"fmt"

	"github.com/garminkit/activityapi/notify"
)

// scan is a scan of a share that waits for the next query.
type scan struct {
	right
	class notify.Class
	after int64
	most  int

	items []*notify.Item
	held  bool
	err   error
	done  chan struct{}
}

const (
	// scanners is how many queries run at once.
	scanners = 2
	// scanBatch is how many scans one query serves, and scanRows how many items
	// it returns at most.
	scanBatch = 32
	scanRows  = 4096
)

// Scan implements [notify.Share].
func (s *share) Scan(ctx context.Context, class notify.Class, after notify.ItemID, most int) ([]*notify.Item, error) {
	if class >= notify.Classes {
		return nil, fmt.Errorf("postgres: scan: there is no %v", class)
	}
	if s.gone.Load() || s.ctx.Err() != nil {
		return nil, s.fail("scan", notify.ErrLost)
	}
	if after > 1<<63-1 {
		after = 1<<63 - 1 // an id is a bigint in the table
	}
	from := int64(after)
	// An earlier scan has come to the end of the class, and nothing was announced
	// since: no query is needed to find nothing.
	if s.end[class].Load() <= from && !s.fresh[class].Swap(false) {
		return nil, nil
	}
	c := &scan{right: s.right, class: class, after: from, most: most, done: make(chan struct{})}
	err := s.q.scan(ctx, c)
	if err == nil && !c.held {
		err = notify.ErrLost
	}
	if err != nil {
		s.fresh[class].Store(true)
		return nil, s.fail("scan", err)
	}
	last := from
	if n := len(c.items); n > 0 {
		last = int64(c.items[n-1].ID)
		if high := &s.high[class]; last > high.Load() {
			high.Store(last)
		}
	}
	if len(c.items) < c.most {
		s.end[class].Store(last)
	} else {
		s.fresh[class].Store(true)
		signal(s.changed)
	}
	s.suspects.note(c.items)
	return c.items, nil
}

// scan has a scan done with those of other shares.
func (q *Queue) scan(ctx context.Context, c *scan) error {
	select {
	case q.scans <- c:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-q.db.ctx.Done():
		return errClosed
	}
	<-c.done
	return c.err
}

// scansAll serves the scans that wait, all of them by one query: while it runs,
// the next gather.
func (q *Queue) scansAll() {
	for {
		var batch []*scan
		select {
		case c := <-q.scans:
			batch = append(batch, c)
		case <-q.db.ctx.Done():
			return
		}
	gather:
		for len(batch) < scanBatch {
			select {
			case c := <-q.scans:
				batch = append(batch, c)
			default:
				break gather
			}
		}
		err := q.scanBatch(batch)
		for _, c := range batch {
			c.err = err
			close(c.done)
		}
	}
}

// scanBatch answers several scans by one query. It has no context of theirs, since
// one that ends must not end the others. The epoch is compared in the query itself:
// a share that is no longer ours gives no items, and held stays false.
func (q *Queue) scanBatch(batch []*scan) error {
	n := len(batch)
	numbers, classes, most := make([]int16, n), make([]int16, n), make([]int32, n)
	epochs, afters := make([]int64, n), make([]int64, n)
	for i, c := range batch {
		c.most = min(c.most, scanRows/n) // the answer to all of them is in memory at once
		numbers[i], epochs[i], classes[i], afters[i], most[i] = c.number, c.epoch, int16(c.class), c.after, int32(c.most)
	}
	return q.read(context.Background(), func(n int, held bool, it *notify.Item) {
		c := batch[n-1]
		c.held = held
		if it != nil {
			c.items = append(c.items, it)
		}
	}, `SELECT q.n::integer, f.epoch = q.epoch, i.* FROM unnest($1::smallint[], $2::bigint[], $3::smallint[], $4::bigint[], $5::integer[])
  WITH ORDINALITY q (share, epoch, class, after, most, n)
JOIN {s}.share f ON f.share = q.share
LEFT JOIN LATERAL (SELECT `+itemSQL+` FROM {s}.item i WHERE i.share = q.share AND i.class = q.class AND i.id > q.after ORDER BY i.id LIMIT q.most) i
  ON f.epoch = q.epoch`, numbers, epochs, classes, afters, most)
}
