package types

import (
	"encoding/json"

	"github.com/garminkit/activityapi/internal/oracle"
)

// UnmarshalJSON reads one item. Raw is not set.
func (a *Activity) UnmarshalJSON(b []byte) error { return oracle.Unmarshal(b, a) }

// UnmarshalJSON reads one item. Raw is not set.
func (a *ManualActivity) UnmarshalJSON(b []byte) error { return oracle.Unmarshal(b, a) }

// UnmarshalJSON reads one item. Raw is not set.
func (d *ActivityDetails) UnmarshalJSON(b []byte) error { return oracle.Unmarshal(b, d) }

// UnmarshalJSON reads one item. Raw is not set.
func (m *MoveIQ) UnmarshalJSON(b []byte) error { return oracle.Unmarshal(b, m) }

// UnmarshalJSON reads one item. Raw is not set.
func (f *ActivityFile) UnmarshalJSON(b []byte) error { return oracle.Unmarshal(b, f) }

func unquote(b []byte) (string, error) {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return "", errString
	}
	return s, nil
}
