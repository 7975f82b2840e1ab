//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
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
	details [3][]byte // without the ids between
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
	d := &day{window: w, files: files, details: around(bodygen.Details(bodygen.Options{Seed: seed, Samples: 605}))}
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

// body writes the body of a post, in pieces.
func (d *day) body(p post) net.Buffers {
	user := fmt.Sprintf("user-%08d", p.user)
	id := int64(p.user)*4 + int64(p.n)*2 + 1_000_000_000
	start := 1_700_000_000 + int64(p.at*86400)
	switch p.what {
	case "activity":
		return one("activities", summary(user, id, start, "RUNNING", ""))
	case "edit":
		return one("manuallyUpdatedActivities", summary(user, id, start, "TRAIL_RUNNING", `,"manual":false`))
	case "multisport":
		leg := fmt.Sprintf(`,"parentSummaryId":"%d"`, id)
		return one("activities", summary(user, id, start, "MULTI_SPORT", `,"isParent":true`),
			summary(user, id+1, start, "CYCLING", leg), summary(user, id+2_000_000_000, start+3600, "RUNNING", leg))
	case "details":
		// The samples are not copied: a machine that only sends has them ready.
		return net.Buffers{d.details[0], []byte(user), d.details[1], fmt.Appendf(nil, "%d-detail", id), d.details[2]}
	case "file":
		return one("activityFiles", fmt.Sprintf(
			`{"userId":%q,"summaryId":"%d-file","fileType":"FIT","callbackURL":"%s/wellness-api/rest/activityFile?id=%d&token=t","startTimeInSeconds":%d,"activityId":%d}`,
			user, id, d.files, id, start, id))
	case "leaves":
		return one("deregistrations", fmt.Sprintf(`{"userId":%q}`, user))
	}
	panic("no such post: " + p.what)
}

func one(key string, items ...string) net.Buffers {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{%q:[`, key)
	for i, it := range items {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(it)
	}
	b.WriteString(`]}`)
	return net.Buffers{b.Bytes()}
}

func summary(user string, id, start int64, sport, more string) string {
	return fmt.Sprintf(`{"userId":%q,"summaryId":"%d","activityId":%d,"activityName":"Morning","durationInSeconds":3541,"startTimeInSeconds":%d,`+
		`"startTimeOffsetInSeconds":7200,"activityType":%q,"averageHeartRateInBeatsPerMinute":141,"averageRunCadenceInStepsPerMinute":168.0,`+
		`"averageSpeedInMetersPerSecond":2.788,"averagePaceInMinutesPerKilometer":5.9779,"activeKilocalories":701,"deviceName":"Forerunner 965",`+
		`"distanceInMeters":9873.44,"maxHeartRateInBeatsPerMinute":171,"maxPaceInMinutesPerKilometer":4.1203,"maxRunCadenceInStepsPerMinute":188.0,`+
		`"maxSpeedInMetersPerSecond":4.045,"startingLatitudeInDegree":48.13743,"startingLongitudeInDegree":11.57549,"steps":9894,`+
		`"totalElevationGainInMeters":61.0,"totalElevationLossInMeters":60.0%s}`, user, id, id, start, sport, more)
}

// around splits a body of details at its ids of user and summary.
func around(body []byte) (parts [3][]byte) {
	for i, key := range []string{`"userId":"`, `"summaryId":"`} {
		before, rest, ok := bytes.Cut(body, []byte(key))
		_, after, more := bytes.Cut(rest, []byte{'"'})
		if !ok || !more {
			panic("the details have no " + key)
		}
		parts[i], body = append(before[:len(before):len(before)], key...), append([]byte{'"'}, after...)
	}
	parts[2] = body
	return parts
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
	s := sent{begun: time.Now(), answers: make([]answer, len(d.posts))}
	var mu sync.Mutex
	next := make(chan int)
	var all sync.WaitGroup
	begun := s.begun
	for range connections {
		all.Go(func() {
			lines := map[string]*line{}
			defer func() {
				for _, l := range lines {
					l.close()
				}
			}()
			for i := range next {
				p := d.posts[i]
				body, size := d.body(p), 0
				for _, b := range body {
					size += len(b)
				}
				due := d.due(begun, length, p)
				a := answer{at: p.at, late: time.Since(due)}
				for ctx.Err() == nil {
					start := time.Now()
					host := to.host(i + a.refused)
					if lines[host] == nil {
						lines[host] = &line{host: host}
					}
					if lines[host].post(body, size) {
						a.took = time.Since(start)
						break
					}
					a.refused++
					time.Sleep(100 * time.Millisecond)
				}
				s.answers[i] = a
				mu.Lock()
				s.bytes += int64(size)
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

// line is a connection that is kept. It is net/http's wire without its costs: the
// sender takes the processors from the receivers, and what it takes is not theirs.
type line struct {
	host string
	conn net.Conn
	in   *bufio.Reader
}

// post reports whether the body was answered with 200.
func (l *line) post(body net.Buffers, size int) bool {
	if l.conn == nil {
		conn, err := net.DialTimeout("tcp", l.host, 30*time.Second)
		if err != nil {
			return false
		}
		l.conn, l.in = conn, bufio.NewReader(conn)
	}
	head := fmt.Appendf(nil, "POST /garmin HTTP/1.1\r\nHost: %s\r\nUser-Agent: day\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", l.host, size)
	_ = l.conn.SetDeadline(time.Now().Add(30 * time.Second))
	all := append(net.Buffers{head}, body...)
	_, err := all.WriteTo(l.conn)
	var res *http.Response
	if err == nil {
		res, err = http.ReadResponse(l.in, nil)
	}
	if err == nil {
		_, err = io.Copy(io.Discard, res.Body)
		res.Body.Close()
	}
	if err != nil || res.Close {
		l.close()
	}
	return err == nil && res.StatusCode == http.StatusOK
}

func (l *line) close() {
	if l.conn != nil {
		l.conn.Close()
		l.conn = nil
	}
}
