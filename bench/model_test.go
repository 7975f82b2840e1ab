package bench

import "github.com/garminkit/activityapi/types"

// The structs the peers decode into: the fields, keys and pointers of package
// types with nothing of its tolerance. An id must be a string here or a number
// there, an integer must be written as one, and any odd item spoils the body.
//
// An item of a list may be a ping, so the items have its fields too: else a peer would
// read over most of a body of pings.

type plainBody struct {
	ActivityDetails []plainDetails `json:"activityDetails"`
	Activities      []plainItem    `json:"activities"`
}

type plainItem struct {
	plainActivity
	plainPing
}

type plainPing struct {
	UserAccessToken string `json:"userAccessToken"`
	CallbackURL     string `json:"callbackURL"`
}

type plainDetails struct {
	UserID     types.UserID  `json:"userId"`
	SummaryID  string        `json:"summaryId"`
	ActivityID int64         `json:"activityId"`
	Summary    plainActivity `json:"summary"`
	Samples    []plainSample `json:"samples"`
	Laps       []plainLap    `json:"laps"`
	plainPing
}

type plainLap struct {
	StartTimeInSeconds float64 `json:"startTimeInSeconds"`
}

type plainSample struct {
	StartTimeInSeconds            float64  `json:"startTimeInSeconds"`
	LatitudeInDegree              *float64 `json:"latitudeInDegree"`
	LongitudeInDegree             *float64 `json:"longitudeInDegree"`
	ElevationInMeters             *float64 `json:"elevationInMeters"`
	AirTemperatureCelcius         *float64 `json:"airTemperatureCelcius"`
	HeartRate                     *int     `json:"heartRate"`
	SpeedMetersPerSecond          *float64 `json:"speedMetersPerSecond"`
	StepsPerMinute                *float64 `json:"stepsPerMinute"`
	TotalDistanceInMeters         *float64 `json:"totalDistanceInMeters"`
	TimerDurationInSeconds        *int     `json:"timerDurationInSeconds"`
	ClockDurationInSeconds        *int     `json:"clockDurationInSeconds"`
	MovingDurationInSeconds       *int     `json:"movingDurationInSeconds"`
	PowerInWatts                  *float64 `json:"powerInWatts"`
	BikeCadenceInRPM              *float64 `json:"bikeCadenceInRPM"`
	DirectWheelchairCadence       *float64 `json:"directWheelchairCadence"`
	SwimCadenceInStrokesPerMinute *float64 `json:"swimCadenceInStrokesPerMinute"`
}

type plainActivity struct {
	UserID                               types.UserID `json:"userId"`
	SummaryID                            string       `json:"summaryId"`
	ActivityID                           int64        `json:"activityId"`
	ActivityName                         string       `json:"activityName"`
	ActivityDescription                  string       `json:"activityDescription"`
	ActivityType                         string       `json:"activityType"`
	StartTimeInSeconds                   float64      `json:"startTimeInSeconds"`
	StartTimeOffsetInSeconds             int          `json:"startTimeOffsetInSeconds"`
	DurationInSeconds                    int          `json:"durationInSeconds"`
	AverageHeartRateInBeatsPerMinute     *int         `json:"averageHeartRateInBeatsPerMinute"`
	MaxHeartRateInBeatsPerMinute         *float64     `json:"maxHeartRateInBeatsPerMinute"`
	AverageSpeedInMetersPerSecond        *float64     `json:"averageSpeedInMetersPerSecond"`
	MaxSpeedInMetersPerSecond            *float64     `json:"maxSpeedInMetersPerSecond"`
	AveragePaceInMinutesPerKilometer     *float64     `json:"averagePaceInMinutesPerKilometer"`
	MaxPaceInMinutesPerKilometer         *float64     `json:"maxPaceInMinutesPerKilometer"`
	AverageRunCadenceInStepsPerMinute    *float64     `json:"averageRunCadenceInStepsPerMinute"`
	MaxRunCadenceInStepsPerMinute        *float64     `json:"maxRunCadenceInStepsPerMinute"`
	AverageBikeCadenceInRoundsPerMinute  *float64     `json:"averageBikeCadenceInRoundsPerMinute"`
	MaxBikeCadenceInRoundsPerMinute      *float64     `json:"maxBikeCadenceInRoundsPerMinute"`
	AverageSwimCadenceInStrokesPerMinute *float64     `json:"averageSwimCadenceInStrokesPerMinute"`
	AveragePushCadenceInPushesPerMinute  *float64     `json:"averagePushCadenceInPushesPerMinute"`
	MaxPushCadenceInPushesPerMinute      *float64     `json:"maxPushCadenceInPushesPerMinute"`
	Pushes                               *int         `json:"pushes"`
	ActiveKilocalories                   *int         `json:"activeKilocalories"`
	DistanceInMeters                     *float64     `json:"distanceInMeters"`
	Steps                                *int         `json:"steps"`
	NumberOfActiveLengths                *int         `json:"numberOfActiveLengths"`
	StartingLatitudeInDegree             *float64     `json:"startingLatitudeInDegree"`
	StartingLongitudeInDegree            *float64     `json:"startingLongitudeInDegree"`
	TotalElevationGainInMeters           *float64     `json:"totalElevationGainInMeters"`
	TotalElevationLossInMeters           *float64     `json:"totalElevationLossInMeters"`
	DeviceName                           string       `json:"deviceName"`
	IsParent                             bool         `json:"isParent"`
	ParentSummaryID                      string       `json:"parentSummaryId"`
	Manual                               bool         `json:"manual"`
	IsWebUpload                          bool         `json:"isWebUpload"`
}
