package backfill

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/garminkit/activityapi/types"
)

// Ledger remembers which history was asked for, what Garmin answered and what
// then arrived. [OpenLedger] keeps one in a directory, [NewLedger] one in
// memory; package backfilltest checks any other against this contract.
//
// A ledger holds chunks; no two of the same user and kind overlap. Methods are
// safe for concurrent use. The chunks they yield belong to the caller;
// iterators show the ledger as it was when they were started, or later.
type Ledger interface {
	// Claim makes the caller the only one that asks for this user's history,
	// in all processes that use the ledger. If somebody else is, the error
	// wraps [ErrBusy]. ctx is for the call, not for the claim.
	//
	// A claim must not outlive its process for ever: a ledger that processes
	// share gives claims for a time and renews them.
	Claim(ctx context.Context, userID types.UserID) (Claim, error)

	// Forget removes all chunks and arrivals of a user: after the user has
	// disconnected or was erased, and after the user has connected again,
	// since Garmin then gives everything anew. (Where it does not, as after a
	// consent that was only renewed, the next run finds duplicates.) A claim on
	// the user is lost. When Forget returns nil, that survives a crash of the
	// process and a power cut.
	Forget(ctx context.Context, userID types.UserID) error

	// Chunks yields the chunks of one user, by kind, in the order of [Kinds],
	// and then by start.
	Chunks(ctx context.Context, userID types.UserID) iter.Seq2[*Chunk, error]

	// Users yields the users that have chunks, in any order.
	Users(ctx context.Context) iter.Seq2[types.UserID, error]

	// Recent yields the chunks, of all users, that were requested or
	// answered at or after since, in any order.
	Recent(ctx context.Context, since time.Time) iter.Seq2[*Chunk, error]

	// Arrived counts a summary that began at start toward the chunk that
	// holds that second, if that chunk was requested. Another summary of the
	// same second counts once, so that repeats do no harm. Summaries outside
	// any chunk are passed over. The count survives a crash of the process; a
	// power cut may undo the latest. No claim is needed.
	Arrived(ctx context.Context, userID types.UserID, kind types.Kind, start time.Time) error

	// Arrivals yields the start of each summary that was counted for this user
	// and kind within w, earliest first.
	Arrivals(ctx context.Context, userID types.UserID, kind types.Kind, w types.Window) iter.Seq2[time.Time, error]
}

// Claim is the right to ask for one user's history, and the only way to save
// chunks. It is safe for concurrent use.
type Claim interface {
	// Context ends when the claim is lost or released. The cause of a lost one
	// wraps [ErrBusy]: another process may have the user now, so what still
	// runs for this claim must stop.
	Context() context.Context

	// Save stores chunks of the claim's user, all or none of them. Each
	// replaces the chunk with the same kind and start; arrivals stay with the
	// seconds they fell on. When Save returns nil, the chunks survive a crash
	// of the process and a power cut. Chunk.Arrived is ignored.
	//
	// Save returns an error and changes nothing if [CheckChunks] does, if chunks
	// would overlap afterwards ([ErrOverlap]), or if the claim was lost or
	// released ([ErrBusy]). Whether it was lost is decided where the chunks are
	// stored, not by the clock of the caller. After any other error, such as one
	// of a disk or connection, all of the chunks are stored or none.
	Save(ctx context.Context, chunks ...*Chunk) error

	// Release ends the claim. Another claim on the user can be made at once.
	// Further calls do nothing.
	Release()
}

var (
	// ErrOverlap is wrapped by the error of a Save whose chunks overlap.
	ErrOverlap = errors.New("backfill: chunks overlap")
	// ErrBusy is wrapped by the error of a Claim on a user whom somebody else
	// has claimed, and by that of a Save whose claim has ended.
	ErrBusy = errors.New("backfill: another run works on this user")
)

// Arrival tells the ledger that a summary was received. Call it where you
// save a summary, for pushed and pulled ones alike; it is harmless for those
// that no backfill asked for. If only files are enabled, tell the ledger of
// them with Arrived and [types.KindActivities].
func Arrival(ctx context.Context, ledger Ledger, userID types.UserID, s types.Summary) error {
	kind, ok := KindOf(s.Kind())
	if !ok || s.Start().IsZero() {
		return nil
	}
	return ledger.Arrived(ctx, userID, kind, s.Start())
}
