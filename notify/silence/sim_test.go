package silence_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/garminkit/activityapi/notify/silence"
	"github.com/garminkit/activityapi/types"
)

const day = 24 * time.Hour

// epoch is a Monday.
var epoch = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// outage is planted. Who is "" for the key.
type outage struct {
	who      types.UserID
	kind     types.Kind
	cause    string // "" is told to nobody
	from, to time.Duration
	found    time.Duration // 0 if it is not
	said     string
	own      time.Duration // the interval that was said
	first    time.Duration // when its cause was told
}

func (o *outage) covers(t time.Duration) bool { return t >= o.from && t < o.to }

// athlete is a user of the simulated year.
type athlete struct {
	id       types.UserID
	rate     float64 // a week
	weekly   [7]float64
	hour     float64
	begin    time.Duration
	fade     time.Duration // from then on less and less; 0 is never
	season   float64
	files    float64
	moves    bool
	holidays [][2]time.Duration
	outages  []*outage
}

func (a *athlete) holiday(t time.Duration) bool {
	return slices.ContainsFunc(a.holidays, func(h [2]time.Duration) bool { return t >= h[0] && t < h[1] })
}

// event is an arrival, or something told.
type event struct {
	at   time.Duration
	who  types.UserID
	kind types.Kind
	told string
	tell bool
}

type world struct {
	length time.Duration
	users  []*athlete
	events []event
	keys   []*outage // of the key and its kinds
	all    []*outage // of users
	// weather is how a day is for everybody.
	weather []float64
}

// newWorld draws people and what they do.
func newWorld(seed uint64, users int, length time.Duration) *world {
	r := rand.New(rand.NewPCG(seed, 15))
	w := &world{length: length}
	weeks := length.Hours() / 24 / 7
	// Outages of the key: after six weeks, one about every three weeks, of an hour
	// to 30 days, and of kinds.
	lengths := []time.Duration{time.Hour, 3 * time.Hour, 8 * time.Hour, day, 3 * day, 10 * day, 30 * day}
	at := 6 * 7 * day
	for i := 0; ; i++ {
		n := lengths[i%len(lengths)]
		from := at + time.Duration(r.Int64N(int64(5*day)))
		if from+n > length-day {
			break
		}
		o := &outage{from: from, to: from + n}
		if i%3 == 2 {
			o.kind = types.KindActivityFiles
		}
		w.keys = append(w.keys, o)
		at = o.to + 10*day
	}
	for n := range int(length/day) + 1 {
		f := math.Exp(0.2 * r.NormFloat64())
		if n%120 == 110 {
			f = 0.35 // a day on which nearly nobody moves, such as Christmas
		}
		w.weather = append(w.weather, f)
	}
	for i := range users {
		a := &athlete{
			id:     types.UserID(fmt.Sprintf("user-%05d", i)),
			rate:   min(max(math.Exp(math.Log(3.5)+0.6*r.NormFloat64()), 0.4), 14),
			hour:   []float64{6.5, 12, 18, 19}[r.IntN(4)] + float64(r.IntN(9)-4),
			season: 0.6 * r.Float64(),
			files:  []float64{1, 0.98, 0.9, 0.6, 0}[r.IntN(5)],
			moves:  r.IntN(3) == 0,
		}
		var sum float64
		for j := range a.weekly {
			a.weekly[j] = 0.3 + r.Float64()
			if j >= 5 {
				a.weekly[j] *= 1.8
			}
			sum += a.weekly[j]
		}
		for j := range a.weekly {
			a.weekly[j] /= sum
		}
		if r.IntN(4) == 0 {
			a.begin = time.Duration(r.Int64N(int64(length)))
		}
		if r.IntN(10) == 0 {
			a.fade = a.begin + time.Duration(r.Int64N(int64(length)))
		}
		// About three holidays a year of one to three weeks.
		for t := time.Duration(0); ; {
			t += time.Duration((30 + 170*r.Float64()) * float64(day))
			if t > length {
				break
			}
			n := time.Duration((7 + 14*r.Float64()) * float64(day))
			a.holidays = append(a.holidays, [2]time.Duration{t, t + n})
			t += n
		}
		// One in five has an outage, of an hour to 30 days or for ever; of half of
		// these the cause is told.
		if r.IntN(5) == 0 && weeks > 10 {
			from := 8*7*day + time.Duration(r.Int64N(int64(length-9*7*day)))
			n := time.Duration(math.Exp(r.Float64()*math.Log(720)) * float64(time.Hour))
			o := &outage{who: a.id, from: from, to: from + n}
			switch r.IntN(5) {
			case 0:
				o.cause = "token"
			case 1:
				o.cause = "permission"
			case 2:
				o.to = length
			case 3:
				o.kind, o.to = types.KindActivityFiles, from+30*day
			}
			a.outages = append(a.outages, o)
			w.all = append(w.all, o)
		}
		w.users = append(w.users, a)
		w.live(r, a)
	}
	slices.SortStableFunc(w.events, func(a, b event) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.who, b.who))
	})
	return w
}

