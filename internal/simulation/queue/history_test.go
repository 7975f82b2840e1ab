package queue

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/garminkit/activityapi/notify"
)

// history is what was seen from outside.
type history struct {
	mu       sync.Mutex
	begun    []*beginning
	counts   map[uint64]int // beginnings of an item
	pulls    map[int]int
	puts     map[int]int // by marker: how often it was sent
	acks     map[int]bool
	finished map[uint64]finish // items whose end was recorded
	deaths   map[int]time.Time
	pauses   map[int][]span
	sights   map[string][]sight // by user
	faults   []string
	drained  time.Duration // how long that took, after the last trouble
}

// summary counts what schedules had in them.
type summary struct {
	mu                                                          sync.Mutex
	schedules, items, calls, again, files, deaths, pauses, long int
	drained                                                     time.Duration
}

func (s *summary) add(h *history) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.schedules++
	s.items += len(h.puts)
	s.calls += len(h.begun)
	took := map[uint64]bool{}
	for _, b := range h.begun {
		if took[b.order] {
			s.again++
		}
		took[b.order] = took[b.order] || b.took
		if strings.HasPrefix(b.touch, "activityFiles/") {
			s.files++
		}
	}
	s.deaths += len(h.deaths)
	for _, all := range h.pauses {
		for _, p := range all {
			s.pauses++
			if p.to.Sub(p.from) >= lease {
				s.long++
			}
		}
	}
	s.drained = max(s.drained, h.drained)
}

func (s *summary) String() string {
	return fmt.Sprintf("%d schedules: %d items, %d calls of callbacks, %d of them again after a nil and %d with a file, %d processes, %d pauses, %d of them longer than a lease; the longest drain took %v",
		s.schedules, s.items, s.calls, s.again, s.files, s.deaths, s.pauses, s.long, s.drained)
}

// beginning is one call of a callback.
type beginning struct {
	life    int
	order   uint64
	marker  int
	user    string
	account bool
	pushed  bool
	touch   string // what it changes, "" for what nothing else does
	count   int    // it is the so-manieth of its item
	at      time.Time
	ended   time.Time // zero while it runs, or when the process died in it
	took    bool      // it returned nil
}

type span struct{ from, to time.Time }

type finish struct {
	life int
	fate notify.Fate
	sent time.Time
	at   time.Time
}

func newHistory() *history {
	return &history{
		counts: map[uint64]int{}, pulls: map[int]int{}, puts: map[int]int{}, acks: map[int]bool{},
		finished: map[uint64]finish{}, deaths: map[int]time.Time{}, pauses: map[int][]span{}, sights: map[string][]sight{},
	}
}

func (h *history) wrong(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, fmt.Sprintf(format, args...))
}

func (h *history) sent(markers []int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range markers {
		h.puts[m]++
	}
}

func (h *history) acked(markers []int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range markers {
		h.acks[m] = true
	}
}

func (h *history) pulled(marker int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pulls[marker]++
	return h.pulls[marker]
}

// begin notes that a callback was called. It returns nil if the process is dead.
func (h *history) begin(life int, d *notify.Delivery, marker int) *beginning {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, dead := h.deaths[life]; dead {
		return nil
	}
	h.counts[d.Order]++
	b := &beginning{
		life: life, order: d.Order, marker: marker, user: string(d.UserID), account: d.Kind == "userPermissionsChange",
		pushed: !d.Pulled && d.Kind != "userPermissionsChange", touch: touchOf(d), count: h.counts[d.Order], at: time.Now(),
	}
	h.begun = append(h.begun, b)
	return b
}

// touchOf names what a delivery changes. The key ends with the revision and the
// user.
func touchOf(d *notify.Delivery) string {
	if d.Kind == "userPermissionsChange" {
		return "account"
	}
	return d.Key[:len(d.Key)-len(d.Revision)-len(d.User.ID)-2]
}

func (h *history) end(b *beginning, took bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b.ended, b.took = time.Now(), took
}

func (h *history) died(life int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.deaths[life] = time.Now()
}

func (h *history) paused(life int, from, to time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pauses[life] = append(h.pauses[life], span{from, to})
}

// settled notes what the queue has recorded.
func (h *history) settled(life int, sent time.Time, verdicts []notify.Verdict) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, v := range verdicts {
		if _, ok := h.finished[uint64(v.ID)]; !ok && v.Fate != notify.Again {
			h.finished[uint64(v.ID)] = finish{life, v.Fate, sent, time.Now()}
		}
	}
}

// sight is that a process found items of a user in its share.
type sight struct {
	*watchedShare
	at time.Time
}

// saw notes that a process has the share of a user.
func (h *history) saw(s *watchedShare, user string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, o := range h.sights[user] {
		if o.watchedShare == s {
			return
		}
	}
	h.sights[user] = append(h.sights[user], sight{s, time.Now()})
}

// used checks that a call under the right to a user's share did not succeed
// after another process had the share. For that there is no excuse.
func (h *history) used(op string, s *watchedShare, user string, arrived time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, o := range h.sights[user] {
		if o.l != s.l && o.since.After(s.since) && o.at.Before(arrived) {
			h.faults = append(h.faults, fmt.Sprintf("a %s of process %d was done %v after process %d had the share of user %s", op, s.l.number, arrived.Sub(o.at), o.l.number, user))
			return
		}
	}
}

