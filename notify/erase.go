package notify

import (
	"context"
	"io"
	"iter"

	"github.com/garminkit/activityapi/types"
)

// Eraser is a store that can remove what it holds of one user, and tell what that
// is: a [Queue], a [FileDir].
type Eraser interface {
	// Erase removes all that the store holds of a user and had when Erase was
	// called, so that nothing of it is found in the bytes that it keeps. What
	// others have stays as it is, byte for byte, and under its ID.
	//
	// What comes while it runs or later is kept: disconnect the user first. A
	// crash leaves of each thing what was before or what is after. Erase may be
	// called again and again, and finishes what an earlier one left.
	//
	// What could not be removed is in Erasure.Left. An error comes with an
	// Erasure all the same: it tells what was done before.
	Erase(ctx context.Context, user types.UserID) (*Erasure, error)

	// Holdings yields all that the store holds of a user: unfinished items, dead
	// letters, files. It changes nothing.
	Holdings(ctx context.Context, user types.UserID) iter.Seq2[*Holding, error]
}

// Erasure tells what was removed of a user. It holds nothing of the user.
type Erasure struct {
	// Removed counts what was removed, by what it was: "items", "letters",
	// "files", "parts", "claims"; "remains" are items that were finished and
	// still on the disk.
	Removed map[string]int `json:"removed"`
	// Left is what could not be removed, or was not for a reason.
	Left []Leftover `json:"left,omitempty"`
}

// Leftover is something that an Erase has left.
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

// Holding is a thing that a store holds of a user.
type Holding struct {
	// What it is, as in Erasure.Removed: "items", "letters", "files".
	What string
	// Name tells it from others of its store.
	Name string
	// Key is the list key of an item or letter, Reason why a letter is one.
	Key, Reason string
	// Open reads its bytes: of an item and a letter a notification body with
	// what is the user's alone.
	Open func() (io.ReadCloser, error)
}
