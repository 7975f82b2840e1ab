package notify

import (
	"context"
	"io"
	"sync/atomic"
)

// Store keeps notification bodies until they are processed. Package spool has
// one; package notifytest checks any other against this contract.
//
// Put reads r to its end and stores the bytes unchanged. When it returns nil, the
// body survives a crash of the process and a power cut. If r or ctx fails, or Put
// returns an error for any other reason, nothing of the body may be left to be
// processed. A store may acknowledge a body identical to an earlier one without
// storing it again; it must store all that differ. Put must be safe for concurrent use, must not hold a large body in memory, and must not
// retry: Garmin does.
type Store interface {
	Put(ctx context.Context, r io.Reader) error
}

// StoredAs tells whoever waits for a Put what number the body has: it is the
// [Item].Body of its items. An engine calls it with the ctx of Put when it has
// stored the body, and leaves it out for a repeat. [Receipt].Body is what it told.
func StoredAs(ctx context.Context, body uint64) {
	if to, ok := ctx.Value(storedKey{}).(*atomic.Uint64); ok {
		to.Store(body)
	}
}

type storedKey struct{}

// StoreFunc makes a function a [Store].
type StoreFunc func(ctx context.Context, r io.Reader) error

// Put calls f.
func (f StoreFunc) Put(ctx context.Context, r io.Reader) error { return f(ctx, r) }
