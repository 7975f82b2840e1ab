// Package limitsim runs the rules of the limiter in virtual time: processes with
// clocks of their own that are killed, paused and cut off, a database that fails
// over to a server with another clock and less memory, and a server that counts.
//
//	go run ./internal/limitsim/run -minutes 1000000
//
// The rules are those of budget_turn in migrations/0006_limiter.sql, written once
// more in Go; a test runs both side by side. Each can be left out, to see that it
// is needed.
package limitsim

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// Times are microseconds, as in the database.
const (
	second = int64(1_000_000)
	minute = 60 * second

	held       = minute + second/10 // after an answer
	lateness   = 30 * second
	maxRequest = 60 * second
	sendWithin = 5 * second
	past       = maxRequest + lateness + held // after a grant
	lease      = 15 * second
)

// Say is what a process tells and asks: the arguments of budget_turn.
type Say struct {
	Me      int64
	Ended   []End
	Stop    int64 // microseconds; 0 for none
	Gone    []int64
	Came    []Call
	Waiting []int64
}

// End is of a grant. Held is -1 if nothing was sent.
type End struct {
	Nr, Days, Held int64
	// Clock is that of the process. The mutant that believes it holds by it.
	Clock int64
}

// Call enters the line.
type Call struct {
	Nr   int64
	User string
	Days int64
}

// Heard is the answer of a turn. Whose is the process whose turn it is, if it is
// not the one that asked, or 0.
type Heard struct {
	Granted, Ages, Missing []int64
	Wait                   int64 // -1: it depends on others
	Whose                  int64
}

// Engine is the database, or the model of it.
type Engine interface {
	// Turn is one statement at a time of the server's clock.
	Turn(clock int64, s Say) Heard
	// Alive renews a process's lease.
	Alive(clock, me int64)
	// Reborn makes the server another one.
	Reborn()
}

type hold struct {
	holder, nr, days, granted int64
	until                     int64 // -1: while its process lives
}

type place struct {
	Call
	holder int64
	place  int64
	turn   int64 // 0: not the first of its user
}

// Rules can be left out.
type Rules struct {
	NoLife       bool // another server's memory and clock are trusted
	ShortStop    bool // nothing is granted for a minute, in place of 150 s
	DeadFree     bool // a silent process's days are free a minute after its lease
	OwnClocks    bool // holds end by the clocks of the processes
	NoSendBy     bool // a request may be sent any time after its grant
	NoEndBy      bool // and take any time
	FromTheGrant bool // days are held for a minute from the grant on
	NoLateness   bool // a lost request counts as an answered one
	NotShared    bool // each process has a budget of its own
}

// table is the model of the database.
type table struct {
	r       Rules
	budget  int64
	blocked int64
	life    int
	server  int
	places  int64
	holds   []hold
	line    []place
	holders map[int64]int64 // when they expire
}

// NewModel is the model of the database with all rules.
func NewModel() Engine { return newTable(Rules{}, budget) }

func newTable(r Rules, budget int64) *table {
	return &table{r: r, budget: budget, blocked: math.MinInt64, holders: map[int64]int64{}}
}

// clone is what a standby has. Of the leases it has the same, which are renewed
// all the time.
func (d *table) clone() *table {
	c := *d
	c.holds, c.line = slices.Clone(d.holds), slices.Clone(d.line)
	return &c
}

func (d *table) Reborn() { d.server++ }

func (d *table) Alive(clock, me int64) {
	d.holders[me] = max(d.holders[me], clock+lease)
	if len(d.holders) > 8*processes {
		maps.DeleteFunc(d.holders, func(_, until int64) bool { return until < clock-60*minute })
	}
}

func (d *table) alive(holder, t int64) bool { return d.holders[holder] > t }

func (d *table) Turn(t int64, s Say) Heard {
	if d.life != d.server {
		d.life = d.server
		stop := past
		if d.r.ShortStop {
			stop = held
		}
		if !d.r.NoLife {
			d.blocked = max(d.blocked, t+stop)
		}
	}
	if s.Stop > 0 {
		d.blocked = max(d.blocked, t+s.Stop)
	}
	d.Alive(t, s.Me)
	d.end(t, s)
	d.silent(t)
	d.enter(s)
	out := Heard{Wait: -1}
	d.grant(t, s.Me, &out)
	for _, nr := range s.Waiting {
		if i := d.held(s.Me, nr); i >= 0 && d.holds[i].until < 0 {
			out.Granted, out.Ages = append(out.Granted, nr), append(out.Ages, t-d.holds[i].granted)
		} else if d.placeOf(s.Me, nr) < 0 {
			out.Missing = append(out.Missing, nr)
		}
	}
	return out
}

