package types

import (
	"encoding/json"

	"github.com/garminkit/activityapi/activitytype"
)

// Activity is the summary of one activity that a user started and saved
// (Activity API, section 7.1).
//
// A multisport activity arrives as a parent (IsParent) and its children
// (ParentSummaryID), in any order. Older activities have no ActivityID and
// most have no ActivityName.
type Activity struct {
	// UserID is the Garmin user the activity belongs to. It is stable across
	// reconnections. Pushes carry it, pulls may not.
	UserID UserID `json:"userId,omitempty"`

	SummaryID           ID                `json:"summaryId,omitempty"`
	ActivityID          ID                `json:"activityId,omitempty"`
	ActivityName        string            `json:"activityName,omitempty"`
	ActivityDescription string            `json:"activityDescription,omitempty"`
	ActivityType        activitytype.Type `json:"activityType,omitempty"`

	StartTimeInSeconds Timestamp `json:"startTimeInSeconds"`
	// StartTimeOffsetInSeconds is added to the start time to get the time that
	// the device showed.
	StartTimeOffsetInSeconds int `json:"startTimeOffsetInSeconds"`
	DurationInSeconds        int `json:"durationInSeconds"`

	AverageHeartRateInBeatsPerMinute *int     `json:"averageHeartRateInBeatsPerMinute,omitempty"`
	MaxHeartRateInBeatsPerMinute     *float64 `json:"maxHeartRateInBeatsPerMinute,omitempty"`

	AverageSpeedInMetersPerSecond    *float64 `json:"averageSpeedInMetersPerSecond,omitempty"`
	MaxSpeedInMetersPerSecond        *float64 `json:"maxSpeedInMetersPerSecond,omitempty"`
	AveragePaceInMinutesPerKilometer *float64 `json:"averagePaceInMinutesPerKilometer,omitempty"`
	MaxPaceInMinutesPerKilometer     *float64 `json:"maxPaceInMinutesPerKilometer,omitempty"`

	AverageRunCadenceInStepsPerMinute    *float64 `json:"averageRunCadenceInStepsPerMinute,omitempty"`
	MaxRunCadenceInStepsPerMinute        *float64 `json:"maxRunCadenceInStepsPerMinute,omitempty"`
	AverageBikeCadenceInRoundsPerMinute  *float64 `json:"averageBikeCadenceInRoundsPerMinute,omitempty"`
	MaxBikeCadenceInRoundsPerMinute      *float64 `json:"maxBikeCadenceInRoundsPerMinute,omitempty"`
	AverageSwimCadenceInStrokesPerMinute *float64 `json:"averageSwimCadenceInStrokesPerMinute,omitempty"`

	// The three wheelchair fields are present only when the user's watch is in
	// wheelchair mode.
	AveragePushCadenceInPushesPerMinute *float64 `json:"averagePushCadenceInPushesPerMinute,omitempty"`
	MaxPushCadenceInPushesPerMinute     *float64 `json:"maxPushCadenceInPushesPerMinute,omitempty"`
	Pushes                              *int     `json:"pushes,omitempty"`

	// ActiveKilocalories are dietary calories, including the basal metabolic
	// rate.
	ActiveKilocalories *int     `json:"activeKilocalories,omitempty"`
	DistanceInMeters   *float64 `json:"distanceInMeters,omitempty"`
	Steps              *int     `json:"steps,omitempty"`
	// NumberOfActiveLengths counts the lengths of a pool swim.
	NumberOfActiveLengths *int `json:"numberOfActiveLengths,omitempty"`

	StartingLatitudeInDegree   *float64 `json:"startingLatitudeInDegree,omitempty"`
	StartingLongitudeInDegree  *float64 `json:"startingLongitudeInDegree,omitempty"`
	TotalElevationGainInMeters *float64 `json:"totalElevationGainInMeters,omitempty"`
	TotalElevationLossInMeters *float64 `json:"totalElevationLossInMeters,omitempty"`

	// DeviceName is free text. It is "unknown" for an activity without a device.
	DeviceName string `json:"deviceName,omitempty"`

	// IsParent marks the parent of a multisport activity.
	IsParent bool `json:"isParent,omitempty"`
	// ParentSummaryID is the SummaryID of the parent activity, if there is one.
	ParentSummaryID ID `json:"parentSummaryId,omitempty"`
	// Manual reports whether the activity was entered without a device. In a
	// [ManualActivity] it reports whether the user edited it in Garmin Connect.
	Manual bool `json:"manual,omitempty" alias:"Manual"`
	// IsWebUpload reports whether the activity was uploaded through Garmin
	// Connect's web page.
	IsWebUpload bool `json:"isWebUpload,omitempty"`

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

// ManualActivity is an activity that the user created or edited in Garmin Connect
// (Activity API, section 7.2). It has the fields of [Activity] and converts to
// it. Garmin also documents its key "manual" as "Manual"; both are read.
type ManualActivity Activity

// ActivityDetails is an activity with its recorded samples (Activity API,
// section 7.3).
//
// ActivityID can differ from Summary.ActivityID. The stem of the summary id joins
// details with their [Activity]: "5001-detail" belongs to "5001" (see [ID.Stem]).
type ActivityDetails struct {
	UserID     UserID `json:"userId,omitempty"`
	SummaryID  ID     `json:"summaryId,omitempty"`
	ActivityID ID     `json:"activityId,omitempty"`

	// Summary is the activity as a whole. Its own ids may be absent.
	Summary Activity `json:"summary"`
	// Samples are in the order sent, at most one per second, each valid until the
	// next. The list is empty for manual activities.
	Samples []Sample `json:"samples,omitempty"`
	Laps    []Lap    `json:"laps,omitempty"`

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

// Sample is what the sensors read at one moment (Activity API, section 7.3). Only
// sensors that were present have a value.
type Sample struct {
	StartTimeInSeconds Timestamp `json:"startTimeInSeconds"`

	LatitudeInDegree  *float64 `json:"latitudeInDegree,omitempty"`
	LongitudeInDegree *float64 `json:"longitudeInDegree,omitempty"`
	ElevationInMeters *float64 `json:"elevationInMeters,omitempty"`
	// AirTemperatureCelcius is in degrees Celsius; the misspelling is Garmin's.
	AirTemperatureCelcius *float64 `json:"airTemperatureCelcius,omitempty"`
	// HeartRate is in beats per minute.
	HeartRate             *int     `json:"heartRate,omitempty"`
	SpeedMetersPerSecond  *float64 `json:"speedMetersPerSecond,omitempty"`
	StepsPerMinute        *float64 `json:"stepsPerMinute,omitempty"`
	TotalDistanceInMeters *float64 `json:"totalDistanceInMeters,omitempty"`

	// TimerDurationInSeconds excludes pauses, ClockDurationInSeconds includes
	// them, and MovingDurationInSeconds counts only movement above a threshold
	// speed. Garmin promises moving <= timer <= clock, but its own data breaks
	// that.
	TimerDurationInSeconds  *int `json:"timerDurationInSeconds,omitempty"`
	ClockDurationInSeconds  *int `json:"clockDurationInSeconds,omitempty"`
	MovingDurationInSeconds *int `json:"movingDurationInSeconds,omitempty"`

	PowerInWatts     *float64 `json:"powerInWatts,omitempty"`
	BikeCadenceInRPM *float64 `json:"bikeCadenceInRPM,omitempty"`
	// DirectWheelchairCadence is in pushes per minute. Some of Garmin's
	// documents call it wheelChairCadenceInPushesPerMinute; both keys are read.
	DirectWheelchairCadence       *float64 `json:"directWheelchairCadence,omitempty" alias:"wheelChairCadenceInPushesPerMinute"`
	SwimCadenceInStrokesPerMinute *float64 `json:"swimCadenceInStrokesPerMinute,omitempty"`
}

// Lap marks where a lap began.
type Lap struct {
	StartTimeInSeconds Timestamp `json:"startTimeInSeconds"`
}
