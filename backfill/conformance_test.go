package backfill_test

import (
	"testing"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/backfill/backfilltest"
)

func TestMemoryLimiter(t *testing.T) {
	backfilltest.TestLimiter(t, func(t *testing.T, days int) backfill.Limiter {
		return backfill.NewLimiter(days)
	}, nil)
}

func TestMemoryLedger(t *testing.T) {
	backfilltest.TestLedger(t, func(t *testing.T) backfill.Ledger {
		return backfill.NewLedger()
	}, nil)
}
