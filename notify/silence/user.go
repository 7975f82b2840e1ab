package silence

import (
	"math"
	"time"

	"github.com/garminkit/activityapi/types"
)

const (
	// session is how close arrivals of a user are one for the key; rest is how
	// close they are one for the user.
	session = 15 * time.Minute
	rest    = 6 * time.Hour
	// leastGaps and leastTime must be known of a user before anything is said.
	leastGaps = 8
	leastTime = 28 * day
	// within 95 of 100 gaps is usual.
	usual = 0.95
	// buckets of gaps grow by 1.6, from six hours to 288 days.
	buckets = 16
	growth  = 1.6
	// memory is how much of a gap's weight is left after the next.
	memory = 0.98
	// gone is when a user is dropped.
	dropped = 400 * day
	// longestID bounds what is kept of a user's id.
	longestID = 128
)

// followed are the kinds, in the order of the state.
const (
	iActivities = iota
	iManual
	iDetails
	iFiles
	iMoveIQ
	nKinds
)

func indexOf(k types.Kind) (int, bool) {
	switch k {
	case types.KindActivities:
		return iActivities, true
	case types.KindManualActivities:
		return iManual, true
	case types.KindActivityDetails:
		return iDetails, true
	case types.KindActivityFiles:
		return iFiles, true
	case types.KindMoveIQ:
		return iMoveIQ, true
	}
	return 0, false
}

func kindOf(i int) types.Kind {
	return [nKinds]types.Kind{types.KindActivities, types.KindManualActivities, types.KindActivityDetails, types.KindActivityFiles, types.KindMoveIQ}[i]
}

// user is what is known of one. Times are awake ones of the detector.
type user struct {
	first, last time.Duration
	heard       time.Time
	gaps        uint32
	hist        [buckets]float32
	// slow and fast are averages of the logarithm of the gap in hours.
	slow, fast float32
	cause      string
	// said is a bit for each kind, and one for the user.
	said  uint8
	kinds [nKinds]kindState
}

const saidUser = 1 << nKinds

// kindState is one kind of a user.
type kindState struct {
	seen  bool
	last  time.Duration
	heard time.Time
	// share is how many of the activities had one, of seen; missed how many of the
	// last had none.
	share  float32
	asked  float32
	missed uint32
}

func bucket(gap time.Duration) int {
	b := math.Ceil(math.Log(float64(gap)/float64(rest)) / math.Log(growth))
	return int(min(max(b, 0), buckets-1))
}

func (u *user) learn(gap time.Duration) {
	for i := range u.hist {
		u.hist[i] *= memory
	}
	u.hist[bucket(gap)]++
	l := float32(math.Log(max(gap.Hours(), 1)))
	if u.gaps == 0 {
		u.slow, u.fast = l, l
	}
	u.slow += 0.08 * (l - u.slow)
	u.fast += 0.4 * (l - u.fast)
	if u.gaps < math.MaxUint32 {
		u.gaps++
	}
}

// interval is what the usual gaps do not exceed.
func (u *user) interval() time.Duration {
	var all, sum float32
	for _, n := range u.hist {
		all += n
	}
	for i, n := range u.hist {
		if sum += n; sum >= usual*all {
			return time.Duration(float64(rest) * math.Pow(growth, float64(i)))
		}
	}
	return time.Duration(float64(rest) * math.Pow(growth, buckets-1))
}

// known tells whether there is enough history.
func (u *user) known(awake time.Duration) bool {
	return u.gaps >= leastGaps && awake-u.first >= leastTime
}

// fading tells whether the user came less and less: the last gaps are twice as
// long as before.
func (u *user) fading() bool { return u.fast-u.slow > math.Ln2 }

// match looks, when an activity comes, whether the one before had this kind too.
// deaf is the time in which nobody's came.
func (k *kindState) match(before time.Duration, deaf bool) {
	const lead = 2 * time.Hour // the file's ping may come first
	had := k.seen && k.last >= before-lead
	if had {
		k.missed = 0
	} else if deaf || !k.seen {
		return
	} else if k.missed < math.MaxUint32 {
		k.missed++
	}
	// While it is missing the share is what it was.
	if had || k.missed <= 2 {
		k.asked = k.asked*0.95 + 1
		var one float32
		if had {
			one = 1
		}
		k.share = k.share*0.95 + one
	}
}

// gone tells whether so many misses in a row are no chance.
func (k *kindState) gone() bool {
	if k.asked < leastGaps*0.8 || k.missed < 3 {
		return false
	}
	// Two misses are in the share already, and two more are taken off.
	p := min(float64(k.share)/float64(k.asked+1), 0.95)
	return -float64(k.missed)*math.Log1p(-p) >= 16
}
