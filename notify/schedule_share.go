package notify

import (
	"context"
	"time"

	"github.com/garminkit/activityapi/types"
)

// shareState is what is known of the items of an owned share. scheduler.mu guards
// it. When the share is lost, it is dropped as a whole.
type shareState struct {
	s     *scheduler
	share Share
	ctx   context.Context // of the attempts at its items

	lanes      map[laneKey]*lane
	holds      map[uint64]ItemID     // who holds what, by holdKey
	waitBehind map[uint64]*line      // and who waits behind
	waits      waitHeap              // what is tried again later
	parks      parkHeap              // lanes whose token is refused
	held       map[string]*heldItems // what waits for the end of an outage, by application
	loaded     map[ItemID]*Item      // kept for their lanes
	good       map[types.UserID]time.Duration
	sluggish   sluggish
	memo       memo
	search     search            // for items of accounts
	letters    map[uint64]int    // of a body
	queued     [Classes]int      // in the lines of lanes
	heads      [Classes]int      // ready
	again      [Classes]int      // of these, repeats
	due        [Classes]dueItems // repeats for which there is no room yet
	wants      [feeders][]ItemID // to be read, and for whom
	wantedBy   map[ItemID]wanted
	verdicts   []Verdict
	aside      []*task // ready, but the share is clogged
	running    int
	paused     bool // the feeder waits for room

	closing bool // it is wanted back, or the processor stops
	dead    bool // it is lost or released
	quiet   chan struct{}
	isQuiet bool
	wake    [feeders]chan struct{} // to the feeders: there is something to read
	news    [feeders]chan struct{} // and something to scan
	settle  chan struct{}          // to the settler
}

// takeShare begins with a share.
func (s *scheduler) takeShare(share Share) *shareState {
	sh := &shareState{
		s: s, share: share,
		lanes: map[laneKey]*lane{}, holds: map[uint64]ItemID{}, waitBehind: map[uint64]*line{},
		sluggish: sluggish{},
		loaded:   map[ItemID]*Item{}, good: map[types.UserID]time.Duration{},
		wantedBy: map[ItemID]wanted{},
		quiet:    make(chan struct{}), settle: make(chan struct{}, 1),
	}
	for which := range feeders {
		sh.wake[which], sh.news[which] = make(chan struct{}, 1), make(chan struct{}, 1)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shares[sh] = struct{}{}
	return sh
}

// close prevents further attempts of the share. The channel is closed when none
// runs.
func (sh *shareState) close() <-chan struct{} {
	sh.s.mu.Lock()
	defer sh.s.mu.Unlock()
	sh.closing = true
	if sh.running == 0 {
		sh.becomeQuiet()
	}
	return sh.quiet
}

// abandon drops everything known of the share. Results of running attempts are
// ignored.
func (sh *shareState) abandon() {
	s := sh.s
	s.mu.Lock()
	defer s.mu.Unlock()
	sh.dead = true
	delete(s.shares, sh)
	for id := range sh.loaded {
		sh.unload(id)
	}
	for _, l := range sh.lanes {
		if l.head != nil {
			sh.unready(l)
		}
	}
	if sh.running == 0 {
		sh.becomeQuiet()
	}
	for c := range s.ready {
		s.ready[c].drop(sh)
		s.employ(crew(c))
	}
	s.outageLost(sh)
}

func (sh *shareState) becomeQuiet() {
	if !sh.isQuiet {
		sh.isQuiet = true
		close(sh.quiet)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
