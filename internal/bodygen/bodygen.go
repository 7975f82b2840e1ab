// Package bodygen makes notification bodies that look like Garmin's, of any
// size and the same for the same seed. Benchmarks and tests read them.
package bodygen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
)

// Options say what a body is like. The zero value is a compact notification.
type Options struct {
	Seed uint64
	// Size is about how many bytes the body has: records are added until it
	// is reached. Zero means one record.
	Size int
	// Samples is how many samples each record of details has, one a second.
	// Zero means that they vary from none to two hours.
	Samples int
	// Pretty breaks lines and indents, as Garmin's examples do.
	Pretty bool
	// Bare leaves out the object around the list, as in the answer to a pull.
	Bare bool
}

// Details returns a body of activity details.
func Details(o Options) []byte { return o.body("activityDetails", (*gen).details) }

// Day returns details of one activity of 24 hours, with 86,400 samples.
func Day(o Options) []byte {
	o.Size, o.Samples = 0, 86_400
	return Details(o)
}

// Activities returns a body of activity summaries.
func Activities(o Options) []byte { return o.body("activities", (*gen).activity) }

// Pings returns a body of pings for activities.
func Pings(o Options) []byte { return o.body("activities", (*gen).ping) }

func (o Options) body(key string, record func(*gen)) []byte {
	g := &gen{
		Options: o,
		rnd:     rand.New(rand.NewPCG(o.Seed, 1)),
		out:     make([]byte, 0, o.Size+o.Size/8+1<<16),
	}
	if !o.Bare {
		g.open('{')
		g.key(key)
	}
	g.open('[')
	for len(g.out) == 0 || g.id == 0 || len(g.out) < o.Size {
		g.id++
		g.item()
		record(g)
	}
	g.close(']')
	if !o.Bare {
		g.close('}')
	}
	return g.out
}

// gen writes JSON with the keys in the order Garmin uses.
type gen struct {
	Options
	rnd   *rand.Rand
	out   []byte
	id    int
	depth int
	some  bool // the open object or list has an element
}

func (g *gen) open(c byte) {
	g.out = append(g.out, c)
	g.depth++
	g.some = false
}

func (g *gen) close(c byte) {
	g.depth--
	if g.some {
		g.line()
	}
	g.out = append(g.out, c)
	g.some = true
}

func (g *gen) line() {
	if g.Pretty {
		g.out = append(g.out, '\n')
		g.out = append(g.out, "                    "[:2*g.depth]...)
	}
}

// item begins an element of the open list or object.
func (g *gen) item() {
	if g.some {
		g.out = append(g.out, ',')
	}
	g.line()
	g.some = true
}

func (g *gen) key(k string) {
	g.item()
	g.out = strconv.AppendQuote(g.out, k)
	if g.Pretty {
		g.out = append(g.out, ' ')
	}
	g.out = append(g.out, ':')
	if g.Pretty {
		g.out = append(g.out, ' ')
	}
}

func (g *gen) text(k, v string) {
	g.key(k)
	g.out = strconv.AppendQuote(g.out, v)
}

func (g *gen) int(k string, v int) { g.long(k, int64(v)) }

func (g *gen) long(k string, v int64) {
	g.key(k)
	g.out = strconv.AppendInt(g.out, v, 10)
}

// single writes a number that was a 32-bit float on the device, with all the
// digits that its 64-bit form has.
func (g *gen) single(k string, v float64) { g.double(k, float64(float32(v))) }

func (g *gen) double(k string, v float64) {
	g.key(k)
	if v == math.Trunc(v) {
		g.out = strconv.AppendFloat(g.out, v, 'f', 1, 64)
	} else {
		g.out = strconv.AppendFloat(g.out, v, 'f', -1, 64)
	}
}

// semicircles rounds an angle as the devices do.
func semicircles(v float64) float64 { return math.Round(v/180*(1<<31)) / (1 << 31) * 180 }

func (g *gen) between(lo, hi float64) float64 { return lo + (hi-lo)*g.rnd.Float64() }

