package backfill

import (
	"fmt"
	"math"
	"time"

	"github.com/garminkit/activityapi/types"
)

// Chunk is a range of one user's history, of one kind. It is the range of one
// request, or a part of it if Garmin's answer concerns only a part.
type Chunk struct {
	UserID types.UserID
	// Kind is one of [Kinds].
	Kind   types.Kind
	Window types.Window
	State  State
	// Reason says why a chunk is refused or a hole, in words for people:
	// [ReasonMinStart], or another text.
	Reason string
	// Detail is Garmin's message for a Refused chunk, and the name of the
	// permission that the user does not grant.
	Detail string
	// Earlier is the earlier range that Garmin names, for a duplicate or a hole.
	// It is zero if Garmin names none.
	Earlier types.Window
	// Attempts counts the requests sent for the chunk.
	Attempts int
	// Requested is when the last request was about to be sent. Answered is when
	// its response came, or zero if none has.
	Requested time.Time
	Answered  time.Time
	// InDoubt is when the first unanswered request was sent, which Garmin may
	// have accepted. It is zero if there is none.
	InDoubt time.Time
	// Arrived counts the distinct start times of arrived summaries.
	Arrived int
}

// String returns user, kind, range and state in one line.
func (c *Chunk) String() string {
	s := fmt.Sprintf("%s %s %s %s", c.UserID, c.Kind, c.Window, c.State)
	if c.Reason != "" {
		s += ": " + c.Reason
	}
	return s
}

// settled reports whether a run does not ask for the chunk. A chunk refused for a
// reason that may change, such as a permission, is not settled: the next run asks
// again.
func (c *Chunk) settled() bool {
	switch c.State {
	case StateAccepted, StateDuplicate, StateHole:
		return true
	case StateRefused:
		return c.Reason == ReasonMinStart
	}
	return false
}

// CheckChunks returns an error if the chunks cannot be saved for the user: if
// one has another user, a kind without history, or no valid state or window, or
// if two overlap. It is for implementations of [Claim], which call it in Save.
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
				return errOverlap(c.Window, d.Window)
			}
		}
	}
	return nil
}

func errOverlap(a, b types.Window) error {
	return fmt.Errorf("backfill: chunks overlap: %s and %s", a, b)
}

// State is the progress of a chunk.
type State uint8

const (
	// StatePlanned: not requested, or requested and answered with 429.
	StatePlanned State = iota + 1
	// StateRequested: a request was sent, or was about to be, and no answer is
	// known. Garmin may or may not have accepted it.
	StateRequested
	// StateAccepted: Garmin accepted the request with 202.
	StateAccepted
	// StateDuplicate: all of this was requested before, but not through this
	// ledger. Garmin will not send it again.
	StateDuplicate
	// StateHole: Garmin refused the request as a duplicate, but the earlier
	// request does not cover this range. No request for this range has succeeded;
	// see RunnerOptions.FillHoles.
	StateHole
	// StateRefused: Garmin does not give this range; see Chunk.Reason.
	StateRefused
)

func (s State) valid() bool { return s >= StatePlanned && s <= StateRefused }

// String returns the state in lower case, such as "accepted".
func (s State) String() string {
	if !s.valid() {
		return fmt.Sprintf("State(%d)", uint8(s))
	}
	return [...]string{"planned", "requested", "accepted", "duplicate", "hole", "refused"}[s-StatePlanned]
}

// ReasonMinStart: the range is before the earliest time that Garmin gives for
// this user. It is the only reason after which a range is never requested again;
// refused for any other reason, it is requested by the next run.
const ReasonMinStart = "before the user's earliest time"

const (
	// reasonPermission: the user does not grant the permission that
	// Chunk.Detail names.
	reasonPermission = "permission missing"
	// reasonNotEnabled: the summary type is not enabled in Garmin's endpoint
	// configuration tool.
	reasonNotEnabled = "summary type not enabled"
	// reasonUnauthorized: the user's token is no longer valid.
	reasonUnauthorized = "not authorized"
	// reasonDuplicate, of a hole: Garmin had an earlier request that overlaps
	// this one or that it did not name.
	reasonDuplicate = "duplicate of a request for another range"
	// reasonOther: see Chunk.Detail.
	reasonOther = "refused"
)
