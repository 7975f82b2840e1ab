package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/spool"
)

// options are the flags.
type options struct {
	length time.Duration
	seed   uint64
	rate   float64
	dir    string
	chaos  bool

	// tamper spoils the integration, for the tests of the balance.
	tamper func(*soak)
}

// soak is a run with all its parts.
type soak struct {
	options
	out      io.Writer
	chaos    *chaos
	books    *books
	partner  *partner
	receiver *receiver
	balance  *balance
	gauge    *gauge

	// api is where the fake of the round listens.
	api   string
	serve atomic.Pointer[http.Handler]
}

// longestRound is long enough for what takes seconds to happen, and short enough
// to forget a round's Garmin before it takes much memory.
const longestRound = time.Minute

func run(ctx context.Context, out io.Writer, o options) (err error) {
	if o.length <= 0 || o.rate <= 0 {
		return errors.New("-for and -rate must be more than nothing")
	}
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "soak"); err != nil {
			return err
		}
		defer os.RemoveAll(o.dir)
	}
	goroutines := runtime.NumGoroutine()
	s := newSoak(out, o)
	if err := s.rounds(ctx); err != nil {
		return err
	}
	err = s.conclude()
	s.gauge.wait(func() bool { return runtime.NumGoroutine() <= goroutines })
	if n := runtime.NumGoroutine(); n > goroutines {
		err = errors.Join(err, fmt.Errorf("%d goroutines are left", n-goroutines))
	}
	if err == nil {
		fmt.Fprintln(out, "\nThe balance closes, and nothing grows.")
	}
	return err
}

func newSoak(out io.Writer, o options) *soak {
	s := &soak{options: o, out: out, books: newBooks(), balance: newBalance(), gauge: &gauge{start: time.Now(), patience: 5 * time.Second}}
	s.chaos = newChaos(o.seed, o.chaos)
	s.partner = newPartner(s.chaos)
	s.receiver = &receiver{
		dir:     o.dir,
		around:  func(next put) put { return s.chaos.rough(s.books.counting(next)) },
		users:   s.partner.resolve,
		calls:   s.partner.callbacks(),
		observe: s.books.observe,
		receipt: s.receipt,
	}
	if o.tamper != nil {
		o.tamper(s)
	}
	return s
}

// receipt counts the answers to Garmin that are not 200.
func (s *soak) receipt(_ context.Context, r notify.Receipt) {
	if r.Status != http.StatusOK {
		s.chaos.count(fmt.Sprintf("the receiver answers %d", r.Status))
	}
}

// rounds runs until the time is over or ctx ends.
func (s *soak) rounds(ctx context.Context) (err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.api = "http://" + l.Addr().String()
	api := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(*s.serve.Load()).ServeHTTP(w, r)
	})}
	go api.Serve(roughListener{l, s.chaos})
	defer api.Close()
	if err := s.receiver.start(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.receiver.Close()) }()
	time.Sleep(100 * time.Millisecond) // until all goroutines have begun
	s.gauge.idle = s.gauge.collect()

	end := time.Now().Add(s.length)
	for n := 1; ctx.Err() == nil && time.Until(end) > 0; n++ {
		length := min(longestRound, time.Until(end))
		if s.length < 2*longestRound {
			length = min(s.length/2, time.Until(end))
		}
		if err := s.round(ctx, n, length); err != nil {
			return err
		}
	}
	return nil
}

// round is a piece of traffic that is then let to its end.
func (s *soak) round(ctx context.Context, n int, length time.Duration) error {
	// The path keeps the URLs of rounds apart: a processor remembers for two
	// days what it has downloaded.
	path := fmt.Sprintf("/round-%d", n)
	w, err := newWorld(n, s.seed, s.api+path, s.chaos, s.receiver, s.partner, s.books)
	if err != nil {
		return err
	}
	fake := http.StripPrefix(path, w.fake)
	s.serve.Store(&fake)
	_, before := s.books.sum()

	measured := make(chan struct{})
	var sender, others sync.WaitGroup
	sending, stopSending := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSending()
	sender.Go(func() { w.deliver(sending) })
	sender.Go(func() { s.gauge.busy(measured) })

	living, stopLiving := context.WithTimeout(ctx, length)
	defer stopLiving()
	var chaosErr error
	s.chaos.turn(true)
	others.Go(func() { chaosErr = s.chaos.events(living, s.receiver, w, length) })
	err = w.live(living, s.rate)
	stopLiving()
	others.Wait()
	s.chaos.turn(false)
	if err := errors.Join(err, chaosErr); err != nil {
		return err
	}

	begun := time.Now()
	w.settle()
	s.drain(w)
	drained := time.Since(begun)
	stopSending()
	close(measured)
	sender.Wait()
	if err := w.Close(); err != nil {
		return err
	}
	return s.closeRound(ctx, n, w, before, drained)
}

