// Package shareof divides Garmin's users among the shares of a queue.
package shareof

import (
	"hash/fnv"
	"io"

	"github.com/garminkit/activityapi/types"
)

// User returns the share of n to which a user belongs. It is stored, so that it must
// never change.
func User(user types.UserID, n int) int {
	h := fnv.New32a()
	_, _ = io.WriteString(h, string(user))
	return int(h.Sum32() % uint32(n))
}
