package notify

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestBudgetAddsUp: whatever comes in whatever order, what is used is what is
// held, it is never more than the limit, and only those that we wait for are
// given up.
func TestBudgetAddsUp(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 2))
			b := &budget{limit: int64(100 + rnd.IntN(1000)), epoch: time.Now()}
			shares := make([]*share, 20)
			whole := map[*share]bool{}
			reading := map[*share]bool{}
			for i := range shares {
				shares[i] = &share{owner: &exchange{}}
			}
			for range 3000 {
				time.Sleep(time.Duration(rnd.IntN(300)) * time.Millisecond)
				i := rnd.IntN(len(shares))
				s := shares[i]
				gone := s.gone
				switch n := rnd.IntN(10); {
				case n == 0:
					b.release(s)
					delete(reading, s)
					delete(whole, s)
					shares[i] = &share{owner: &exchange{}}
				case whole[s]:
				case !reading[s]:
					b.wait(s)
					reading[s] = true
				default:
					end := rnd.IntN(5) == 0
					ok := b.arrived(s, int64(rnd.IntN(100)), end)
					require.False(t, ok && gone, "room for a body that was given up")
					reading[s] = false
					whole[s] = ok && end
				}
				var held int64
				var open int
				for _, s := range shares {
					held += s.held
					if s.gone {
						require.Zero(t, s.held)
						require.False(t, whole[s], "a whole body was given up")
					}
					if s.place > 0 {
						open++
						require.Same(t, s, b.open[s.place-1])
					}
				}
				require.Equal(t, b.used, held)
				require.LessOrEqual(t, b.used, b.limit)
				require.Len(t, b.open, open)
			}
			for _, s := range shares {
				b.release(s)
			}
			require.Zero(t, b.used)
			require.Empty(t, b.open)
		})
	}
}

// TestBudgetMakesRoom is who is given up, of senders that came to hold something
// in different ways.
func TestBudgetMakesRoom(t *testing.T) {
	t.Parallel()
	const kilo = 1 << 10
	// A sender sends so many bytes at a time, so often.
	type sender struct {
		name   string
		bytes  int64
		every  time.Duration
		times  int
		whole  bool // after the last
		stored bool // the store does not read on
		want   bool // it is given up
	}
	for name, tt := range map[string]struct {
		senders []sender
		idle    time.Duration // after they have sent
		want    bool          // there is room for 1 KiB more, which came at once
	}{
		"stopped":            {[]sender{{name: "a", bytes: 10 * kilo, every: time.Millisecond, times: 1, want: true}}, 2 * time.Second, true},
		"a byte at a time":   {[]sender{{name: "a", bytes: 10*kilo - 40, times: 1}, {name: "a", bytes: 1, every: 500 * time.Millisecond, times: 40, want: true}}, 2 * time.Second, true},
		"stored":             {[]sender{{name: "a", bytes: 10 * kilo, times: 1, stored: true}}, 2 * time.Second, false},
		"whole":              {[]sender{{name: "a", bytes: 10 * kilo, times: 1, whole: true}}, 2 * time.Second, false},
		"slow and fast":      {[]sender{{name: "a", bytes: 5 * kilo, every: 900 * time.Millisecond, times: 1}, {name: "a", bytes: 1, every: 900 * time.Millisecond, times: 3, want: true}, {name: "b", bytes: kilo, every: 100 * time.Millisecond, times: 4}}, 0, true},
		"the larger of two":  {[]sender{{name: "a", bytes: 4 * kilo, times: 1}, {name: "b", bytes: 6 * kilo, times: 1, want: true}}, 2 * time.Second, true},
		"fast ones are kept": {[]sender{{name: "a", bytes: kilo, every: 50 * time.Millisecond, times: 5, stored: true}, {name: "b", bytes: kilo, every: 50 * time.Millisecond, times: 5, stored: true}}, 2 * time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := &budget{limit: 10 * kilo, epoch: time.Now()}
				shares, want := map[string]*share{}, map[string]bool{}
				for _, from := range tt.senders {
					s := shares[from.name]
					if s == nil {
						s = &share{owner: &exchange{}}
						shares[from.name] = s
					}
					want[from.name] = from.want
					for i := range from.times {
						b.wait(s)
						time.Sleep(from.every)
						require.True(t, b.arrived(s, from.bytes, from.whole && i+1 == from.times))
					}
					if !from.whole && !from.stored {
						b.wait(s)
					}
				}
				time.Sleep(tt.idle)
				honest := &share{owner: &exchange{}}
				b.wait(honest)
				require.Equal(t, tt.want, b.arrived(honest, kilo, false))
				for name, s := range shares {
					require.Equal(t, want[name], s.gone, name)
				}
			})
		})
	}
}