// patience is how long a round may take to come to its end.
const patience = 3 * time.Minute

// drain waits until Garmin has sent everything and the receiver has finished
// everything. If that does not happen, the balance will say what is open.
func (s *soak) drain(w *world) {
	start := time.Now()
	w.fake.SetFaults()
	w.fake.SetQuirks(0, activitytest.Quirks()...)
	for quiet := 0; quiet < 2 && time.Since(start) < patience; {
		w.release()
		time.Sleep(50 * time.Millisecond)
		backlog, err := s.receiver.backlog(context.Background())
		// A connection that hangs brings a body that its sender has given up.
		if quiet++; err != nil || w.fake.State().Pending > 0 || backlog > 0 || s.chaos.hanging.Load() > 0 {
			quiet = 0
		}
	}
}

// closeRound strikes the balance and prints a line.
func (s *soak) closeRound(ctx context.Context, n int, w *world, before items, drained time.Duration) error {
	begun := time.Now()
	letters, err := s.receiver.letters(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	s.books.check()
	posts, after := s.books.sum()
	s.balance.close(w, letters, s.books.letterEnds()-s.balance.letters)
	if err := s.forgetFiles(w); err != nil {
		return err
	}
	*w = world{} // all that the round remembers is garbage now
	s.partner.begin()
	s.books.begin()
	none := http.NotFoundHandler()
	s.serve.Store(&none)

	r := s.gauge.rest()
	s.gauge.quiet = append(s.gauge.quiet, r)
	state := "balanced"
	if err := s.balance.err(s.books); err != nil {
		state = "NOT BALANCED: " + err.Error()
	}
	fmt.Fprintf(s.out, "%s round %d: %d items stored (%d in all, of %d bodies), drained in %.1f s, closed in %.1f s, %d troubles; %s; %s\n",
		time.Now().Format(time.TimeOnly), n, after.stored-before.stored, after.stored, posts.stored, drained.Seconds(), time.Since(begun).Seconds(), s.chaos.total(), r, state)
	return nil
}

// forgetFiles removes the round's files: the partner keeps them elsewhere.
func (s *soak) forgetFiles(w *world) error {
	for t := range w.files {
		if err := os.RemoveAll(filepath.Join(s.receiver.files(), string(t.user))); err != nil {
			return err
		}
	}
	return nil
}

// conclude prints the balance and says whether all is well.
func (s *soak) conclude() error {
	s.balance.print(s.out, s.books, s.partner)
	s.chaos.print(s.out)
	return errors.Join(s.balance.err(s.books), s.gauge.verdict(s.out), s.emptySpool())
}

// onDiskOf lists the files of a spool, and what they take. The claims of downloads are
// left out: they are kept when all is done, so that no file is asked for twice.
func onDiskOf(inbox string) (size int64, files []string, err error) {
	err = filepath.WalkDir(inbox, func(path string, d fs.DirEntry, err error) error {
		if err == nil && path == filepath.Join(inbox, "claims") {
			return filepath.SkipDir
		}
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		size += info.Size()
		files = append(files, d.Name())
		return nil
	})
	return size, files, err
}

// emptySpool opens the spool once more and looks at what is left on the disk.
func (s *soak) emptySpool() (err error) {
	q, err := spool.Open(s.receiver.inbox(), nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, q.Close()) }()
	size, files, err := onDiskOf(s.receiver.inbox())
	if err != nil {
		return err
	}
	left, err := backlog(context.Background(), q)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "The spool, opened again: %d bodies and items, %d files of %d bytes.\n", left, len(files), size)
	// One mebibyte is a reserve for a full disk.
	if left > 0 || size > 2<<20 {
		return fmt.Errorf("the spool is not empty: %d bodies and items, %d bytes in %v", left, size, files)
	}
	return nil
}
