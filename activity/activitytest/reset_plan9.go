package activitytest

import "errors"

// errReset is what a connection fails with that the other side has cut. Plan 9
// has no number for it.
var errReset = errors.New("connection reset by peer")
