package authtest_test

import (
	"context"
	"iter"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/auth/authtest"
)

func TestStore(t *testing.T) {
	authtest.Run(t, func(t *testing.T) auth.TokenStore { return &auth.MemoryStore{} })
}

func TestSharedStore(t *testing.T) {
	authtest.RunShared(t, func(t *testing.T) (a, b auth.TokenStore) {
		s := &auth.MemoryStore{}
		return s, s
	})
}

// broken is a MemoryStore with one fault.
type broken struct {
	auth.MemoryStore
	swap   func(s *auth.MemoryStore, ctx context.Context, old, new *auth.Token) (*auth.Token, error)
	get    func(s *auth.MemoryStore, ctx context.Context, userID string) (*auth.Token, error)
	tokens func(s *auth.MemoryStore, ctx context.Context) iter.Seq2[*auth.Token, error]
}

func (b *broken) Swap(ctx context.Context, old, new *auth.Token) (*auth.Token, error) {
	if b.swap == nil {
		return b.MemoryStore.Swap(ctx, old, new)
	}
	return b.swap(&b.MemoryStore, ctx, old, new)
}

func (b *broken) Token(ctx context.Context, userID string) (*auth.Token, error) {
	if b.get == nil {
		return b.MemoryStore.Token(ctx, userID)
	}
	return b.get(&b.MemoryStore, ctx, userID)
}

func (b *broken) Tokens(ctx context.Context) iter.Seq2[*auth.Token, error] {
	if b.tokens == nil {
		return b.MemoryStore.Tokens(ctx)
	}
	return b.tokens(&b.MemoryStore, ctx)
}

// faults are stores that break the contract, by the subtest that must tell.
var faults = map[string]func() *broken{
	"SwapNeedsVersion": func() *broken { // last write wins
		return &broken{swap: func(s *auth.MemoryStore, ctx context.Context, old, new *auth.Token) (*auth.Token, error) {
			if old != nil {
				if now, err := s.Token(ctx, old.UserID); err == nil {
					old = now
				}
			}
			return s.Swap(ctx, old, new)
		}}
	},
	"Concurrent": func() *broken { // compares, then stores
		return &broken{swap: func(s *auth.MemoryStore, ctx context.Context, old, new *auth.Token) (*auth.Token, error) {
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
		return &broken{swap: func(s *auth.MemoryStore, ctx context.Context, old, new *auth.Token) (*auth.Token, error) {
			if new != nil {
				c := *new
				c.Revoked = false
				new = &c
			}
			return s.Swap(ctx, old, new)
		}}
	},
	"CreateOnlyOnce": func() *broken {
		return &broken{swap: func(s *auth.MemoryStore, ctx context.Context, old, new *auth.Token) (*auth.Token, error) {
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
			c.UserID = strings.ToLower(strings.TrimSpace(t.UserID))
			return &c
		}
		return &broken{
			swap: func(s *auth.MemoryStore, ctx context.Context, old, new *auth.Token) (*auth.Token, error) {
				return s.Swap(ctx, fold(old), fold(new))
			},
			get: func(s *auth.MemoryStore, ctx context.Context, userID string) (*auth.Token, error) {
				return s.Token(ctx, strings.ToLower(strings.TrimSpace(userID)))
			},
		}
	},
	"VersionsNeverReturn": func() *broken {
		stores := make(map[int64]*auth.MemoryStore) // a new one whenever the last is empty
		current := &auth.MemoryStore{}
		return &broken{
			swap: func(_ *auth.MemoryStore, ctx context.Context, old, new *auth.Token) (*auth.Token, error) {
				got, err := current.Swap(ctx, old, new)
				if err == nil && new == nil {
					stores[int64(len(stores))] = current
					current = &auth.MemoryStore{}
				}
				return got, err
			},
			get: func(_ *auth.MemoryStore, ctx context.Context, userID string) (*auth.Token, error) {
				return current.Token(ctx, userID)
			},
		}
	},
	"Empty": func() *broken {
		return &broken{get: func(s *auth.MemoryStore, ctx context.Context, userID string) (*auth.Token, error) {
			t, err := s.Token(ctx, userID)
			if err != nil && ctx.Err() == nil {
				return nil, nil
			}
			return t, err
		}}
	},
	"Copies": func() *broken {
		cache := make(map[string]*auth.Token)
		return &broken{get: func(s *auth.MemoryStore, ctx context.Context, userID string) (*auth.Token, error) {
			t, err := s.Token(ctx, userID)
			if err != nil {
				return nil, err
			}
			if c := cache[userID]; c != nil && c.Version == t.Version {
				return c, nil
			}
			cache[userID] = t
			return t, nil
		}}
	},
	"Tokens": func() *broken {
		return &broken{tokens: func(s *auth.MemoryStore, ctx context.Context) iter.Seq2[*auth.Token, error] {
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
	"EndedContext": func() *broken {
		return &broken{swap: func(s *auth.MemoryStore, ctx context.Context, old, new *auth.Token) (*auth.Token, error) {
			return s.Swap(context.WithoutCancel(ctx), old, new)
		}}
	},
	"Remove": func() *broken {
		return &broken{swap: func(s *auth.MemoryStore, ctx context.Context, old, new *auth.Token) (*auth.Token, error) {
			if old != nil && new == nil {
				new = &auth.Token{UserID: old.UserID} // a tombstone that shows
			}
			return s.Swap(ctx, old, new)
		}}
	},
}

const faultEnv = "AUTHTEST_FAULT"

// TestFault fails on purpose, in a process of its own.
func TestFault(t *testing.T) {
	fault, ok := faults[os.Getenv(faultEnv)]
	if !ok {
		t.Skip("for TestSuiteCatches")
	}
	authtest.Run(t, func(t *testing.T) auth.TokenStore { return fault() })
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
