package postgres

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/garminkit/activityapi/notify"
)

const (
	// tellEvery is how often a process sends news at most. A NOTIFY takes a lock
	// of the whole database at its commit, so it is not a part of the insert.
	tellEvery = 5 * time.Millisecond
	pollEvery = time.Second
)

// news is what the others have to hear of.
type news struct {
	wake chan struct{}

	mu    sync.Mutex
	items newItems
	kick  bool // shares are to be divided anew
}

// newItems are the shares with new items of each class, as bits.
type newItems [notify.Classes]uint64

func (n *newItems) add(share int, c notify.Class) { n[c] |= 1 << share }

func (n *newItems) join(o newItems) {
	for c := range n {
		n[c] |= o[c]
	}
}

// everything wakes all shares for all classes.
var everything = newItems{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}

// String is how others are told.
func (n newItems) String() string {
	text := make([]string, len(n))
	for c := range n {
		text[c] = strconv.FormatUint(n[c], 16)
	}
	return strings.Join(text, ",")
}

// parseNews reads what String gives. What it cannot read is found by a poll.
func parseNews(text string) (n newItems) {
	for c, mask := range strings.SplitN(text, ",", len(n)) {
		n[c], _ = strconv.ParseUint(mask, 16, 64)
	}
	return n
}

// channel is where the processes of a schema talk.
func (db *DB) channel() string { return channelOf(db.schema, "activityapi") }

// tell wakes who has the shares, here and elsewhere.
func (q *Queue) tell(n newItems) {
	if others := q.member.signal(n); others != (newItems{}) {
		q.news.mu.Lock()
		q.news.items.join(others)
		q.news.mu.Unlock()
		signal(q.news.wake)
	}
}

// tellMoved lets the others divide the shares anew.
func (q *Queue) tellMoved() {
	q.news.mu.Lock()
	q.news.kick = true
	q.news.mu.Unlock()
	signal(q.news.wake)
}

// tells sends the news. What is lost is found by a poll.
func (q *Queue) tells() {
	for {
		select {
		case <-q.news.wake:
		case <-q.db.ctx.Done():
			return
		}
		q.news.mu.Lock()
		items, kick := q.news.items, q.news.kick
		q.news.items, q.news.kick = newItems{}, false
		q.news.mu.Unlock()
		if items == (newItems{}) && !kick {
			continue // it was told with the news before
		}
		text := items.String()
		if kick {
			text += " kick"
		}
		ctx, cancel := q.db.call(q.db.ctx)
		_, err := q.db.pool.Exec(ctx, `SELECT pg_notify($1, $2)`, q.db.channel(), text)
		cancel()
		if err != nil && q.db.ctx.Err() == nil {
			q.db.log.Warn("postgres: telling of new items", "error", clean(err))
		}
		if !q.db.sleep(tellEvery) {
			return
		}
	}
}

// listens hears the news while ctx lasts.
func (q *Queue) listens(ctx context.Context) {
	begun := func() {
		q.member.signal(everything)
		signal(q.member.kick) // shares may have been divided anew
	}
	q.db.listens(ctx, q.db.channel(), begun, func(text string) {
		items, kick, _ := strings.Cut(text, " ")
		if kick != "" {
			signal(q.member.kick)
		}
		q.member.signal(parseNews(items))
	})
}

// polls looks for what no news came of.
func (q *Queue) polls(ctx context.Context) {
	t := time.NewTicker(pollEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
		if err := q.poll(ctx); err != nil && ctx.Err() == nil {
			q.db.log.Warn("postgres: looking for new items", "error", clean(err))
		}
	}
}

// poll wakes the shares that have items behind what was scanned.
func (q *Queue) poll(ctx context.Context) error {
	var numbers, classes []int16
	var highs []int64
	for _, s := range q.member.live() {
		for class := range notify.Classes {
			numbers, classes, highs = append(numbers, s.number), append(classes, int16(class)), append(highs, s.high[class].Load())
		}
	}
	if len(numbers) == 0 {
		return nil
	}
	var shares, of []int16
	err := q.db.one(ctx, `SELECT array_agg(s.share), array_agg(s.class) FROM unnest($1::smallint[], $2::smallint[], $3::bigint[]) s (share, class, high),
LATERAL (SELECT FROM {s}.item i WHERE i.share = s.share AND i.class = s.class AND i.id > s.high LIMIT 1) i`, []any{numbers, classes, highs}, &shares, &of)
	if err != nil {
		return err
	}
	var found newItems
	for i, number := range shares {
		found.add(int(number), notify.Class(of[i]))
	}
	q.member.signal(found)
	return nil
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
