package types

import (
	"fmt"

	"github.com/garminkit/activityapi/internal/jsonscan"
)

// UnmarshalJSON replaces a by the item that b holds; null changes nothing. Raw
// is not set.
func (a *Activity) UnmarshalJSON(b []byte) error { return unmarshal(b, a) }

// UnmarshalJSON replaces a by the item that b holds; null changes nothing. Raw
// is not set.
func (a *ManualActivity) UnmarshalJSON(b []byte) error { return unmarshal(b, a) }

// UnmarshalJSON replaces d by the item that b holds; null changes nothing. Raw
// is not set.
func (d *ActivityDetails) UnmarshalJSON(b []byte) error { return unmarshal(b, d) }

// UnmarshalJSON replaces m by the item that b holds; null changes nothing. Raw
// is not set.
func (m *MoveIQ) UnmarshalJSON(b []byte) error { return unmarshal(b, m) }

// UnmarshalJSON replaces f by the item that b holds; null changes nothing. Raw
// is not set.
func (f *ActivityFile) UnmarshalJSON(b []byte) error { return unmarshal(b, f) }

// UnmarshalJSON replaces s by the object that b holds; null changes nothing.
func (s *Sample) UnmarshalJSON(b []byte) error { return unmarshal(b, s) }

// UnmarshalJSON replaces l by the object that b holds; null changes nothing.
func (l *Lap) UnmarshalJSON(b []byte) error { return unmarshal(b, l) }

func unmarshal[T any](b []byte, dst *T) error {
	if string(b) == "null" {
		return nil
	}
	var v T
	if err := jsonscan.Unmarshal(b, &v); err != nil {
		return (*DecodeError)(err)
	}
	*dst = v
	return nil
}

// UnmarshalJSON reads a string, or a number that is an integer. null leaves id
// as it is.
func (id *ID) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	s, err := jsonscan.ID(b)
	if err != nil {
		return err
	}
	*id = ID(s)
	return nil
}

// UnmarshalJSON reads any JSON number. null leaves t as it is.
func (t *Timestamp) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	f, err := jsonscan.Float(b)
	if err != nil {
		return fmt.Errorf("want a time in seconds: %w", err)
	}
	*t = Timestamp(f)
	return nil
}
