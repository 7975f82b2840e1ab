package backfill

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/garminkit/activityapi/types"
)

// memoryLedger is the ledger of [NewLedger].
type memoryLedger struct {
	mu   sync.Mutex
	book *book
}

// NewLedger returns an empty ledger in memory, for tests and for viewing a plan.
// Its content is lost when the process ends.
func NewLedger() Ledger { return &memoryLedger{book: newBook(0)} }

// Close does nothing.
func (*memoryLedger) Close() error { return nil }

// Claim prevents other runs for the user.
func (l *memoryLedger) Claim(ctx context.Context, userID types.UserID) (Claim, error) {
	return l.book.claim(&l.mu, userID, l.save)
}

func (l *memoryLedger) save(c *claim, chunks []*Chunk) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := c.check(); err != nil {
		return err
	}
	if err := l.book.check(c.userID, chunks); err != nil {
		return err
	}
	l.book.put(chunks)
	return nil
}

// Forget removes the user's history.
func (l *memoryLedger) Forget(ctx context.Context, userID types.UserID) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.book.loseClaim(userID)
	l.book.remove(userID)
	return nil
}

// Chunks yields the chunks of one user.
func (l *memoryLedger) Chunks(ctx context.Context, userID types.UserID) iter.Seq2[*Chunk, error] {
	return yieldLocked(&l.mu, func() []*Chunk { return l.book.userChunks(userID) })
}

// Users yields the users that have chunks.
func (l *memoryLedger) Users(ctx context.Context) iter.Seq2[types.UserID, error] {
	return yieldLocked(&l.mu, func() []types.UserID { return l.book.ids() })
}

// Recent yields the chunks that were requested or answered since.
func (l *memoryLedger) Recent(ctx context.Context, since time.Time) iter.Seq2[*Chunk, error] {
	return yieldLocked(&l.mu, func() []*Chunk { return l.book.recent(since) })
}

// Arrived counts a summary toward the chunk that holds its start.
func (l *memoryLedger) Arrived(ctx context.Context, userID types.UserID, kind types.Kind, start time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.book.arrive(userID, kind, start.Unix())
	return nil
}

// Arrivals yields the starts that were counted within w.
func (l *memoryLedger) Arrivals(ctx context.Context, userID types.UserID, kind types.Kind, w types.Window) iter.Seq2[time.Time, error] {
	return yieldLocked(&l.mu, func() []time.Time { return l.book.arrivals(userID, kind, w) })
}

func (b *book) ids() []types.UserID {
	out := make([]types.UserID, 0, len(b.users))
	for id := range b.users {
		out = append(out, id)
	}
	return out
}

// yieldLocked takes a list under mu and yields it without.
func yieldLocked[T any](mu *sync.Mutex, list func() []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		mu.Lock()
		all := list()
		mu.Unlock()
		for _, x := range all {
			if !yield(x, nil) {
				return
			}
		}
	}
}
