package simulation

import (
	"context"
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

const (
	day  = 24 * time.Hour
	year = 365 * day
)

// plan says what kind of life to live.
type plan struct {
	seed  uint64
	years float64
	// pace is the mean time from one deed to the next.
	pace time.Duration
	// month is the time from one verdict to the next.
	month time.Duration
	// spool takes the real spool, if there is a disk in memory, and else a
	// queue in memory that outlives processes.
	spool bool
	// lonely tells that no other test runs, so that goroutines can be counted.
	lonely   bool
	sabotage *sabotage
}

// life is one world: Garmin, its users, the partner's service and its disk. The
// script, one goroutine, decides what happens; it and every fault are functions
// of the seed. What is not is the jitter of the library's own waits, so that two
// runs of a seed are the same world, and differ in when things are repeated.
type life struct {
	plan
	journal
	t      *testing.T
	script *rand.Rand
	fake   *activitytest.Server
	gen    *activitytest.Generator
	base   string           // directory of all processes' disks
	memory *memqueue.Memory // nil with a spool
	end    context.Context

	truth   truth
	db      database
	weather weather
	line    line
	secrets secrets

	mu    sync.Mutex
	proc  *process // nil while none runs
	gens  int
	disk  string                // of the latest process
	cuts  int                   // of the power
	ended map[notify.ItemID]int // items that have come to an end: cuts at that time
	tries map[string]int        // by site of a fault
	sent  map[string]bool       // broken and forged items
	bad   map[string]bool       // those of them that a 200 was said for
	acked map[string]*ackedItem // what a 200 was said for since the last verdict

	goroutines, fds int // base lines
	expired         int // what Garmin had given up at the last verdict
}

// live lives a life and returns what it counted, and its first breach.
func live(t *testing.T, p plan) (map[string]int, *breach) {
	l := &life{
		plan: p, t: t,
		journal: journal{counts: map[string]int{}},
		script:  rand.New(rand.NewPCG(p.seed, 1)),
		gen:     activitytest.NewGenerator(p.seed),
		ended:   map[notify.ItemID]int{}, tries: map[string]int{},
		bad: map[string]bool{}, sent: map[string]bool{}, acked: map[string]*ackedItem{},
	}
	var quick bool
	if l.base, quick = diskOf(t); !quick {
		l.spool = false
	}
	synctest.Test(t, func(t *testing.T) {
		l.t = t
		l.fake = activitytest.NewServer()
		l.fake.KeepRequests = 1000
		l.truth.init()
		l.db.init()
		l.line.init(l)
		l.secrets.init()
		if !l.spool {
			l.memory = memqueue.NewMemory()
		}
		ctx, stop := context.WithCancel(t.Context())
		l.end = ctx
		l.disk = filepath.Join(l.base, "0")
		l.fake.SetEndpoints(l.endpoint(true))
		l.launch()
		garmin := make(chan error, 1)
		go func() { garmin <- l.fake.Run(ctx) }()
		l.run()
		stop()
		<-garmin
		l.land()
		synctest.Wait()
	})
	return l.tally(), l.failed()
}

// diskOf returns a directory, and whether it is in memory: the real syncs of
// years take hours.
func diskOf(t *testing.T) (dir string, quick bool) {
	if dir, err := os.MkdirTemp("/dev/shm", "activityapi-years-*"); err == nil { //nolint:usetesting // it must be in memory
		t.Cleanup(func() { os.RemoveAll(dir) })
		return dir, true
	}
	return t.TempDir(), false
}

func (l *life) endpoint(push bool) activitytest.Endpoint {
	return activitytest.Endpoint{URL: "https://partner.example/garmin/" + pathSecret, Handler: &door{l}, Enabled: true, Push: push}
}

// run is the script.
func (l *life) run() {
	start := time.Now()
	for m := 1; time.Since(start) < time.Duration(l.years*float64(year)); m++ {
		l.turnMonth()
		for end := start.Add(time.Duration(m) * l.month); time.Now().Before(end); {
			time.Sleep(l.exp(l.pace))
			if l.failed() != nil {
				return
			}
			l.act()
		}
		l.heal()
		l.verdict(m)
		if l.failed() != nil {
			return
		}
	}
}

// exp gives a random duration with this mean.
func (l *life) exp(mean time.Duration) time.Duration {
	return time.Duration(float64(mean) * l.script.ExpFloat64())
}

// between gives a random duration, small ones as likely as large ones by
// order of magnitude.
func (l *life) between(least, most time.Duration) time.Duration {
	f := l.script.Float64()
	return time.Duration(float64(least) * math.Pow(float64(most)/float64(least), f))
}

// act does the next thing of the script.
func (l *life) act() {
	total := 0
	for _, d := range deeds {
		total += d.weight
	}
	n := l.script.IntN(total)
	for _, d := range deeds {
		if n -= d.weight; n < 0 {
			d.do(l)
			return
		}
	}
}

// deeds is what happens in a life, and how often.
var deeds = []struct {
	weight int
	do     func(*life)
}{
	{100, (*life).sync},
	{20, (*life).edit},
	{6, (*life).join},
	{4, (*life).leave},
	{3, (*life).consent},
	{2, (*life).forge},
	{5, (*life).restart},
	{2, (*life).kill},
	{8, (*life).ambush},
	{2, (*life).hold},
	{2, func(l *life) { l.trouble(receiverDown, "", l.between(time.Minute, 2*day)) }},
	{1, func(l *life) { l.trouble(receiverHangs, "", l.between(time.Minute, 6*time.Hour)) }},
	{2, func(l *life) { l.trouble(databaseDown, "", l.between(time.Minute, 12*time.Hour)) }},
	{3, func(l *life) { l.trouble(garminDown, "", l.between(time.Minute, 12*time.Hour)) }},
	{2, func(l *life) {
		if p := l.somebody(); p != nil {
			l.trouble(tokenBad, p.id, l.between(time.Minute, 3*day))
		}
	}},
	{1, (*life).catastrophe},
}

// catastrophe is trouble beyond what Garmin waits for.
func (l *life) catastrophe() {
	if l.script.IntN(4) > 0 {
		return
	}
	switch long := l.between(5*day, 10*day); l.script.IntN(4) {
	case 0:
		l.trouble(receiverDown, "", long)
	case 1:
		l.trouble(databaseDown, "", long)
	case 2:
		l.holdFor(8*day+long/2, types.Kinds())
	default:
		l.trouble(garminDown, "", long/5)
	}
}

// hold makes Garmin keep its notifications for a while, and then send them all.
func listKeys() []types.Kind {
	return append(types.Kinds(), types.KindDeregistrations, types.KindPermissionChanges)
}

func (l *life) hold() { l.holdFor(l.between(time.Hour, 5*day), listKeys()) }

func (l *life) holdFor(long time.Duration, keys []types.Kind) {
	if l.weather.is(onHold, "") {
		return
	}
	l.trouble(onHold, "", long)
	l.setHold(true, keys)
	time.AfterFunc(long, func() { l.setHold(false, keys) })
}

func (l *life) setHold(on bool, keys []types.Kind) {
	for _, key := range keys {
		e := l.fake.State().Endpoints[key]
		e.OnHold = on
		l.fake.SetEndpoints(e, key)
	}
}

// turnMonth sets what Garmin sends this month: pushes, or pings.
func (l *life) turnMonth() {
	for _, key := range types.Kinds() {
		l.fake.SetEndpoints(l.endpoint(l.script.IntN(2) == 0), key)
	}
	if len(l.truth.connected()) == 0 {
		l.join()
	}
}

// roll gives a number from 0 to 1 that depends on the seed and the site alone,
// and not on which goroutine asks first.
func (l *life) roll(site ...string) float64 {
	h := fnv.New64a()
	var seed [8]byte
	binary.LittleEndian.PutUint64(seed[:], l.seed)
	h.Write(seed[:])
	for _, s := range site {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	x := h.Sum64()
	x ^= x >> 31
	x *= 0x94d049bb133111eb
	x ^= x >> 29
	return float64(x>>11) / (1 << 53)
}

// try counts the tries at a site and rolls for this one.
func (l *life) try(site ...string) (n int, x float64) {
	key := strings.Join(site, " ")
	l.mu.Lock()
	l.tries[key]++
	n = l.tries[key]
	l.mu.Unlock()
	return n, l.roll(key, string(rune('0'+n)))
}

// nap sleeps unless ctx ends before.
func nap(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// openFiles counts the process's open files, or returns 0 where that cannot be
// told.
func openFiles() int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(list)
}

// openNames says which they are.
func openNames() string {
	list, _ := os.ReadDir("/proc/self/fd")
	var names []string
	for _, f := range list {
		name, err := os.Readlink(filepath.Join("/proc/self/fd", f.Name()))
		if err == nil {
			names = append(names, name)
		}
	}
	return strings.Join(names, "\n")
}
