package types

import "time"

// Summary is one record of a user's data: a [*Activity], a [*ManualActivity], an
// [*ActivityDetails] or a [*MoveIQ]. No other package can add to the set. Use a
// type switch to reach the fields.
type Summary interface {
	// Kind tells which of the four it is.
	Kind() Kind
	// Owner returns the user id, or "" where Garmin left it out, as it may
	// in the answer to a pull.
	Owner() UserID
	// ID returns the summary id. It is unique within kind and user, and an
	// edited activity keeps it.
	ID() ID
	// Start returns when the recording began, in UTC, or the zero time.
	Start() time.Time

	summary()
}

// Kind returns [KindActivities].
func (a *Activity) Kind() Kind { return KindActivities }

// Owner returns the user id.
func (a *Activity) Owner() UserID { return a.UserID }

// ID returns the summary id.
func (a *Activity) ID() ID { return a.SummaryID }

// Start returns when the activity began, in UTC.
func (a *Activity) Start() time.Time { return a.StartTimeInSeconds.Time() }

// LocalStart returns Start in a zone with the device's offset, so that it prints
// as the user saw it. The zone has no name and no rules. For the day that the
// activity counts for, use [Activity.LocalDay].
func (a *Activity) LocalStart() time.Time {
	return local(a.StartTimeInSeconds, a.StartTimeOffsetInSeconds)
}

// LocalDay returns the calendar day that the activity counts for, as yyyy-mm-dd,
// or "" if no start time was sent. It is the day that the user's watch showed at
// the start: an activity over midnight belongs to the day it began on, as in
// Garmin Connect. The day in UTC or in the user's home zone may be wrong, since
// the offset depends on place and time and may be up to a day either way. A
// traveller across the date line has a day twice or skips one, so order
// activities by their starts, not by their days.
func (a *Activity) LocalDay() string { return day(a.LocalStart()) }

// Duration returns DurationInSeconds as a [time.Duration].
func (a *Activity) Duration() time.Duration {
	return time.Duration(a.DurationInSeconds) * time.Second
}

func (a *Activity) summary() {}

// Kind returns [KindManualActivities].
func (a *ManualActivity) Kind() Kind { return KindManualActivities }

// Owner returns the user id.
func (a *ManualActivity) Owner() UserID { return a.UserID }

// ID returns the summary id.
func (a *ManualActivity) ID() ID { return a.SummaryID }

// Start returns when the activity began, in UTC.
func (a *ManualActivity) Start() time.Time { return a.StartTimeInSeconds.Time() }

// LocalStart returns Start in a zone with the device's offset.
func (a *ManualActivity) LocalStart() time.Time { return (*Activity)(a).LocalStart() }

// LocalDay returns the calendar day that the activity counts for: see
// [Activity.LocalDay].
func (a *ManualActivity) LocalDay() string { return (*Activity)(a).LocalDay() }

// Duration returns DurationInSeconds as a [time.Duration].
func (a *ManualActivity) Duration() time.Duration { return (*Activity)(a).Duration() }

func (a *ManualActivity) summary() {}

// Kind returns [KindActivityDetails].
func (d *ActivityDetails) Kind() Kind { return KindActivityDetails }

// Owner returns the user id.
func (d *ActivityDetails) Owner() UserID { return d.UserID }

// ID returns the summary id, which ends in "-detail".
func (d *ActivityDetails) ID() ID { return d.SummaryID }

// Start returns when the activity began, in UTC.
func (d *ActivityDetails) Start() time.Time { return d.Summary.Start() }

func (d *ActivityDetails) summary() {}

// Kind returns [KindMoveIQ].
func (m *MoveIQ) Kind() Kind { return KindMoveIQ }

// Owner returns the user id.
func (m *MoveIQ) Owner() UserID { return m.UserID }

// ID returns the summary id.
func (m *MoveIQ) ID() ID { return m.SummaryID }

// Start returns when the event began, in UTC.
func (m *MoveIQ) Start() time.Time { return m.StartTimeInSeconds.Time() }

// LocalStart returns Start in a zone with the device's offset.
func (m *MoveIQ) LocalStart() time.Time { return local(m.StartTimeInSeconds, m.OffsetInSeconds) }

// LocalDay returns the calendar day that the event counts for, as yyyy-mm-dd:
// CalendarDate, which is Garmin's own answer, or the day of LocalStart if
// CalendarDate is absent or not a date.
func (m *MoveIQ) LocalDay() string {
	if _, err := time.Parse(time.DateOnly, m.CalendarDate); err == nil {
		return m.CalendarDate
	}
	return day(m.LocalStart())
}

// Duration returns DurationInSeconds as a [time.Duration].
func (m *MoveIQ) Duration() time.Duration { return time.Duration(m.DurationInSeconds) * time.Second }

func (m *MoveIQ) summary() {}

func local(t Timestamp, offset int) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.Time().In(time.FixedZone("", offset))
}

func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.DateOnly)
}
