// Package retryafter reads the header in which a server says how long to wait.
package retryafter

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Max bounds what a server can make us wait.
const Max = time.Hour

// Of returns what the Retry-After of an answer asks for: seconds, or a date in
// any of the three forms of HTTP, which is taken against the answer's own Date
// so that a wrong clock here does no harm. The result lies between 0 and Max,
// and is 0 if there is no such header or it cannot be read.
func Of(answer http.Header) time.Duration {
	s := strings.TrimSpace(answer.Get("Retry-After"))
	if s == "" {
		return 0
	}
	if n, err := strconv.ParseFloat(s, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		if !(n > 0) { // not a number, too
			return 0
		}
		return time.Duration(min(n, Max.Seconds()) * float64(time.Second))
	}
	at, err := http.ParseTime(s)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(answer.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return min(max(at.Sub(now), 0), Max)
}
