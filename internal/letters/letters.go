// Package letters selects dead letters. It is for engines, and for whoever looks
// through a queue's letters without one.
package letters

import (
	"strings"

	"github.com/garminkit/activityapi/notify"
)

// Match reports whether l matches the filter, ignoring From. A nil filter matches
// all.
func Match(f *notify.LetterFilter, l *notify.DeadLetter) bool {
	switch {
	case f == nil:
		return true
	case f.Key != "" && f.Key != l.Key,
		f.UserID != "" && f.UserID != l.UserID,
		f.Reason != "" && !containsFold(l.Reason, f.Reason),
		!f.After.IsZero() && l.Buried.Before(f.After),
		!f.Before.IsZero() && !l.Buried.Before(f.Before):
		return false
	}
	return true
}

func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}
