package activity

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	minStart = regexp.MustCompile(`(?i)\bmin(?:imum)?[ _-]?start`)
	// minStartAt finds the time in a message ("min start time of …") and in a
	// field of its own ("minStartTimeInSeconds": …).
	minStartAt = regexp.MustCompile(`(?i)\bmin(?:imum)?[ _-]?start[ _-]?(?:time|date)?[a-z_]*["']?\s*(?:of|is|was|at|[:=])?\s*["'\[]?\s*` +
		`([0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9:.]+)?(?: ?(?:Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2}))?|[0-9]{9,19}(?:\.[0-9]+)?)`)
)

// minStartOf reads the earliest time that an answer allows, or returns the zero
// time.
func minStartOf(text string) time.Time {
	if m := minStartAt.FindStringSubmatch(text); m != nil {
		return parseTime(m[1])
	}
	return time.Time{}
}

// layouts are the forms of a time in a message. Without a zone it is UTC, as
// all of Garmin's times are.
var layouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04Z07:00", time.DateOnly,
	"2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04",
}

// parseTime reads a moment from a message: ISO 8601 with or without a
// fraction, a number since 1970 in seconds or a smaller unit, or a date. It
// returns the zero time for anything else.
func parseTime(s string) time.Time {
	s = strings.TrimRight(s, ".,;")
	iso := s
	for _, utc := range []string{"UTC", "GMT"} {
		if head, ok := strings.CutSuffix(strings.ToUpper(iso), utc); ok {
			iso = strings.TrimSpace(head) + "Z"
		}
	}
	if len(iso) > 11 && iso[10] == ' ' {
		iso = iso[:10] + "T" + iso[11:]
	}
	iso = strings.ReplaceAll(iso, " ", "")
	for _, layout := range layouts {
		if t, err := time.Parse(layout, iso); err == nil {
			return t.UTC()
		}
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n > 0 {
		switch {
		case n >= 1e17:
			return time.Unix(0, n).UTC()
		case n >= 1e14:
			return time.UnixMicro(n).UTC()
		case n >= 1e11:
			return time.UnixMilli(n).UTC()
		}
		return time.Unix(n, 0).UTC()
	}
	n, err := strconv.ParseFloat(s, 64)
	switch {
	case err != nil || n <= 0 || n >= 1e15:
		return time.Time{}
	case n >= 1e11:
		return time.UnixMicro(int64(n * 1e3)).UTC()
	}
	return time.UnixMicro(int64(n * 1e6)).UTC()
}
