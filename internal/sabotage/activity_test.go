package sabotage

import "slices"

// activityRows are the defences of packages activity and activitytest.
func activityRows() []row {
	return slices.Concat(clientRows(), callbackRows(), verifyRows())
}