// live draws the days of one user.
func (w *world) live(r *rand.Rand, a *athlete) {
	add := func(kind types.Kind, t time.Duration) {
		for _, o := range slices.Concat(w.keys, a.outages) {
			if o.covers(t) && (o.kind == "" || o.kind == kind) {
				return
			}
		}
		w.events = append(w.events, event{at: t, who: a.id, kind: kind})
	}
	for _, o := range a.outages {
		if o.cause == "permission" {
			w.events = append(w.events, event{at: o.from, who: a.id, told: o.cause, tell: true},
				event{at: o.to, who: a.id, tell: true})
		}
	}
	rate := a.rate
	for n := int(a.begin / day); time.Duration(n)*day < w.length; n++ {
		start := time.Duration(n) * day
		if a.fade > 0 && start > a.fade {
			rate *= 0.985
		}
		if a.holiday(start) {
			continue
		}
		season := 1 - a.season*math.Cos(2*math.Pi*start.Hours()/24/365)
		p := rate * a.weekly[n%7] * season * w.weather[n]
		for p > 0 {
			if r.Float64() < min(p, 1) {
				h := a.hour + r.NormFloat64()*1.5
				t := start + time.Duration(math.Mod(h+24, 24)*float64(time.Hour))
				if t >= w.length {
					return
				}
				for _, o := range a.outages {
					if o.cause == "token" && o.covers(t) && r.IntN(2) == 0 {
						// A ping that could not be pulled.
						if w.covered(t) {
							continue
						}
						w.events = append(w.events, event{at: t, who: a.id, told: o.cause, tell: true})
					}
				}
				add(types.KindActivities, t)
				add(types.KindActivityDetails, t+time.Duration(r.Int64N(int64(5*time.Minute))))
				if r.Float64() < a.files {
					add(types.KindActivityFiles, t+time.Duration(r.Int64N(int64(5*time.Minute))))
				}
			}
			p--
		}
		if a.moves && r.IntN(3) > 0 {
			add(types.KindMoveIQ, start+time.Duration((7+15*r.Float64())*float64(time.Hour)))
		}
	}
}

// covered tells whether the key is silent.
func (w *world) covered(t time.Duration) bool {
	return slices.ContainsFunc(w.keys, func(o *outage) bool { return o.kind == "" && o.covers(t) })
}

// awake is the time from a to b in which the key is heard.
func (w *world) awake(a, b time.Duration) time.Duration {
	n := b - a
	for _, o := range w.keys {
		if o.kind == "" {
			n -= max(min(b, o.to)-max(a, o.from), 0)
		}
	}
	return n
}

// habits are what really is the rhythm of a user, before an outage: what 95 of 100
// of the times between two days are at most, whether there was enough of them, and
// when the last was. None of it is asked of the detector.
func (w *world) habits(times []time.Duration, o *outage) (own, last time.Duration, known bool) {
	var gaps []time.Duration
	for i, t := range times {
		if t >= o.from {
			break
		}
		if i > 0 {
			if gap := w.awake(times[i-1], t); gap > 6*time.Hour {
				gaps = append(gaps, gap)
			}
		}
		last = t
	}
	if len(gaps) < 10 || w.awake(times[0], o.from) < 30*day {
		return 0, 0, false
	}
	slices.Sort(gaps)
	return gaps[len(gaps)*95/100], last, true
}

// aims counts the outages that are long enough to be found, those found, and those
// within three intervals.
type aims struct {
	n, found, within int
	delay            []float64 // in intervals
}

func (a *aims) add(found bool, delay float64) {
	a.n++
	if !found {
		return
	}
	a.found++
	a.delay = append(a.delay, delay)
	slices.Sort(a.delay)
	if delay <= 3.01 { // the awake time of the detector is good to an hour
		a.within++
	}
}

func (a *aims) String() string {
	if a.found == 0 {
		return fmt.Sprintf("%d of %d found", a.found, a.n)
	}
	return fmt.Sprintf("%d of %d found, %d within three intervals; the middle one after %.2f, the last after %.2f",
		a.found, a.n, a.within, a.delay[len(a.delay)/2], a.delay[len(a.delay)-1])
}

