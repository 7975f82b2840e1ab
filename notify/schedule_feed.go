package notify

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/garminkit/activityapi/internal/backoff"
)

// scanMost is how many items a scan asks for.
const scanMost = 256

// feeder brings the items of some classes of a share to the scheduler: those that
// a scan finds, and those that must be read again. There are two, one for
// accounts and one for the rest, so that a deregistration never waits for a scan
// or a read of other items.
type feeder struct {
	sh    *shareState
	which int // accounts or others
	fails int
	// report is told of a queue that fails.
	report func(doing string, err error, wait time.Duration)

	after [Classes]ItemID
	more  [Classes]bool // the scan of the class may find something
}

// The feeders of a share.
const (
	accounts = iota
	others
	feeders
)

// feederOf tells which feeder brings the items of a class.
func feederOf(c Class) int {
	if c == ClassAccount {
		return accounts
	}
	return others
}

// feed works until ctx ends or the share is lost.
func (sh *shareState) feed(ctx context.Context, report func(doing string, err error, wait time.Duration)) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var both sync.WaitGroup
	for which := range feeders {
		both.Go(func() {
			defer stop()
			(&feeder{sh: sh, which: which, report: report}).feed(ctx)
		})
	}
	// Both hear of news.
	for {
		select {
		case <-ctx.Done():
			both.Wait()
			return
		case <-sh.share.Changed():
			for which := range feeders {
				signal(sh.news[which])
			}
		}
	}
}

func (f *feeder) feed(ctx context.Context) {
	t := time.NewTimer(time.Hour)
	defer t.Stop()
	f.lookAgain()
	for {
		// Handle notices even when busy.
		select {
		case <-f.sh.news[f.which]:
			f.lookAgain()
		default:
		}
		busy, wait, err := f.step(ctx)
		switch {
		case ctx.Err() != nil || errors.Is(err, ErrLost):
			return
		case err != nil:
			f.fails++
			wait = backoff.Wait(f.fails, 100*time.Millisecond, 10*time.Second)
			f.report("reading the queue", err, wait)
		case busy:
			f.fails = 0
			continue
		}
		t.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-f.sh.news[f.which]:
			f.lookAgain()
		case <-f.sh.wake[f.which]:
		case <-t.C:
		}
		if err != nil {
			// It has just failed: new items do not shorten the wait.
			_ = backoff.Sleep(ctx, wait)
		}
	}
}

func (f *feeder) lookAgain() {
	for c := range f.more {
		f.more[c] = feederOf(Class(c)) == f.which
	}
	if f.which == accounts {
		f.sh.searching()
	}
}

// step scans each class that has room, and reads some of what is due. busy
// tells that there may be more at once; else wait is how long there is nothing to
// do.
func (f *feeder) step(ctx context.Context) (busy bool, wait time.Duration, err error) {
	sh, s := f.sh, f.sh.s
	for c := range f.more {
		scanned, err := f.scan(ctx, Class(c))
		if err != nil {
			return false, 0, err
		}
		busy = busy || scanned
	}
	wait = time.Hour
	s.mu.Lock()
	if f.which == others {
		now := s.now()
		if next, ok := sh.fire(now); ok {
			wait = max(next-now, 0)
		}
	}
	ids := sh.takeWants(f.which)
	s.mu.Unlock()
	if len(ids) == 0 {
		return busy, wait, nil
	}
	slices.Sort(ids) // near each other in the queue, too
	now := s.generation()
	items, err := sh.share.Load(ctx, ids)
	if err != nil {
		sh.unread(f.which, ids)
		return false, wait, err
	}
	sh.read(f.which, ids, items, now)
	return true, wait, nil
}

// scanTurns is how often a class is scanned before another's turn: new items do
// not wait for repeats.
const scanTurns = 16

// scan brings items of a class, and reports whether there were any.
func (f *feeder) scan(ctx context.Context, c Class) (some bool, err error) {
	for range scanTurns {
		if !f.more[c] {
			return some, nil
		}
		if !f.sh.roomFor(c) {
			f.ends(c)
			return some, nil
		}
		now := f.sh.s.generation()
		items, err := f.sh.share.Scan(ctx, c, f.after[c], scanMost)
		if err != nil {
			return some, err
		}
		if len(items) == 0 {
			f.more[c] = false
			f.ends(c)
			return some, nil
		}
		some = true
		f.after[c] = items[len(items)-1].ID
		if f.which != accounts {
			if err := f.waitForAccounts(ctx); err != nil {
				return some, err
			}
		}
		f.sh.admit(items, now)
	}
	return some, nil
}

// ends is told that a class was scanned to its end, or as far as there is room.
func (f *feeder) ends(c Class) {
	if c == ClassAccount {
		f.sh.searched()
	}
}

// search counts the scans for items of accounts. scheduler.mu guards it.
type search struct {
	begun, ended uint64
	end          chan struct{} // closed when the next one ends; nil if nobody waits
}

// searching is told that a scan for items of accounts begins anew.
func (sh *shareState) searching() {
	sh.s.mu.Lock()
	defer sh.s.mu.Unlock()
	sh.search.begun++
}

// searched is told that it has ended.
func (sh *shareState) searched() {
	sh.s.mu.Lock()
	defer sh.s.mu.Unlock()
	a := &sh.search
	if a.ended = a.begun; a.end != nil {
		close(a.end)
		a.end = nil
	}
}

// searchPatience is how long a scan for items of accounts may keep the others
// waiting before that is reported.
const searchPatience = 10 * time.Second

// waitForAccounts returns when all account items are known that came before the
// items of a scan that has just ended, so that a user's later items stay behind a
// deregistration. It waits as long as necessary: a queue that cannot find its
// deregistrations delivers nothing else. It fails if ctx ends.
func (f *feeder) waitForAccounts(ctx context.Context) error {
	sh := f.sh
	s, a := sh.s, &sh.search
	t := time.NewTicker(searchPatience)
	defer t.Stop()
	s.mu.Lock()
	want := a.begun + 1
	signal(sh.news[accounts])
	for a.ended < want {
		if a.end == nil {
			a.end = make(chan struct{})
		}
		end := a.end
		s.mu.Unlock()
		select {
		case <-end:
		case <-t.C:
			f.report("reading the queue", errNoAccounts, 0)
		case <-ctx.Done():
			return ctx.Err()
		}
		s.mu.Lock()
	}
	s.mu.Unlock()
	return nil
}

var errNoAccounts = errors.New("the scan for deregistrations and permission changes does not end")

// roomFor reports whether a class has room for more items. Waiting items take
// none; only runnable items in excess do.
func (sh *shareState) roomFor(c Class) bool {
	s := sh.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if sh.heads[c] < maxReady && sh.queued[c] < maxQueued {
		return true
	}
	sh.paused = true
	return false
}
