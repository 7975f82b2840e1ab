package types

import (
	"encoding/json"

	"github.com/garminkit/activityapi/activitytype"
)

// ActivityFile announces the file that a device recorded (Activity API,
// section 7.4). It is an item of a ping; the file itself is downloaded from
// CallbackURL, once and within 24 hours.
type ActivityFile struct {
	UserID UserID `json:"userId"`
	// SummaryID ends in "-file".
	SummaryID ID `json:"summaryId"`
	// FileType is "FIT", "TCX" or "GPX".
	FileType string `json:"fileType"`
	// CallbackURL holds a one-time token.
	CallbackURL Secret `json:"callbackURL"`

	ActivityID          ID                `json:"activityId,omitempty"`
	ActivityName        string            `json:"activityName,omitempty"`
	ActivityDescription string            `json:"activityDescription,omitempty"`
	ActivityType        activitytype.Type `json:"activityType,omitempty"`
	StartTimeInSeconds  Timestamp         `json:"startTimeInSeconds,omitempty"`
	DeviceName          string            `json:"deviceName,omitempty"`
	// Manual reports whether the user created or edited the activity in Garmin
	// Connect.
	Manual      bool `json:"manual,omitempty" alias:"Manual"`
	IsWebUpload bool `json:"isWebUpload,omitempty"`

	// Raw is the item's JSON as Garmin sent it, including the callback URL. It is
	// nil unless KeepRaw is set, or the item has Defects and is not longer than
	// 256 KiB.
	Raw json.RawMessage `json:"-"`
	// Defects lists the values that could not be read; their fields are absent. It
	// is nil if there are none.
	Defects *Defects `json:"-"`
}
