package notify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/notifytest"
	"github.com/garminkit/activityapi/types"
)

// errFull is what a queue says when its disk is full.
var errFull = errors.New("no space left on device")

func TestQueueFaults(t *testing.T) {
	runFaults(t, []fault{
		{"mark fails", "the mark is tried again, the callback is not", markFails},
		{"bury fails", "the letter is tried again, the callback is not", buryFails},
		{"finish fails", "nothing runs again; the next Run finishes the body", finishFails},
		{"read fails", "read again; each item once", readFails},
		{"read keeps failing", "the body stays for the next Run; others go on", readKeepsFailing},
		{"queue fails", "Run drains and returns the cause", queueFails},
		{"two processors on one queue", "the second gets ErrInUse and runs nothing", twoProcessors},
		{"backlog", "bounded bodies open, earliest deadline first", backlog},
		{"backlog of large bodies", "bounded bytes in memory", largeBacklog},
	})
}

func markFails(t *testing.T) {
	r := newRig(t, nil)
	fails := 5
	r.queue = &faultyQueue{Queue: r.queue, mark: func() error {
		if fails > 0 {
			fails--
			return errFull
		}
		return nil
	}}
	r.start()
	r.put(push("u", "1"))
	pass(time.Hour)
	r.finish()
	require.Len(t, r.got(), 1)
	require.Equal(t, 5, r.count(notify.ResultRetry))
	require.Equal(t, 1, r.count(notify.ResultDone))
	require.ErrorIs(t, r.outcomes[0].Err, errFull)
}

func buryFails(t *testing.T) {
	r := newRig(t, nil)
	fails, calls := 5, 0
	r.queue = &faultyQueue{Queue: r.queue, bury: func() error {
		if fails > 0 {
			fails--
			return errFull
		}
		return nil
	}}
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

func finishFails(t *testing.T) {
	r := newRig(t, nil)
	memory := r.queue.(*notifytest.Memory)
	q := &faultyQueue{Queue: r.queue, finish: func() error { return syscall.EIO }}
	r.queue = q
	r.start()
	r.put(push("u", "1"))
	pass(time.Hour)
	r.finish()
	require.Equal(t, 1, memory.Len())
	q.finish = nil
	r.start()
	synctest.Wait()
	r.finish()
	require.Equal(t, 0, memory.Len())
	require.Len(t, r.got(), 1)
}

func readFails(t *testing.T) {
	for _, at := range []int{0, 1, 5} {
		r := newRig(t, nil)
		memory := r.queue.(*notifytest.Memory)
		var reads atomic.Int64
		r.queue = &faultyQueue{Queue: r.queue, block: func() error {
			if reads.Add(1) == int64(at)+1 {
				return syscall.EIO
			}
			return nil
		}}
		save := r.calls.Save
		r.calls.Save = func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
			time.Sleep(10 * time.Millisecond) // many are under way when it is read again
			return save(ctx, d, s)
		}
		r.start()
		// Larger than what is read at once.
		var list []string
		for i := range 20_000 {
			list = append(list, fmt.Sprintf(`{"userId":"u%d","summaryId":"%d","activityName":"read in parts"}`, i%10, i))
		}
		r.put(`{"activities":[` + strings.Join(list, ",") + `]}`)
		pass(time.Minute)
		r.finish()
		require.Len(t, r.got(), 20_000, "failing read %d", at)
		require.Equal(t, 0, memory.Len())
	}
}

func readKeepsFailing(t *testing.T) {
	r := newRig(t, nil)
	memory := r.queue.(*notifytest.Memory)
	var broken atomic.Bool
	broken.Store(true)
	q := &faultyQueue{Queue: r.queue}
	q.read = func() error {
		if broken.Load() {
			return syscall.EIO
		}
		return nil
	}
	r.queue = q
	r.start()
	r.put(push("u", "1"))
	pass(time.Minute)
	require.Equal(t, 1, r.count(notify.ResultRetry))
	require.Equal(t, -1, r.outcomes[0].Ordinal)
	broken.Store(false)
	r.put(push("u", "2"))
	synctest.Wait()
	require.Len(t, r.got(), 1)
	r.finish()
	require.Equal(t, 1, memory.Len())
	r.start()
	synctest.Wait()
	r.finish()
	require.Len(t, r.got(), 2)
}

// endsWith yields what the queue has and then an error.
type endsWith struct {
	notify.Queue
	err error
}

func (q *endsWith) Bodies(ctx context.Context) iter.Seq2[notify.Body, error] {
	return func(yield func(notify.Body, error) bool) {
		for b, err := range q.Queue.Bodies(ctx) {
			if !yield(b, err) {
				return
			}
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

func backlog(t *testing.T) {
	r, _ := fileRig(t, func(int) (io.ReadCloser, error) { return body(fit(10)) })
	r.opts.Workers, r.opts.MaxPending = 1, 100
	var open, most atomic.Int64
	r.queue = &counted{r.queue, &open, &most}
	gate := make(chan struct{})
	r.calls.Save = func(_ context.Context, d *notify.Delivery, s types.Summary) error {
		<-gate
		r.record(d, s)
		return nil
	}
	for i := range 5000 {
		r.put(push(fmt.Sprint("u", i), "1"))
	}
	r.start()
	synctest.Wait()
	require.LessOrEqual(t, most.Load(), int64(102))
	close(gate)
	synctest.Wait()
	r.finish()
	for i, s := range r.got() {
		require.Equal(t, fmt.Sprintf("local-u%d activities 1", i), s)
	}
	require.Len(t, r.got(), 5000)
	require.LessOrEqual(t, most.Load(), int64(102))
}

func largeBacklog(t *testing.T) {
	r := newRig(t, nil)
	var open, most atomic.Int64
	r.queue = &counted{r.queue, &open, &most}
	gate := make(chan struct{})
	r.calls.Save = func(_ context.Context, d *notify.Delivery, s types.Summary) error {
		<-gate
		r.record(d, s)
		return nil
	}
	padding := strings.Repeat(" ", 1<<20-1<<10)
	for i := range 100 {
		r.put(push("u", fmt.Sprint(i)) + padding)
	}
	r.start()
	synctest.Wait()
	require.LessOrEqual(t, most.Load(), int64(65))
	close(gate)
	synctest.Wait()
	r.finish()
	require.Len(t, r.got(), 100)
	require.LessOrEqual(t, most.Load(), int64(65))
}

// counted counts the bodies in use.
type counted struct {
	notify.Queue
	open, most *atomic.Int64
}

func (q *counted) Bodies(ctx context.Context) iter.Seq2[notify.Body, error] {
	return func(yield func(notify.Body, error) bool) {
		for b, err := range q.Queue.Bodies(ctx) {
			q.most.Store(max(q.most.Load(), q.open.Add(1)))
			if !yield(&countedBody{b, q}, err) {
				return
			}
		}
	}
}

type countedBody struct {
	notify.Body
	q *counted
}

func (b *countedBody) Finish(ctx context.Context) error {
	b.q.open.Add(-1)
	return b.Body.Finish(ctx)
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
	r.opts.DrainTimeout = -1
	r.start()
	r.put(push("u", "1"), push("v", "2"))
	begun := time.Now()
	r.finish()
	require.Less(t, time.Since(begun), time.Second)
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
		{"in the middle", 100_000, "not asked for again: ErrSpent"},
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
