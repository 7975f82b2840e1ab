package types

import (
	"encoding/json"

	"github.com/garminkit/activityapi/activitytype"
)

// MoveIQ is an activity that the device detected by itself (Activity API,
// section 7.5): a labelled span of time, which the user cannot edit.
type MoveIQ struct {
	UserID    UserID `json:"userId,omitempty"`
	SummaryID ID     `json:"summaryId"`
	// CalendarDate is the day in Garmin Connect, as yyyy-mm-dd.
	CalendarDate       string    `json:"calendarDate,omitempty"`
	StartTimeInSeconds Timestamp `json:"startTimeInSeconds"`
	// OffsetInSeconds is added to the start time to get the time that the device
	// showed.
	OffsetInSeconds   int `json:"offsetInSeconds"`
	DurationInSeconds int `json:"durationInSeconds"`
	// ActivityType is in title case here, as in "Running".
	ActivityType activitytype.Type `json:"activityType,omitempty"`
	// ActivitySubType is often absent. Its values, such as "Hurdles", are not
	// in the list of activity types.
	ActivitySubType string `json:"activitySubType,omitempty"`

	// Raw is the item's JSON as Garmin sent it. It is nil unless KeepRaw is set, or
	// the item has Defects and is not longer than 256 KiB.
	Raw json.RawMessage `json:"-"`
	// SHA256 is the hash of that JSON, even if Raw is nil. It is zero unless the
	// item was pulled for a ping.
	SHA256 [32]byte `json:"-"`
	// Defects lists the values that could not be read; their fields are absent. It
	// is nil if there are none.
	Defects *Defects `json:"-"`
}
