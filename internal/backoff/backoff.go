// Package backoff says how long to wait before another attempt, and waits.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Wait returns how long to wait after so many failures: least after the first,
// then twice as long each time, up to most, less up to half of it by chance, so
// that those who failed together do not come again together.
func Wait(failures int, least, most time.Duration) time.Duration {
	d := most
	if shift := max(failures, 1) - 1; shift < 40 && least<<shift>>shift == least {
		d = min(d, least<<shift)
	}
	return d/2 + rand.N(d/2+1)
}

// Sleep waits for d or until ctx ends, and returns ctx's error if it did.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