// chance is true p times out of a hundred.
func (g *gen) chance(p int) bool { return g.rnd.IntN(100) < p }

type sport struct {
	name, device   string
	gps, run, bike bool
	speed          float64
}

var sports = []sport{
	{"RUNNING", "Garmin Forerunner 965", true, true, false, 2.9},
	{"CYCLING", "Garmin Edge 840", true, false, true, 7.8},
	{"INDOOR_CYCLING", "Garmin fenix 8", false, false, true, 8.1},
	{"WALKING", "Garmin vivoactive 5", true, true, false, 1.5},
	{"LAP_SWIMMING", "forerunner935", false, false, false, 0.9},
	{"STRENGTH_TRAINING", "Garmin Venu 3", false, false, false, 0},
}

func (g *gen) user() string {
	return fmt.Sprintf("%016x%016x", 0x9e3779b97f4a7c15*uint64(1+g.rnd.IntN(20)), g.Seed)
}

const firstID = int64(21_400_000_000)

func (g *gen) details() {
	s := sports[g.rnd.IntN(len(sports))]
	n := g.Samples
	if n == 0 && !g.chance(5) {
		n = 60 + g.rnd.IntN(7200)
	} else if n == 86_400 {
		s = sports[0]
	}
	id := firstID + 37*int64(g.id)
	start := 1_760_000_000 + 5000*g.id
	g.open('{')
	g.text("userId", g.user())
	g.text("summaryId", fmt.Sprintf("%d-detail", id))
	g.long("activityId", id+20*g.rnd.Int64N(2))
	g.key("summary")
	g.open('{')
	g.summary(s, start, n)
	g.close('}')
	g.key("samples")
	g.open('[')
	g.samples(s, start, n)
	g.close(']')
	g.key("laps")
	g.open('[')
	for at := 0; at < n; at += 600 {
		g.item()
		g.open('{')
		g.int("startTimeInSeconds", start+at)
		g.close('}')
	}
	g.close(']')
	if g.chance(20) { // something Garmin may add one day
		g.key("trainingEffect")
		g.out = append(g.out, `{"aerobic":3.4,"label":"TEMPO \u2013 high","zones":[120,1800,900,60,0]}`...)
	}
	g.close('}')
}

func (g *gen) samples(s sport, start, n int) {
	lat, lon := g.between(-55, 65), g.between(-170, 170)
	elevation, heading := g.between(-20, 900), g.between(0, 6)
	heart, distance := 85.0, 0.0
	power, thermometer, extra := s.bike && g.chance(50), g.chance(60), g.chance(5)
	moving, lost := 0, 0
	for t := range n {
		speed := max(0, s.speed*(1+0.15*g.rnd.NormFloat64()))
		heading += 0.05 * g.rnd.NormFloat64()
		lat += math.Cos(heading) * speed / 111_000
		lon += math.Sin(heading) * speed / 80_000
		elevation += 0.2 * g.rnd.NormFloat64()
		heart += 0.02*(140-heart) + g.rnd.NormFloat64()
		distance += speed
		if speed > 0.5 {
			moving++
		}
		if lost > 0 {
			lost--
		} else if g.rnd.IntN(900) == 0 {
			lost = 30 // a tunnel
		}
		g.item()
		g.open('{')
		g.int("startTimeInSeconds", start+t)
		if s.gps && lost == 0 {
			g.double("latitudeInDegree", semicircles(lat))
			g.double("longitudeInDegree", semicircles(lon))
		}
		if s.gps {
			g.single("elevationInMeters", math.Round(elevation*5)/5)
		}
		if thermometer {
			g.double("airTemperatureCelcius", math.Round(18+elevation/100))
		}
		if g.rnd.IntN(200) > 0 {
			g.int("heartRate", int(heart))
		}
		if s.speed > 0 {
			g.single("speedMetersPerSecond", math.Round(speed*1000)/1000)
		}
		if s.run {
			g.double("stepsPerMinute", math.Round(60*speed))
		}
		if s.speed > 0 {
			g.single("totalDistanceInMeters", math.Round(distance*100)/100)
		}
		if power {
			g.double("powerInWatts", math.Round(25*speed))
		}
		if s.bike {
			g.double("bikeCadenceInRPM", math.Round(10*speed))
		}
		if extra {
			g.double("respirationRate", math.Round(heart)/8)
		}
		g.int("timerDurationInSeconds", t)
		g.int("clockDurationInSeconds", t)
		g.int("movingDurationInSeconds", moving)
		g.close('}')
	}
}

