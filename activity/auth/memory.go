package auth

import (
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
)

// MemoryStore is a TokenStore for tests. It forgets everything when the
// process ends, and with it the users' consent.
//
// The zero value is an empty store.
type MemoryStore struct {
	opaque
	mu     sync.Mutex
	last   int64
	tokens map[string]*Token
}

// Token implements [TokenStore].
func (m *MemoryStore) Token(ctx context.Context, userID string) (*Token, error) {
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
func (m *MemoryStore) Swap(ctx context.Context, old, new *Token) (*Token, error) {
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
	if m.tokens == nil {
		m.tokens = make(map[string]*Token)
	}
	m.tokens[userID] = t
	return t.clone(), nil
}

// Tokens implements [TokenStore].
func (m *MemoryStore) Tokens(ctx context.Context) iter.Seq2[*Token, error] {
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