// figures are what a run gives.
type figures struct {
	months           float64 // of users
	falseUsers       int
	falseKinds       int // of users
	falseKey         int
	keyFound, keyAll int
	keyDelay         []time.Duration // of busy hours
	keySlow          time.Duration
	gone, fading     int // of users who fade out
	all              []silence.Silence
	told, untold     aims
	files            aims
}

// run plays the world to a detector, which may be changed for another at every
// look.
func (w *world) run(d *silence.Detector, every time.Duration, each func(t time.Duration, d *silence.Detector) *silence.Detector) *figures {
	f := &figures{}
	people := map[types.UserID]*athlete{}
	last := map[types.UserID]time.Duration{}
	for _, a := range w.users {
		people[a.id] = a
		f.months += (w.length - a.begin).Hours() / 24 / 30.4
	}
	for _, e := range w.events {
		if !e.tell {
			last[e.who] = e.at
		}
	}
	i := 0
	for t := time.Duration(0); t <= w.length; t += every {
		for ; i < len(w.events) && w.events[i].at <= t; i++ {
			e := w.events[i]
			if e.tell {
				d.Told(e.who, e.told)
			} else {
				d.Arrived(e.kind, e.who, epoch.Add(e.at))
			}
		}
		if each != nil {
			d = each(t, d)
		}
		for _, s := range d.Check(epoch.Add(t)) {
			f.all = append(f.all, s)
			w.judge(f, s, t, people[s.User], last[s.User])
		}
	}
	for _, o := range w.keys {
		f.keyAll++
		if o.found > 0 {
			f.keyFound++
			f.keyDelay = append(f.keyDelay, o.found-o.from)
			f.keySlow = max(f.keySlow, o.found-o.from)
		}
	}
	slices.Sort(f.keyDelay)
	w.measure(f)
	return f
}

// measure fills in what became of the outages of users.
func (w *world) measure(f *figures) {
	times, acts := map[types.UserID][]time.Duration{}, map[types.UserID][]time.Duration{}
	for _, e := range w.events {
		switch {
		case e.tell:
			for _, o := range w.all {
				if o.who == e.who && o.covers(e.at) && e.told == o.cause && o.cause != "" && o.first == 0 {
					o.first = e.at
				}
			}
		default:
			times[e.who] = append(times[e.who], e.at)
			if e.kind == types.KindActivities {
				acts[e.who] = append(acts[e.who], e.at)
			}
		}
	}
	people := map[types.UserID]*athlete{}
	for _, a := range w.users {
		people[a.id] = a
	}
	for _, o := range w.all {
		own, last, known := w.habits(times[o.who], o)
		if !known {
			continue
		}
		switch {
		case o.kind != "":
			n := 0
			for _, t := range acts[o.who] {
				if o.covers(t) && !slices.ContainsFunc(w.keys, func(k *outage) bool { return k.covers(t) }) {
					n++
				}
			}
			// A user who never had files, and one with few activities, tells nothing.
			if people[o.who].files >= 0.9 && n >= 12 {
				f.files.add(o.found > 0, 0)
			}
		case o.cause != "":
			if o.first > 0 && w.awake(last, o.to) > 3*own+time.Hour && w.awake(o.first, o.to) > own+day {
				f.told.add(o.found > 0, float64(w.awake(max(last, o.from), o.found))/float64(own))
			}
		default:
			// What the detector calls the interval has a third of the holidays in it.
			if w.awake(last, min(o.to, w.length)) > 4*(own+7*day) {
				f.untold.add(o.found > 0, float64(w.awake(last, o.found))/float64(max(o.own, 1)))
			}
		}
	}
}

// judge tells whether an alarm is of something planted.
func (w *world) judge(f *figures, s silence.Silence, t time.Duration, a *athlete, last time.Duration) {
	planted := w.keys
	if a != nil {
		planted = a.outages
	}
	for _, o := range planted {
		// It may be said a little after the end, before something comes.
		if t >= o.from && (t < o.to+day || a != nil && s.Since.Before(epoch.Add(o.to))) && (o.kind == s.Kind) {
			if o.found == 0 && t < o.to {
				o.found, o.said, o.own = t, s.Cause, s.Interval
			}
			return
		}
	}
	switch {
	case a == nil:
		f.falseKey++
	case s.Kind != "":
		f.falseKinds++
	case a.fade > 0 && t > a.fade && last < t:
		f.gone++
		if s.Cause == "fading" {
			f.fading++
		}
	default:
		f.falseUsers++
	}
}
