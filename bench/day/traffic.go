//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/garminkit/activityapi/internal/bodygen"
)

// post is one body of the day: what it is, and whose.
type post struct {
	at   float64 // of the day, from 0 to 1
	what string
	user int
	n    int // names the activity
}

// day is what Garmin sends in a window of it, by time.
type day struct {
	window
	posts   []post
	bodies  float64 // of each user in the whole day
	items   int     // in all bodies of the window
	files   string
	details []byte
}

// window is a part of the day.
type window struct{ from, to float64 }

func (w window) part() float64 { return w.to - w.from }

// holds tells whether a moment is in the window. Midnight is in the last one.
func (w window) holds(at float64) bool { return at >= w.from && (at < w.to || at == 1 && w.to == 1) }

// The parts of users that do more than record two activities.
const (
	edited     = 0.10
	multisport = 0.04
	leaves     = 0.0005
)

// peak is how many times the mean rate the rate at seven is: see TestPeak.
const peak = 20

// newDay draws the day of the users.
func newDay(users int, seed uint64, files string, w window) *day {
	rnd := rand.New(rand.NewPCG(seed, 18))
	d := &day{window: w, files: files, details: bodygen.Details(bodygen.Options{Seed: seed, Samples: 605})}
	all := 0
	add := func(at float64, what string, user, n, items int) {
		all++
		if at = min(at, 1); w.holds(at) {
			d.posts = append(d.posts, post{at, what, user, n})
			d.items += items
		}
	}
	for u := range users {
		for n := range 2 {
			at := moment(rnd)
			if rnd.Float64() < multisport {
				add(at, "multisport", u, n, 3)
			} else {
				add(at, "activity", u, n, 1)
			}
			add(at+rnd.Float64()/1440, "details", u, n, 1)
			add(at+rnd.Float64()/1440, "file", u, n, 1)
			if rnd.Float64() < edited {
				add(at+rnd.Float64()/24, "edit", u, n, 1)
			}
		}
		if rnd.Float64() < leaves {
			add(1, "leaves", u, 0, 1)
		}
	}
	d.bodies = float64(all) / float64(users)
	slices.SortStableFunc(d.posts, func(a, b post) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return 0
	})
	return d
}

// moment draws when an activity is uploaded: a third of them in a morning's
// peak at seven, of some twenty minutes, and the others over the day.
func moment(rnd *rand.Rand) float64 {
	const (
		inPeak = 0.35
		// The standard deviation at which the density in the middle is that of the
		// peak: (1-inPeak) + inPeak/(width √(2π)).
		width = inPeak / (peak - 1 + inPeak) / 2.5066282746
	)
	if rnd.Float64() >= inPeak {
		return rnd.Float64()
	}
	return min(max(7.0/24+rnd.NormFloat64()*width, 0), 1)
}

// body writes the body of a post.
func (d *day) body(p post) []byte {
	user := fmt.Sprintf("user-%08d", p.user)
	id := int64(p.user)*4 + int64(p.n)*2 + 1_000_000_000
	start := 1_700_000_000 + int64(p.at*86400)
	switch p.what {
	case "activity":
		return list("activities", summary(user, id, start, "RUNNING", ""))
	case "edit":
		return list("manuallyUpdatedActivities", summary(user, id, start, "TRAIL_RUNNING", `,"manual":false`))
	case "multisport":
		leg := fmt.Sprintf(`,"parentSummaryId":"%d"`, id)
		return list("activities", summary(user, id, start, "MULTI_SPORT", `,"isParent":true`),
			summary(user, id+1, start, "CYCLING", leg), summary(user, id+2_000_000_000, start+3600, "RUNNING", leg))
	case "details":
		return ownDetails(d.details, user, fmt.Sprintf("%d-detail", id))
	case "file":
		return list("activityFiles", fmt.Sprintf(
			`{"userId":%q,"summaryId":"%d-file","fileType":"FIT","callbackURL":"%s/wellness-api/rest/activityFile?id=%d&token=t","startTimeInSeconds":%d,"activityId":%d}`,
			user, id, d.files, id, start, id))
	case "leaves":
		return list("deregistrations", fmt.Sprintf(`{"userId":%q}`, user))
	}
	panic("no such post: " + p.what)
}

