package notify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// errFull is what a queue says when its disk is full.
var errFull = errors.New("no space left on device")

func TestQueueFaults(t *testing.T) {
	runFaults(t, []fault{
		{"settle fails", "it is tried again, the callback is not; the queue's failure is told", settleFails},
		{"bury fails", "the letter is tried again, the callback is not", buryFails},
		{"settle fails for long", "work goes on for a while and then waits, so that a crash repeats little", settleKeepsFailing},
		{"settle hangs for one share", "the items of the other shares go on, and its own once it answers", settleHangs},
		{"scan and load fail", "asked again; each item once", scanFails},
		{"open fails", "the item is tried again, others go on", openFails},
		{"item is gone", "what somebody else finished is passed over, and holds nothing", itemGone},
		{"queue fails", "Run drains and returns the cause", queueFails},
		{"share is lost", "what runs is told, nothing of it is recorded, the next holder has it all", shareLost},
		{"share is wanted back", "what runs ends, the share is released, nothing runs twice", shareWanted},
		{"two processors on one queue", "the second gets ErrInUse and runs nothing", twoProcessors},
	})
}

// faulty is a queue that fails on demand.
type faulty struct {
	notify.Queue
	settle, scan, load, open func() error
	lost, wanted             chan struct{} // of the first share
	yielded                  int
	released                 atomic.Int64
}

func (q *faulty) Shares(ctx context.Context) iter.Seq2[notify.Share, error] {
	return func(yield func(notify.Share, error) bool) {
		for s, err := range q.Queue.Shares(ctx) {
			if s != nil {
				s = newFaultyShare(s, q)
			}
			if !yield(s, err) {
				return
			}
		}
	}
}

type faultyShare struct {
	notify.Share
	q      *faulty
	ctx    context.Context
	wanted chan struct{}
}

func newFaultyShare(s notify.Share, q *faulty) *faultyShare {
	q.yielded++
	lost, wanted := q.lost, q.wanted
	if q.yielded > 1 {
		lost, wanted = nil, nil
	}
	ctx, cancel := context.WithCancelCause(s.Context())
	go func() {
		select {
		case <-lost:
			cancel(notify.ErrLost)
		case <-ctx.Done():
			cancel(nil)
		}
	}()
	return &faultyShare{s, q, ctx, wanted}
}

func (s *faultyShare) Context() context.Context { return s.ctx }

func (s *faultyShare) Wanted() <-chan struct{} {
	if s.wanted != nil {
		return s.wanted
	}
	return s.Share.Wanted()
}

func (s *faultyShare) Release() {
	s.q.released.Add(1)
	s.Share.Release()
}

func (s *faultyShare) failed(f func() error) error {
	switch {
	case s.ctx.Err() != nil:
		return context.Cause(s.ctx)
	case f != nil:
		return f()
	}
	return nil
}

func (s *faultyShare) Scan(ctx context.Context, c notify.Class, after notify.ItemID, n int) ([]*notify.Item, error) {
	if err := s.failed(s.q.scan); err != nil {
		return nil, err
	}
	items, err := s.Share.Scan(ctx, c, after, n)
	for _, it := range items {
		it.Raw = nil // so that it is opened
	}
	return items, err
}

func (s *faultyShare) Load(ctx context.Context, ids []notify.ItemID) ([]*notify.Item, error) {
	if err := s.failed(s.q.load); err != nil {
		return nil, err
	}
	items, err := s.Share.Load(ctx, ids)
	for _, it := range items {
		it.Raw = nil
	}
	return items, err
}

func (s *faultyShare) Open(ctx context.Context, id notify.ItemID) (io.ReadCloser, error) {
	if err := s.failed(s.q.open); err != nil {
		return nil, err
	}
	return s.Share.Open(ctx, id)
}

func (s *faultyShare) Settle(ctx context.Context, v []notify.Verdict) error {
	if err := s.failed(s.q.settle); err != nil {
		return err
	}
	return s.Share.Settle(ctx, v)
}

// failing gives a function that fails the first n times.
func failing(n int64, err error) func() error {
	var calls atomic.Int64
	return func() error {
		if calls.Add(1) <= n {
			return err
		}
		return nil
	}
}

