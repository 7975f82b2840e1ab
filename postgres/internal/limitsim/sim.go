package limitsim

import (
	"cmp"
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
)

// Config is a run.
type Config struct {
	Seed    uint64
	Minutes int
	Rules   Rules
	// Faults: processes are killed and paused, answers are lost, and the database
	// fails over to a server with another clock.
	Faults bool
	// Every is how many seconds lie between two of them, half of it to one and a
	// half; 0 means 30 to 1230.
	Every int64
	// Lossy: such a server lacks the last two seconds.
	Lossy bool
	// Hard: each third request is slow, not each fiftieth, and most faults are
	// failovers.
	Hard bool
	// Days of each request; 0 means 1 to 30 by chance.
	Days int64
	// Ideal: messages take no time and nothing is added for safety. It is what no
	// limiter can be better than that serves in turn.
	Ideal bool
	// Poll is how often a process asks that waits; 0 means 10 s. It is a matter of
	// time alone, since whose turn it is hears of it.
	Poll int64
	// Engine is used in place of the model.
	Engine Engine
}

// Result is what came of a run.
type Result struct {
	Violations int     // requests at which a minute had too many days
	Most       int64   // days in a minute
	Share      float64 // of the budget
	Requests   int
	Kills      int
	Pauses     int
	Failovers  int
	Latency    float64 // seconds from grant to end, for each day
}

// String is one line.
func (r Result) String() string {
	return fmt.Sprintf("%d violations, most %d of %d, %.1f %% of the budget; %d requests, %d kills, %d pauses, %d failovers",
		r.Violations, r.Most, budget, 100*r.Share, r.Requests, r.Kills, r.Pauses, r.Failovers)
}

const (
	budget    = 100
	processes = 8
	workers   = 3
)

type sim struct {
	c   Config
	rng *rand.Rand
	now int64
	q   events
	n   int

	db       Engine
	model    *table // nil with another engine
	standby  []*table
	standbyA []int64
	offset   int64
	rate     float64

	procs  []*proc
	next   int64 // holder's number
	counts []count
	res    Result
	spent  float64 // days × seconds from grant to end
	done   int64   // days
}

type count struct{ at, days int64 }

// Run runs one.
func Run(c Config) Result {
	s := &sim{c: c, rng: rand.New(rand.NewPCG(c.Seed, 1)), db: c.Engine}
	if s.db == nil {
		s.model = newTable(c.Rules, budget)
		s.db = s.model
	}
	if c.Poll == 0 {
		s.c.Poll = 10 * second
	}
	s.rate = (s.rng.Float64() - 0.5) * 4e-4
	for i := range processes {
		s.procs = append(s.procs, nil)
		s.start(i)
	}
	if c.Faults {
		s.at(s.pause(), s.fault)
	}
	end := int64(c.Minutes) * minute
	for len(s.q) > 0 {
		e := heap.Pop(&s.q).(event)
		if e.at > end {
			break
		}
		s.now = e.at
		e.f()
	}
	s.judge()
	s.res.Share = float64(s.done) / float64(budget*int64(c.Minutes))
	if s.done > 0 {
		s.res.Latency = s.spent / float64(s.done)
	}
	return s.res
}

// judge looks at each minute as the server sees it, both ends included.
func (s *sim) judge() {
	slices.SortFunc(s.counts, func(a, b count) int { return cmp.Compare(a.at, b.at) })
	sum, from := int64(0), 0
	for _, c := range s.counts {
		sum += c.days
		for c.at-s.counts[from].at > minute {
			sum -= s.counts[from].days
			from++
		}
		s.res.Most = max(s.res.Most, sum)
		if sum > budget {
			s.res.Violations++
		}
	}
	s.res.Requests = len(s.counts)
}

// at does f after d.
func (s *sim) at(d int64, f func()) {
	s.n++
	heap.Push(&s.q, event{s.now + max(0, d), s.n, f})
}

// clock is that of the server.
func (s *sim) clock() int64 { return s.now + int64(float64(s.now)*s.rate) + s.offset }

// upTo is a span by chance.
func (s *sim) upTo(d int64) int64 { return s.rng.Int64N(d + 1) }

// net is how long a message takes.
func (s *sim) net() int64 {
	if s.c.Ideal {
		return 0
	}
	if s.c.Faults && s.rng.IntN(500) == 0 {
		return s.upTo(3 * second)
	}
	return s.upTo(10_000)
}

// fault is one, and then the next.
func (s *sim) fault() {
	i := s.rng.IntN(processes)
	kind := s.rng.IntN(5)
	if s.c.Hard {
		kind += 3
	}
	switch kind {
	case 0, 1:
		s.res.Kills++
		s.procs[i].dead = true
		s.at(s.upTo(20*second), func() { s.start(i) })
	case 2, 3:
		s.res.Pauses++
		s.procs[i].pause(s.upTo(400 * second))
	default:
		s.failover()
	}
	s.at(s.pause(), s.fault)
}

// pause is how long there is no fault.
func (s *sim) pause() int64 {
	if e := s.c.Every * second; e > 0 {
		return e/2 + s.upTo(e)
	}
	return 30*second + s.upTo(1200*second)
}

// slow is one request of how many takes long.
func (c Config) slow() int {
	if c.Hard {
		return 3
	}
	return 50
}

// failover gives the database another server, with another clock, and if it is
// lossy without the last seconds.
func (s *sim) failover() {
	s.res.Failovers++
	s.offset += s.upTo(40*second) - 20*second
	if s.c.Lossy && s.model != nil {
		lag := s.upTo(2 * second)
		for i, then := range slices.Backward(s.standby) {
			if s.now-s.standbyA[i] >= lag {
				server := s.model.server
				*s.model = *then.clone()
				s.model.server = server
				break
			}
		}
	}
	s.standby, s.standbyA = nil, nil
	s.db.Reborn()
}

// copied keeps what a standby may have got so far.
func (s *sim) copied() {
	if n := len(s.standbyA); !s.c.Lossy || s.model == nil || n > 0 && s.now-s.standbyA[n-1] < second/20 {
		return
	}
	s.standby, s.standbyA = append(s.standby, s.model.clone()), append(s.standbyA, s.now)
	for len(s.standby) > 2 && s.now-s.standbyA[1] > 2*second {
		s.standby, s.standbyA = s.standby[1:], s.standbyA[1:]
	}
}

type event struct {
	at int64
	n  int
	f  func()
}

type events []event

func (h events) Len() int { return len(h) }
func (h events) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].n < h[j].n
}
func (h events) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *events) Push(x any)   { *h = append(*h, x.(event)) }
func (h *events) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}
