package types

// Kind is one of the summary types of the Activity API. Its string is the list
// key under which notifications carry it (Activity API, sections 4.2 and 5.1).
type Kind string

// The five kinds. Files are announced by ping only; their items are
// [ActivityFile], not a [Summary].
const (
	KindActivities       Kind = "activities"
	KindManualActivities Kind = "manuallyUpdatedActivities"
	KindActivityDetails  Kind = "activityDetails"
	KindActivityFiles    Kind = "activityFiles"
	KindMoveIQ           Kind = "moveIQActivities"
)

// Kinds returns the five kinds in the order of Garmin's document.
func Kinds() []Kind {
	return []Kind{KindActivities, KindManualActivities, KindActivityDetails, KindActivityFiles, KindMoveIQ}
}

// Resource returns the last path element of the kind's REST resource, such as
// "moveiq" for [KindMoveIQ], or "" if k is none of the five kinds.
func (k Kind) Resource() string {
	switch k {
	case KindActivities, KindManualActivities, KindActivityDetails:
		return string(k)
	case KindActivityFiles:
		return "activityFile"
	case KindMoveIQ:
		return "moveiq"
	}
	return ""
}

// Known reports whether k is one of the five kinds.
func (k Kind) Known() bool {
	return k.Resource() != ""
}
