package activitytest

import (
	"cmp"
	"math"
	"slices"

	"github.com/garminkit/activityapi/types"
)

// File returns the file of the details and its announcement. fileType is "FIT",
// "TCX" or "GPX". If d is the parent of a multisport activity, legs are its legs,
// each a session of the file. The file agrees with the summaries: its laps add up
// to their distances, durations and kilocalories. It has what a device writes:
// laps, pool lengths, and in FIT also events and two developer fields. A GPX file
// has only points with a position. File panics if fileType is another.
func (g *Generator) File(fileType string, d *types.ActivityDetails, legs ...*types.ActivityDetails) (types.ActivityFile, []byte) {
	a := &d.Summary
	file := newWorkout(d, legs)
	encode := file.fit
	switch fileType {
	case "FIT":
	case "TCX":
		encode = file.tcx
	case "GPX":
		encode = file.gpx
	default:
		panic("activitytest: there is no file type " + fileType)
	}
	return types.ActivityFile{
		SummaryID: d.SummaryID.Stem() + "-file", FileType: fileType,
		ActivityID: a.ActivityID, ActivityName: a.ActivityName, ActivityType: a.ActivityType,
		StartTimeInSeconds: a.StartTimeInSeconds, DeviceName: a.DeviceName, Manual: a.Manual,
	}, encode()
}

// workout is what a file holds, whatever its format.
type workout struct {
	summary *types.Activity
	legs    []*leg
}

// leg is a session: the whole of a workout of one sport.
type leg struct {
	summary    *types.Activity
	start, end int64 // in seconds UTC
	laps       []*lap
	power      figures
}

type lap struct {
	start, end   int64
	samples      []types.Sample
	meters       *float64
	kilocalories int
	heart, speed figures
	cadence      figures
	// lengths are those of the pool that are swum in it.
	firstLength, lengths int
}

// figures are a mean and a maximum.
type figures struct {
	n        int
	sum, max float64
}

func (f *figures) add(v *float64) {
	if v != nil {
		f.n++
		f.sum += *v
		f.max = max(f.max, *v)
	}
}

func (f *figures) mean() *float64 {
	if f.n == 0 {
		return nil
	}
	return new(f.sum / float64(f.n))
}

func (f *figures) most() *float64 {
	if f.n == 0 {
		return nil
	}
	return &f.max
}

// poolLength is that of every pool, in meters.
const poolLength = 25

func newWorkout(d *types.ActivityDetails, legs []*types.ActivityDetails) *workout {
	w := &workout{summary: &d.Summary}
	if len(legs) == 0 {
		legs = []*types.ActivityDetails{d}
	}
	for _, l := range legs {
		w.legs = append(w.legs, newLeg(l))
	}
	slices.SortStableFunc(w.legs, func(a, b *leg) int { return cmp.Compare(a.start, b.start) })
	return w
}

// end is when the last leg ends.
func (w *workout) end() int64 { return w.legs[len(w.legs)-1].end }

func newLeg(d *types.ActivityDetails) *leg {
	a := &d.Summary
	l := &leg{summary: a, start: int64(a.StartTimeInSeconds)}
	l.end = l.start + int64(a.DurationInSeconds)
	starts := []int64{l.start}
	for _, lap := range d.Laps {
		if at := int64(lap.StartTimeInSeconds); at > starts[len(starts)-1] && at < l.end {
			starts = append(starts, at)
		}
	}
	for i, start := range starts {
		p := &lap{start: start, end: l.end}
		if i+1 < len(starts) {
			p.end = starts[i+1]
		}
		l.laps = append(l.laps, p)
	}
	i := 0
	for _, s := range d.Samples {
		for i+1 < len(l.laps) && int64(s.StartTimeInSeconds) >= l.laps[i+1].start {
			i++
		}
		l.laps[i].add(&s)
		l.power.add(s.PowerInWatts)
	}
	l.share()
	return l
}

func (p *lap) add(s *types.Sample) {
	p.samples = append(p.samples, *s)
	if s.HeartRate != nil {
		p.heart.add(new(float64(*s.HeartRate)))
	}
	p.speed.add(s.SpeedMetersPerSecond)
	p.cadence.add(rounds(s))
}

// rounds is the cadence of a sample as files have it: a runner's is that of one
// foot.
func rounds(s *types.Sample) *float64 {
	if s.StepsPerMinute != nil {
		return new(*s.StepsPerMinute / 2)
	}
	return cmp.Or(s.BikeCadenceInRPM, s.SwimCadenceInStrokesPerMinute, s.DirectWheelchairCadence)
}

// share parts the summary's totals among the laps.
func (l *leg) share() {
	total := func(p *int) int {
		if p == nil {
			return 0
		}
		return *p
	}
	lengths, burned := total(l.summary.NumberOfActiveLengths), total(l.summary.ActiveKilocalories)
	part := func(total int, at int64) int {
		if at >= l.end {
			return total
		}
		return int(math.Round(float64(total) * float64(at-l.start) / float64(l.end-l.start)))
	}
	swum, spent := 0, 0
	for i, p := range l.laps {
		p.firstLength, p.lengths = swum, part(lengths, p.end)-swum
		p.kilocalories = part(burned, p.end) - spent
		swum, spent = swum+p.lengths, spent+p.kilocalories
		if l.summary.DistanceInMeters == nil {
			continue
		}
		if lengths > 0 {
			p.meters = new(float64(p.lengths * poolLength))
			continue
		}
		from, to := p.from(), *l.summary.DistanceInMeters
		if i == 0 {
			from = 0
		}
		if i+1 < len(l.laps) {
			to = l.laps[i+1].from()
		}
		p.meters = new(max(to-from, 0))
	}
}

// from is the distance at which the lap begins.
func (p *lap) from() float64 {
	if len(p.samples) == 0 || p.samples[0].TotalDistanceInMeters == nil {
		return 0
	}
	return *p.samples[0].TotalDistanceInMeters
}

// pace is the average speed in meters per second, of a lap that has speeds.
func (p *lap) pace() *float64 {
	if p.meters == nil || p.speed.n == 0 || p.end == p.start {
		return nil
	}
	return new(*p.meters / float64(p.end-p.start))
}

// placed reports whether there is a position in any sample.
func (l *leg) placed() bool {
	return slices.ContainsFunc(l.laps, func(p *lap) bool {
		return slices.ContainsFunc(p.samples, func(s types.Sample) bool { return placed(&s) })
	})
}

func placed(s *types.Sample) bool { return s.LatitudeInDegree != nil && s.LongitudeInDegree != nil }