func settleFails(t *testing.T) {
	r := newRig(t, nil)
	memory := r.queue.(*memqueue.Memory)
	r.queue = &faulty{Queue: memory, settle: failing(5, errFull)}
	r.start()
	r.put(push("u", "1"))
	pass(time.Hour)
	r.finish()
	require.Len(t, r.got(), 1)
	require.Equal(t, 5, r.count(notify.ResultQueueFailed))
	require.Equal(t, 1, r.count(notify.ResultDone))
	require.ErrorIs(t, r.outcomes[1].Err, errFull)
	require.Zero(t, memory.Len())
}

func buryFails(t *testing.T) {
	r := newRig(t, nil)
	calls := 0
	r.queue = &faulty{Queue: r.queue, settle: failing(5, errFull)}
	r.calls.Save = func(context.Context, *notify.Delivery, types.Summary) error {
		calls++
		return notify.Permanent(errBoom)
	}
	r.start()
	r.put(push("u", "1"))
	pass(time.Hour)
	r.finish()
	require.Equal(t, 1, calls)
	require.Len(t, r.letters(), 1)
	require.Equal(t, "boom", r.letters()[0].Reason)
}

func settleKeepsFailing(t *testing.T) {
	r := newRig(t, nil)
	memory := r.queue.(*memqueue.Memory)
	var broken atomic.Bool
	broken.Store(true)
	r.queue = &faulty{Queue: memory, settle: func() error {
		if broken.Load() {
			return errFull
		}
		return nil
	}}
	var list []string
	for i := range 20_000 {
		list = append(list, fmt.Sprintf(`{"userId":"u%d","summaryId":"%d"}`, i%1000, i))
	}
	r.put(`{"activities":[` + strings.Join(list, ",") + `]}`)
	r.start()
	pass(time.Hour)
	require.Less(t, len(r.got()), 10_000)
	require.Greater(t, len(r.got()), 8_000)
	broken.Store(false)
	pass(time.Hour)
	r.finish()
	require.Len(t, r.got(), 20_000)
	require.Zero(t, memory.Len())
}

func settleHangs(t *testing.T) {
	r := newRig(t, nil)
	hung, fine := memqueue.NewMemory(), memqueue.NewMemory()
	gate := make(chan struct{})
	r.queue = &joined{Queue: hung, others: []notify.Queue{
		&faulty{Queue: hung, settle: func() error { <-gate; return nil }}, fine,
	}}
	const n = 20_000
	items := func(user string) string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf(`{"userId":"%s%d","summaryId":"%[2]d"}`, user, i))
		}
		return `{"activities":[` + strings.Join(list, ",") + `]}`
	}
	r.put(items("hung"))
	r.start()
	pass(time.Minute)
	before := len(r.got())
	require.Less(t, before, 10_000)
	require.NoError(t, fine.Put(t.Context(), strings.NewReader(items("fine"))))
	pass(time.Minute)
	require.Len(t, r.got(), before+n, "the other share's items wait")
	require.Zero(t, fine.Len())
	close(gate)
	pass(time.Minute)
	r.finish()
	require.Len(t, r.got(), 2*n)
	require.Zero(t, hung.Len())
}

// joined is a queue whose shares are those of several.
type joined struct {
	notify.Queue
	others []notify.Queue
}

func (q *joined) Shares(ctx context.Context) iter.Seq2[notify.Share, error] {
	return func(yield func(notify.Share, error) bool) {
		shares := make(chan notify.Share)
		var all sync.WaitGroup
		for _, q := range q.others {
			all.Go(func() {
				for s := range q.Shares(ctx) {
					shares <- s
				}
			})
		}
		go func() {
			all.Wait()
			close(shares)
		}()
		for s := range shares {
			if !yield(s, nil) {
				return
			}
		}
	}
}

func scanFails(t *testing.T) {
	for _, at := range []int64{1, 2, 7} {
		r := newRig(t, nil)
		memory := r.queue.(*memqueue.Memory)
		q := &faulty{Queue: memory, scan: failing(at, syscall.EIO), load: failing(at, syscall.EIO)}
		r.queue = q
		r.start()
		var list []string
		for i := range 20_000 {
			list = append(list, fmt.Sprintf(`{"userId":"u%d","summaryId":"%d","activityName":"read in parts"}`, i%10, i))
		}
		r.put(`{"activities":[` + strings.Join(list, ",") + `]}`)
		pass(10 * time.Minute)
		r.finish()
		require.Len(t, r.got(), 20_000)
		require.EqualValues(t, 2*at, r.count(notify.ResultQueueFailed))
		require.Zero(t, memory.Len())
	}
}

