package types

import (
	"math"
	"time"
)

// Summary is one record of a user's data: a [*Activity], a [*ManualActivity], an
// [*ActivityDetails] or a [*MoveIQ]. No other package can add to the set. Use a
// type switch to reach the fields. [Start], [LocalStart], [LocalDay] and [Duration]
// work for each of them.
type Summary interface {
	// Kind returns the kind of the list that holds such summaries, such as
	// [KindActivities].
	Kind() Kind
	// ID returns the summary id. It is unique within kind and user, and an
	// edited activity keeps it.
	ID() ID

	span() span
}

// span is when a summary was recorded.
type span struct {
	start           Timestamp
	offset, seconds int
	day             string // as Garmin sent it, or ""
}

// Start returns when the recording of s began, in UTC, or the zero time if no
// start was sent.
func Start(s Summary) time.Time { return s.span().start.Time() }

// LocalStart returns [Start] in a zone with the device's offset, so that it prints
// as the user saw it. The zone is only this offset: it has no name and knows no
// daylight saving time. An offset of a day or more, or into the year 10000, is not
// one that a device shows: the result is then in UTC. For the day that s counts for,
// use [LocalDay].
func LocalStart(s Summary) time.Time {
	p := s.span()
	start := p.start.Time()
	if p.start == 0 || p.offset >= day || p.offset <= -day {
		return start
	}
	if local := start.In(time.FixedZone("", p.offset)); local.Year() < 10_000 {
		return local
	}
	return start
}

// day is in seconds. A device is less than that off UTC.
const day = 24 * 60 * 60

// LocalDay returns the calendar day that s counts for, as yyyy-mm-dd, or "" if no
// start was sent. It is the day that the user's watch showed at the start: an
// activity over midnight belongs to the day it began on, as in Garmin Connect. The
// day in UTC or in the user's home zone may be wrong, since the offset depends on
// place and time and can be up to a day in either direction. A traveller across the
// date line has the same day twice or skips one, so order activities by their
// starts, not by their days.
//
// The day of a [MoveIQ] is its CalendarDate, which Garmin has computed, unless that
// is absent or not a date.
func LocalDay(s Summary) string {
	if day := s.span().day; day != "" {
		if _, err := time.Parse(time.DateOnly, day); err == nil {
			return day
		}
	}
	start := LocalStart(s)
	if start.IsZero() {
		return ""
	}
	return start.Format(time.DateOnly)
}

// Duration returns the DurationInSeconds of s, or the longest [time.Duration] that
// has its sign, of 292 years, if it is longer. For [ActivityDetails] it is that of
// their field Summary.
func Duration(s Summary) time.Duration {
	const most = int64(math.MaxInt64 / time.Second)
	switch seconds := int64(s.span().seconds); {
	case seconds > most:
		return math.MaxInt64
	case seconds < -most:
		return math.MinInt64
	default:
		return time.Duration(seconds) * time.Second
	}
}

// Kind returns [KindActivities].
func (a *Activity) Kind() Kind { return KindActivities }

// ID returns the summary id.
func (a *Activity) ID() ID { return a.SummaryID }

func (a *Activity) span() span {
	return span{a.StartTimeInSeconds, a.StartTimeOffsetInSeconds, a.DurationInSeconds, ""}
}

// Kind returns [KindManualActivities].
func (a *ManualActivity) Kind() Kind { return KindManualActivities }

// ID returns the summary id.
func (a *ManualActivity) ID() ID { return a.SummaryID }

func (a *ManualActivity) span() span { return (*Activity)(a).span() }

// Kind returns [KindActivityDetails].
func (d *ActivityDetails) Kind() Kind { return KindActivityDetails }

// ID returns the summary id, which ends in "-detail".
func (d *ActivityDetails) ID() ID { return d.SummaryID }

func (d *ActivityDetails) span() span { return d.Summary.span() }

// Kind returns [KindMoveIQ].
func (m *MoveIQ) Kind() Kind { return KindMoveIQ }

// ID returns the summary id.
func (m *MoveIQ) ID() ID { return m.SummaryID }

func (m *MoveIQ) span() span {
	return span{m.StartTimeInSeconds, m.OffsetInSeconds, m.DurationInSeconds, m.CalendarDate}
}
