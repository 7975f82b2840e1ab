package types

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/garminkit/activityapi/internal/jsonscan"
)

// UnmarshalJSON replaces a by the item that b holds; null changes nothing. An
// unreadable value becomes one of a.Defects, and then a.Raw is set. An unreadable
// user id or summary id is an error.
func (a *Activity) UnmarshalJSON(b []byte) error {
	return unmarshal(b, a, func(raw json.RawMessage, d *Defects) { a.Raw, a.Defects = raw, d })
}

// UnmarshalJSON works like that of [Activity].
func (a *ManualActivity) UnmarshalJSON(b []byte) error {
	return unmarshal(b, a, func(raw json.RawMessage, d *Defects) { a.Raw, a.Defects = raw, d })
}

// UnmarshalJSON works like that of [Activity].
func (d *ActivityDetails) UnmarshalJSON(b []byte) error {
	return unmarshal(b, d, func(raw json.RawMessage, defects *Defects) { d.Raw, d.Defects = raw, defects })
}

// UnmarshalJSON works like that of [Activity].
func (m *MoveIQ) UnmarshalJSON(b []byte) error {
	return unmarshal(b, m, func(raw json.RawMessage, d *Defects) { m.Raw, m.Defects = raw, d })
}

// UnmarshalJSON works like that of [Activity].
func (f *ActivityFile) UnmarshalJSON(b []byte) error {
	return unmarshal(b, f, func(raw json.RawMessage, d *Defects) { f.Raw, f.Defects = raw, d })
}

// UnmarshalJSON replaces s by the object that b holds; null changes nothing. An
// unreadable value is an error, since a sample has no field for defects.
func (s *Sample) UnmarshalJSON(b []byte) error { return unmarshal(b, s, nil) }

// UnmarshalJSON works like that of [Sample].
func (l *Lap) UnmarshalJSON(b []byte) error { return unmarshal(b, l, nil) }

// unmarshal passes the defects of dst to note. If note is nil they are an error.
func unmarshal[T any](b []byte, dst *T, note func(json.RawMessage, *Defects)) error {
	if string(b) == "null" {
		return nil
	}
	var v T
	s, err := jsonscan.Unmarshal(b, &v)
	if err != nil {
		return (*DecodeError)(err)
	}
	first, count := jsonscan.Defects[Defect](s)
	switch err := s.Unread("userId", "summaryId"); {
	case err != nil:
		return (*DecodeError)(err)
	case count == 0:
		*dst = v
	case note == nil:
		d := first[0]
		return &DecodeError{d.Offset, d.Path, fmt.Errorf("want %s, have %s", d.Want, d.Have)}
	default:
		*dst = v
		note(bytes.Clone(b), &Defects{first, count})
	}
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

// UnmarshalJSON reads a JSON number, or a string that holds one. null leaves t
// as it is.
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
