package fitfile

import (
	"time"

	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/types"
)

// Message is one thing that a file tells: a [*FileID], [*Device], [*Session],
// [*Lap], [*Length], [*Record], [*Event], [*TimeInZones] or [*Warning]. No other
// package can add to the set.
type Message interface{ message() }

func (*FileID) message()      {}
func (*Device) message()      {}
func (*Session) message()     {}
func (*Lap) message()         {}
func (*Length) message()      {}
func (*Record) message()      {}
func (*Event) message()       {}
func (*TimeInZones) message() {}
func (*Warning) message()     {}

// FileID tells what a FIT file is. Numbers are those of the FIT profile: type 4
// is an activity, manufacturer 1 Garmin.
type FileID struct {
	Type         uint8
	Manufacturer uint16
	Product      uint16
	SerialNumber uint32 // 0 if there is none
	Created      time.Time
}

// Device is a device or sensor that took part.
type Device struct {
	// Creator tells that the device wrote the file.
	Creator bool
	// Name is free text, and "" where the file has numbers only.
	Name         string
	Manufacturer uint16
	Product      uint16
	SerialNumber uint32
	// SoftwareVersion is as in "12.34", or "".
	SoftwareVersion string
}

// Totals are what a device counted over a session or a lap. What it did not
// count is nil, or zero for a time.
type Totals struct {
	Start time.Time
	// Elapsed counts pauses, Timer does not, Moving only movement.
	Elapsed, Timer, Moving time.Duration

	DistanceInMeters *float64
	Kilocalories     *float64
	AscentInMeters   *float64
	DescentInMeters  *float64

	AverageSpeedInMetersPerSecond, MaxSpeedInMetersPerSecond *float64
	AverageHeartRate, MaxHeartRate                           *float64
	// Cadences are in rounds a minute; of a runner, those of one foot.
	AverageCadence, MaxCadence                                   *float64
	AveragePowerInWatts, MaxPowerInWatts, NormalizedPowerInWatts *float64
	Cycles                                                       *float64 // strokes, or strides
}

// Session is one activity, or one leg of a multisport activity.
type Session struct {
	Totals
	// Type is what Garmin calls the sport; FIT has it as in the file.
	Type activitytype.Type
	FIT  activitytype.FIT
	// Name is the title of a GPX track or the notes of a TCX activity.
	Name string

	FirstLap, Laps         *int
	Lengths, ActiveLengths *int
	PoolLengthInMeters     *float64
}

// Lap is one lap. Garmin's numbers for what ended it and how hard it was are in
// the FIT profile: trigger 0 is by hand, intensity 0 active.
type Lap struct {
	Totals
	Trigger, Intensity *int
	Lengths            *int
}

// Length is one length of a pool.
type Length struct {
	Start                         time.Time
	Elapsed, Timer                time.Duration
	Active                        bool // false is a rest
	Stroke                        *int // of the FIT profile: 0 is freestyle
	Strokes                       *int
	AverageSpeedInMetersPerSecond *float64
}

// Event is what happened, by the numbers of the FIT profile: event 0 is the
// timer, type 0 a start, 1 and 4 are stops.
type Event struct {
	Time  time.Time
	Event uint8
	Type  uint8
	Data  *uint32
}

// TimeInZones is how long values were in each zone, the lowest first; zone 0 is
// below the first. Bounds are the upper ends of the zones. What the device did
// not count is nil.
type TimeInZones struct {
	Time time.Time
	// Session tells that it is about a session, else it is about a lap; Index
	// counts them from 0.
	Session bool
	Index   int

	HeartRate, Speed, Cadence, Power                         []time.Duration
	HeartRateBounds, SpeedBounds, CadenceBounds, PowerBounds []float64
}

// Record is one sample. StepsPerMinute
// and BikeCadenceInRPM are set where the sport is known when the record comes; by
// [Read] always.
type Record struct {
	types.Sample
	Dynamics

	// Developer are the fields that apps on the device added.
	Developer []DeveloperField

	values [slots]float64
	heart  int
}

// Dynamics are what a record of a FIT file has beyond a sample.
type Dynamics struct {
	// CadenceInRPM is as recorded: of a runner, that of one foot.
	CadenceInRPM                     *float64
	GradeInPercent                   *float64
	GPSAccuracyInMeters              *float64
	VerticalOscillationInMillimeters *float64
	VerticalRatioInPercent           *float64
	StanceTimeInMilliseconds         *float64
	StanceTimeBalanceInPercent       *float64
	StepLengthInMillimeters          *float64
	// LeftRightBalance is the raw number: its low seven bits are per cent, its
	// highest tells that they are of the right.
	LeftRightBalance        *float64
	BreathsPerMinute        *float64
	AccumulatedPowerInWatts *float64
}

// DeveloperField is a field that an app on the device defined. Value is a number
// with the field's scale and offset applied, or Text what is no number.
type DeveloperField struct {
	Name, Units string
	Value       *float64
	Text        string
	// Native is the number of the record's field that it stands for, or 255.
	Native uint8
}

// Warn is a kind of [Warning].
type Warn string

// The kinds of warnings.
const (
	WarnTruncated   Warn = "truncated"    // the file ends too early
	WarnCorrupt     Warn = "corrupt"      // reading ended at bytes that are no message
	WarnChecksum    Warn = "checksum"     // the checksum is of other bytes
	WarnTrailing    Warn = "trailing"     // there are bytes behind the end
	WarnChained     Warn = "chained"      // there are several FIT files in one
	WarnNoSession   Warn = "no-session"   // the session was computed
	WarnNoFileID    Warn = "no-file-id"   // a FIT file does not say what it is
	WarnNotActivity Warn = "not-activity" // it says that it is something else
	WarnEncoding    Warn = "encoding"     // characters were no UTF-8, or not legal in XML
	WarnValue       Warn = "value"        // a value could not be read, and is absent
)

// Warning tells of something that is wrong with a file, or of what is missing.
type Warning struct {
	Warn Warn
	Text string
}
