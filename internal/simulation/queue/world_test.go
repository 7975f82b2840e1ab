package queue

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/notify"
)

const (
	lease = 15 * time.Second
	// honour is how long a callback takes at most to see that its ctx has ended,
	// and skew how far the clock of the queue steps. Together with the way of a
	// call they must fit into the third of a lease that a right ends early.
	honour = time.Second
	skew   = time.Second
	// long is from when a pause may outlive a lease, all in all.
	long = lease/3 - honour - 2*skew
)

// plan is what a schedule is made of.
type plan struct {
	seed     uint64
	unfenced string
	chaos    time.Duration // after it nothing goes wrong any more
}

// world is one schedule.
type world struct {
	plan
	db   *memqueue.Shared
	calm atomic.Bool
	hist *history
	ctx  context.Context
	// files tells that files are announced, too. They go to the real disk, so
	// most schedules have none.
	files bool

	mu     sync.Mutex
	places []*place
	lives  map[int]*life // by the number of the handle
	opened int
	ahead  time.Duration
	trips  map[string]*rand.Rand // by process and kind of call
}

// rng is the randomness of one actor: who else draws changes nothing for it.
func (w *world) rng(actor string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(actor))
	return rand.New(rand.NewPCG(w.seed, h.Sum64()))
}

// run lives through a schedule and returns what was wrong.
func run(t *testing.T, p plan, sum *summary) []string {
	w := &world{plan: p, hist: newHistory(), ctx: t.Context(), trips: map[string]*rand.Rand{}, lives: map[int]*life{}}
	rng := w.rng("world")
	opts := memqueue.SharedOptions{
		Shares: 1 + rng.IntN(8), Lease: lease, Unfenced: p.unfenced, Trip: w.trip,
	}
	if rng.IntN(2) == 0 {
		opts.ScanMost = 1 + rng.IntN(4)
	}
	w.db = memqueue.NewShared(&opts)
	w.files = rng.IntN(8) == 0
	var actors sync.WaitGroup
	for i := range 2 + rng.IntN(3) {
		pl := &place{w: w, number: i}
		if w.files {
			pl.dir = t.TempDir()
		}
		w.places = append(w.places, pl)
	}
	for _, pl := range w.places {
		pl.start()
		actors.Go(pl.troubles)
	}
	actors.Go(w.senders)
	actors.Wait()
	w.calm.Store(true)
	calm := time.Now()
	drained := w.drain()
	w.hist.drained = time.Since(calm)
	time.Sleep(2 * lease)
	for _, pl := range w.places {
		least := int64(opts.Shares / len(w.places))
		if n := pl.current().held.Load(); n < least || n > least+1 {
			w.hist.wrong("of %d shares process %d of %d has %d", opts.Shares, pl.current().number, len(w.places), n)
		}
	}
	for _, pl := range w.places {
		pl.end()
	}
	if !drained {
		w.hist.wrong("the queue did not drain: %v", w.left())
	}
	defer sum.add(w.hist)
	return w.hist.judge(w.letters())
}

// trip is the network.
func (w *world) trip(process int, op string) (trip memqueue.Trip) {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer func() {
		if l := w.lives[process]; l != nil {
			l.sent(op, time.Now().Add(trip.There))
		}
	}()
	key := fmt.Sprint(process, op)
	rng := w.trips[key]
	if rng == nil {
		rng = w.rng("trip " + key)
		w.trips[key] = rng
	}
	ms := func(most int) time.Duration { return time.Duration(rng.IntN(most*1000)) * time.Microsecond }
	trip.There, trip.Back = ms(5), ms(5)
	if w.calm.Load() {
		return trip
	}
	switch n := rng.IntN(100); {
	case n < 2:
		trip.There = ms(20000)
	case n < 4:
		trip.Back = ms(20000)
	case n < 10:
		trip.There, trip.Back = ms(1000), ms(1000)
	case n < 13:
		trip.Lost = memqueue.LostRequest
	case n < 17:
		trip.Lost = memqueue.LostAnswer
	}
	return trip
}

// step moves the clock of the queue, never by more than skew in all.
func (w *world) step(rng *rand.Rand) {
	to := time.Duration(rng.Int64N(int64(skew)))
	w.mu.Lock()
	d := to - w.ahead
	w.ahead = to
	w.mu.Unlock()
	w.db.Step(d)
}

// observer is a process that only looks.
func (w *world) observer() notify.Queue {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.opened++
	return w.db.Open()
}

func (w *world) left() notify.QueueStats {
	st, _ := w.observer().Stats(w.ctx)
	return st
}

// drain waits until nothing is left to do.
func (w *world) drain() bool {
	q := w.observer()
	for range 2000 {
		st, err := q.Stats(w.ctx)
		n := int64(0)
		for _, c := range st.Items {
			n += c
		}
		if err == nil && n == 0 {
			return true
		}
		time.Sleep(5 * time.Second)
	}
	return false
}

var marks = regexp.MustCompile(`"marker":(\d+)`)

// letters counts the letters by the marker of what they hold.
func (w *world) letters() map[int]int {
	count := map[int]int{}
	q := w.observer()
	for l, err := range q.Letters(w.ctx, nil) {
		if err != nil {
			w.hist.wrong("Letters: %v", err)
			break
		}
		r, err := q.OpenLetter(w.ctx, l.ID)
		if err != nil {
			w.hist.wrong("OpenLetter: %v", err)
			break
		}
		body, err := io.ReadAll(r)
		if err != nil {
			w.hist.wrong("a letter cannot be read: %v", err)
		}
		for _, m := range marks.FindAllSubmatch(body, -1) {
			n, _ := strconv.Atoi(string(m[1]))
			count[n]++
		}
	}
	return count
}
