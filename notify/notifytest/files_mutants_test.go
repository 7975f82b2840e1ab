package notifytest_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/notifytest"
)

// bentClaims break one duty.
type bentClaims struct {
	notify.Claims
	begin  func(c notify.Claims, ctx context.Context, id string, lease time.Duration) (notify.Claim, bool, error)
	renew  func(c notify.Claims, ctx context.Context, id string, lease time.Duration) error
	settle func(c notify.Claims, ctx context.Context, id string, claim notify.Claim) error
}

func (b *bentClaims) Begin(ctx context.Context, id string, lease time.Duration) (notify.Claim, bool, error) {
	if b.begin != nil {
		return b.begin(b.Claims, ctx, id, lease)
	}
	return b.Claims.Begin(ctx, id, lease)
}

func (b *bentClaims) Renew(ctx context.Context, id string, lease time.Duration) error {
	if b.renew != nil {
		return b.renew(b.Claims, ctx, id, lease)
	}
	return b.Claims.Renew(ctx, id, lease)
}

func (b *bentClaims) Settle(ctx context.Context, id string, claim notify.Claim) error {
	if b.settle != nil {
		return b.settle(b.Claims, ctx, id, claim)
	}
	return b.Claims.Settle(ctx, id, claim)
}

var claimMutants = map[string]struct {
	fails string // the check that notices
	bent  bentClaims
	own   bool // each handle has claims of its own
}{
	"each process has its own": {fails: "one_begins", own: true},
	"everybody takes": {fails: "one_begins", bent: bentClaims{begin: func(c notify.Claims, ctx context.Context, id string, lease time.Duration) (notify.Claim, bool, error) {
		before, _, err := c.Begin(ctx, id, lease)
		return before, true, err
	}}},
	"a lease is for ever": {fails: "a_lease_ends", bent: bentClaims{begin: func(c notify.Claims, ctx context.Context, id string, lease time.Duration) (notify.Claim, bool, error) {
		return c.Begin(ctx, id, 100*lease)
	}}},
	"Renew does nothing": {fails: "a_lease_is_renewed", bent: bentClaims{renew: func(notify.Claims, context.Context, string, time.Duration) error { return nil }}},
	"the loser is not told by Renew": {fails: "the_loser_is_told", bent: bentClaims{renew: func(c notify.Claims, ctx context.Context, id string, lease time.Duration) error {
		_ = c.Renew(ctx, id, lease)
		return nil
	}}},
	"the loser is not told by Settle": {fails: "the_loser_is_told", bent: bentClaims{settle: func(c notify.Claims, ctx context.Context, id string, claim notify.Claim) error {
		_ = c.Settle(ctx, id, claim)
		return nil
	}}},
	"a note is shortened": {fails: "a_note_is_kept", bent: bentClaims{settle: func(c notify.Claims, ctx context.Context, id string, claim notify.Claim) error {
		claim.Odd = nil
		return c.Settle(ctx, id, claim)
	}}},
	"kept bytes are forgotten": {fails: "a_claim_is_given_back", bent: bentClaims{settle: func(c notify.Claims, ctx context.Context, id string, claim notify.Claim) error {
		claim.Kept = ""
		return c.Settle(ctx, id, claim)
	}}},
	"nothing is stored": {fails: "a_process_is_killed", bent: bentClaims{settle: func(c notify.Claims, ctx context.Context, id string, claim notify.Claim) error {
		if claim.State == notify.ClaimStored {
			return nil
		}
		return c.Settle(ctx, id, claim)
	}}},
}

// memoryFiles are a store in memory, with a flaw.
type memoryFiles struct {
	mu    sync.Mutex
	files map[string]string
	flaw  string
}

func (m *memoryFiles) Put(ctx context.Context, name string, r io.Reader, size int64, sum string) error {
	if m.flaw == "seen at once" {
		m.mu.Lock()
		m.files[name] = ""
		m.mu.Unlock()
	}
	data, err := io.ReadAll(r)
	if m.flaw == "broken" {
		err = nil
	}
	if err == nil && ctx.Err() != nil && m.flaw != "late" {
		err = ctx.Err()
	}
	if err == nil && m.flaw != "unchecked" && m.flaw != "broken" && int64(len(data)) != size {
		err = errors.New("another size")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	old, there := m.files[name]
	switch {
	case err != nil:
		return err
	case there && m.flaw != "replaces" && m.flaw != "seen at once" && (old != string(data) || m.flaw == "once"):
		return &fs.PathError{Op: "put", Path: name, Err: fs.ErrExist}
	}
	if m.flaw == "lower case" {
		data = []byte(strings.ToLower(string(data)))
	}
	m.files[name] = string(data)
	return nil
}

func (m *memoryFiles) Open(_ context.Context, name string) (io.ReadCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.files[name]
	if !ok && m.flaw != "empty" {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(strings.NewReader(data)), nil
}

var storeMutants = map[string]string{
	"seen at once": "nothing_is_seen_before",
	"broken":       "what_is_not_whole_is_not_stored",
	"unchecked":    "what_is_not_whole_is_not_stored",
	"unsummed":     "what_is_not_whole_is_not_stored", // each of these looks at the size alone
	"replaces":     "a_file_is_not_replaced",
	"once":         "a_file_is_put_again",
	"late":         "ctx_ends",
	"empty":        "a_file_is_stored",
	"lower case":   "a_file_is_stored",
}

// TestFilesMutant is run by TestFilesSuitesCatch, in a process of its own.
func TestFilesMutant(t *testing.T) {
	name := os.Getenv(mutantEnv)
	if m, ok := claimMutants[name]; ok {
		open := openMemory()
		notifytest.RunClaims(t, notifytest.ClaimsHarness{Open: func(t *testing.T, dir string) notify.Claims {
			c := m.bent
			if c.Claims = open(t, dir); m.own {
				c.Claims = memqueue.NewClaims()
			}
			return &c
		}})
		return
	}
	if _, ok := storeMutants[name]; !ok {
		t.Skip("run by TestFilesSuitesCatch")
	}
	stores := map[string]notify.FileStore{}
	notifytest.RunFileStore(t, notifytest.FileStoreHarness{Open: func(_ *testing.T, dir string) notify.FileStore {
		if stores[dir] == nil {
			stores[dir] = &memoryFiles{files: map[string]string{}, flaw: name}
		}
		return stores[dir]
	}})
}

// TestFilesSuitesCatch checks the suites themselves: each wrong engine fails
// the duty it breaks.
func TestFilesSuitesCatch(t *testing.T) {
	t.Parallel()
	fails := map[string]string{}
	for name, m := range claimMutants {
		fails[name] = m.fails
	}
	for name, clause := range storeMutants {
		fails[name] = clause
	}
	for name, clause := range fails {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestFilesMutant$/^"+clause+"$", "-test.timeout=30s")
			cmd.Env = append(os.Environ(), mutantEnv+"="+name)
			out, err := cmd.CombinedOutput()
			require.Error(t, err, "the suite passed it")
			require.Contains(t, string(out), "--- FAIL: TestFilesMutant/"+clause)
			require.Contains(t, string(out), "The contract: ")
		})
	}
}