func openFails(t *testing.T) {
	r := newRig(t, nil)
	memory := r.queue.(*memqueue.Memory)
	r.queue = &faulty{Queue: memory, open: failing(3, syscall.EIO)}
	r.start()
	r.put(push("u", "1"), push("v", "2"))
	pass(time.Minute)
	r.finish()
	require.Len(t, r.got(), 2)
	require.Equal(t, 3, r.count(notify.ResultRetry))
	require.Zero(t, memory.Len())
}

func itemGone(t *testing.T) {
	r := newRig(t, nil)
	memory := r.queue.(*memqueue.Memory)
	r.queue = &faulty{Queue: memory, open: failing(1, fmt.Errorf("open: %w", fs.ErrNotExist))}
	r.start()
	r.put(push("u", "1"), push("u", "1"), push("u", "2"))
	pass(time.Minute)
	r.finish()
	require.Equal(t, []string{"local-u activities 1", "local-u activities 2"}, r.got())
	require.Empty(t, r.letters())
}

// endsWith yields what the queue has and then an error.
type endsWith struct {
	notify.Queue
	err error
}

func (q *endsWith) Shares(ctx context.Context) iter.Seq2[notify.Share, error] {
	return func(yield func(notify.Share, error) bool) {
		for s, err := range q.Queue.Shares(ctx) {
			if !yield(s, err) {
				return
			}
			time.Sleep(100 * time.Millisecond)
			break
		}
		if q.err != nil {
			yield(nil, q.err)
		}
	}
}

func queueFails(t *testing.T) {
	for _, cause := range []error{errBoom, nil} {
		r := newRig(t, nil)
		save := r.calls.Save
		r.calls.Save = func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
			time.Sleep(time.Second)
			return save(ctx, d, s)
		}
		r.put(push("u", "1"))
		r.queue = &endsWith{r.queue, cause}
		r.start()
		err := <-r.ended
		require.Error(t, err)
		if cause != nil {
			require.ErrorIs(t, err, cause)
		}
		require.Len(t, r.got(), 1, "what ran was let run")
	}
}

func shareLost(t *testing.T) {
	r := newRig(t, nil)
	memory := r.queue.(*memqueue.Memory)
	q := &faulty{Queue: memory, lost: make(chan struct{})}
	r.queue = q
	var cause error
	save := r.calls.Save
	r.calls.Save = func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
		if cause == nil {
			<-ctx.Done()
			cause = context.Cause(ctx)
			return nil // too late
		}
		return save(ctx, d, s)
	}
	r.start()
	r.put(push("u", "1"), push("u", "2"))
	pass(time.Second)
	close(q.lost)
	pass(time.Minute)
	require.ErrorIs(t, cause, notify.ErrLost)
	require.EqualValues(t, 1, q.released.Load())
	require.Equal(t, []string{"local-u activities 1", "local-u activities 2"}, r.got(), "what was not recorded runs again")
	require.Zero(t, r.count(notify.ResultRetry), "it is no failed attempt")
	require.Zero(t, memory.Len())
	r.finish()
}

func shareWanted(t *testing.T) {
	r := newRig(t, nil)
	memory := r.queue.(*memqueue.Memory)
	q := &faulty{Queue: memory, wanted: make(chan struct{})}
	r.queue = q
	save := r.calls.Save
	r.calls.Save = func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
		time.Sleep(3 * time.Second)
		return save(ctx, d, s)
	}
	r.start()
	r.put(push("u", "1"), push("u", "2"), push("v", "3"))
	pass(time.Second)
	close(q.wanted)
	pass(time.Second)
	require.Zero(t, q.released.Load(), "two run")
	pass(5 * time.Second)
	require.EqualValues(t, 1, q.released.Load())
	pass(time.Minute)
	r.finish()
	require.Equal(t, []string{"local-u activities 1", "local-u activities 2", "local-v activities 3"}, r.sorted(), "each once")
	require.Zero(t, memory.Len())
}