// summary writes the fields that activities and the summary of details share.
func (g *gen) summary(s sport, start, duration int) {
	if g.chance(70) {
		g.text("activityName", []string{"Oudenaarde Running", "Zürich Radfahren", "Morning \"easy\" one", "Laufen"}[g.rnd.IntN(4)])
	}
	g.int("durationInSeconds", duration)
	g.int("startTimeInSeconds", start)
	g.int("startTimeOffsetInSeconds", 3600*(g.rnd.IntN(24)-11))
	g.text("activityType", s.name)
	if g.chance(95) {
		g.int("averageHeartRateInBeatsPerMinute", 100+g.rnd.IntN(60))
		g.int("maxHeartRateInBeatsPerMinute", 160+g.rnd.IntN(40))
	}
	if s.run {
		g.single("averageRunCadenceInStepsPerMinute", g.between(70, 180))
		g.single("maxRunCadenceInStepsPerMinute", math.Round(g.between(180, 220)))
	}
	if s.bike {
		g.single("averageBikeCadenceInRoundsPerMinute", math.Round(g.between(60, 90)))
		g.single("maxBikeCadenceInRoundsPerMinute", math.Round(g.between(90, 120)))
	}
	if s.speed > 0 {
		g.single("averageSpeedInMetersPerSecond", g.between(0.8, 1.2)*s.speed)
		g.single("averagePaceInMinutesPerKilometer", g.between(0.8, 1.2)*17/s.speed)
		g.single("maxSpeedInMetersPerSecond", g.between(1.2, 2)*s.speed)
		g.single("maxPaceInMinutesPerKilometer", g.between(0.5, 0.8)*17/s.speed)
		g.double("distanceInMeters", math.Round(100*s.speed*float64(duration))/100)
	}
	g.int("activeKilocalories", duration/6)
	g.text("deviceName", s.device)
	if s.gps {
		g.double("startingLatitudeInDegree", semicircles(g.between(-55, 65)))
		g.double("startingLongitudeInDegree", semicircles(g.between(-170, 170)))
		g.double("totalElevationGainInMeters", math.Round(g.between(0, 900)))
		g.double("totalElevationLossInMeters", math.Round(g.between(0, 900)))
	}
	if s.run {
		g.int("steps", duration*2)
	}
	if g.chance(3) {
		g.key("isParent")
		g.out = append(g.out, "true"...)
	}
	if g.chance(5) {
		g.text("parentSummaryId", strconv.FormatInt(firstID+int64(g.id), 10))
	}
}

func (g *gen) activity() {
	id := firstID + 37*int64(g.id)
	g.open('{')
	g.text("userId", g.user())
	g.text("summaryId", strconv.FormatInt(id, 10))
	g.long("activityId", id)
	g.summary(sports[g.rnd.IntN(len(sports))], 1_760_000_000+5000*g.id, 60+g.rnd.IntN(20_000))
	if g.chance(10) {
		g.int("vO2Max", 30+g.rnd.IntN(40))
	}
	g.close('}')
}

func (g *gen) ping() {
	g.open('{')
	g.text("userId", g.user())
	g.text("callbackURL", fmt.Sprintf("https://apis.garmin.com/wellness-api/rest/activities?uploadStartTimeInSeconds=%d&uploadEndTimeInSeconds=%d&token=t%x", 1_760_000_000+60*g.id, 1_760_000_060+60*g.id, g.rnd.Uint64()))
	g.close('}')
}

// Compact returns a body without white space between its parts.
func Compact(body []byte) []byte {
	var b bytes.Buffer
	if err := json.Compact(&b, body); err != nil {
		panic(err)
	}
	return b.Bytes()
}
