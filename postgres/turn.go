package postgres

import (
	"context"
	"slices"
	"time"
)

// drive takes turns while there is something to say or to wait for.
func (l *limiter) drive() {
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		select {
		case <-l.wake:
		case <-t.C:
		case <-l.db.holder.ctx.Done():
			return
		}
		if next := l.turn(l.db.holder.ctx); next > 0 {
			t.Reset(next)
		} else {
			t.Stop()
		}
	}
}

// turn is what a process tells and asks at once.
type turn struct {
	ends    []*end
	gone    []int64
	came    []*call
	waiting []int64
}

// take is what there is to say.
func (l *limiter) take() (t turn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t.ends, t.gone = slices.Clone(l.ends), slices.Clone(l.gone)
	for _, c := range l.calls {
		t.waiting = append(t.waiting, c.nr)
		if !c.inLine {
			t.came = append(t.came, c)
		}
	}
	return t
}

// args are the arguments of budget_turn, behind those of the process.
func (t turn) args() []any {
	nrs, days, held := make([]int64, 0, len(t.ends)), make([]int32, 0, len(t.ends)), make([]*float64, 0, len(t.ends))
	at := map[int64]int{} // a statement takes one end of a grant: the last
	var stop *float64
	for _, e := range t.ends {
		if i, ok := at[e.nr]; ok {
			held[i] = e.held
		} else {
			at[e.nr] = len(nrs)
			nrs, days, held = append(nrs, e.nr), append(days, int32(e.days)), append(held, e.held)
		}
		if s := e.stop.Seconds(); s > 0 && (stop == nil || *stop < s) {
			stop = &s
		}
	}
	came, users, each := make([]int64, 0, len(t.came)), make([][]byte, 0, len(t.came)), make([]int32, 0, len(t.came))
	for _, c := range t.came {
		came, users, each = append(came, c.nr), append(users, []byte(c.userID)), append(each, int32(c.days))
	}
	return []any{nrs, days, held, stop, orEmpty(t.gone), came, users, each, orEmpty(t.waiting)}
}

func orEmpty(s []int64) []int64 {
	if s == nil {
		return []int64{} // not NULL
	}
	return s
}

// news of a turn.
type turned struct {
	granted, missing []int64
	ages             []float64
	wait             *float64
	asked            time.Time
}

// turn tells and asks, and returns when to ask again, 0 for never. What was told
// stays in the lists until the answer has come. If the answer is lost it is told
// again, which changes nothing: calls and grants have numbers of their own.
func (l *limiter) turn(ctx context.Context) time.Duration {
	t := l.take()
	if len(t.ends)+len(t.gone)+len(t.waiting) == 0 {
		return 0
	}
	got, err := l.ask(ctx, t)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil {
			l.db.log.Warn("postgres: limiter", "error", err)
		}
		l.fail(t, err)
		return turnAtAll
	}
	l.ends = slices.DeleteFunc(l.ends, func(e *end) bool { return slices.Contains(t.ends, e) })
	for _, e := range t.ends {
		select {
		case e.done <- nil:
		default: // it had failed before, and nobody waits any more
		}
	}
	l.gone = slices.DeleteFunc(l.gone, func(nr int64) bool { return slices.Contains(t.gone, nr) })
	for _, c := range t.came {
		c.inLine = true
	}
	l.give(got)
	if len(l.calls) == 0 {
		return 0
	}
	if got.wait == nil {
		return turnEvery
	}
	return min(turnAtAll, time.Duration(*got.wait*float64(time.Second))+time.Millisecond)
}

// turnSQL has the channel, the process, its lease and then what it says.
const turnSQL = `SELECT o_granted, o_ages, o_missing, o_wait FROM {s}.budget_turn($1, $2, $3::interval, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`

func (l *limiter) ask(ctx context.Context, t turn) (got turned, err error) {
	db := l.db
	me, err := db.holder.number(ctx)
	if err != nil {
		return got, err
	}
	args := append([]any{[]byte(l.name), me, db.lease, db.turns()}, t.args()...)
	err = db.do(ctx, "limiter", again, func(ctx context.Context) error {
		// Taken before the query: a grant then seems older than it is, never younger.
		got.asked = time.Now()
		return db.pool.QueryRow(ctx, db.sql(turnSQL), args...).Scan(&got.granted, &got.ages, &got.missing, &got.wait)
	})
	return got, err
}

// give hands out what was granted. A grant that was heard of late, since an
// answer was lost, goes back, and its call enters the line anew. l.mu is held.
func (l *limiter) give(got turned) {
	anew := func(c *call) {
		c.nr, c.inLine = l.db.holder.next(), false
		signal(l.wake)
	}
	for i, nr := range got.granted {
		at := slices.IndexFunc(l.calls, func(c *call) bool { return c.nr == nr })
		if at < 0 {
			continue // it gave up meanwhile, which is yet to be told
		}
		c := l.calls[at]
		granted := got.asked.Add(-time.Duration(got.ages[i] * float64(time.Second)))
		// Too little of the time to send is left, and a request that is sent too late
		// would be counted outside of its grant.
		if time.Since(granted) > sendWithin/2 {
			l.gone = append(l.gone, nr)
			anew(c)
			continue
		}
		l.calls = slices.Delete(l.calls, at, at+1)
		c.ready <- &grant{l: l, nr: nr, days: c.days, at: granted}
	}
	for _, c := range l.calls {
		if slices.Contains(got.missing, c.nr) {
			anew(c) // it was silent for too long, or the server has lost it
		}
	}
}

// fail tells those who wait that the limiter cannot do its work. What it was told
// of requests it keeps. l.mu is held.
func (l *limiter) fail(t turn, err error) {
	for _, e := range t.ends {
		select {
		case e.done <- err:
		default: // nobody waits any more
		}
	}
	for _, nr := range t.waiting {
		if i := slices.IndexFunc(l.calls, func(c *call) bool { return c.nr == nr }); i >= 0 {
			l.calls[i].failed <- err
			l.calls = slices.Delete(l.calls, i, i+1)
			l.gone = append(l.gone, nr)
		}
	}
}
