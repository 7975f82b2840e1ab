package notify

import (
	"context"
	"errors"

	"github.com/garminkit/activityapi/types"
)

// course is the run of a download. It is late once its attempt has lost the share and
// returned.
type course struct {
	user   types.UserID
	cancel context.CancelCauseFunc
	ended  chan struct{} // closed under the store's lock
}

// outlive runs the download. If the share is lost meanwhile, it returns the cause,
// and the download goes on: Garmin gives a file out once. The claim keeps others
// from asking, and the next attempt finds the file stored. When ctx ends for
// another reason, so does the download.
//
// The lock of the claim is the download's, and is given back when it has ended.
func (d *download) outlive(ctx context.Context, client Client) (Claim, error) {
	own, stop := context.WithoutCancel(ctx), func() {}
	if at, ok := ctx.Deadline(); ok {
		own, stop = context.WithDeadline(own, at)
	}
	own, cancel := context.WithCancelCause(own)
	run := &course{user: d.file.UserID, cancel: cancel, ended: make(chan struct{})}
	var c Claim
	err := errGone // if the client ends the goroutine
	go func() {
		defer d.s.end(run)
		defer d.s.unlock(d.id)
		defer stop()
		defer cancel(nil)
		held, release := d.hold(own)
		defer release()
		err = attempted(func() (err error) {
			c, err = d.run(held, client)
			return err
		})
	}()
	select {
	case <-run.ended:
		return c, err
	case <-ctx.Done():
	}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, ErrLost):
		d.s.leave(run)
		return Claim{}, cause
	case errors.Is(ctx.Err(), context.Canceled):
		cancel(cause)
	}
	<-run.ended
	return c, err
}

// leave notes that a download is late, unless it has just ended.
func (s *fileStore) leave(run *course) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-run.ended:
	default:
		s.late[run] = true
	}
}

func (s *fileStore) end(run *course) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.late, run)
	close(run.ended)
}

// lateOf returns the late downloads of a user, or of all if user is empty. s may be
// nil.
func (s *fileStore) lateOf(user types.UserID) (all []*course) {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for run := range s.late {
		if user == "" || user == run.user {
			all = append(all, run)
		}
	}
	return all
}

// cut ends the late downloads.
func (s *fileStore) cut(cause error) {
	for _, run := range s.lateOf("") {
		run.cancel(cause)
	}
}

// quiet returns a channel that is closed when idle is and no download is late.
func (s *fileStore) quiet(idle <-chan struct{}) <-chan struct{} {
	if s == nil {
		return idle
	}
	quiet := make(chan struct{})
	go func() {
		defer close(quiet)
		<-idle // Nothing becomes late after that.
		for _, run := range s.lateOf("") {
			<-run.ended
		}
	}()
	return quiet
}
