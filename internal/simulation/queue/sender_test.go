package queue

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// senders are Garmin: they send bodies to any process, and again until one says
// that it has them.
func (w *world) senders() {
	rng := w.rng("garmin")
	marker := 0
	for spent := time.Duration(0); spent < w.chaos; {
		var markers []int
		body := w.body(rng, &marker, &markers)
		w.send(rng, body, markers)
		d := time.Duration(rng.Int64N(int64(4 * time.Second)))
		if rng.IntN(3) == 0 {
			d = 0
		}
		time.Sleep(d)
		spent += d + time.Second/10
	}
}

func (w *world) send(rng *rand.Rand, body string, markers []int) {
	for {
		pl := w.places[rng.IntN(len(w.places))]
		l := pl.current()
		w.hist.sent(markers)
		if err := l.handle.Put(w.ctx, strings.NewReader(body)); err == nil {
			w.hist.acked(markers)
			return
		}
		time.Sleep(time.Second)
	}
}

// body draws some items of some users. Each has a marker of its own.
func (w *world) body(rng *rand.Rand, marker *int, markers *[]int) string {
	lists := map[string][]string{}
	for range 1 + rng.IntN(4) {
		*marker++
		m := *marker
		*markers = append(*markers, m)
		user := fmt.Sprint("u", rng.IntN(4))
		switch n := rng.IntN(20); {
		case w.files && n%4 == 0:
			lists["activityFiles"] = append(lists["activityFiles"], fmt.Sprintf(
				`{"userId":%q,"summaryId":"f%d","fileType":"FIT","callbackURL":"https://apis.garmin.com/f?id=%d","startTimeInSeconds":1,"marker":%d}`, user, m, m, m))
		case n < 9:
			id := fmt.Sprint("own", m)
			if n < 4 {
				id = fmt.Sprint("edited", rng.IntN(3))
			}
			lists["activities"] = append(lists["activities"], fmt.Sprintf(
				`{"userId":%q,"summaryId":%q,"startTimeInSeconds":1,"startTimeOffsetInSeconds":0,"durationInSeconds":%d,"marker":%d}`, user, id, m, m))
		case n < 15:
			lists["activityDetails"] = append(lists["activityDetails"], fmt.Sprintf(
				`{"userId":%q,"callbackURL":"https://apis.garmin.com/x?token=%d&user=%s","marker":%d}`, user, m, user, m))
		case n < 17:
			lists["userPermissionsChange"] = append(lists["userPermissionsChange"], fmt.Sprintf(
				`{"userId":%q,"summaryId":"p","permissions":[],"changeTimeInSeconds":%d,"marker":%d}`, user, m, m))
		case n < 19:
			lists["manuallyUpdatedActivities"] = append(lists["manuallyUpdatedActivities"], fmt.Sprintf(
				`{"userId":%q,"summaryId":"m%d","startTimeInSeconds":1,"startTimeOffsetInSeconds":0,"durationInSeconds":%d,"marker":%d}`, user, m, m, m))
		default:
			lists["activities"] = append(lists["activities"], fmt.Sprintf(`{"marker":%d}`, m))
		}
	}
	var parts []string
	for _, key := range []string{"activities", "activityDetails", "userPermissionsChange", "manuallyUpdatedActivities", "activityFiles"} {
		if items := lists[key]; items != nil {
			parts = append(parts, fmt.Sprintf("%q:[%s]", key, strings.Join(items, ",")))
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}
