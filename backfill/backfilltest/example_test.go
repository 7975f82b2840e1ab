package backfilltest_test

import (
	"testing"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/backfill/backfilltest"
)

func ExampleRunLimiter() {
	_ = func(t *testing.T) { // func TestMyLimiter(t *testing.T)
		backfilltest.RunLimiter(t, backfilltest.Harness[backfill.Limiter]{
			Open: func(t *testing.T, state string) backfill.Limiter {
				return backfill.NewLimiter(backfill.Evaluation, nil) // yours
			},
		})
	}
	// Output:
}

func ExampleRunLedger() {
	_ = func(t *testing.T) { // func TestMyLedger(t *testing.T)
		backfilltest.RunLedger(t, backfilltest.Harness[backfill.Ledger]{
			Open: func(t *testing.T, state string) backfill.Ledger {
				l, err := backfill.OpenLedger(state, nil) // yours
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { l.Close() })
				return l
			},
		})
	}
	// Output:
}