func list(key string, items ...string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{%q:[`, key)
	for i, it := range items {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(it)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

func summary(user string, id, start int64, sport, more string) string {
	return fmt.Sprintf(`{"userId":%q,"summaryId":"%d","activityId":%d,"activityName":"Morning","durationInSeconds":3541,"startTimeInSeconds":%d,`+
		`"startTimeOffsetInSeconds":7200,"activityType":%q,"averageHeartRateInBeatsPerMinute":141,"averageRunCadenceInStepsPerMinute":168.0,`+
		`"averageSpeedInMetersPerSecond":2.788,"averagePaceInMinutesPerKilometer":5.9779,"activeKilocalories":701,"deviceName":"Forerunner 965",`+
		`"distanceInMeters":9873.44,"maxHeartRateInBeatsPerMinute":171,"maxPaceInMinutesPerKilometer":4.1203,"maxRunCadenceInStepsPerMinute":188.0,`+
		`"maxSpeedInMetersPerSecond":4.045,"startingLatitudeInDegree":48.13743,"startingLongitudeInDegree":11.57549,"steps":9894,`+
		`"totalElevationGainInMeters":61.0,"totalElevationLossInMeters":60.0%s}`, user, id, id, start, sport, more)
}

// ownDetails is a body of details with other ids in it.
func ownDetails(body []byte, user, id string) []byte {
	body = replaceValue(body, `"userId":"`, user)
	return replaceValue(body, `"summaryId":"`, id)
}

func replaceValue(body []byte, key, value string) []byte {
	i := bytes.Index(body, []byte(key))
	if i < 0 {
		panic("the details have no " + key)
	}
	i += len(key)
	end := i + bytes.IndexByte(body[i:], '"')
	return slices.Concat(body[:i], []byte(value), body[end:])
}

// sent is what the sender saw.
type sent struct {
	begun   time.Time
	answers []answer
	bytes   int64
}

// answer is how long a 200 took, of a body that was due at that moment.
type answer struct {
	at      float64
	late    time.Duration // from when it was due to when it was sent
	took    time.Duration
	refused int // answers before it that were not 200
}

// due is when a post is sent, in a day of that length whose window begins then.
func (d *day) due(begun time.Time, length time.Duration, p post) time.Time {
	return begun.Add(time.Duration((p.at - d.from) * float64(length)))
}

// send posts everything when it is due. A body that is not answered with 200 is
// sent again.
func (d *day) send(ctx context.Context, to *crew, length time.Duration, connections int) sent {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}, Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	s := sent{begun: time.Now(), answers: make([]answer, len(d.posts))}
	var mu sync.Mutex
	next := make(chan int)
	var all sync.WaitGroup
	begun := s.begun
	for range connections {
		all.Go(func() {
			for i := range next {
				p := d.posts[i]
				body := d.body(p)
				due := d.due(begun, length, p)
				a := answer{at: p.at, late: time.Since(due)}
				for ctx.Err() == nil {
					start := time.Now()
					if ok(client, to.url(i+a.refused), body) {
						a.took = time.Since(start)
						break
					}
					a.refused++
					time.Sleep(100 * time.Millisecond)
				}
				s.answers[i] = a
				mu.Lock()
				s.bytes += int64(len(body))
				mu.Unlock()
			}
		})
	}
	for i, p := range d.posts {
		time.Sleep(time.Until(d.due(begun, length, p)))
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	all.Wait()
	return s
}

func ok(client *http.Client, url string, body []byte) bool {
	res, err := client.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		return false
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode == http.StatusOK
}
