package notifytest

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
)

// activity is a pushed item.
func activity(user, id string) string {
	return fmt.Sprintf(`{"userId":%q,"summaryId":%q,"startTimeInSeconds":1,"startTimeOffsetInSeconds":0,"durationInSeconds":1}`, user, id)
}

// padded is a pushed item of about size bytes.
func padded(user, id string, size int) string {
	it := activity(user, id)
	return strings.Replace(it, `{`, `{"pad":"`+strings.Repeat("x", max(0, size-len(it)-9))+`",`, 1)
}

func ping(user, url string) string { return fmt.Sprintf(`{"userId":%q,"callbackURL":%q}`, user, url) }

func filePing(user, id string) string {
	return fmt.Sprintf(`{"userId":%q,"summaryId":%q,"fileType":"FIT","callbackURL":"https://apis.garmin.com/f?id=%s","startTimeInSeconds":1,"activityId":1}`, user, id, id)
}

func leave(user string) string { return fmt.Sprintf(`{"userId":%q}`, user) }

// list is a body, or a part of one for join.
func list(key string, items ...string) string {
	return fmt.Sprintf(`{%q:[%s]}`, key, strings.Join(items, ","))
}

// join makes one body of several.
func join(bodies ...string) string {
	var parts []string
	for _, b := range bodies {
		parts = append(parts, b[1:len(b)-1])
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// numbered are n items of a user, from first on.
func numbered(user string, first, n int) []string {
	var all []string
	for i := range n {
		all = append(all, activity(user, fmt.Sprint(first+i)))
	}
	return all
}

// noise is n bytes that nothing compresses or interprets.
func noise(n int, seed uint64) string {
	b := make([]byte, n)
	src := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	_, _ = src.Read(b)
	return string(b)
}

// bodyReader gives the parts that next returns, until one is empty.
type bodyReader struct {
	next func() string
	left string
}

func (r *bodyReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if r.left == "" {
		if r.left = r.next(); r.left == "" {
			return 0, io.EOF
		}
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}

// largeBody is a body of some size: many items of 4 KB, one of a third of it,
// and, if broken, something at its end that is no JSON.
func largeBody(size int, user string, broken bool) io.Reader {
	// The large item is given in parts, or making it would take more memory than
	// the queue that is measured.
	fill := strings.Repeat("x", 64<<10)
	head, tail, _ := strings.Cut(padded(user, "#", 4096), "#")
	i, given := -1, 0
	return &bodyReader{next: func() string {
		part := ""
		switch {
		case i == -1:
			part = `{"activities":[{"pad":"`
		case i == 0 && given < size/3:
			part = fill
			i-- // once more
		case i == 0:
			part = `",` + activity(user, "0")[1:]
		case given < size-8192:
			part = "," + head + strconv.Itoa(i) + tail
		case given < size:
			if part = "]}"; broken {
				part = "]}\x00"
			}
			given = size
		}
		i++
		given += len(part)
		return part
	}}
}
