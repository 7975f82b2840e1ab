package notifytest_test

import (
	"context"
	"io"
	"iter"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/notifytest"
	"github.com/garminkit/activityapi/types"
)

// bent is a queue that breaks one clause of the contract, by a function that
// takes the place of a method.
type bent struct {
	*memqueue.Memory
	number  int // of the handle
	how     *bend
	puts    int
	done    []string     // bodies of items that were done
	inside  atomic.Int32 // calls of Put that run
	mu      sync.Mutex
	yielded []notify.Share
	given   map[notify.ItemID]*notify.Item
	erased  bool
}

// bend is what is wrong with a queue. What is nil is as it should be.
type bend struct {
	put      func(b *bent, ctx context.Context, r io.Reader) error
	shares   func(b *bent, ctx context.Context) iter.Seq2[notify.Share, error]
	share    func(b *bent, s notify.Share) notify.Share
	letters  func(b *bent, ctx context.Context, f *notify.LetterFilter) iter.Seq2[*notify.DeadLetter, error]
	letter   func(b *bent, ctx context.Context, id string) (*notify.DeadLetter, error)
	open     func(b *bent, ctx context.Context, id string) (io.ReadCloser, error)
	redrive  func(b *bent, ctx context.Context, id string) error
	discard  func(b *bent, ctx context.Context, id string) error
	erase    func(b *bent, ctx context.Context, user types.UserID) (*notify.Erasure, error)
	holdings func(b *bent, ctx context.Context, user types.UserID) iter.Seq2[*notify.Holding, error]
	stats    func(b *bent, ctx context.Context) (notify.QueueStats, error)
	reopen   func(b *bent, killed bool) *memqueue.Memory
	killing  func(b *bent)
	// unfenced is a rule of the model, see memqueue.SharedOptions.
	unfenced string

	mu   sync.Mutex
	all  []notify.Share // of every handle
	kept map[string]bool
}

var _ notify.Queue = (*bent)(nil)

func (b *bent) Put(ctx context.Context, r io.Reader) error {
	b.inside.Add(1)
	defer b.inside.Add(-1)
	if b.how.put != nil {
		return b.how.put(b, ctx, r)
	}
	return b.Memory.Put(ctx, r)
}

func (b *bent) Shares(ctx context.Context) iter.Seq2[notify.Share, error] {
	inner := func(yield func(notify.Share, error) bool) {
		for s, err := range b.Memory.Shares(ctx) {
			if err == nil {
				if b.how.share != nil {
					s = b.how.share(b, s)
				}
				b.mu.Lock()
				b.yielded = append(b.yielded, s)
				b.mu.Unlock()
				b.how.mu.Lock()
				b.how.all = append(b.how.all, s)
				b.how.mu.Unlock()
			}
			if !yield(s, err) {
				return
			}
		}
	}
	if b.how.shares != nil {
		return b.how.shares(b, ctx)
	}
	return inner
}

func (b *bent) Letters(ctx context.Context, f *notify.LetterFilter) iter.Seq2[*notify.DeadLetter, error] {
	if b.how.letters != nil {
		return b.how.letters(b, ctx, f)
	}
	return b.Memory.Letters(ctx, f)
}

func (b *bent) Letter(ctx context.Context, id string) (*notify.DeadLetter, error) {
	if b.how.letter != nil {
		return b.how.letter(b, ctx, id)
	}
	return b.Memory.Letter(ctx, id)
}

func (b *bent) OpenLetter(ctx context.Context, id string) (io.ReadCloser, error) {
	if b.how.open != nil {
		return b.how.open(b, ctx, id)
	}
	return b.Memory.OpenLetter(ctx, id)
}

func (b *bent) Redrive(ctx context.Context, id string) error {
	if b.how.redrive != nil {
		return b.how.redrive(b, ctx, id)
	}
	return b.Memory.Redrive(ctx, id)
}

func (b *bent) Erase(ctx context.Context, user types.UserID) (*notify.Erasure, error) {
	if b.how.erase != nil {
		return b.how.erase(b, ctx, user)
	}
	return b.Memory.Erase(ctx, user)
}

func (b *bent) Holdings(ctx context.Context, user types.UserID) iter.Seq2[*notify.Holding, error] {
	if b.how.holdings != nil {
		return b.how.holdings(b, ctx, user)
	}
	return b.Memory.Holdings(ctx, user)
}

