// Package resource has the names of Garmin's REST resources.
package resource

import "github.com/garminkit/activityapi/types"

// Of returns the last path element of a kind's resource, such as "moveiq" for
// [types.KindMoveIQ], or "" if the kind is no summary type.
func Of(k types.Kind) string {
	switch k {
	case types.KindActivities, types.KindManualActivities, types.KindActivityDetails:
		return string(k)
	case types.KindActivityFiles:
		return "activityFile"
	case types.KindMoveIQ:
		return "moveiq"
	}
	return ""
}
