package backfill_test

import (
	"testing"
	"time"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/backfill/backfilltest"
)

func TestMemoryLimiter(t *testing.T) {
	backfilltest.RunLimiter(t, backfilltest.Harness[backfill.Limiter]{
		Open: func(*testing.T, string) backfill.Limiter { return backfill.NewLimiter(backfill.Evaluation, nil) },
	})
}

func TestMemoryLedger(t *testing.T) {
	backfilltest.RunLedger(t, backfilltest.Harness[backfill.Ledger]{
		Open: func(*testing.T, string) backfill.Ledger { return backfill.NewLedger() },
	})
}

func TestFileLedger(t *testing.T) {
	backfilltest.RunLedger(t, backfilltest.Harness[backfill.Ledger]{
		Open: func(t *testing.T, dir string) backfill.Ledger { return openLedger(t, dir) },
		Kill: func(_ *testing.T, l backfill.Ledger) { backfill.Abandon(l.(*backfill.FileLedger)) },
		// By the wall clock: claims end with their process, so nothing waits.
		Advance: func(*testing.T, time.Duration) {},
	})
}
