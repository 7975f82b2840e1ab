package backfill

import (
	"fmt"

	"github.com/garminkit/activityapi/types"
)

// Kind is one of the three summary types whose history Garmin gives (Activity
// API, section 8). There is none for files, which come with [Activities], and
// none for manually updated activities, which have no history. The zero Kind
// is invalid.
type Kind uint8

const (
	// Activities asks for activity summaries and for the pings of their files.
	Activities Kind = iota + 1
	// ActivityDetails asks for details with samples. They come by push only:
	// with ping enabled for this type, nothing arrives.
	ActivityDetails
	// MoveIQ asks for automatically detected events.
	MoveIQ
)

// Kinds returns the three kinds.
func Kinds() []Kind { return []Kind{Activities, ActivityDetails, MoveIQ} }

// KindOf tells which history a summary or file of kind k belongs to. It is
// false for kinds that have none.
func KindOf(k types.Kind) (Kind, bool) {
	switch k {
	case types.KindActivities, types.KindActivityFiles:
		return Activities, true
	case types.KindActivityDetails:
		return ActivityDetails, true
	case types.KindMoveIQ:
		return MoveIQ, true
	}
	return 0, false
}

// Type returns the kind as the rest of the module names it, or "" if k is
// invalid.
func (k Kind) Type() types.Kind {
	switch k {
	case Activities:
		return types.KindActivities
	case ActivityDetails:
		return types.KindActivityDetails
	case MoveIQ:
		return types.KindMoveIQ
	}
	return ""
}

// Valid reports whether k is one of the three kinds.
func (k Kind) Valid() bool { return k >= Activities && k <= MoveIQ }

// String returns the last path element of the kind's backfill resource, such
// as "moveiq".
func (k Kind) String() string {
	if !k.Valid() {
		return fmt.Sprintf("Kind(%d)", uint8(k))
	}
	return k.Type().Resource()
}
