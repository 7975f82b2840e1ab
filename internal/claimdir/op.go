package claimdir

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// claimOp is a change of a claim that waits for its turn. Those that wait together
// share a lock, a write and a sync.
type claimOp struct {
	do    func() error // may add records to the log
	after func() error // done instead, when the others are on the disk
	wrote bool
	err   error
	done  chan struct{}
}

// change calls do while no other handle uses the directory. When it has returned,
// the records that do has added are in the log.
func (d *Dir) change(ctx context.Context, id string, do func() error) error {
	if err := checkClaimID(id); err != nil {
		return err
	}
	return d.await(ctx, &claimOp{do: do})
}

func (d *Dir) await(ctx context.Context, op *claimOp) error {
	op.done = make(chan struct{})
	d.mu.Lock()
	d.waiting = append(d.waiting, op)
	d.mu.Unlock()
	select {
	case <-op.done:
		return op.err
	case <-ctx.Done():
		if d.withdraw(op) {
			return context.Cause(ctx)
		}
		<-op.done // Somebody has begun with it.
		return op.err
	case d.turn <- struct{}{}:
	}
	defer func() { <-d.turn }()
	select {
	case <-op.done:
		return op.err
	default:
	}
	d.gather()
	l, err := d.lockFile(ctx)
	if err != nil {
		d.withdraw(op)
		return fmt.Errorf("notify: claims: %w", err)
	}
	defer l.Close()
	d.serve()
	return op.err
}

// gather waits for changes that are about to come, as long as a sync took, if the
// last ones came together. So with many downloads at once there are fewer syncs. A
// lone download never waits.
func (d *Dir) gather() {
	d.mu.Lock()
	few := len(d.waiting) < d.last
	d.mu.Unlock()
	if few {
		time.Sleep(min(d.took, mostGather))
	}
}

// mostGather is the longest time that changes wait for others.
const mostGather = 2 * time.Millisecond

// withdraw reports whether nobody has begun with the operation, and nobody will.
func (d *Dir) withdraw(op *claimOp) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.Index(d.waiting, op)
	if i < 0 {
		return false
	}
	d.waiting = slices.Delete(d.waiting, i, i+1)
	return true
}

// serve does what waits.
func (d *Dir) serve() {
	d.mu.Lock()
	ops := d.waiting
	d.waiting = nil
	d.mu.Unlock()
	d.last = len(ops)
	defer func() {
		for _, op := range ops {
			close(op.done)
		}
	}()
	if err := d.refresh(); err != nil {
		for _, op := range ops {
			op.err = fmt.Errorf("notify: claims: %w", err)
		}
		return
	}
	for _, op := range ops {
		if op.do != nil {
			n := len(d.log.pending)
			op.err = op.do()
			op.wrote = len(d.log.pending) > n
		}
	}
	begun := time.Now()
	err := d.commit()
	d.took = time.Since(begun)
	if err != nil {
		for _, op := range ops {
			if op.wrote || op.after != nil {
				op.err = fmt.Errorf("notify: claims: %w", err)
			}
		}
		return
	}
	for _, op := range ops {
		if op.after != nil {
			if op.err = d.refresh(); op.err == nil {
				op.err = op.after()
			}
		}
	}
	d.tend()
}
