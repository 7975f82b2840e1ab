package notify

import (
	"time"

	"github.com/garminkit/activityapi/types"
)

// crew is a group of workers. Each has its own, so that none starves another.
type crew int

const (
	crewAccount crew = iota
	crewPush
	crewPull
	crewLarge
	crewLargePull
	crewFile
	crewBad
	crewSluggish // users whose last attempt took long
	crews
)

// crewState is what a crew works on.
type crewState struct {
	limit int
	tasks []*task // that run
	slow  int     // of these, those that hold no place
	// patience is the longest time that an attempt holds its place. Then another
	// may start, so that callbacks that hang for some users do not stop the
	// others.
	patience time.Duration
	usual    time.Duration // how long attempts took lately, 0 before the first ended
}

const (
	// slowPerWorker bounds the attempts that hold no place, for each worker.
	slowPerWorker = 16
	// tooSlow is how many times as long as usual an attempt holds its place, but
	// patience/leastPatience at least.
	tooSlow       = 16
	leastPatience = 20
)

func (c *crewState) full() bool {
	return len(c.tasks)-c.slow >= c.limit || c.slow >= c.limit*slowPerWorker
}

func (c *crewState) begin(t *task) {
	t.index, t.slow = len(c.tasks), false
	c.tasks = append(c.tasks, t)
}

func (c *crewState) end(t *task, now time.Duration) {
	last := len(c.tasks) - 1
	c.tasks[t.index] = c.tasks[last]
	c.tasks[t.index].index = t.index
	c.tasks[last] = nil
	c.tasks = c.tasks[:last]
	if t.slow {
		c.slow--
	}
	took := min(max(now-t.begun, 1), c.patience)
	if c.usual == 0 {
		c.usual = took
	}
	c.usual = max(c.usual+(took-c.usual)/8, 1)
}

// holds is how long an attempt holds its place. Where attempts end soon, one that
// does not is found soon. Where all take long, none loses its place for that: else
// a slow database would get ever more to do. Before the first has ended, each
// set of attempts that hang shortens it.
func (c *crewState) holds() time.Duration {
	if c.usual == 0 {
		return max(c.patience/time.Duration(1+c.slow/c.limit), c.patience/leastPatience)
	}
	return min(max(tooSlow*c.usual, c.patience/leastPatience), c.patience)
}

// lookForSlow sets the timer, if it is not to end before.
func (s *scheduler) lookForSlow(at time.Duration) {
	if s.slowAt != 0 && s.slowAt <= at {
		return
	}
	s.slowAt = at
	if s.slow == nil {
		s.slow = time.AfterFunc(at-s.now(), s.findSlow)
		return
	}
	s.slow.Reset(at - s.now())
}

// findSlow lets attempts that take long go on without a place.
func (s *scheduler) findSlow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slowAt = 0
	if s.stopped {
		return
	}
	now := s.now()
	for i := range s.crew {
		c := &s.crew[i]
		for _, t := range c.tasks {
			if t.slow {
				continue
			}
			if at := t.begun + c.holds(); at > now {
				s.lookForSlow(at)
				continue
			}
			t.slow = true
			c.slow++
			if t.crew == crewLarge {
				s.slowBytes += t.Size
			}
			t.lane.share.sluggish.add(t.UserID)
		}
		s.employ(crew(i))
	}
}

// sluggish are users whose last attempt lost its place. They have their own crew,
// so that users with hanging callbacks compete with each other and each delays
// the others only once.
type sluggish map[types.UserID]struct{}

// maxSluggish bounds the users that are remembered.
const maxSluggish = 10_000

func (s sluggish) add(user types.UserID) {
	if len(s) >= maxSluggish {
		clear(s)
	}
	s[user] = struct{}{}
}

// crew tells who works on an item of the share.
func (sh *shareState) crew(it *Item) crew {
	c := crewOf(it)
	if c == crewPush || c == crewPull {
		if _, ok := sh.sluggish[it.UserID]; ok {
			return crewSluggish
		}
	}
	return c
}

// crewOf tells who works on an item.
func crewOf(it *Item) crew {
	switch it.Class {
	case ClassAccount:
		return crewAccount
	case ClassPush:
		if it.Size > largeItem {
			return crewLarge
		}
		return crewPush
	case ClassPull:
		if types.Kind(it.Key) == types.KindActivityDetails {
			return crewLargePull
		}
		return crewPull
	case ClassFile:
		return crewFile
	}
	return crewBad
}
