package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/garminkit/activityapi/notify"
)

// Service runs the parts of a partner's program together. See the package comment
// for how they start, stop and fail.
type Service struct {
	opts      Options // without zero values
	queue     notify.Queue
	processor *notify.Processor
	intake    *intake
	wanted    chan struct{} // a pass of history
	health    health

	mu    sync.Mutex
	now   state
	cause error // of stateFailed
}

// state is how far the life of a service has come. It only goes on.
type state int

const (
	stateNew state = iota
	stateRunning
	stateStopping
	stateFailed
)

var errRan = errors.New("service: already run")

// New returns a service. It returns an error if [notify.NewProcessor] would, or
// if the settings contradict each other. The caller must then close the parts.
func New(queue notify.Queue, users notify.Resolver, calls notify.Callbacks, opts *Options) (*Service, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if o.Silence != nil {
		calls = o.Silence.listen(calls, o.Processor)
	}
	if o.Drift != nil {
		calls = countDrift(o.Drift, calls, o.Processor)
	}
	if queue == nil { // a Processor may do without
		return nil, errors.New("service: New: queue is nil")
	}
	processor, err := notify.NewProcessor(queue, users, calls, o.Processor)
	if err != nil {
		return nil, err
	}
	return &Service{
		opts:      o,
		queue:     queue,
		processor: processor,
		intake:    newIntake(notify.NewHandler(queue.Put, o.Handler)),
		wanted:    make(chan struct{}, 1),
	}, nil
}

// Intake returns the handler of notifications. It accepts them even before Run,
// and answers 503 once the service stops or has failed.
func (s *Service) Intake() http.Handler { return s.intake }

// Processor returns the processor of the service, for instance to read its
// statistics.
func (s *Service) Processor() *notify.Processor { return s.processor }

// Run runs the service until ctx ends or a part fails, and then stops it. It
// returns nil if ctx ended and everything finished in time. Otherwise the error
// names each part that failed or hangs, the first cause first. Run is for
// programs with an HTTP server of their own, which they should shut down after
// Run has returned.
func (s *Service) Run(ctx context.Context) error { return s.run(ctx, nil, nil) }

// ListenAndServe is like [Service.Run], with an HTTP server for h on a TCP
// address such as ":8080".
func (s *Service) ListenAndServe(ctx context.Context, addr string, h http.Handler) error {
	return s.run(ctx, func() (net.Listener, error) {
		var config net.ListenConfig
		return config.Listen(ctx, "tcp", addr)
	}, h)
}

// Serve is like [Service.Run], with an HTTP server for h that accepts connections
// from l and closes l at the end.
func (s *Service) Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	err := s.run(ctx, func() (net.Listener, error) { return l, nil }, h)
	if errors.Is(err, errRan) {
		err = errors.Join(err, l.Close())
	}
	return err
}

func (s *Service) run(ctx context.Context, listen func() (net.Listener, error), h http.Handler) error {
	if !s.begin() {
		return errRan
	}
	log := s.opts.Logger
	// The parts outlive ctx by the delay.
	work, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	failed := make(chan *partError, 1)
	var parts []*part
	add := func(name string, f func() error) {
		p := start(name, log, f)
		parts = append(parts, p)
		go func() {
			<-p.done
			select {
			case failed <- &partError{name, cmp.Or(p.err, errEnded)}:
			default: // it is not the first
			}
		}()
	}
	add("processor", func() error { return s.processor.Run(work) })
	if t := s.opts.Tokens; t != nil {
		add("tokens", func() error { return ended(work, t.KeepAlive(work, s.opts.KeepAlive)) })
	}
	if s.opts.History != nil {
		add("history", func() error { return s.fetchHistory(work) })
	}
	if s.opts.Silence != nil {
		add("silence", func() error { return s.watchSilence(work) })
	}
	var server *http.Server
	if listen != nil {
		server = newServer(h, &s.opts)
		add("server", func() error {
			l, err := listen()
			if err != nil {
				return err
			}
			return s.serve(server, l)
		})
	}
	log.InfoContext(ctx, "service: started")

	var first error
	select {
	case <-ctx.Done():
		first = s.delay(failed, server)
	case err := <-failed:
		s.fail(err)
		first = err
	}
	return errors.Join(first, s.stop(ctx, end, server, parts...))
}

var errEnded = errors.New("it ended by itself")

// ended makes nil of the error with which a part tells that ctx has ended.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// delay is no longer ready, and goes on for a while all the same.
func (s *Service) delay(failed <-chan *partError, server *http.Server) error {
	s.become(stateStopping, nil)
	if server != nil {
		server.SetKeepAlivesEnabled(false)
	}
	t := time.NewTimer(s.opts.ReadyDelay)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case err := <-failed:
		s.fail(err)
		return err
	}
}

// fail is no longer ready or alive, because of err.
func (s *Service) fail(err error) {
	s.become(stateFailed, err)
	s.opts.Logger.Error("service: a part failed", "err", err)
}

// stop ends all parts and closes what they worked with.
func (s *Service) stop(ctx context.Context, end func(), server *http.Server, parts ...*part) error {
	log := s.opts.Logger
	s.intake.close()
	now, rest := time.Now(), s.opts.StopTimeout
	var cause *partError
	if state, err := s.state(); state == stateStopping {
		rest -= s.opts.ReadyDelay
	} else {
		errors.As(err, &cause)
	}
	// A part of the time is kept for closing.
	last := now.Add(rest)
	deadline := last.Add(-min(rest/5, (rest-s.opts.Processor.DrainTimeout)/2))
	var errs []error
	note := func(err error) {
		if err != nil {
			log.ErrorContext(ctx, "service: not stopped in good order", "err", err)
			errs = append(errs, err)
		}
	}
	end()
	if server != nil {
		parts = append(parts, start("server", log, func() error { return shutDown(server, deadline.Add(-time.Second)) }))
	}
	parts = append(parts, start("intake", log, func() error { <-s.intake.empty; return nil }))
	for _, p := range parts {
		err := p.within(deadline)
		if cause != nil && p.name == cause.Part && !errors.Is(err, errHangs) {
			continue // that is why the service stops
		}
		note(err)
	}
	closing := func(name string, f func() error) {
		note(start(name, log, f).within(maxTime(last, time.Now().Add(leastClose))))
	}
	if s.opts.Tokens != nil {
		closing("tokens", s.opts.Tokens.Close)
	}
	closing("processor", s.processor.Close)
	closing("queue", s.queue.Close)
	for i, c := range s.opts.Close {
		closing(fmt.Sprintf("close %d", i), c.Close)
	}
	if d := s.opts.Drift; d != nil && d.Len() > 0 {
		log.WarnContext(ctx, "service: Garmin has sent what this version does not know", "report", d)
	}
	log.InfoContext(ctx, "service: stopped", "took", time.Since(now))
	return errors.Join(errs...)
}

// leastClose is what each of the last steps gets, if those before have used up
// the time.
const leastClose = 200 * time.Millisecond

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (s *Service) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now != stateNew {
		return false
	}
	s.now = stateRunning
	return true
}

func (s *Service) state() (state, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now, s.cause
}

func (s *Service) become(next state, cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if next > s.now {
		s.now, s.cause = next, cause
	}
}
