package spool

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestGathering: the writer waits for those it wants, not for more, and not
// beyond its time.
func TestGathering(t *testing.T) {
	t.Parallel()
	const step = 100 * time.Microsecond
	tests := []struct {
		name  string
		there int // bodies before the wait; one more comes at each step
		wants int
		want  time.Duration // how long it waits
	}{
		{"there already", 3, 3, 0},
		{"one is missing", 2, 3, step},
		{"three are missing", 0, 3, 3 * step},
		{"too many are missing", 1, 30, 10*step + step/2},
		{"none is wanted", 1, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := newGathering()
				add := func() {
					_, _, err := g.add(pending{})
					require.NoError(t, err)
				}
				for round := range 2 { // a wait leaves nothing for the next one
					for range tt.there {
						add()
					}
					stop, stopped := make(chan struct{}), make(chan struct{})
					go func() {
						defer close(stopped)
						for {
							select {
							case <-time.After(step):
								add()
							case <-stop:
								return
							}
						}
					}()
					start := time.Now()
					g.wait(tt.wants, 10*step+step/2)
					require.Equal(t, tt.want, time.Since(start), "round %d", round)
					close(stop)
					<-stopped
					require.Len(t, g.some, min(1, len(g.next.list)))
					if len(g.some) > 0 {
						<-g.some
					}
					require.GreaterOrEqual(t, len(g.take().list), min(tt.wants, tt.there))
				}
				g.close()
				_, _, err := g.add(pending{})
				require.ErrorIs(t, err, errClosed)
				g.wait(1, time.Hour) // returns
			})
		})
	}
}

// TestGatheringAtTheLastMoment: the last body that is waited for may come just
// when the time is up.
func TestGatheringAtTheLastMoment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGathering()
		for range 1000 {
			added := make(chan struct{})
			go func() {
				defer close(added)
				time.Sleep(time.Millisecond)
				g.add(pending{})
			}()
			g.wait(1, time.Millisecond)
			<-added
			require.Empty(t, g.enough, "a signal is left for a wait that has ended")
			<-g.some
			g.take()
		}
	})
}

// TestCrowd: of senders that were answered together, those who come back last
// share the sync of the first one, if they come within the time of a sync.
func TestCrowd(t *testing.T) {
	t.Parallel()
	const late = 50 * time.Microsecond
	tests := []struct {
		name    string
		sync    time.Duration // what one takes
		crowd   int           // senders of the first batch
		back    int           // how many of them come back, all but the first late
		syncs   int64         // that they take
		took    time.Duration // until all of them are answered
		promise string
	}{
		{"most", 300 * time.Microsecond, 8, 6, 1, late + 300*time.Microsecond, "three of four are enough"},
		{"few", 300 * time.Microsecond, 8, 3, 1, 600 * time.Microsecond, "the wait is as long as a sync"},
		{"one", 300 * time.Microsecond, 8, 1, 1, 600 * time.Microsecond, "the wait is as long as a sync"},
		{"one, slow disk", 50 * time.Millisecond, 8, 1, 1, maxWait + 50*time.Millisecond, "the wait is a millisecond at most"},
		{"alone", 300 * time.Microsecond, 1, 1, 1, 300 * time.Microsecond, "who is always alone waits for nobody"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newDisk()
				s, err := openSmall(&Options{RepeatTime: -1}, d)
				require.NoError(t, err)
				defer s.Close()
				d.fault = func(o op) (int, error) {
					if o.kind == "sync" {
						time.Sleep(tt.sync)
					}
					return 0, nil
				}
				var wg sync.WaitGroup
				put := func(after time.Duration) {
					wg.Go(func() {
						time.Sleep(after)
						if err := s.Put(t.Context(), strings.NewReader("{}")); err != nil {
							t.Error(err)
						}
					})
				}
				// They gather during the sync of another.
				put(0)
				for range tt.crowd {
					put(tt.sync / 2)
				}
				wg.Wait()
				require.EqualValues(t, 2, s.Counts().Syncs)
				before, start := s.Counts().Syncs, time.Now()
				put(0)
				for range tt.back - 1 {
					put(late)
				}
				wg.Wait()
				require.Equal(t, tt.syncs, s.Counts().Syncs-before, tt.promise)
				require.Equal(t, tt.took, time.Since(start), tt.promise)
			})
		})
	}
}