// released checks that a process that gave a share back had recorded all that
// its callbacks took.
func (h *history) released(life int, since time.Time, users map[string]bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, b := range h.begun {
		if _, ok := h.finished[b.order]; !ok && b.life == life && b.took && users[b.user] && b.at.After(since) {
			h.faults = append(h.faults, fmt.Sprintf("process %d released the share of user %s, and had not recorded that item %d is done", life, b.user, b.order))
		}
	}
}

// until is when a beginning ended, at the latest with its process.
func (h *history) until(b *beginning) time.Time {
	end, dead := h.deaths[b.life]
	switch {
	case b.ended.IsZero() && dead:
		return end
	case b.ended.IsZero():
		return time.Now()
	case dead && end.Before(b.ended):
		return end
	}
	return b.ended
}

// excused tells whether the process stood still for so long, around the time
// from b's begin to end, that its lease may have ended: then b is what no queue
// can prevent.
func (h *history) excused(b *beginning, end time.Time) bool {
	for _, p := range h.pauses[b.life] {
		if p.to.Sub(p.from) >= long && !b.at.After(p.to.Add(lease/8)) && end.After(p.from) {
			return true
		}
	}
	return false
}

// judge returns all that was wrong.
func (h *history) judge(letters map[int]int) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	wrong := func(format string, args ...any) { h.faults = append(h.faults, fmt.Sprintf(format, args...)) }
	taken := map[int]bool{}
	orders := map[int]map[uint64]bool{}
	for _, b := range h.begun {
		taken[b.marker] = taken[b.marker] || b.took
		if orders[b.marker] == nil {
			orders[b.marker] = map[uint64]bool{}
		}
		orders[b.marker][b.order] = true
	}
	for m := range h.acks {
		if !taken[m] && letters[m] == 0 {
			wrong("item %d was acknowledged, and is lost", m)
		}
	}
	for m, n := range letters {
		if n > h.puts[m] {
			wrong("item %d was stored %d times at most, and is in %d letters", m, h.puts[m], n)
		}
		if h.puts[m] == 1 {
			for order := range orders[m] {
				if f, ok := h.finished[order]; ok && f.fate == notify.Done {
					wrong("item %d was done and is a letter", m)
				}
			}
		}
	}
	for m, n := range orders {
		if len(n) > h.puts[m] {
			wrong("item %d was stored %d times at most, and had %d orders", m, h.puts[m], len(n))
		}
	}
	h.judgeOrder(wrong)
	h.judgeOverlap(wrong)
	for _, b := range h.begun {
		f, ok := h.finished[b.order]
		switch {
		case !ok:
		case b.life != f.life && b.at.Before(f.sent) && h.until(b).After(f.at) && !h.excused(b, h.until(b)):
			wrong("process %d recorded the end of item %d of user %s while process %d was at work on it", f.life, b.order, b.user, b.life)
		case b.at.After(f.at) && !h.excused(b, b.at):
			wrong("process %d began item %d of user %s %v after process %d had recorded its end", b.life, b.order, b.user, b.at.Sub(f.at), f.life)
		}
	}
	return h.faults
}

// judgeOrder checks that what touches the same thing first began in order of
// arrival, and so what a user was pushed, unless it touches what something
// before it does.
func (h *history) judgeOrder(wrong func(string, ...any)) {
	first := map[uint64]bool{}
	last := map[string]*beginning{}       // by what is touched, the latest arrival begun
	alone := map[string]map[uint64]bool{} // the items that touch it
	for _, b := range h.begun {
		key := b.user + " " + b.touch
		if alone[key] == nil {
			alone[key] = map[uint64]bool{}
		}
		alone[key][b.order] = true
	}
	for _, b := range h.begun {
		if first[b.order] {
			continue
		}
		first[b.order] = true
		key := b.user + " " + b.touch
		if b.pushed && len(alone[key]) == 1 {
			key = b.user + " pushes"
		}
		if l := last[key]; l != nil && l.order > b.order {
			if !h.excused(b, b.at) && !h.excused(l, l.at) {
				wrong("item %d of user %s first began after item %d (%s)", b.order, b.user, l.order, key)
			}
			continue
		}
		last[key] = b
	}
}

// judgeOverlap checks that one process at a time works on a user's items, and
// on one of them at a time; only what is about the account may begin beside
// another.
func (h *history) judgeOverlap(wrong func(string, ...any)) {
	byUser := map[string][]*beginning{}
	for _, b := range h.begun {
		byUser[b.user] = append(byUser[b.user], b)
	}
	for user, all := range byUser {
		slices.SortFunc(all, func(a, b *beginning) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
		for i, a := range all {
			end := h.until(a)
			for _, b := range all[i+1:] {
				if !b.at.Before(end) {
					break
				}
				switch {
				case a.life == b.life && a.account == b.account:
					wrong("process %d had items %d and %d of user %s at work at once", a.life, a.order, b.order, user)
				case a.life == b.life && a.account && b.at.After(a.at):
					wrong("process %d began item %d of user %s while their permission change %d was at work", b.life, b.order, user, a.order)
				case a.life != b.life && !h.excused(a, b.at) && !h.excused(b, h.until(b)):
					wrong("processes %d and %d had items %d and %d of user %s at work at once", a.life, b.life, a.order, b.order, user)
				}
			}
		}
	}
}
