package notifytest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/notifytest"
)

// bent is a queue that breaks one clause of the contract.
type bent struct {
	notify.Queue
	put     func(q notify.Queue, ctx context.Context, r io.Reader) error
	body    func(notify.Body) notify.Body
	bodies  func(iter.Seq2[notify.Body, error]) iter.Seq2[notify.Body, error]
	redrive func(q notify.Queue, ctx context.Context, id string) error
}

func (b *bent) Put(ctx context.Context, r io.Reader) error {
	if b.put != nil {
		return b.put(b.Queue, ctx, r)
	}
	return b.Queue.Put(ctx, r)
}

func (b *bent) Redrive(ctx context.Context, id string) error {
	if b.redrive != nil {
		return b.redrive(b.Queue, ctx, id)
	}
	return b.Queue.Redrive(ctx, id)
}

func (b *bent) Bodies(ctx context.Context) iter.Seq2[notify.Body, error] {
	seq := func(yield func(notify.Body, error) bool) {
		for body, err := range b.Queue.Bodies(ctx) {
			if body != nil && b.body != nil {
				body = b.body(body)
			}
			if !yield(body, err) {
				return
			}
		}
	}
	if b.bodies != nil {
		return b.bodies(seq)
	}
	return seq
}

// bentBody breaks a clause about bodies.
type bentBody struct {
	notify.Body
	received time.Time
	done     func(int) bool
	finish   func() error
	bury     func(b notify.Body, ctx context.Context, i int, l *notify.Letter) error
}

func (b *bentBody) Received() time.Time {
	if !b.received.IsZero() {
		return b.received
	}
	return b.Body.Received()
}

func (b *bentBody) Done(i int) bool {
	if b.done != nil {
		return b.done(i)
	}
	return b.Body.Done(i)
}

func (b *bentBody) Finish(ctx context.Context) error {
	if b.finish != nil {
		return b.finish()
	}
	return b.Body.Finish(ctx)
}

func (b *bentBody) Bury(ctx context.Context, i int, l *notify.Letter) error {
	if b.bury != nil {
		return b.bury(b.Body, ctx, i, l)
	}
	return b.Body.Bury(ctx, i, l)
}

