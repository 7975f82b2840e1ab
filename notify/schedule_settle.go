package notify

import (
	"context"
	"errors"
	"time"

	"github.com/garminkit/activityapi/internal/backoff"
)

// settleMost is how many verdicts go to the queue at a time.
const settleMost = 2048

// record hands a verdict to the queue, soon.
func (sh *shareState) record(v Verdict) {
	sh.verdicts = append(sh.verdicts, v)
	signal(sh.settle)
}

// settleAll passes verdicts to the queue until ctx ends. If the queue fails, it
// offers them again, without calling the callbacks again. It reports whether the
// share is lost.
func (sh *shareState) settleAll(ctx context.Context, report func(string, error, time.Duration)) (lost bool) {
	for fails := 0; ; {
		select {
		case <-ctx.Done():
			return false
		case <-sh.settle:
		}
		for {
			more, err := sh.settleSome(ctx)
			if errors.Is(err, ErrLost) || ctx.Err() != nil {
				return errors.Is(err, ErrLost)
			}
			if err == nil {
				fails = 0
				if !more {
					break
				}
				continue
			}
			fails++
			wait := backoff.Wait(fails, 100*time.Millisecond, 10*time.Second)
			report("recording verdicts", err, wait)
			select {
			case <-ctx.Done():
				return false
			case <-time.After(wait):
			}
		}
	}
}

// settleSome hands some verdicts to the queue.
func (sh *shareState) settleSome(ctx context.Context) (more bool, err error) {
	s := sh.s
	s.mu.Lock()
	n := min(len(sh.verdicts), settleMost)
	batch := append([]Verdict(nil), sh.verdicts[:n]...)
	s.mu.Unlock()
	if n == 0 {
		return false, nil
	}
	if err := sh.share.Settle(ctx, batch); err != nil {
		return true, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if sh.verdicts = sh.verdicts[n:]; len(sh.verdicts) == 0 {
		sh.verdicts = nil
	}
	sh.takeBack()
	return len(sh.verdicts) > 0, nil
}

// maxUnsettled bounds the verdicts of a share that its queue has not taken.
const maxUnsettled = 8192

// clogged means that nothing of the share starts until its queue has taken
// verdicts, so that a crash repeats only little.
func (sh *shareState) clogged() bool { return len(sh.verdicts) >= maxUnsettled }

// setAside keeps a ready task of a clogged share out of the way of the other
// shares' tasks.
func (sh *shareState) setAside(t *task) { sh.aside = append(sh.aside, t) }

// takeBack makes what was set aside ready again, when the queue has taken
// verdicts.
func (sh *shareState) takeBack() {
	if sh.clogged() || len(sh.aside) == 0 {
		return
	}
	s, aside := sh.s, sh.aside
	sh.aside = nil
	for _, t := range aside {
		s.ready[t.crew].push(t)
	}
	for c := range crews {
		s.employ(c)
	}
}

// settleLast hands over what is left when nothing of the share runs any more.
func (sh *shareState) settleLast(ctx context.Context) error {
	for {
		if more, err := sh.settleSome(ctx); err != nil || !more {
			return err
		}
	}
}
