// Package owner has the mark by which what is kept of a user's files is found,
// where their names do not tell.
package owner

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/garminkit/activityapi/types"
)

// Size is how long a mark is.
const Size = 16

// Of returns 16 hexadecimal digits of a hash of the user's id.
func Of(user types.UserID) string {
	sum := sha256.Sum256([]byte("owner\x00" + user))
	return hex.EncodeToString(sum[:Size/2])
}
