package service

import (
	"context"
	"time"

	"github.com/garminkit/activityapi/internal/backoff"
)

// fetchHistory makes passes until ctx ends.
func (s *Service) fetchHistory(ctx context.Context) error {
	h := s.opts.History
	failures := 0
	for {
		wait := h.Every
		err := guard(s.opts.Logger, "history", func() error { return s.pass(ctx) })
		if ctx.Err() != nil {
			return nil //nolint:nilerr // what was interrupted is asked for again
		}
		s.health.historyFailed(err)
		if err == nil {
			failures = 0
		} else {
			failures++
			wait = backoff.Wait(failures, time.Minute, min(time.Hour, h.Every))
			s.opts.Logger.ErrorContext(ctx, "service: history was not fetched to its end", "err", err, "again in", wait)
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-s.wanted:
			t.Stop()
		case <-t.C:
		}
	}
}

// pass asks for what is missing of all users.
func (s *Service) pass(ctx context.Context) error {
	h := s.opts.History
	for p, err := range h.Runner.RunAll(ctx, h.Users(ctx)) {
		if err != nil {
			return err
		}
		if h.Progress != nil {
			h.Progress(p)
		}
	}
	return nil
}

// FetchHistory starts a pass of [History] now, or after the running one. Call it
// when a user has connected. It does not wait.
func (s *Service) FetchHistory() {
	select {
	case s.wanted <- struct{}{}:
	default:
	}
}
