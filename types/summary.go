package types

import "time"

// Summary is one record of a user's data: a [*Activity], a [*ManualActivity],
// an [*ActivityDetails] or a [*MoveIQ]. No other package can add to the set;
// use a type switch to get at the fields.
type Summary interface {
	// Kind tells which of the four it is.
	Kind() Kind
	// Owner returns the user id, or "" where Garmin left it out, as it may
	// in the answer to a pull.
	Owner() string
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
func (a *Activity) Owner() string { return a.UserID }

// ID returns the summary id.
func (a *Activity) ID() ID { return a.SummaryID }

// Start returns when the activity began, in UTC.
func (a *Activity) Start() time.Time { return a.StartTimeInSeconds.Time() }

// LocalStart returns the instant of Start in a zone of the device's offset, so
// that it prints as the user saw it. The zone has no name and no rules.
func (a *Activity) LocalStart() time.Time {
	return local(a.StartTimeInSeconds, a.StartTimeOffsetInSeconds)
}

// Duration returns DurationInSeconds as a [time.Duration].
func (a *Activity) Duration() time.Duration {
	return time.Duration(a.DurationInSeconds) * time.Second
}

func (a *Activity) summary() {}

// Kind returns [KindManualActivities].
func (a *ManualActivity) Kind() Kind { return KindManualActivities }

// Owner returns the user id.
func (a *ManualActivity) Owner() string { return a.UserID }

// ID returns the summary id.
func (a *ManualActivity) ID() ID { return a.SummaryID }

// Start returns when the activity began, in UTC.
func (a *ManualActivity) Start() time.Time { return a.StartTimeInSeconds.Time() }

// LocalStart returns the instant of Start in a zone of the device's offset.
func (a *ManualActivity) LocalStart() time.Time { return (*Activity)(a).LocalStart() }

// Duration returns DurationInSeconds as a [time.Duration].
func (a *ManualActivity) Duration() time.Duration { return (*Activity)(a).Duration() }

func (a *ManualActivity) summary() {}

// Kind returns [KindActivityDetails].
func (d *ActivityDetails) Kind() Kind { return KindActivityDetails }

// Owner returns the user id.
func (d *ActivityDetails) Owner() string { return d.UserID }

// ID returns the summary id, which ends in "-detail".
func (d *ActivityDetails) ID() ID { return d.SummaryID }

// Start returns when the activity began, in UTC.
func (d *ActivityDetails) Start() time.Time { return d.Summary.Start() }

func (d *ActivityDetails) summary() {}

// Kind returns [KindMoveIQ].
func (m *MoveIQ) Kind() Kind { return KindMoveIQ }

// Owner returns the user id.
func (m *MoveIQ) Owner() string { return m.UserID }

// ID returns the summary id.
func (m *MoveIQ) ID() ID { return m.SummaryID }

// Start returns when the event began, in UTC.
func (m *MoveIQ) Start() time.Time { return m.StartTimeInSeconds.Time() }

// LocalStart returns the instant of Start in a zone of the device's offset.
func (m *MoveIQ) LocalStart() time.Time { return local(m.StartTimeInSeconds, m.OffsetInSeconds) }

// Duration returns DurationInSeconds as a [time.Duration].
func (m *MoveIQ) Duration() time.Duration { return time.Duration(m.DurationInSeconds) * time.Second }

func (m *MoveIQ) summary() {}

func local(t Timestamp, offset int) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.Time().In(time.FixedZone("", offset))
}
