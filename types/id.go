package types

import (
	"errors"
	"fmt"
	"strings"
)

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

// UnmarshalJSON reads a string, or a number that is an integer. null leaves id
// as it is.
func (id *ID) UnmarshalJSON(b []byte) error {
	switch {
	case string(b) == "null":
		return nil
	case len(b) > 0 && b[0] == '"':
		s, err := unquote(b)
		if err != nil {
			return err
		}
		*id = ID(s)
		return nil
	}
	digits := strings.TrimPrefix(string(b), "-")
	if whole, frac, ok := strings.Cut(digits, "."); ok && strings.Trim(frac, "0") == "" {
		digits = whole
	}
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return fmt.Errorf("want a string or an integer, have %s", excerpt(b))
	}
	if b[0] == '-' {
		digits = "-" + digits
	}
	*id = ID(digits)
	return nil
}

// excerpt shortens foreign bytes for an error text.
func excerpt(b []byte) string {
	const most = 40
	if len(b) > most {
		return fmt.Sprintf("%q...", b[:most])
	}
	return fmt.Sprintf("%q", b)
}

var errString = errors.New("invalid string")
