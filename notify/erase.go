package notify

import (
	"context"
	"io"
	"iter"

	"github.com/garminkit/activityapi/types"
)

// Eraser is a store that can remove what it holds of one user, and list it. Every
// [Queue] is one, and so is a [FileDir].
type Eraser interface {
	// Erase removes everything of a user that the store had when Erase was
	// called, so that no byte of it is left in the store's files. What
	// belongs to others does not change, byte for byte, and keeps its ID.
	//
	// What arrives while it runs or later is kept, so disconnect the user
	// first. After a crash each thing is either as before or removed. Erase may
	// be called again, and finishes what an earlier call left.
	//
	// Erasure.Left lists what could not be removed. If Erase returns an error,
	// the Erasure is not nil and says what was done before the error.
	Erase(ctx context.Context, user types.UserID) (*Erasure, error)

	// Holdings yields all that the store holds of a user: unfinished items, dead
	// letters, files. It changes nothing.
	Holdings(ctx context.Context, user types.UserID) iter.Seq2[*Holding, error]
}

// Erasure says what was removed of a user. It holds no data of the user.
type Erasure struct {
	// Removed counts what was removed, by its sort: "items", "letters",
	// "files", "parts" (what is left of downloads), "claims", and "remains"
	// (finished items that were still on the disk).
	Removed map[string]int `json:"removed"`
	// Left lists what was not removed, and why.
	Left []Leftover `json:"left,omitempty"`
}

// Leftover is something that Erase has not removed: what, how many, and why. A Count
// of 0 means that nobody knows how many.
type Leftover struct {
	What  string `json:"what"`
	Count int    `json:"count"`
	Why   string `json:"why"`
}

// remove counts n things as removed.
func (e *Erasure) remove(what string, n int) {
	if n == 0 {
		return
	}
	if e.Removed == nil {
		e.Removed = map[string]int{}
	}
	e.Removed[what] += n
}

// Holding is one thing that a store holds of a user.
type Holding struct {
	// What is the sort of thing, as in Erasure.Removed: "items", "letters",
	// "files".
	What string
	// Name identifies the thing in its store.
	Name string
	// Key is the list key of an item or letter, and Reason is that of a letter.
	Key, Reason string
	// Open reads the thing's bytes. For an item or a letter that is a
	// notification body with only the user's items.
	Open func() (io.ReadCloser, error)
}
