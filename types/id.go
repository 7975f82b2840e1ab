package types

import "strings"

// ID identifies a summary or an activity. Garmin writes the same id sometimes as
// a JSON string and sometimes as a number. An ID keeps the digits as they came
// and never passes through a float. It marshals as a string.
type ID string

// Stem returns the id without the suffix "-detail" or "-file": the part that all
// summaries of an activity share.
func (id ID) Stem() ID {
	s := strings.TrimSuffix(string(id), "-detail")
	return ID(strings.TrimSuffix(s, "-file"))
}
