package backfill

import (
	"context"
	"fmt"
	"sync"

	"github.com/garminkit/activityapi/types"
)

// claim is the [Claim] of a ledger of one process. It is in the book while it
// is good.
type claim struct {
	mu     *sync.Mutex // of book
	book   *book
	userID types.UserID
	save   func(c *claim, chunks []*Chunk) error

	ctx context.Context
	end context.CancelCauseFunc
}

// claim makes a claim whose saves go to save. mu is the mutex of the book.
func (b *book) claim(mu *sync.Mutex, userID types.UserID, save func(*claim, []*Chunk) error) (Claim, error) {
	mu.Lock()
	defer mu.Unlock()
	if b.claims[userID] != nil {
		return nil, fmt.Errorf("%w: %s", ErrBusy, userID)
	}
	c := &claim{mu: mu, book: b, userID: userID, save: save}
	c.ctx, c.end = context.WithCancelCause(context.Background())
	b.claims[userID] = c
	return c, nil
}

// loseClaim ends the claim on a user, if there is one. mu is held.
func (b *book) loseClaim(userID types.UserID) {
	if c := b.claims[userID]; c != nil {
		delete(b.claims, userID)
		c.end(c.lost())
	}
}

func (c *claim) lost() error {
	return fmt.Errorf("%w: the claim on %s was lost", ErrBusy, c.userID)
}

// check returns an error if the claim has ended. mu is held.
func (c *claim) check() error {
	if c.book.claims[c.userID] != c {
		return c.lost()
	}
	return nil
}

func (c *claim) Context() context.Context { return c.ctx }

func (c *claim) Save(ctx context.Context, chunks ...*Chunk) error { return c.save(c, chunks) }

func (c *claim) Release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.book.claims[c.userID] == c {
		delete(c.book.claims, c.userID)
		c.end(nil)
	}
}
