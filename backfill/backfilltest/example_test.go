package backfilltest_test

import (
	"testing"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/backfill/backfilltest"
)

func ExampleTestLimiter() {
	_ = func(t *testing.T) { // func TestMyLimiter(t *testing.T)
		backfilltest.TestLimiter(t, func(t *testing.T, daysPerMinute int) backfill.Limiter {
			return backfill.NewLimiter(daysPerMinute) // yours
		}, nil)
	}
	// Output:
}

func ExampleTestLedger() {
	_ = func(t *testing.T) { // func TestMyLedger(t *testing.T)
		backfilltest.TestLedger(t, func(t *testing.T) backfill.Ledger {
			return backfill.NewLedger() // yours
		}, nil)
	}
	// Output:
}
