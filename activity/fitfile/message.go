package fitfile

import (
	"time"

	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/types"
)

// Message is one part of a file: a [*FileID], [*Device], [*Session], [*Lap],
// [*Length], [*Record], [*Event], [*TimeInZones] or [*Warning]. Other packages cannot
// implement it.
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

// FileID says what a FIT file contains and who made it. The numbers are those of the
// FIT profile: type 4 is an activity, manufacturer 1 is Garmin.
type FileID struct {
	Type         uint8
	Manufacturer uint16
	Product      uint16
	SerialNumber uint32 // 0 if there is none
	Created      time.Time
}

// Device is a device or sensor that recorded the activity.
type Device struct {
	// Creator is true for the device that wrote the file.
	Creator bool
	// Name is free text, or "" if the file has only numbers.
	Name         string
	Manufacturer uint16
	Product      uint16
	SerialNumber uint32
	// SoftwareVersion has the form "12.34", or is "".
	SoftwareVersion string
}

// Totals are the device's totals of a session or lap. A total that it did not count
// is nil, or zero for a time.
type Totals struct {
	Start time.Time
	// Elapsed includes pauses, Timer does not, Moving only includes movement.
	Elapsed, Timer, Moving time.Duration

	DistanceInMeters *float64
	Kilocalories     *float64
	AscentInMeters   *float64
	DescentInMeters  *float64

	AverageSpeedInMetersPerSecond, MaxSpeedInMetersPerSecond *float64
	AverageHeartRate, MaxHeartRate                           *float64
	// Cadences are in revolutions per minute; for a runner, those of one foot.
	AverageCadence, MaxCadence                                   *float64
	AveragePowerInWatts, MaxPowerInWatts, NormalizedPowerInWatts *float64
	Cycles                                                       *float64 // strokes, or strides
}

// Session is one activity, or one leg of a multisport activity.
type Session struct {
	Totals
	// Type is Garmin's name of the sport; FIT is the sport as the file has it.
	Type activitytype.Type
	FIT  activitytype.FIT
	// Name is the title of a GPX track or the notes of a TCX activity.
	Name string

	FirstLap, Laps         *int
	Lengths, ActiveLengths *int
	PoolLengthInMeters     *float64
}

// Lap is one lap. Trigger and intensity are numbers of the FIT profile: trigger 0 is
// by hand, intensity 0 is active.
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

// Event is an event with the numbers of the FIT profile: event 0 is the timer, type 0
// is a start, 1 and 4 are stops.
type Event struct {
	Time  time.Time
	Event uint8
	Type  uint8
	Data  *uint32
}

// TimeInZones is the time spent in each zone, lowest first; zone 0 is below the first.
// Bounds are the upper ends of the zones. A list that the device did not record is
// nil.
type TimeInZones struct {
	Time time.Time
	// Session is true for a session and false for a lap; Index counts them from 0.
	Session bool
	Index   int

	HeartRate, Speed, Cadence, Power                         []time.Duration
	HeartRateBounds, SpeedBounds, CadenceBounds, PowerBounds []float64
}

// Record is one sample. [Read] always sets StepsPerMinute or BikeCadenceInRPM;
// [Messages] only if the sport is known before the record.
type Record struct {
	types.Sample
	Dynamics

	// Developer holds the fields that apps on the device added.
	Developer []DeveloperField

	values [slots]float64
	heart  int
}

// Dynamics are the values of a FIT record that a sample does not have.
type Dynamics struct {
	// CadenceInRPM is as recorded: for a runner, that of one foot.
	CadenceInRPM                     *float64
	GradeInPercent                   *float64
	GPSAccuracyInMeters              *float64
	VerticalOscillationInMillimeters *float64
	VerticalRatioInPercent           *float64
	StanceTimeInMilliseconds         *float64
	StanceTimeBalanceInPercent       *float64
	StepLengthInMillimeters          *float64
	// LeftRightBalance is the raw number: the low seven bits are per cent, and the
	// highest bit says that they are those of the right side.
	LeftRightBalance        *float64
	BreathsPerMinute        *float64
	AccumulatedPowerInWatts *float64
}

// DeveloperField is a field that an app on the device defined. A number is in Value,
// with the field's scale and offset applied; anything else is in Text.
type DeveloperField struct {
	Name, Units string
	Value       *float64
	Text        string
	// Native is the number of the record's field that it replaces, or 255.
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

// Warning reports something that is wrong or missing in a file.
type Warning struct {
	Warn Warn
	Text string
}
