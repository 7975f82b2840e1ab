package limitsim

import (
	"fmt"
	"slices"
)

// proc is a process. Its parts are those of limiter.go and turn.go.
type proc struct {
	s      *sim
	slot   int
	id     int64
	nr     int64
	dead   bool
	paused int64   // until when
	skew   int64   // of its clock
	rate   float64 // of its monotonic one

	calls   []*waiter
	gone    []int64
	ends    []*End
	turning bool
	again   bool
	timer   int64 // when it asks again
}

type waiter struct {
	Call
	inLine bool
	got    func(nr, at int64) // at is by our clock
}

// start is a new process in the place of one.
func (s *sim) start(slot int) {
	s.next++
	p := &proc{s: s, slot: slot, id: s.next, skew: s.upTo(20*second) - 10*second, rate: (s.rng.Float64() - 0.5) * 2e-4}
	s.procs[slot] = p
	p.beat()
	for w := range workers {
		user := fmt.Sprint("u", slot*workers+w)
		p.soon(s.upTo(second), func() { p.work(user) })
	}
}

// soon does f after d, if the process lives; while it is paused, afterwards.
func (p *proc) soon(d int64, f func()) {
	p.s.at(d, func() {
		switch {
		case p.dead:
		case p.s.now < p.paused:
			p.soon(p.paused-p.s.now, f)
		default:
			f()
		}
	})
}

func (p *proc) pause(d int64) { p.paused = max(p.paused, p.s.now+d) }

// mono is the process's monotonic clock.
func (p *proc) mono() int64 { return p.s.now + int64(float64(p.s.now)*p.rate) }

func (p *proc) beat() {
	p.s.at(p.s.net(), func() { p.s.db.Alive(p.s.clock(), p.id) })
	p.soon(lease/3, p.beat)
}

// work asks for one request after the other.
func (p *proc) work(user string) {
	days := p.s.c.Days
	if days == 0 {
		days = 1 + p.s.rng.Int64N(30)
	}
	p.nr++
	w := &waiter{Call: Call{p.nr, user, days}}
	w.got = func(nr, at int64) {
		if p.s.c.Faults && p.s.rng.IntN(1500) == 0 { // of all moments, between grant and request
			p.s.res.Pauses++
			p.pause(p.s.upTo(600 * second))
		}
		p.soon(p.s.net()*3, func() { p.send(user, nr, days, at) })
	}
	p.calls = append(p.calls, w)
	p.turn()
}

// send makes the request, if its time is not over.
func (p *proc) send(user string, nr, days, at int64) {
	s := p.s
	if p.mono() > at+sendWithin && !s.c.Rules.NoSendBy {
		p.end(nr, days, -1)
		p.work(user)
		return
	}
	sent := s.now
	latency := second/10 + int64(s.rng.ExpFloat64()*float64(second)/2)
	if s.c.Faults && s.rng.IntN(s.c.slow()) == 0 {
		latency = s.upTo(150 * second)
	}
	counted := s.upTo(latency)
	left := at + maxRequest - p.mono()
	if s.c.Rules.NoEndBy {
		left = latency
	}
	span := held
	if latency > left { // its context ends, and the server may be late
		if latency = left; counted > latency+lateness {
			counted = latency + s.upTo(lateness)
		}
		if !s.c.Rules.NoLateness {
			span += lateness
		}
	}
	s.at(counted, func() { s.counts = append(s.counts, count{s.now, days}) })
	s.done += days
	p.soon(latency, func() {
		s.spent += float64(days) * float64(s.now-sent) / float64(second)
		p.end(nr, days, span)
		p.work(user)
	})
}

func (p *proc) end(nr, days, span int64) {
	if p.s.c.Ideal && span > 0 {
		span = minute + 1
	}
	p.ends = append(p.ends, &End{Nr: nr, Days: days, Held: span})
	p.turn()
}

// turn tells and asks, one at a time.
func (p *proc) turn() {
	if p.turning {
		p.again = true
		return
	}
	s := p.s
	say := Say{Me: p.id, Gone: slices.Clone(p.gone)}
	ends := slices.Clone(p.ends)
	var came []*waiter
	for _, w := range p.calls {
		say.Waiting = append(say.Waiting, w.Nr)
		if !w.inLine {
			came = append(came, w)
			say.Came = append(say.Came, w.Call)
		}
	}
	if len(ends)+len(say.Gone)+len(say.Waiting) == 0 {
		return
	}
	p.turning, p.again = true, false
	var ask func()
	ask = func() {
		asked := p.mono()
		s.at(s.net(), func() {
			say.Ended = say.Ended[:0]
			for _, e := range ends {
				e.Clock = s.clock() + p.skew
				say.Ended = append(say.Ended, *e)
			}
			got := s.db.Turn(s.clock(), say)
			s.copied()
			s.tell(got.Whose)
			if s.c.Faults && s.rng.IntN(300) == 0 { // the answer is lost
				p.soon(second/2, ask)
				return
			}
			p.soon(s.net(), func() { p.hear(asked, ends, came, say, got) })
		})
	}
	ask()
}

// tell wakes whose turn it is. Some of it is lost.
func (s *sim) tell(id int64) {
	if id == 0 || s.c.Faults && s.rng.IntN(20) == 0 {
		return
	}
	for _, p := range s.procs {
		if p.id == id {
			p.soon(s.net(), p.turn)
		}
	}
}

func (p *proc) hear(asked int64, ends []*End, came []*waiter, say Say, got Heard) {
	p.turning = false
	p.ends = slices.DeleteFunc(p.ends, func(e *End) bool { return slices.Contains(ends, e) })
	p.gone = slices.DeleteFunc(p.gone, func(nr int64) bool { return slices.Contains(say.Gone, nr) })
	for _, w := range came {
		w.inLine = true
	}
	anew := func(w *waiter) {
		p.nr++
		w.Nr, w.inLine, p.again = p.nr, false, true
	}
	for i, nr := range got.Granted {
		at := slices.IndexFunc(p.calls, func(w *waiter) bool { return w.Nr == nr })
		w, granted := p.calls[at], asked-got.Ages[i]
		if p.mono()-granted > sendWithin/2 {
			p.gone = append(p.gone, nr)
			anew(w)
			continue
		}
		p.calls = slices.Delete(p.calls, at, at+1)
		w.got(nr, granted)
	}
	for _, w := range p.calls {
		if slices.Contains(got.Missing, w.Nr) {
			anew(w)
		}
	}
	if p.again {
		p.turn()
		return
	}
	if len(p.calls) == 0 {
		return
	}
	next := p.s.c.Poll
	switch {
	case got.Wait >= 0 && p.s.c.Ideal:
		next = min(next, got.Wait)
	case got.Wait >= 0:
		next = min(next, got.Wait+1000)
	}
	p.timer = p.s.now + next
	when := p.timer
	p.soon(next, func() {
		if p.timer == when {
			p.turn()
		}
	})
}
