package notify

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRoomForBodies: a body waits until those before it leave room, a large one
// alone does not, and the end of the context ends the wait.
func TestRoomForBodies(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		open []int64 // bodies that are there; one leaves each second
		size int64   // of the body that comes
		want time.Duration
		err  error
	}{
		{"empty", nil, maxOpen + 1, 0, nil},
		{"fits", []int64{maxOpen - 1}, 1, 0, nil},
		{"after one", []int64{maxOpen}, 1, time.Second, nil},
		{"after two", []int64{1, maxOpen - 1}, 2, 2 * time.Second, nil},
		{"never within its time", []int64{1, 1, 1, 1, 1}, maxOpen, 4500 * time.Millisecond, context.DeadlineExceeded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScheduler(&ProcessorOptions{}, nil)
				ctx, cancel := context.WithTimeout(t.Context(), 4500*time.Millisecond)
				defer cancel()
				for _, size := range tt.open {
					require.NoError(t, s.enter(ctx, size))
				}
				go func() {
					for _, size := range tt.open {
						time.Sleep(time.Second)
						s.leave(size)
					}
				}()
				start := time.Now()
				require.ErrorIs(t, s.enter(ctx, tt.size), tt.err)
				require.Equal(t, tt.want, time.Since(start))
				time.Sleep(time.Minute) // the goroutine ends
			})
		})
	}
}
