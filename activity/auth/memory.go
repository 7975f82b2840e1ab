package auth

import (
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/garminkit/activityapi/types"
)

// NewMemory returns an empty TokenStore for tests. When the process ends it loses
// all tokens, and the users must connect again.
func NewMemory() TokenStore { return &memoryStore{tokens: make(map[types.UserID]*Token)} }

type memoryStore struct {
	opaque
	mu     sync.Mutex
	last   int64
	tokens map[types.UserID]*Token
	due    dueIndex
}

// Close implements [TokenStore]: there is nothing to release.
func (*memoryStore) Close() error { return nil }

// Token implements [TokenStore].
func (m *memoryStore) Token(ctx context.Context, userID types.UserID) (*Token, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.tokens[userID]
	if !ok {
		return nil, ErrNotConnected
	}
	return t.clone(), nil
}

// Swap implements [TokenStore].
func (m *memoryStore) Swap(ctx context.Context, old, new *Token) (*Token, error) {
	userID, version, err := swapUser(old, new)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if t, ok := m.tokens[userID]; ok != (old != nil) || ok && t.Version != version {
		return nil, ErrConflict
	}
	if new == nil {
		delete(m.tokens, userID)
		return nil, nil
	}
	m.last++
	t := new.clone()
	t.Version = m.last
	prev := m.tokens[userID]
	m.tokens[userID] = t
	m.due.add(t, prev, len(m.tokens), m.stored)
	return t.clone(), nil
}

// Tokens implements [TokenStore].
func (m *memoryStore) Tokens(ctx context.Context) iter.Seq2[*Token, error] {
	return func(yield func(*Token, error) bool) {
		m.mu.Lock()
		ts := slices.Collect(maps.Values(m.tokens))
		m.mu.Unlock()
		for _, t := range ts {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			if !yield(t.clone(), nil) {
				return
			}
		}
	}
}

// Due implements [TokenStore].
func (m *memoryStore) Due(ctx context.Context, before time.Time) iter.Seq2[*Token, error] {
	return func(yield func(*Token, error) bool) {
		m.mu.Lock()
		ts := m.due.before(before, m.stored)
		m.mu.Unlock()
		if err := ctx.Err(); err != nil {
			yield(nil, err)
			return
		}
		for _, t := range ts {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			if !yield(t.clone(), nil) {
				return
			}
		}
	}
}

// stored returns the token of a user, or nil.
func (m *memoryStore) stored(userID types.UserID) *Token { return m.tokens[userID] }
