package silence

import (
	"math"
	"time"
)

const (
	hours   = 7 * 24
	slots   = 24 * 12
	slotLen = 5 * time.Minute

	// chance is how rare a count must be: ln(10^9).
	chance = 20.7
	// sure is the part of the expected rate that is relied on if nothing comes,
	// and some if a little does.
	sure = 0.5
	some = 0.2
	// leastWeeks is how often an hour of the week was seen before anything is
	// expected of it.
	leastWeeks = 2
	// doubt is how many arrivals of the key must be missing for users to be held
	// back, before anybody is sure.
	doubt = 6
	// accepted is for how long a little must come before it is the new rhythm.
	accepted = 7 * day
)

// series is the rhythm of a whole key, or of one kind of it.
type series struct {
	// profile is the arrivals of each hour of the week, in UTC from Thursday on
	// as the epoch began; weeks is how often each was seen, 255 at most.
	profile [hours]float32
	weeks   [hours]uint8
	// came and due are what came and what the profile had, with a half-life of
	// a day: their quotient is the level.
	came, due float64

	// hour is the one that is counted, since the epoch; counted what came,
	// watched how much of it was lived, deaf whether it must not be learnt.
	hour    int64
	counted float64
	watched time.Duration
	deaf    bool

	// slot is the newest of a ring of lived time, with what came and what was
	// expected.
	slot  int64
	count [slots]uint32
	want  [slots]float32

	// missing is what was expected since the last arrival, and quiet how long
	// that is; heard is when it was, fresh whether since the last look. others
	// counts arrivals of the key since.
	missing float64
	quiet   time.Duration
	heard   time.Time
	fresh   bool
	others  uint32

	silent bool
	since  time.Time
	from   time.Duration // lived when it began
}

func (s *series) level() float64 {
	return min(max((s.came+20)/(s.due+20), 0.05), 20) // of few it says little
}

// rate is what is expected in an hour at t. It goes from the middle of an hour
// to that of the next in a straight line.
func (s *series) rate(t time.Time) float64 {
	sec := t.Unix()
	h := weekHour(sec / 3600)
	part := float64(sec-sec/3600*3600)/3600 - 0.5
	next := weekHour(sec/3600 + 1)
	if part < 0 {
		part, next = -part, weekHour(sec/3600-1)
	}
	if s.weeks[h] < leastWeeks || s.weeks[next] < leastWeeks {
		return 0
	}
	return (float64(s.profile[h])*(1-part) + float64(s.profile[next])*part) * s.level()
}

func weekHour(hour int64) int { return int(((hour % hours) + hours) % hours) }

// arrive counts an arrival of at, which is age before the last look.
func (s *series) arrive(at time.Time, age time.Duration) {
	back := int64(max(age, 0) / slotLen)
	if back >= slots {
		return
	}
	s.count[ring(s.slot-back)]++
	s.counted++
	s.others = 0
	if back == 0 {
		s.fresh = true
	} else {
		var after float64
		for i := range back {
			after += float64(s.want[ring(s.slot-i)])
		}
		if after < s.missing {
			s.missing, s.quiet = after, min(s.quiet, age)
		}
	}
	if at.After(s.heard) || s.heard.Sub(at) > day {
		s.heard = at
	}
}

func ring(slot int64) int { return int(((slot % slots) + slots) % slots) }

// pass lets dt of lived time pass, until now; lived is the sum.
func (s *series) pass(now time.Time, dt, lived time.Duration) {
	rate := s.rate(now.Add(-dt / 2))
	expected := rate * dt.Hours()
	s.want[ring(s.slot)] += float32(expected)
	if s.fresh {
		s.quiet = min(max(now.Sub(s.heard), 0), dt)
		s.missing = rate * s.quiet.Hours()
		s.fresh = false
	} else {
		s.quiet += dt
		s.missing += expected
	}
	s.watched += dt
	s.deaf = s.deaf || s.silent || s.missing >= doubt
	if hour := floorHour(now); hour != s.hour {
		s.learn()
		s.hour, s.counted, s.watched, s.deaf = hour, 0, 0, s.silent
	}
	newest := int64(lived / slotLen)
	for i := max(s.slot+1, newest-slots+1); i <= newest; i++ {
		s.count[ring(i)], s.want[ring(i)] = 0, 0
	}
	s.slot = newest
}

func floorHour(t time.Time) int64 { return int64(math.Floor(float64(t.Unix()) / 3600)) }

// learn takes the hour that is over into the profile.
func (s *series) learn() {
	if s.deaf || s.watched < 45*time.Minute {
		return
	}
	h := weekHour(s.hour)
	count := s.counted / s.watched.Hours()
	old := float64(s.profile[h])
	if s.weeks[h] >= leastWeeks {
		// A backlog or somebody's history is not the rhythm.
		count = min(count, 4*old*s.level()+10)
		const decay = 0.9715 // half of it in a day
		s.came, s.due = s.came*decay+count, s.due*decay+old
	}
	weight := max(1/float64(int(s.weeks[h])+1), 0.2)
	// Against the level: a season moves that, and not the profile.
	s.profile[h] = float32(old + weight*(count-old))
	if s.weeks[h] < math.MaxUint8 {
		s.weeks[h]++
	}
}

// rare is minus the logarithm of the bound on the chance that a Poisson count
// with the mean has at most this value.
func rare(count, mean float64) float64 {
	if count >= mean {
		return 0
	}
	if count == 0 {
		return mean
	}
	return mean - count + count*math.Log(count/mean)
}

// gone tells whether the series is silent, for how long, and how many should
// have come.
func (s *series) gone() (quiet time.Duration, missing float64, yes bool) {
	if rare(0, sure*s.missing) >= chance {
		return s.quiet, s.missing, true
	}
	var count, want float64
	for i := range int64(slots) {
		count += float64(s.count[ring(s.slot-i)])
		want += float64(s.want[ring(s.slot-i)])
		switch i + 1 {
		case 6, 12, 36, 72, 144, slots:
			if rare(count, some*want) >= chance {
				return time.Duration(i+1) * slotLen, want - count, true
			}
		}
	}
	return 0, 0, false
}

// back tells whether a silent series is heard again, in the shortest time in
// which at least six should have come.
func (s *series) back(lived time.Duration) bool {
	var count, want float64
	for i := range int64(slots) {
		count += float64(s.count[ring(s.slot-i)])
		want += float64(s.want[ring(s.slot-i)])
		if i >= 2 && want >= 6 {
			break
		}
	}
	if count > 0 && count >= want/4 {
		return true
	}
	if s.missing < doubt && lived-s.from > accepted {
		// This is how it is now. Otherwise nobody would hear of a user again.
		count, want = 0, 0
		for i := range slots {
			count += float64(s.count[i])
			want += float64(s.want[i])
		}
		s.came, s.due = count, want/s.level()
		return true
	}
	return false
}

// again begins to count anew, so that what was missing is not said once more.
func (s *series) again() {
	clear(s.count[:])
	clear(s.want[:])
	s.missing, s.quiet, s.others = 0, 0, 0
}

// look opens or ends a silence. It returns how long a new one lasts already.
func (s *series) look(lived time.Duration, now time.Time) (quiet time.Duration) {
	if s.silent {
		if s.back(lived) {
			s.silent = false
			s.again()
		}
		return 0
	}
	quiet, _, gone := s.gone()
	if !gone {
		return 0
	}
	s.silent, s.from, s.since = true, lived-quiet, now.Add(-quiet)
	if s.heard.Before(s.since) {
		s.since = s.heard
	}
	return quiet
}
