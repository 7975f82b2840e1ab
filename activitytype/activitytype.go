// Package activitytype has the activity types of the Garmin Activity API, such as
// running or cycling, with their names and groups, and what other platforms call
// them.
//
// A [Type] is a string, and any string is legal: Garmin adds types without
// notice, and an unknown value is kept as it came.
//
//	t := activitytype.TrailRunning
//	if t.Group() == activitytype.GroupRunning {
//		fmt.Println(t.Name()) // Trail Running
//	}
//
// # Spelling
//
// Garmin writes most types in capitals with underscores ("TRAIL_RUNNING"), but
// Move IQ sends "Running". The methods ignore case; the value itself is never
// changed. Some activities have several names, such as "BOATING" and
// "BOATING_V2"; [Type.Canonical] returns the same name for both.
//
// # Other platforms
//
// [Type.Strava], [Type.TrainingPeaks], [Type.HealthKit], [Type.HealthConnect] and
// [Type.FIT] return what other platforms call an activity; functions such as
// [FromStrava] return the type for a platform's value. Every type has a value on
// each platform, and every value has a type. A second result tells whether the
// two mean the same activity.
package activitytype

import (
	"iter"
	"strings"
)

// Type is the name of an activity type as Garmin sends it (Activity API,
// Appendix A). The zero value means that the item named no type.
type Type string

// Group is the heading under which Garmin lists a type. The zero value means
// that the type is not known.
type Group string

// The headings of Appendix A. Multisport has only the type MULTI_SPORT, which the
// appendix leaves out.
const (
	GroupRunning    Group = "Running"
	GroupCycling    Group = "Cycling"
	GroupGym        Group = "Gym & Fitness Equipment"
	GroupSwimming   Group = "Swimming"
	GroupWalking    Group = "Walking"
	GroupHiking     Group = "Hiking"
	GroupWinter     Group = "Winter Sports"
	GroupWater      Group = "Water Sports"
	GroupTransition Group = "Transition"
	GroupTeam       Group = "Team Sports"
	GroupRacket     Group = "Racket Sports"
	GroupOther      Group = "Other"
	GroupPara       Group = "Para Sports"
	GroupMultisport Group = "Multisport"
)

// All yields every known type: those of Appendix A of Garmin's document in its
// order, then those seen only in real notifications.
func All() iter.Seq[Type] {
	return func(yield func(Type) bool) {
		for i := range table {
			if !yield(table[i].typ) {
				return
			}
		}
	}
}

// Known reports whether this package knows the type, in any letter case. An
// unknown type is not an error.
func (t Type) Known() bool {
	return t.row() != nil
}

// Canonical returns one name for all spellings of t: in capitals, and without the
// suffix "_V2" or "_WS" if Garmin uses both forms. An unknown type is returned as
// it is.
func (t Type) Canonical() Type {
	if r := t.row(); r != nil {
		return r.canonical
	}
	return t
}

// Group returns the heading under which Garmin lists t, or "" for an unknown
// type.
func (t Type) Group() Group {
	if r := t.row(); r != nil {
		return r.group
	}
	return ""
}

// Name returns the name to show to a person, such as "Trail Running". An
// unknown type is returned as it is.
func (t Type) Name() string {
	if r := t.row(); r != nil {
		return r.name
	}
	return string(t)
}

func (t Type) row() *row {
	for i := range table {
		if strings.EqualFold(string(table[i].typ), string(t)) {
			return &table[i]
		}
	}
	return nil
}
