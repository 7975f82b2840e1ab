package backfill

import (
	"slices"

	"github.com/garminkit/activityapi/types"
)

// kinds are those that have a history, in the order of Garmin's document. A
// ledger's log has the place of each, so the order must stay.
var kinds = [...]types.Kind{types.KindActivities, types.KindActivityDetails, types.KindMoveIQ}

// Kinds returns the three summary types whose history Garmin gives (Activity API,
// section 8). Files need no request of their own, since they come with
// types.KindActivities. Manually updated activities have no history.
//
// Details come only by push: with ping enabled for that type, nothing arrives.
func Kinds() []types.Kind { return slices.Clone(kinds[:]) }

// kindOf returns the kind whose history brings summaries or files of kind k.
// It is false for kinds that have no history.
func kindOf(k types.Kind) (types.Kind, bool) {
	switch k {
	case types.KindActivities, types.KindActivityFiles:
		return types.KindActivities, true
	case types.KindActivityDetails, types.KindMoveIQ:
		return k, true
	}
	return "", false
}

// number is the place of a kind in kinds. A ledger keeps it in place of the
// kind's name.
type number uint8

// numberOf returns the number of k. It is false for kinds without a history.
func numberOf(k types.Kind) (number, bool) {
	for i, have := range kinds {
		if k == have {
			return number(i), true
		}
	}
	return 0, false
}

// kind returns the kind whose number is n.
func (n number) kind() types.Kind { return kinds[n] }

// valid reports whether n is the number of a kind.
func (n number) valid() bool { return int(n) < len(kinds) }