// mutants are queues that are wrong in one way each, and the clause that has to
// notice.
var mutants = map[string]struct {
	clause string
	queue  bent
}{
	"adds a byte": {"BytesUnchanged", bent{put: func(q notify.Queue, ctx context.Context, r io.Reader) error {
		return q.Put(ctx, io.MultiReader(r, strings.NewReader("\n")))
	}}},
	"keeps half a body": {"ReaderFails", bent{put: func(q notify.Queue, ctx context.Context, r io.Reader) error {
		data, err := io.ReadAll(r)
		return errors.Join(q.Put(ctx, bytes.NewReader(data)), err)
	}}},
	"hides the reader's error": {"ReaderFails", bent{put: func(q notify.Queue, ctx context.Context, r io.Reader) error {
		if q.Put(ctx, r) != nil {
			return errors.New("failed")
		}
		return nil
	}}},
	"ignores ctx": {"ContextEnds", bent{put: func(q notify.Queue, ctx context.Context, r io.Reader) error {
		return q.Put(context.WithoutCancel(ctx), r)
	}}},
	"drops repeats": {"Duplicates", bent{put: func() func(notify.Queue, context.Context, io.Reader) error {
		seen := map[string]bool{}
		return func(q notify.Queue, ctx context.Context, r io.Reader) error {
			data, err := io.ReadAll(r)
			if err != nil || seen[string(data)] {
				return err
			}
			seen[string(data)] = true
			return q.Put(ctx, bytes.NewReader(data))
		}
	}()}},
	"reads once": {"OddReaders", bent{put: func(q notify.Queue, ctx context.Context, r io.Reader) error {
		p := make([]byte, 1<<20)
		n, err := r.Read(p)
		if err != nil && err != io.EOF {
			return err
		}
		return q.Put(ctx, bytes.NewReader(p[:n]))
	}}},
	"by threes, newest first": {"OldestFirst", bent{bodies: func(seq iter.Seq2[notify.Body, error]) iter.Seq2[notify.Body, error] {
		return func(yield func(notify.Body, error) bool) {
			var held []notify.Body
			for b, err := range seq {
				if err != nil {
					yield(nil, err)
					return
				}
				if held = append(held, b); len(held) < 3 {
					continue
				}
				slices.Reverse(held)
				for _, b := range held {
					if !yield(b, nil) {
						return
					}
				}
				held = nil
			}
		}
	}}},
	"reports the end as an error": {"LoopEnds", bent{bodies: func(seq iter.Seq2[notify.Body, error]) iter.Seq2[notify.Body, error] {
		return func(yield func(notify.Body, error) bool) {
			for b, err := range seq {
				if !yield(b, err) {
					return
				}
			}
			yield(nil, context.Canceled)
		}
	}}},
	"lets two loops run": {"OneLoop", bent{bodies: func(seq iter.Seq2[notify.Body, error]) iter.Seq2[notify.Body, error] {
		return func(yield func(notify.Body, error) bool) {
			for b, err := range seq {
				if errors.Is(err, notify.ErrInUse) || !yield(b, err) {
					return
				}
			}
		}
	}}},
	"received is now":   {"Received", bent{body: func(b notify.Body) notify.Body { return &bentBody{Body: b, received: time.Now().Add(time.Hour)} }}},
	"forgets marks":     {"MarksSurvive", bent{body: func(b notify.Body) notify.Body { return &bentBody{Body: b, done: func(int) bool { return false }} }}},
	"marks everything":  {"NextLoop", bent{body: func(b notify.Body) notify.Body { return &bentBody{Body: b, done: func(int) bool { return true }} }}},
	"runs done items":   {"ProcessorCrash", bent{body: func(b notify.Body) notify.Body { return &bentBody{Body: b, done: func(int) bool { return false }} }}},
	"finishes nothing":  {"FinishedIsGone", bent{body: func(b notify.Body) notify.Body { return &bentBody{Body: b, finish: func() error { return nil }} }}},
	"buries unmarked":   {"Bury", bent{body: func(b notify.Body) notify.Body { return &bentBody{Body: b, done: func(int) bool { return false }} }}},
	"shortens a letter": {"Bury", bent{body: func(b notify.Body) notify.Body { return &bentBody{Body: b, bury: shortLetter} }}},
	"redrives nothing":  {"Redrive", bent{redrive: func(notify.Queue, context.Context, string) error { return nil }}},
	"knows every letter": {"RedriveUnknown", bent{redrive: func(q notify.Queue, ctx context.Context, id string) error {
		q.Redrive(ctx, id)
		return nil
	}}},
}

func shortLetter(b notify.Body, ctx context.Context, i int, l *notify.Letter) error {
	c := *l
	c.Raw = c.Raw[:min(len(c.Raw), 1<<16)]
	return b.Bury(ctx, i, &c)
}

const mutantEnv = "ACTIVITYAPI_TEST_MUTANT"

// TestMutant is run by TestRunCatches, in a process of its own.
func TestMutant(t *testing.T) {
	m, ok := mutants[os.Getenv(mutantEnv)]
	if !ok {
		t.Skip("run by TestRunCatches")
	}
	queues := map[string]notify.Queue{}
	notifytest.Run(t, func(t *testing.T, dir string) notify.Queue {
		if queues[dir] == nil {
			q := m.queue
			q.Queue = notifytest.NewMemory()
			queues[dir] = &q
		}
		return queues[dir]
	})
}

// TestRunCatches checks the suite itself: each wrong queue fails the clause it
// breaks.
func TestRunCatches(t *testing.T) {
	for name, m := range mutants {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestMutant$/^"+m.clause+"$", "-test.timeout=30s")
			cmd.Env = append(os.Environ(), mutantEnv+"="+name)
			out, err := cmd.CombinedOutput()
			require.Error(t, err, "the suite passed it")
			require.Contains(t, string(out), "--- FAIL: TestMutant/"+m.clause)
			require.Contains(t, string(out), "The contract: ")
		})
	}
}