func twoProcessors(t *testing.T) {
	r, other := newRig(t, nil), newRig(t, nil)
	other.queue = r.queue
	r.put(push("u", "1"))
	r.start()
	synctest.Wait()
	other.start()
	require.ErrorIs(t, <-other.ended, notify.ErrInUse)
	r.put(push("u", "2"))
	synctest.Wait()
	r.finish()
	require.Len(t, r.got(), 2)
	require.Empty(t, other.got())
	other.start()
	synctest.Wait()
	other.finish()
}

func TestProcessorLeaksNothing(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	r := newRig(t, nil)
	r.calls.Save = func(ctx context.Context, _ *notify.Delivery, s types.Summary) error {
		if s.ID() == "1" {
			return errBoom // in back-off at the stop
		}
		<-ctx.Done() // in a callback at the stop
		return ctx.Err()
	}
	r.opts.DrainTimeout, r.opts.RetryMin, r.opts.RetryMax = -1, time.Hour, time.Hour
	r.start()
	r.put(push("u", "1"), push("v", "2"))
	begun := time.Now()
	r.finish()
	require.Less(t, time.Since(begun), time.Minute)
}

const (
	killDir = "ACTIVITYAPI_TEST_KILL_DIR"
	killAt  = "ACTIVITYAPI_TEST_KILL_AT"
)

// TestFileKilled kills a process in the middle of a download, for real, and
// looks at what the next one makes of it.
func TestFileKilled(t *testing.T) {
	whole := fit(200_000)
	run := func(r *rig) {
		r.start()
		r.put(fitPing("u", "7-file", fileURL))
	}
	if dir := os.Getenv(killDir); dir != "" {
		var n int
		fmt.Sscan(os.Getenv(killAt), &n)
		r, _ := fileRig(t, func(int) (io.ReadCloser, error) {
			// The pipe gives n bytes and then waits for ever.
			pr, pw := io.Pipe()
			go func() {
				pw.Write(whole[:n])
				pw.Write(nil)
				os.Stdout.WriteString("READY\n")
			}()
			return pr, nil
		})
		r.opts.Files.Dir = dir
		run(r)
		select {}
	}
	for _, c := range []struct {
		name  string
		bytes int
		holds string
	}{
		{"before the first byte", 0, "asked for once more"},
		{"in the middle", 100_000, "not asked for again: errSpent"},
		{"after the last byte", len(whole), "the complete file is taken, not asked for again"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			cmd := exec.Command(os.Args[0], "-test.run=^TestFileKilled$")
			// The killed process cannot tidy up what it makes.
			cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir(), killDir+"="+dir, fmt.Sprint(killAt, "=", c.bytes))
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			line := make([]byte, 6)
			_, err = io.ReadFull(out, line)
			require.NoError(t, err)
			require.Equal(t, "READY\n", string(line))
			require.NoError(t, cmd.Process.Kill())
			cmd.Wait()
			parts, err := filepath.Glob(filepath.Join(dir, ".downloads", "*.part"))
			require.NoError(t, err)
			require.Len(t, parts, 1, "the process died in the download")

			r, calls := fileRig(t, func(int) (io.ReadCloser, error) { return body(whole) })
			r.opts.Files.Dir = dir
			ended := make(chan notify.Outcome, 10)
			r.opts.Observe = func(o notify.Outcome) { ended <- o }
			run(r)
			o := <-ended
			r.finish()
			switch c.bytes {
			case 0:
				require.Equal(t, notify.ResultDone, o.Result, c.holds)
				require.EqualValues(t, 1, calls.Load())
			case len(whole):
				require.Equal(t, notify.ResultDone, o.Result, c.holds)
				require.EqualValues(t, 0, calls.Load())
				got, err := os.ReadFile(r.files[0].Path)
				require.NoError(t, err)
				require.True(t, bytes.Equal(whole, got))
			default:
				require.Equal(t, notify.ResultBuried, o.Result, c.holds)
				require.ErrorIs(t, o.Err, notify.ErrSpent)
				require.EqualValues(t, 0, calls.Load())
				require.Empty(t, r.visible())
			}
		})
	}
}
