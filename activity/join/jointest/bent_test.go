package jointest_test

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/join"
	"github.com/garminkit/activityapi/activity/join/jointest"
	"github.com/garminkit/activityapi/types"
)

// bent stores break one clause each.
var bent = map[string]func(*store){
	"Empty":             func(s *store) { s.madeUp = true },
	"KeepsAllFields":    func(s *store) { s.lose = func(r *join.Record) { r.Parents = nil } },
	"FalseKeepsNothing": func(s *store) { s.always = true },
	"Replaces":          func(s *store) { s.merge = true },
	"KeysApart":         func(s *store) { s.key = func(k join.Key) string { return string(k.User) + "/" + string(k.ID) } },
	"Forget": func(s *store) {
		s.key, s.prefix = func(k join.Key) string { return string(k.User) + string(k.ID) }, true
	},
	"EndedContext": func(s *store) { s.late = true },
	"Concurrent":   func(s *store) { s.racy = true },
}

// store is a plain one that can be bent.
type store struct {
	mu   sync.Mutex
	recs map[string]join.Record
	user map[string]types.UserID

	madeUp, always, merge, prefix, late, racy bool
	lose                                      func(*join.Record)
	key                                       func(join.Key) string
}

func (s *store) name(k join.Key) string {
	if s.key != nil {
		return s.key(k)
	}
	return string(k.User) + "\n" + string(k.ID)
}

func (s *store) Update(ctx context.Context, key join.Key, f func(*join.Record) bool) error {
	if s.late && ctx.Err() != nil {
		defer s.mu.Unlock()
		s.mu.Lock()
		s.recs[s.name(key)] = join.Record{}
		return ctx.Err()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.mu.Lock()
	rec := s.recs[s.name(key)]
	if s.racy {
		s.mu.Unlock()
	}
	old := rec
	if f(&rec) || s.always {
		if s.merge && rec.Details == nil {
			rec.Details = old.Details
		}
		if s.lose != nil {
			s.lose(&rec)
		}
		if s.racy {
			for range 1000 { // let others in between
				_ = strings.Repeat("x", 10)
			}
			s.mu.Lock()
		}
		s.recs[s.name(key)] = rec
		s.user[s.name(key)] = key.User
		s.mu.Unlock()
		return nil
	}
	if !s.racy {
		s.mu.Unlock()
	}
	return nil
}

func (s *store) Load(_ context.Context, key join.Key) (*join.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec, ok := s.recs[s.name(key)]
	if !ok && !s.madeUp {
		return nil, nil
	}
	return &rec, nil
}

func (s *store) Forget(_ context.Context, user types.UserID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range maps.Clone(s.recs) {
		if s.user[name] == user || s.prefix && strings.HasPrefix(name, string(user)) {
			delete(s.recs, name)
		}
	}
	return nil
}

func open(bend func(*store)) jointest.Harness {
	stores := map[string]*store{}
	return jointest.Harness{
		Kill:   func(*testing.T, join.Store) {},
		Shared: true,
		Open: func(_ *testing.T, state string) join.Store {
			if stores[state] == nil {
				stores[state] = &store{recs: map[string]join.Record{}, user: map[string]types.UserID{}}
				if bend != nil {
					bend(stores[state])
				}
			}
			return stores[state]
		},
	}
}

func TestGoodStorePasses(t *testing.T) {
	t.Parallel()
	jointest.Run(t, open(nil))
}

// TestBentStoresFail runs each bent store in a process of its own, where it has
// to fail in the clause that it breaks.
func TestBentStoresFail(t *testing.T) {
	if name := os.Getenv("JOINTEST_BENT"); name != "" {
		jointest.Run(t, open(bent[name]))
		return
	}
	for _, name := range slices.Sorted(maps.Keys(bent)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := ""
			for range 20 { // a race does not happen every time
				cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBentStoresFail$", "-test.v")
				cmd.Env = append(os.Environ(), "JOINTEST_BENT="+name)
				b, err := cmd.CombinedOutput()
				out = string(b)
				if err != nil {
					break
				}
			}
			require.Contains(t, out, "--- FAIL: TestBentStoresFail/"+name)
		})
	}
}
