package backfilltest_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/backfill/backfilltest"
	"github.com/garminkit/activityapi/types"
)

// states has one value for each state of a harness.
type states[T any] struct {
	mu  sync.Mutex
	all map[string]T
}

func (s *states[T]) of(state string, make func() T) T {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[string]T{}
	}
	x, ok := s.all[state]
	if !ok {
		x = make()
		s.all[state] = x
	}
	return x
}

func sharedLedger(flaws ...string) backfilltest.Harness[backfill.Ledger] {
	var dbs states[*ledgerDB]
	return backfilltest.Harness[backfill.Ledger]{
		Open: func(t *testing.T, state string) backfill.Ledger {
			return dbs.of(state, func() *ledgerDB { return newLedgerDB(flaws...) }).open(t)
		},
		Kill:   func(_ *testing.T, l backfill.Ledger) { l.(*modelLedger).kill() },
		Shared: true,
	}
}

func sharedLimiter(flaws ...string) backfilltest.Harness[backfill.Limiter] {
	var dbs states[*limiterDB]
	return backfilltest.Harness[backfill.Limiter]{
		Open: func(t *testing.T, state string) backfill.Limiter {
			return dbs.of(state, func() *limiterDB { return newLimiterDB(flaws...) }).open(t)
		},
		Kill:   func(_ *testing.T, l backfill.Limiter) { l.(*modelLimiter).kill() },
		Shared: true,
	}
}

// The models of a ledger and a limiter that processes share keep all clauses.
func TestSharedLedger(t *testing.T)  { backfilltest.RunLedger(t, sharedLedger()) }
func TestSharedLimiter(t *testing.T) { backfilltest.RunLimiter(t, sharedLimiter()) }

// mutants are implementations that break a clause, by the clause that they
// break. Each is a flaw of a model, or a function.
var ledgerMutants = map[string]string{
	"each handle has a copy":   "HandlesSeeEachOther",
	"claims know one handle":   "ClaimKeepsOtherHandlesOff",
	"claims never end":         "ClaimEndsAfterAKill",
	"claims end with the call": "Claim",
	"claims are not renewed":   "ClaimIsKept",
	"contexts never end":       "ForgetEndsTheClaim",
	"no fence":                 "LostClaimSavesNothing",
	"saves one by one":         "Overlap",
	"an old release counts":    "Claim",
	"forget leaves the claim":  "ForgetByAnotherHandle",
	"forget keeps the chunks":  "ForgetRemovesAll",
	"everything in memory":     "SavesSurviveAKill",
	"arrivals in memory":       "ArrivalsSurviveAKill",
	"forget in memory":         "ForgetSurvivesAKill",
}

var limiterMutants = map[string]string{
	"a budget for each handle":      "OneBudgetForAllHandles",
	"429 is not shared":             "LimitedStopsAllHandles",
	"a dead process holds nothing":  "RequestsSurviveAKill",
	"a dead process holds for ever": "RequestsSurviveAKill",
	"a dead call stays in line":     "KilledInFront",
	"first come, first served":      "UsersInTurnAcrossHandles",
	"a user is served to the end":   "UsersInTurn",
	"a user's last call first":      "CallsOfAUserInOrder",
	"small requests overtake":       "LargeIsNotStarved",
	"a minute of 59 seconds":        "Budget",
	"held from the grant on":        "HeldUntilAMinuteAfterTheAnswer",
	"lost is answered":              "LostIsHeldLonger",
	"every end counts":              "FirstEndCounts",
	"grants come too late":          "TimesOfAGrant",
	"everything in memory":          "AnswersSurviveAKill",
}

const mutantEnv = "ACTIVITYAPI_TEST_BACKFILL_MUTANT"

// TestLedgerMutant is run by TestSuitesCatch, in a process of its own.
func TestLedgerMutant(t *testing.T) {
	name := os.Getenv(mutantEnv)
	if ledgerMutants[name] == "" {
		t.Skip("run by TestSuitesCatch")
	}
	h := sharedLedger(name)
	switch name {
	case "everything in memory":
		h.Open = func(*testing.T, string) backfill.Ledger { return backfill.NewLedger() }
		h.Kill, h.Shared = func(*testing.T, backfill.Ledger) {}, false
	case "arrivals in memory", "forget in memory":
		h = halfStored(name)
	}
	backfilltest.RunLedger(t, h)
}

// halfStored is a ledger in a directory that misses one kind of record.
func halfStored(flaw string) backfilltest.Harness[backfill.Ledger] {
	return backfilltest.Harness[backfill.Ledger]{
		Open: func(t *testing.T, dir string) backfill.Ledger {
			l, err := backfill.OpenLedger(dir, nil)
			require.NoError(t, err)
			t.Cleanup(func() { l.Close() })
			return &lossy{l, flaw}
		},
		Kill: func(t *testing.T, l backfill.Ledger) { require.NoError(t, l.(*lossy).Ledger.Close()) },
	}
}

// lossy drops one kind of record.
type lossy struct {
	backfill.Ledger
	flaw string
}

func (l *lossy) Arrived(ctx context.Context, user types.UserID, kind types.Kind, start time.Time) error {
	if l.flaw == "arrivals in memory" {
		return nil
	}
	return l.Ledger.Arrived(ctx, user, kind, start)
}

func (l *lossy) Forget(ctx context.Context, user types.UserID) error {
	if l.flaw == "forget in memory" {
		return nil
	}
	return l.Ledger.Forget(ctx, user)
}

// TestLimiterMutant is run by TestSuitesCatch, in a process of its own.
func TestLimiterMutant(t *testing.T) {
	name := os.Getenv(mutantEnv)
	if limiterMutants[name] == "" {
		t.Skip("run by TestSuitesCatch")
	}
	h := sharedLimiter(name)
	if name == "everything in memory" {
		h.Open = func(*testing.T, string) backfill.Limiter { return backfill.NewLimiter(backfill.Evaluation, nil) }
		h.Kill, h.Shared = func(*testing.T, backfill.Limiter) {}, false
	}
	backfilltest.RunLimiter(t, h)
}

// The suites are tests of tests: each flaw fails the clause that it breaks.
func TestSuitesCatch(t *testing.T) {
	for test, mutants := range map[string]map[string]string{"TestLedgerMutant": ledgerMutants, "TestLimiterMutant": limiterMutants} {
		for name, clause := range mutants {
			t.Run(test+"/"+name, func(t *testing.T) {
				t.Parallel()
				cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$/^"+clause+"$", "-test.timeout=60s")
				cmd.Env = append(os.Environ(), mutantEnv+"="+name)
				out, err := cmd.CombinedOutput()
				require.Error(t, err, "the suite passed it:\n%s", out)
				require.True(t, strings.Contains(string(out), "--- FAIL: "+test+"/"+clause) || strings.Contains(string(out), "panic: "), "%s", out)
			})
		}
	}
}