func (b *bent) Discard(ctx context.Context, id string) error {
	if b.how.discard != nil {
		return b.how.discard(b, ctx, id)
	}
	return b.Memory.Discard(ctx, id)
}

func (b *bent) Stats(ctx context.Context) (notify.QueueStats, error) {
	if b.how.stats != nil {
		return b.how.stats(b, ctx)
	}
	return b.Memory.Stats(ctx)
}

// items are all that the handle's shares hold.
func (b *bent) items() (all []*notify.Item) {
	for _, s := range b.yielded {
		for class := range notify.Class(notify.Classes) {
			got, _ := s.Scan(context.Background(), class, 0, 1<<20)
			all = append(all, got...)
		}
	}
	return all
}

// finish settles items for good.
func (b *bent) finish(items ...*notify.Item) {
	var verdicts []notify.Verdict
	for _, it := range items {
		verdicts = append(verdicts, notify.Verdict{ID: it.ID, Fate: notify.Done})
	}
	for _, s := range b.yielded {
		_ = s.Settle(context.Background(), verdicts)
	}
}

// bentShare breaks a clause about shares.
type bentShare struct {
	notify.Share
	scan    func(s notify.Share, ctx context.Context, class notify.Class, after notify.ItemID, most int) ([]*notify.Item, error)
	load    func(s notify.Share, ctx context.Context, ids []notify.ItemID) ([]*notify.Item, error)
	open    func(s notify.Share, ctx context.Context, id notify.ItemID) (io.ReadCloser, error)
	settle  func(s notify.Share, ctx context.Context, v []notify.Verdict) error
	release func(s notify.Share)
	changed <-chan struct{}
	wanted  <-chan struct{}
	ctx     context.Context
}

func (b *bentShare) Scan(ctx context.Context, class notify.Class, after notify.ItemID, most int) ([]*notify.Item, error) {
	if b.scan != nil {
		return b.scan(b.Share, ctx, class, after, most)
	}
	return b.Share.Scan(ctx, class, after, most)
}

func (b *bentShare) Load(ctx context.Context, ids []notify.ItemID) ([]*notify.Item, error) {
	if b.load != nil {
		return b.load(b.Share, ctx, ids)
	}
	return b.Share.Load(ctx, ids)
}

func (b *bentShare) Open(ctx context.Context, id notify.ItemID) (io.ReadCloser, error) {
	if b.open != nil {
		return b.open(b.Share, ctx, id)
	}
	return b.Share.Open(ctx, id)
}

func (b *bentShare) Settle(ctx context.Context, v []notify.Verdict) error {
	if b.settle != nil {
		return b.settle(b.Share, ctx, v)
	}
	return b.Share.Settle(ctx, v)
}

func (b *bentShare) Release() {
	if b.release != nil {
		b.release(b.Share)
		return
	}
	b.Share.Release()
}

func (b *bentShare) Changed() <-chan struct{} {
	if b.changed != nil {
		return b.changed
	}
	return b.Share.Changed()
}

func (b *bentShare) Wanted() <-chan struct{} {
	if b.wanted != nil {
		return b.wanted
	}
	return b.Share.Wanted()
}

func (b *bentShare) Context() context.Context {
	if b.ctx != nil {
		return b.ctx
	}
	return b.Share.Context()
}

// bentHarness is the harness of a queue that is bent.
func bentHarness(how *bend, several bool) notifytest.Harness {
	h := single()
	if several {
		h = shared(memqueue.SharedOptions{Unfenced: how.unfenced})
	}
	opened := 0
	killed := false
	var last *bent
	right := h.Open
	h.Open = func(t *testing.T, dir string) notify.Queue {
		opened++
		var m *memqueue.Memory
		if last != nil && how.reopen != nil {
			m = how.reopen(last, killed)
		} else {
			m = right(t, dir).(*memqueue.Memory)
		}
		killed = false
		last = &bent{Memory: m, number: opened, how: how, given: map[notify.ItemID]*notify.Item{}}
		return last
	}
	kill := func(_ *testing.T, q notify.Queue) {
		b := q.(*bent)
		if how.killing != nil {
			how.killing(b)
		}
		b.Kill()
		killed = true
	}
	h.Kill, h.PowerCut = kill, kill
	if several {
		h.Cut = func(_ *testing.T, q notify.Queue, off bool) { q.(*bent).Cut(off) }
	}
	return h
}
