package types

import "slices"

// Kind says what a list in a notification holds. Its string is the list's key
// (Activity API, sections 4.2 and 5.1).
type Kind string

// The five summary types. Files are announced by ping only; their items are
// [ActivityFile], not a [Summary].
const (
	KindActivities       Kind = "activities"
	KindManualActivities Kind = "manuallyUpdatedActivities"
	KindActivityDetails  Kind = "activityDetails"
	KindActivityFiles    Kind = "activityFiles"
	KindMoveIQ           Kind = "moveIQActivities"
)

// The two kinds that concern a user's account. They are not summary types; see
// [Kind.Known].
const (
	KindDeregistrations   Kind = "deregistrations"
	KindPermissionChanges Kind = "userPermissionsChange"
)

// Kinds returns the five summary types in the order of Garmin's document.
func Kinds() []Kind {
	return []Kind{KindActivities, KindManualActivities, KindActivityDetails, KindActivityFiles, KindMoveIQ}
}

// Known reports whether k is one of the five summary types.
func (k Kind) Known() bool { return slices.Contains(Kinds(), k) }
