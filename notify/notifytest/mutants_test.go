package notifytest_test

import (
	"bytes"
	"context"
	"io"
	"iter"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/notifytest"
)

// mutant is a queue that is wrong in one way, and the clause that has to notice.
type mutant struct {
	clause string
	bend   *bend
}

// unfenced is a bend of the model itself.
func unfenced(rule string) *bend { return &bend{unfenced: rule} }

// puts is a bend of Put that changes what is stored; false stores nothing.
func puts(change func(body string) (string, bool)) *bend {
	return &bend{put: func(b *bent, ctx context.Context, r io.Reader) error {
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		body, ok := change(string(data))
		if !ok {
			return nil
		}
		return b.Memory.Put(ctx, strings.NewReader(body))
	}}
}

// shares is a bend of the shares alone.
func shares(s bentShare) *bend {
	return &bend{share: func(_ *bent, inner notify.Share) notify.Share {
		c := s
		c.Share = inner
		return &c
	}}
}

// scans is a bend of what Scan and Load return. keep may change the item.
func scans(keep func(*notify.Item) bool) *bend {
	only := func(items []*notify.Item, err error) ([]*notify.Item, error) {
		return slices.DeleteFunc(items, func(it *notify.Item) bool { return !keep(it) }), err
	}
	return shares(bentShare{
		scan: func(s notify.Share, ctx context.Context, class notify.Class, after notify.ItemID, most int) ([]*notify.Item, error) {
			return only(s.Scan(ctx, class, after, most))
		},
		load: func(s notify.Share, ctx context.Context, ids []notify.ItemID) ([]*notify.Item, error) {
			return only(s.Load(ctx, ids))
		},
	})
}

// settles is a bend of Settle that changes the verdicts.
func settles(change func([]notify.Verdict) []notify.Verdict) *bend {
	return shares(bentShare{settle: func(s notify.Share, ctx context.Context, v []notify.Verdict) error {
		return s.Settle(ctx, change(slices.Clone(v)))
	}})
}

func without(fate notify.Fate) func([]notify.Verdict) []notify.Verdict {
	return func(v []notify.Verdict) []notify.Verdict {
		return slices.DeleteFunc(v, func(v notify.Verdict) bool { return v.Fate == fate })
	}
}

// lists is a bend of the list of letters.
func lists(change func(b *bent, all []*notify.DeadLetter) []*notify.DeadLetter) *bend {
	return &bend{letters: func(b *bent, ctx context.Context, f *notify.LetterFilter) iter.Seq2[*notify.DeadLetter, error] {
		return func(yield func(*notify.DeadLetter, error) bool) {
			var all []*notify.DeadLetter
			for l, err := range b.Memory.Letters(ctx, f) {
				if err != nil {
					yield(nil, err)
					return
				}
				all = append(all, l)
			}
			for _, l := range change(b, all) {
				if !yield(l, nil) {
					return
				}
			}
		}
	}}
}

// crashes is a bend of what a crash leaves behind.
func crashes(f func(b *bent)) *bend { return &bend{killing: f} }

func latest(items []*notify.Item) (last []*notify.Item) {
	for _, it := range items {
		if len(last) > 0 && it.Body > last[0].Body {
			last = nil
		}
		if len(last) == 0 || it.Body == last[0].Body {
			last = append(last, it)
		}
	}
	return last
}

// Bends that more than one clause has to notice.
var (
	memoryOnly = &bend{reopen: func(b *bent, killed bool) *memqueue.Memory {
		if killed {
			return memqueue.NewMemory()
		}
		return b.Reopen()
	}}
	earlyAck  = crashes(func(b *bent) { b.finish(latest(b.items())...) })
	doneAgain = crashes(func(b *bent) {
		_ = b.Memory.Put(context.Background(), strings.NewReader(`{"activities":[{"userId":"a","summaryId":"1"}]}`))
	})
	lostLetter = crashes(func(b *bent) {
		ctx := context.Background()
		for l := range b.Memory.Letters(ctx, nil) {
			_ = b.Memory.Discard(ctx, l.ID)
			return
		}
	})
	letterAndItem = crashes(func(b *bent) {
		ctx := context.Background()
		for l := range b.Memory.Letters(ctx, nil) {
			r, err := b.Memory.OpenLetter(ctx, l.ID)
			if err == nil {
				_ = b.Memory.Put(ctx, r)
			}
			return
		}
	})
	noItemsLeft = crashes(func(b *bent) { b.finish(b.items()...) })
	largeLater  = &bend{put: func(b *bent, ctx context.Context, r io.Reader) error {
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if len(data) > 64<<10 {
			time.AfterFunc(10*time.Millisecond, func() { _ = b.Memory.Put(context.Background(), bytes.NewReader(data)) })
			return nil
		}
		time.Sleep(time.Millisecond)
		return b.Memory.Put(ctx, bytes.NewReader(data))
	}}
)

func mutants() map[string]mutant {
	all := map[string]mutant{}
	for _, part := range []map[string]mutant{
		putMutants(), scanMutants(), orderMutants(), settleMutants(), letterMutants(), eraseMutants(), appMutants(), shareMutants(), sharedMutants(), processorMutants(), crashMutants(),
	} {
		maps.Copy(all, part)
	}
	return all
}

const mutantEnv = "ACTIVITYAPI_TEST_MUTANT"

// severalClauses are those that need a shared queue.
var severalClauses = []string{
	"Divided", "PutSeenByAll", "LettersSeenByAll", "RedriveOnce", "HandOver", "WantedBack", "OrderAcross", "CutOff", "Takeover",
}

// TestMutant is run by TestRunCatches, in a process of its own.
func TestMutant(t *testing.T) {
	m, ok := mutants()[os.Getenv(mutantEnv)]
	if !ok {
		t.Skip("run by TestRunCatches")
	}
	notifytest.Run(t, bentHarness(m.bend, slices.Contains(severalClauses, m.clause)))
}

// TestRunCatches checks the suite itself: each wrong queue fails the clause it
// breaks, and each clause is broken by a queue.
func TestRunCatches(t *testing.T) {
	caught := map[string]bool{}
	for name, m := range mutants() {
		caught[m.clause] = true
		t.Run(name, func(t *testing.T) {
			if m.clause == "LargeBody" && testing.Short() {
				t.Skip("100 MB are left out with -short")
			}
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestMutant$/^"+m.clause+"$", "-test.timeout=60s")
			cmd.Env = append(os.Environ(), mutantEnv+"="+name)
			out, err := cmd.CombinedOutput()
			require.Error(t, err, "the suite passed it")
			require.Contains(t, string(out), "--- FAIL: TestMutant/"+m.clause)
			require.Contains(t, string(out), "The contract: ")
		})
	}
	for _, clause := range notifytest.Clauses() {
		if !caught[clause] {
			t.Errorf("no mutant breaks the clause %s", clause)
		}
	}
}
