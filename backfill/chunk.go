package backfill

import (
	"fmt"
	"math"
	"time"

	"github.com/garminkit/activityapi/types"
)

// Chunk is one range of one user's history, of one kind: what a single
// request asks for, or a part that an answer has cut out of it.
type Chunk struct {
	UserID types.UserID
	// Kind is one of [Kinds].
	Kind   types.Kind
	Window types.Window
	State  State
	// Reason says why a chunk is Refused or a Hole.
	Reason Reason
	// Detail is Garmin's message for a Refused chunk, and the name of the
	// permission for [ReasonPermission].
	Detail string
	// Earlier is the range that Garmin says it had been asked for before, for
	// a Duplicate and a Hole. It is zero if Garmin did not say.
	Earlier types.Window
	// Attempts counts the requests sent for the chunk.
	Attempts int
	// Requested is when the last request was about to be sent, and Answered
	// when its response had come. Answered is zero while there is none.
	Requested time.Time
	Answered  time.Time
	// InDoubt is when the first unanswered request was sent, which Garmin may
	// have accepted. It is zero if there is none.
	InDoubt time.Time
	// Arrived counts the distinct start times of summaries that came in.
	Arrived int
}

// String returns user, kind, range and state in one line.
func (c *Chunk) String() string {
	s := fmt.Sprintf("%s %s %s %s", c.UserID, c.Kind, c.Window, c.State)
	if c.Reason != "" {
		s += ": " + string(c.Reason)
	}
	return s
}

// Settled reports whether a run leaves the chunk as it is. A chunk refused for
// something that may change, such as a permission, is not settled: the next
// run asks for it again.
func (c *Chunk) Settled() bool {
	switch c.State {
	case StateAccepted, StateDuplicate, StateHole:
		return true
	case StateRefused:
		return c.Reason == ReasonMinStart
	}
	return false
}

// CheckChunks returns an error if chunks cannot be saved for a user, whatever
// the ledger holds: if one has another user, a kind without history, no valid
// state or window, or if two of them overlap. An implementation of [Claim]
// calls it in Save.
func CheckChunks(userID types.UserID, chunks []*Chunk) error {
	for i, c := range chunks {
		_, known := numberOf(c.Kind)
		switch {
		case c.UserID == "":
			return fmt.Errorf("backfill: chunk without user")
		case c.UserID != userID:
			return fmt.Errorf("backfill: chunk of user %s saved for user %s", c.UserID, userID)
		case !known:
			return fmt.Errorf("backfill: kind %q has no history", c.Kind)
		case !c.State.valid():
			return fmt.Errorf("backfill: invalid state %d", c.State)
		}
		if err := c.Window.Check(math.MaxInt64); err != nil {
			return fmt.Errorf("backfill: %w", err)
		}
		for _, d := range chunks[:i] {
			if c.Kind == d.Kind && overlap(c.Window, d.Window) {
				return fmt.Errorf("%w: %s and %s", ErrOverlap, c.Window, d.Window)
			}
		}
	}
	return nil
}

// State is how far a chunk has come.
type State uint8

const (
	// StatePlanned: not asked for, or asked for and sent back with 429.
	StatePlanned State = iota + 1
	// StateRequested: a request was sent, or was about to be, and no answer is
	// known. Garmin may or may not have accepted it.
	StateRequested
	// StateAccepted: Garmin accepted the request with 202.
	StateAccepted
	// StateDuplicate: Garmin was asked for all of this before, not by this ledger.
	// It will not send it again.
	StateDuplicate
	// StateHole: Garmin refused the request as a duplicate, but the earlier one
	// does not cover this range. Nobody has asked for it with success.
	StateHole
	// StateRefused: Garmin will not give this; see Chunk.Reason.
	StateRefused
)

func (s State) valid() bool { return s >= StatePlanned && s <= StateRefused }

// String returns the state in lower case, as "accepted".
func (s State) String() string {
	if !s.valid() {
		return fmt.Sprintf("State(%d)", uint8(s))
	}
	return [...]string{"planned", "requested", "accepted", "duplicate", "hole", "refused"}[s-StatePlanned]
}

// Reason is why Garmin refused a chunk. The set is open.
type Reason string

const (
	// ReasonMinStart: the range lies before the earliest time that Garmin
	// gives for this user. It is the one reason for which a range is never
	// asked for again.
	ReasonMinStart Reason = "before the user's earliest time"
	// ReasonPermission: the user does not grant the permission that
	// Chunk.Detail names.
	ReasonPermission Reason = "permission missing"
	// ReasonNotEnabled: the summary type is not enabled in Garmin's endpoint
	// configuration tool.
	ReasonNotEnabled Reason = "summary type not enabled"
	// ReasonUnauthorized: the user's token is no longer valid.
	ReasonUnauthorized Reason = "not authorized"
	// ReasonDuplicate, of a Hole: Garmin had a request that overlaps this one
	// or was not named.
	ReasonDuplicate Reason = "duplicate of a request for another range"
	// ReasonOther: see Chunk.Detail.
	ReasonOther Reason = "refused"
)
