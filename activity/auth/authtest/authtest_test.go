package authtest_test

import (
	"context"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/auth/authtest"
	"github.com/garminkit/activityapi/types"
)

func TestStore(t *testing.T) {
	authtest.Run(t, authtest.Harness{
		Open: func(t *testing.T, state string) auth.TokenStore {
			s, err := auth.OpenFile(filepath.Join(state, "tokens"), nil)
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
		Kill:   func(*testing.T, auth.TokenStore) {},
		Shared: true,
	})
}

// broken is a MemoryStore with one fault.
type broken struct {
	auth.TokenStore
	swap   func(s auth.TokenStore, ctx context.Context, old, new *auth.Token) (*auth.Token, error)
	get    func(s auth.TokenStore, ctx context.Context, userID types.UserID) (*auth.Token, error)
	tokens func(s auth.TokenStore, ctx context.Context) iter.Seq2[*auth.Token, error]
	due    func(s auth.TokenStore, ctx context.Context, before time.Time) iter.Seq2[*auth.Token, error]
}

func (b *broken) Swap(ctx context.Context, old, new *auth.Token) (*auth.Token, error) {
	if b.swap == nil {
		return b.TokenStore.Swap(ctx, old, new)
	}
	return b.swap(b.TokenStore, ctx, old, new)
}

func (b *broken) Token(ctx context.Context, userID types.UserID) (*auth.Token, error) {
	if b.get == nil {
		return b.TokenStore.Token(ctx, userID)
	}
	return b.get(b.TokenStore, ctx, userID)
}

func (b *broken) Tokens(ctx context.Context) iter.Seq2[*auth.Token, error] {
	if b.tokens == nil {
		return b.TokenStore.Tokens(ctx)
	}
	return b.tokens(b.TokenStore, ctx)
}

func (b *broken) Due(ctx context.Context, before time.Time) iter.Seq2[*auth.Token, error] {
	if b.due == nil {
		return b.TokenStore.Due(ctx, before)
	}
	return b.due(b.TokenStore, ctx, before)
}

// filtered is a Due that passes over some tokens.
func filtered(pass func(t *auth.Token) bool) func() *broken {
	return func() *broken {
		return &broken{TokenStore: auth.NewMemory(), due: func(s auth.TokenStore, ctx context.Context, before time.Time) iter.Seq2[*auth.Token, error] {
			return func(yield func(*auth.Token, error) bool) {
				for t, err := range s.Due(ctx, before) {
					if err == nil && !pass(t) {
						continue
					}
					if !yield(t, err) {
						return
					}
				}
			}
		}}
	}
}

// faults are stores that break the contract, by the subtest that must tell.
var faults = map[string]func() *broken{
	"SwapNeedsVersion": func() *broken { // last write wins
		return &broken{TokenStore: auth.NewMemory(), swap: func(s auth.TokenStore, ctx context.Context, old, new *auth.Token) (*auth.Token, error) {
			if old != nil {
				if now, err := s.Token(ctx, old.UserID); err == nil {
					old = now
				}
			}
			return s.Swap(ctx, old, new)
		}}
	},
	"Concurrent": func() *broken { // compares, then stores
		return &broken{TokenStore: auth.NewMemory(), swap: func(s auth.TokenStore, ctx context.Context, old, new *auth.Token) (*auth.Token, error) {
			if old == nil || new == nil || old.UserID != new.UserID {
				return s.Swap(ctx, old, new)
			}
			now, err := s.Token(ctx, old.UserID)
			if err != nil || now.Version != old.Version {
				return s.Swap(ctx, old, new)
			}
			for range 10 {
				runtime.Gosched()
			}
			for {
				now, err := s.Token(ctx, old.UserID)
				if err != nil {
					return nil, err
				}
				if got, err := s.Swap(ctx, now, new); err == nil {
					return got, nil
				}
			}
		}}
	},
	"KeepsAllFields": func() *broken {
		return &broken{TokenStore: auth.NewMemory(), swap: func(s auth.TokenStore, ctx context.Context, old, new *auth.Token) (*auth.Token, error) {
			if new != nil {
				c := *new
				c.Revoked = false
				new = &c
			}
			return s.Swap(ctx, old, new)
		}}
	},
	"CreateOnlyOnce": func() *broken {
		return &broken{TokenStore: auth.NewMemory(), swap: func(s auth.TokenStore, ctx context.Context, old, new *auth.Token) (*auth.Token, error) {
			if old == nil && new != nil {
				old, _ = s.Token(ctx, new.UserID)
			}
			return s.Swap(ctx, old, new)
		}}
	},
	"OddUserIDs": func() *broken { // as some databases compare
		fold := func(t *auth.Token) *auth.Token {
			if t == nil {
				return nil
			}
			c := *t
			c.UserID = types.UserID(strings.ToLower(strings.TrimSpace(string(t.UserID))))
			return &c
		}
		return &broken{TokenStore: auth.NewMemory(),
			swap: func(s auth.TokenStore, ctx context.Context, old, new *auth.Token) (*auth.Token, error) {
				return s.Swap(ctx, fold(old), fold(new))
			},
			get: func(s auth.TokenStore, ctx context.Context, userID types.UserID) (*auth.Token, error) {
				return s.Token(ctx, types.UserID(strings.ToLower(strings.TrimSpace(string(userID)))))
			},
		}
	},
	"VersionsNeverReturn": func() *broken {
		var mu sync.Mutex
		current := auth.NewMemory() // a new one whenever the last is empty
		return &broken{TokenStore: auth.NewMemory(),
			swap: func(_ auth.TokenStore, ctx context.Context, old, new *auth.Token) (*auth.Token, error) {
				mu.Lock()
				defer mu.Unlock()
				got, err := current.Swap(ctx, old, new)
				if err == nil && new == nil {
					current = auth.NewMemory()
				}
				return got, err
			},
			get: func(_ auth.TokenStore, ctx context.Context, userID types.UserID) (*auth.Token, error) {
				mu.Lock()
				defer mu.Unlock()
				return current.Token(ctx, userID)
			},
		}
	},
	"Empty": func() *broken {
		return &broken{TokenStore: auth.NewMemory(), get: func(s auth.TokenStore, ctx context.Context, userID types.UserID) (*auth.Token, error) {
			t, err := s.Token(ctx, userID)
			if err != nil && ctx.Err() == nil {
				return nil, nil
			}
			return t, err
		}}
	},
	"Copies": func() *broken {
		var mu sync.Mutex // it breaks the contract, and not the memory
		cache := make(map[types.UserID]*auth.Token)
		return &broken{TokenStore: auth.NewMemory(), get: func(s auth.TokenStore, ctx context.Context, userID types.UserID) (*auth.Token, error) {
			t, err := s.Token(ctx, userID)
			if err != nil {
				return nil, err
			}
			mu.Lock()
			defer mu.Unlock()
			if c := cache[userID]; c != nil && c.Version == t.Version {
				return c, nil
			}
			cache[userID] = t
			return t, nil
		}}
	},
	"Tokens": func() *broken {
		return &broken{TokenStore: auth.NewMemory(), tokens: func(s auth.TokenStore, ctx context.Context) iter.Seq2[*auth.Token, error] {
			return func(yield func(*auth.Token, error) bool) { // the first page alone
				n := 0
				for t, err := range s.Tokens(ctx) {
					if n++; n > 20 || !yield(t, err) {
						return
					}
				}
			}
		}}
	},
	"SurvivesKill":        alone,
	"VersionsSurviveKill": alone,
	"SeesTheOther":        alone,
	"DueOfTheOther":       alone,
	"ConcurrentHandles":   alone,
	"Paused": func() *broken { // last write wins
		return &broken{TokenStore: auth.NewMemory(), swap: func(s auth.TokenStore, ctx context.Context, old, new *auth.Token) (*auth.Token, error) {
			if now, err := s.Token(ctx, "u"); err == nil && old != nil {
				old = now
			}
			return s.Swap(ctx, old, new)
		}}
	},
	// an index on a column that may be null
	"Due": filtered(func(t *auth.Token) bool { return !t.RefreshExpiry.IsZero() }),
	// an index that was made once
	"DueFollows": func() *broken {
		var mu sync.Mutex
		var first []*auth.Token
		return &broken{TokenStore: auth.NewMemory(), due: func(s auth.TokenStore, ctx context.Context, before time.Time) iter.Seq2[*auth.Token, error] {
			return func(yield func(*auth.Token, error) bool) {
				mu.Lock()
				if first == nil {
					for t := range s.Tokens(ctx) {
						first = append(first, t)
					}
				}
				mu.Unlock()
				for _, t := range first {
					if t.RefreshExpiry.Before(before) && !yield(t, nil) {
						return
					}
				}
			}
		}}
	},
	"EndedContext": func() *broken {
		return &broken{TokenStore: auth.NewMemory(), swap: func(s auth.TokenStore, ctx context.Context, old, new *auth.Token) (*auth.Token, error) {
			return s.Swap(context.WithoutCancel(ctx), old, new)
		}}
	},
	"Remove": func() *broken {
		return &broken{TokenStore: auth.NewMemory(), swap: func(s auth.TokenStore, ctx context.Context, old, new *auth.Token) (*auth.Token, error) {
			if old != nil && new == nil {
				new = &auth.Token{UserID: old.UserID} // a tombstone that shows
			}
			return s.Swap(ctx, old, new)
		}}
	},
}

// private are faults of stores whose handles share nothing.
var private = map[string]bool{"SurvivesKill": true, "VersionsSurviveKill": true, "SeesTheOther": true, "DueOfTheOther": true, "ConcurrentHandles": true}

// alone is a store that is right, for itself.
func alone() *broken { return &broken{TokenStore: auth.NewMemory()} }

const faultEnv = "AUTHTEST_FAULT"

// TestFault fails on purpose, in a process of its own.
func TestFault(t *testing.T) {
	fault, ok := faults[os.Getenv(faultEnv)]
	if !ok {
		t.Skip("for TestSuiteCatches")
	}
	states := map[string]auth.TokenStore{}
	authtest.Run(t, authtest.Harness{
		Open: func(t *testing.T, state string) auth.TokenStore {
			if states[state] == nil || private[os.Getenv(faultEnv)] {
				states[state] = fault()
			}
			return states[state]
		},
		Kill:   func(*testing.T, auth.TokenStore) {},
		Shared: true,
	})
}

// A suite that finds nothing is worth nothing.
func TestSuiteCatches(t *testing.T) {
	t.Parallel()
	for name := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestFault$")
			cmd.Env = append(os.Environ(), faultEnv+"="+name)
			out, err := cmd.CombinedOutput()
			require.Error(t, err, "a store that breaks the contract has passed")
			require.Contains(t, string(out), "--- FAIL: TestFault/"+name)
		})
	}
}
