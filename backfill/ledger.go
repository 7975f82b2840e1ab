package backfill

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/garminkit/activityapi/types"
)

// Ledger remembers which history was asked for, what Garmin answered and what
// then arrived. [OpenLedger] keeps one in a directory, [NewLedger] one in
// memory; package backfilltest checks any other against this contract.
//
// A ledger holds chunks, which no two of the same user and kind overlap.
// Methods are safe for concurrent use. The chunks they yield belong to the
// caller; iterators show the ledger as it was when they were started, or
// later.
type Ledger interface {
	// Save stores chunks of one user, all or none of them. Each takes the
	// place of the chunk with the same user, kind and start, whose arrivals
	// stay with the seconds they fell on. When Save returns nil, the chunks
	// survive a crash of the process and a power cut. Chunk.Arrived is
	// ignored. Save returns an error that wraps [ErrOverlap], and stores
	// nothing, if chunks would overlap afterwards.
	Save(ctx context.Context, chunks ...*Chunk) error

	// Chunks yields the chunks of one user, by kind and then by start.
	Chunks(ctx context.Context, userID string) iter.Seq2[*Chunk, error]

	// Users yields the users that have chunks, in any order.
	Users(ctx context.Context) iter.Seq2[string, error]

	// Recent yields the chunks, of all users, that were requested or
	// answered at or after since, in any order.
	Recent(ctx context.Context, since time.Time) iter.Seq2[*Chunk, error]

	// Arrived counts a summary that began at start toward the chunk that
	// holds that second, if that chunk was requested. Another summary of the
	// same second counts once, so that repeats do no harm. Summaries outside
	// any chunk are passed over. The count survives a crash of the process; a
	// power cut may undo the latest.
	Arrived(ctx context.Context, userID string, kind Kind, start time.Time) error

	// Arrivals yields the start of each summary that was counted for this user
	// and kind within w, earliest first.
	Arrivals(ctx context.Context, userID string, kind Kind, w types.Window) iter.Seq2[time.Time, error]

	// Claim makes the caller the only one that asks for this user's history,
	// until it calls release. If another is, the error wraps [ErrBusy].
	Claim(ctx context.Context, userID string) (release func(), err error)
}

var (
	// ErrOverlap is wrapped by the error of a Save whose chunks overlap.
	ErrOverlap = errors.New("backfill: chunks overlap")
	// ErrBusy is wrapped by the error of a Claim of a user who is claimed.
	ErrBusy = errors.New("backfill: another run works on this user")
)

// Arrival tells the ledger that a summary was received. Call it where you
// save a summary, for pushed and pulled ones alike; it is harmless for those
// that no backfill asked for. Where files alone are enabled, tell the ledger of
// them with Arrived and [Activities].
func Arrival(ctx context.Context, ledger Ledger, userID string, s types.Summary) error {
	kind, ok := KindOf(s.Kind())
	if !ok || s.Start().IsZero() {
		return nil
	}
	return ledger.Arrived(ctx, userID, kind, s.Start())
}

// Chunk is one range of one user's history, of one kind: what a single
// request asks for, or a part that an answer has cut out of it.
type Chunk struct {
	UserID string
	Kind   Kind
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
	// InDoubt is when the first request was sent that Garmin may have taken
	// without our knowing. It is zero once an answer has settled that.
	InDoubt time.Time
	// Arrived counts the distinct start times of summaries that came in.
	Arrived int
}

// String tells user, kind, range and state in one line.
func (c *Chunk) String() string {
	s := fmt.Sprintf("%s %s %s %s", c.UserID, c.Kind, c.Window, c.State)
	if c.Reason != "" {
		s += ": " + string(c.Reason)
	}
	return s
}

// State is how far a chunk has come.
type State uint8

const (
	// Planned: not asked for, or asked for and sent back with 429.
	Planned State = iota + 1
	// Requested: a request was sent, or was about to be, and no answer is
	// known. Garmin may or may not have taken it.
	Requested
	// Accepted: Garmin took the request with 202.
	Accepted
	// Duplicate: Garmin was asked for all of this before, not by this ledger.
	// It will not send it again.
	Duplicate
	// Hole: Garmin refused the request as a duplicate, but the earlier one
	// does not cover this range. Nobody has asked for it with success.
	Hole
	// Refused: Garmin will not give this; see Chunk.Reason.
	Refused
)

// Valid reports whether s is one of the states.
func (s State) Valid() bool { return s >= Planned && s <= Refused }

// String returns the state in lower case, as "accepted".
func (s State) String() string {
	if !s.Valid() {
		return fmt.Sprintf("State(%d)", uint8(s))
	}
	return [...]string{"planned", "requested", "accepted", "duplicate", "hole", "refused"}[s-Planned]
}

// Reason is why Garmin refused a chunk. The set is open.
type Reason string

const (
	// ReasonMinStart: the range lies before the earliest time that Garmin
	// gives for this user. It is never asked for again.
	ReasonMinStart Reason = "before the user's earliest time"
	// ReasonPermission: the user does not grant the permission that
	// Chunk.Detail names.
	ReasonPermission Reason = "permission missing"
	// ReasonNotEnabled: the summary type is not enabled in Garmin's endpoint
	// configuration tool.
	ReasonNotEnabled Reason = "summary type not enabled"
	// ReasonUnauthorized: the user's token is no longer good.
	ReasonUnauthorized Reason = "not authorized"
	// ReasonDuplicate, of a Hole: Garmin had a request that overlaps this one
	// or was not named.
	ReasonDuplicate Reason = "duplicate of a request for another range"
	// ReasonOther: see Chunk.Detail.
	ReasonOther Reason = "refused"
)

// Settled reports whether a run leaves the chunk as it is. A chunk refused for
// something that may change, such as a permission, is not settled: the next
// run asks for it again.
func (c *Chunk) Settled() bool {
	switch c.State {
	case Accepted, Duplicate, Hole:
		return true
	case Refused:
		return c.Reason == ReasonMinStart
	}
	return false
}
