package types

import "strings"

// ID identifies a summary or an activity. Garmin writes ids as JSON strings
// and as numbers, the same id both ways; an ID holds the digits as they came
// and never passes through a float. As JSON it is a string.
type ID string

// Stem returns the id without the suffix "-detail" or "-file": what the
// summaries of one activity have in common.
func (id ID) Stem() ID {
	s := strings.TrimSuffix(string(id), "-detail")
	return ID(strings.TrimSuffix(s, "-file"))
}
