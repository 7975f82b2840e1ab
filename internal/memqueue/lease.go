package memqueue

import (
	"slices"
	"time"
)

// worker is a process that asks for shares.
type worker struct {
	*Memory
	expires time.Time
}

// report is what a process tells the table in a beat.
type report struct {
	looping bool // it takes more shares
	// ended are the rights, by share, that ended here.
	ended map[int]ending
}

// ending tells of a right that a process has used for the last time.
type ending struct {
	epoch uint64
	// released tells that nothing of the share runs any more. Before that,
	// nobody gets it sooner than its lease ends, and this process not at all.
	released bool
}

// grant is a share that belongs to the process.
type grant struct {
	right
	wanted bool
}

// beat renews the leases of a process, divides the shares anew, and tells the
// process which are its own.
func (t *table) beat(m *Memory, rep report) []grant {
	now := t.now()
	moved := false
	for i, s := range t.shares {
		if s.owner == nil {
			continue
		}
		if e, ok := rep.ended[i]; ok && s.owner == m && e.epoch >= s.epoch && e.released || t.over(s.expires) {
			s.free()
			moved = true
		}
	}
	moved = t.join(m, rep.looping, now) || moved
	part := t.part(m)
	held := 0
	for i, s := range t.shares {
		if s.owner != m {
			continue
		}
		if e, ok := rep.ended[i]; !ok || e.epoch < s.epoch {
			s.expires = now.Add(t.lease)
		}
		if !s.wanted {
			held++
		}
	}
	for i, s := range t.shares {
		e, ended := rep.ended[i]
		switch {
		case s.owner == nil && held < part && (!ended || e.released || t.unfenced == "busy"):
			*s = slot{lists: s.lists, owner: m, epoch: s.epoch + 1, expires: now.Add(t.lease)}
			held++
		case s.owner == m && !s.wanted && held > part && t.lease > 0:
			s.wanted = true
			held--
		}
	}
	var mine []grant
	for i, s := range t.shares {
		if s.owner == m {
			mine = append(mine, grant{right{i, m, s.epoch}, s.wanted})
		}
	}
	if moved {
		t.kick(m)
	}
	return mine
}

// over tells that a lease ended at that time, so that another may have what it
// was for.
func (t *table) over(expires time.Time) bool {
	if t.unfenced == "lease" {
		expires = expires.Add(-t.lease * 2 / 3)
	}
	return t.lease > 0 && !t.now().Before(expires)
}

func (s *slot) free() { s.owner, s.changed, s.wanted = nil, nil, false }

// join keeps the list of workers, and reports whether it changed.
func (t *table) join(m *Memory, looping bool, now time.Time) bool {
	before := len(t.workers)
	if t.lease > 0 {
		t.workers = slices.DeleteFunc(t.workers, func(w *worker) bool { return w.Memory != m && t.over(w.expires) })
	}
	i := slices.IndexFunc(t.workers, func(w *worker) bool { return w.Memory == m })
	switch {
	case looping && i >= 0:
		t.workers[i].expires = now.Add(t.lease)
	case looping:
		t.workers = append(t.workers, &worker{m, now.Add(t.lease)})
		return true
	case i >= 0:
		t.workers = slices.Delete(t.workers, i, i+1)
	}
	return len(t.workers) != before
}

// part is how many shares a process should have.
func (t *table) part(m *Memory) int {
	i := slices.IndexFunc(t.workers, func(w *worker) bool { return w.Memory == m })
	if i < 0 {
		return 0
	}
	part := len(t.shares) / len(t.workers)
	if i < len(t.shares)%len(t.workers) {
		part++
	}
	return part
}

// release frees a share at once.
func (t *table) release(r right) {
	s := t.shares[r.share]
	if t.unfenced != "release" && (s.owner != r.owner || s.epoch != r.epoch) {
		return
	}
	s.free()
	t.kick(nil)
}

// leave forgets a process that has nothing any more.
func (t *table) leave(m *Memory) {
	if t.join(m, false, t.now()) {
		t.kick(m)
	}
}

// kick lets all other processes ask for their shares.
func (t *table) kick(but *Memory) {
	for _, w := range t.workers {
		if w.Memory != but {
			signal(w.Memory.kick)
		}
	}
}

// watch has the owner told of new items.
func (t *table) watch(r right, changed chan<- struct{}) {
	if s := t.shares[r.share]; s.owner == r.owner && s.epoch == r.epoch {
		s.changed = changed
	}
}

// signal wakes who waits at a channel of one place.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
