// Package recorded has no code. Its tests read notifications that Garmin sent
// and the examples of Garmin's document. Neither is ours to publish: the
// variable ACTIVITYAPI_SHARED names the folder that holds them.
package recorded