func (d *table) held(holder, nr int64) int {
	return slices.IndexFunc(d.holds, func(h hold) bool { return h.holder == holder && h.nr == nr })
}

func (d *table) placeOf(holder, nr int64) int {
	return slices.IndexFunc(d.line, func(p place) bool { return p.holder == holder && p.Nr == nr })
}

// end takes in what became of requests, and of calls that gave up.
func (d *table) end(t int64, s Say) {
	for _, e := range s.Ended {
		i := d.held(s.Me, e.Nr)
		switch {
		case e.Held < 0 && i >= 0:
			d.holds = slices.Delete(d.holds, i, i+1)
		case e.Held < 0:
		default:
			until := t + e.Held
			if d.r.OwnClocks {
				until = e.Clock + e.Held
			}
			if i < 0 {
				d.holds = append(d.holds, hold{s.Me, e.Nr, e.Days, t, until})
				continue
			}
			if d.r.FromTheGrant {
				until = d.holds[i].granted + held
			}
			d.holds[i].until = until
		}
	}
	for _, nr := range s.Gone {
		d.leave(s.Me, nr)
		if i := d.held(s.Me, nr); i >= 0 && d.holds[i].until < 0 {
			d.holds = slices.Delete(d.holds, i, i+1)
		}
	}
}

// leave takes a call out of the line; the next of its user has its turn.
func (d *table) leave(holder, nr int64) {
	i := d.placeOf(holder, nr)
	if i < 0 {
		return
	}
	p := d.line[i]
	d.line = slices.Delete(d.line, i, i+1)
	if p.turn != 0 {
		d.next(p.User, p.turn)
	}
}

// next gives the first call of a user a turn.
func (d *table) next(user string, turn int64) {
	first := -1
	for i, p := range d.line {
		if p.User == user && (first < 0 || p.place < d.line[first].place) {
			first = i
		}
	}
	if first >= 0 {
		d.line[first].turn = turn
	}
}

// silent ends what belongs to processes that nobody hears of, and what is over.
func (d *table) silent(t int64) {
	for i := range d.holds {
		if h := &d.holds[i]; h.until < 0 && !d.alive(h.holder, t) {
			h.until = h.granted + past
			if d.r.DeadFree {
				h.until = max(d.holders[h.holder], h.granted) + held
			}
		}
	}
	d.holds = slices.DeleteFunc(d.holds, func(h hold) bool { return h.until >= 0 && h.until <= t })
	for _, p := range slices.Clone(d.line) {
		if !d.alive(p.holder, t) {
			d.leave(p.holder, p.Nr)
		}
	}
}

func (d *table) enter(s Say) {
	for _, c := range s.Came {
		if d.held(s.Me, c.Nr) >= 0 || d.placeOf(s.Me, c.Nr) >= 0 {
			continue
		}
		d.places++
		p := place{Call: c, holder: s.Me, place: d.places}
		if !slices.ContainsFunc(d.line, func(p place) bool { return p.User == c.User }) {
			d.places++
			p.turn = d.places
		}
		d.line = append(d.line, p)
	}
}

// grant serves the first in the line, as long as that is the process that asks.
func (d *table) grant(t, me int64, out *Heard) {
	if d.blocked > t {
		out.Wait = d.blocked - t
		return
	}
	used := int64(0)
	for _, h := range d.holds {
		if !d.r.NotShared || h.holder == me {
			used += h.days
		}
	}
	for {
		i := d.first()
		if i < 0 {
			return
		}
		head := d.line[i]
		if used+head.Days > d.budget {
			if h := slices.MinFunc(d.holds, func(a, b hold) int { return cmp.Compare(endOf(a), endOf(b)) }); h.until >= 0 {
				out.Wait = h.until - t
			}
			return
		}
		if head.holder != me {
			out.Whose = head.holder
			return
		}
		d.line = slices.Delete(d.line, i, i+1)
		d.places++
		d.next(head.User, d.places)
		d.holds = append(d.holds, hold{me, head.Nr, head.Days, t, -1})
		used += head.Days
	}
}

func endOf(h hold) int64 {
	if h.until < 0 {
		return math.MaxInt64
	}
	return h.until
}

// first is the call whose turn it is.
func (d *table) first() int {
	first := -1
	for i, p := range d.line {
		if p.turn != 0 && (first < 0 || p.turn < d.line[first].turn) {
			first = i
		}
	}
	return first
}
