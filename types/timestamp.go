package types

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Timestamp is a moment as Garmin sends it: UTC seconds since 1970, in some
// models with a fraction. Zero means that no time was sent. A float64 holds
// present-day seconds exactly and their fraction to better than a microsecond.
type Timestamp float64

// NewTimestamp returns t as a Timestamp, and zero for the zero time.
func NewTimestamp(t time.Time) Timestamp {
	if t.IsZero() {
		return 0
	}
	return Timestamp(t.Unix()) + Timestamp(t.Nanosecond())/1e9
}

// Time returns the moment in UTC, to the microsecond, or the zero time if none was
// sent, or for NaN. A moment after the year 9999, which package time cannot write as JSON,
// becomes the last second of that year.
func (t Timestamp) Time() time.Time {
	if t == 0 || math.IsNaN(float64(t)) {
		return time.Time{}
	}
	whole, frac := math.Modf(min(max(float64(t), -62135596800), yearTenThousand-1))
	return time.Unix(int64(whole), int64(math.Round(frac*1e6))*1000).UTC()
}

// String formats the moment as RFC 3339 in UTC, or "" if there is none.
func (t Timestamp) String() string {
	if t == 0 || math.IsNaN(float64(t)) {
		return ""
	}
	return t.Time().Format(time.RFC3339Nano)
}

// MarshalJSON writes a number in plain digits, with a fraction only if there is
// one.
func (t Timestamp) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(t)) || math.IsInf(float64(t), 0) {
		return nil, fmt.Errorf("types: timestamp %v is not a number", float64(t))
	}
	return strconv.AppendFloat(nil, float64(t), 'f', -1, 64), nil
}
