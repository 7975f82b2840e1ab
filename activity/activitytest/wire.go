package activitytest

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/garminkit/activityapi/types"
)

// Garmin sends summaryId as a string and activityId as a number, and names the
// owner in notifications but not in every pull. The types here marshal so; the
// owner is put in front by appendItem.

// number is an id that goes out as a JSON number if it is one.
type number types.ID

func (n number) MarshalJSON() ([]byte, error) {
	if _, err := strconv.ParseUint(string(n), 10, 64); err != nil || (n[0] == '0' && n != "0") {
		return json.Marshal(string(n))
	}
	return []byte(n), nil
}

// plainActivity drops the methods of types.Activity, wireActivity shadows the
// fields that differ.
type (
	plainActivity types.Activity
	wireActivity  struct {
		UserID     types.UserID `json:"userId,omitempty"`
		SummaryID  types.ID     `json:"summaryId,omitempty"`
		ActivityID number       `json:"activityId,omitempty"`
		*plainActivity
	}
	wireDetails struct {
		SummaryID  types.ID       `json:"summaryId,omitempty"`
		ActivityID number         `json:"activityId,omitempty"`
		Summary    wireActivity   `json:"summary"`
		Samples    []types.Sample `json:"samples"`
		Laps       []types.Lap    `json:"laps,omitempty"`
	}
	plainMoveIQ types.MoveIQ
	wireMoveIQ  struct {
		UserID    types.UserID `json:"userId,omitempty"`
		SummaryID types.ID     `json:"summaryId"`
		*plainMoveIQ
	}
	plainFile types.ActivityFile
	wireFile  struct {
		UserID      types.UserID `json:"userId,omitempty"`
		CallbackURL string       `json:"callbackURL,omitempty"`
		ActivityID  number       `json:"activityId,omitempty"`
		*plainFile
	}
)

func newWireActivity(a *types.Activity, id types.ID) wireActivity {
	return wireActivity{"", id, number(a.ActivityID), (*plainActivity)(a)}
}

func encodeSummary(summary types.Summary, id types.ID) []byte {
	switch v := summary.(type) {
	case *types.Activity:
		return marshal(newWireActivity(v, id))
	case *types.ManualActivity:
		return marshal(newWireActivity((*types.Activity)(v), id))
	case *types.ActivityDetails:
		w := wireDetails{id, number(v.ActivityID), newWireActivity(&v.Summary, v.Summary.SummaryID), v.Samples, v.Laps}
		if w.Samples == nil {
			w.Samples = []types.Sample{}
		}
		return marshal(w)
	case *types.MoveIQ:
		return marshal(wireMoveIQ{"", id, (*plainMoveIQ)(v)})
	}
	panic("activitytest: no such summary") // the interface is sealed
}

func encodeFile(f *types.ActivityFile) []byte {
	return marshal(wireFile{"", "", number(f.ActivityID), (*plainFile)(f)})
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("activitytest: " + err.Error()) // a NaN is the caller's mistake
	}
	return b
}

// field is a key and string value to put in front of an item.
type field struct{ key, value string }

// appendItem appends the object item with fields in front of its own. Fields
// with an empty value are left out.
func appendItem(b, item []byte, fields ...field) []byte {
	b = append(b, '{')
	for _, f := range fields {
		if f.value != "" {
			b = append(b, '"')
			b = append(b, f.key...)
			b = append(b, `":`...)
			b = append(b, quote(f.value)...)
			b = append(b, ',')
		}
	}
	if rest := item[1:]; rest[0] == '}' && b[len(b)-1] == ',' {
		b[len(b)-1] = '}'
	} else {
		b = append(b, rest...)
	}
	return b
}

// quote writes a JSON string without the escapes for HTML: Garmin's URLs have a
// plain &.
func quote(s string) []byte {
	for _, c := range []byte(s) {
		if c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			return marshal(s)
		}
	}
	return append(append([]byte{'"'}, s...), '"')
}

func permissionsItem(u *User, summaryID string) []byte {
	p := u.permissions
	if p == nil {
		p = []types.Permission{}
	}
	return marshal(struct {
		SummaryID   string             `json:"summaryId"`
		Permissions []types.Permission `json:"permissions"`
		ChangeTime  types.Timestamp    `json:"changeTimeInSeconds"`
	}{"x" + summaryID, p, types.NewTimestamp(u.permissionsAt.Truncate(time.Second))})
}

func formatInt(n int64) string { return strconv.FormatInt(n, 10) }

func parseSeconds(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }
