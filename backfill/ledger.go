package backfill

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/garminkit/activityapi/types"
)

// Ledger records which history was requested, what Garmin answered and what then
// arrived. [OpenLedger] keeps one in a directory, [NewLedger] one in memory;
// package backfilltest checks any other against this contract.
//
// A ledger holds chunks; no two of the same user and kind overlap. Methods are
// safe for concurrent use. Yielded chunks belong to the caller. An iterator
// may or may not show changes that are made after its start.
type Ledger interface {
	// Claim gives the caller the exclusive right to request this user's history,
	// among all processes that use the ledger. If another has it, the error wraps
	// [ErrBusy]. ctx is for the call, not for the claim.
	//
	// A claim must end some time after its process has died: a shared ledger
	// gives claims for a limited time and renews them.
	Claim(ctx context.Context, userID types.UserID) (Claim, error)

	// Forget removes all chunks and arrivals of a user. Call it after the user
	// has disconnected or was erased, and after the user has connected again,
	// since Garmin then gives everything again. (If it does not, as after a mere
	// renewal of consent, the next run finds duplicates.) A claim on the user,
	// if there is one, is lost. Once Forget has returned nil, its effect
	// survives a crash of the process and a power cut.
	Forget(ctx context.Context, userID types.UserID) error

	// Chunks yields the chunks of one user, by kind, in the order of [Kinds],
	// and then by start.
	Chunks(ctx context.Context, userID types.UserID) iter.Seq2[*Chunk, error]

	// Users yields the users that have chunks, in any order.
	Users(ctx context.Context) iter.Seq2[types.UserID, error]

	// Recent yields the chunks of all users that were requested or answered at or
	// after since, in any order.
	Recent(ctx context.Context, since time.Time) iter.Seq2[*Chunk, error]

	// Arrived counts a summary that began at start for the chunk that contains
	// this second, if that chunk was requested. Several summaries of the same
	// second count once, so that repeats do no harm. Summaries outside any chunk
	// are ignored. The count survives a crash of the process; a power cut may
	// undo the latest. No claim is needed.
	Arrived(ctx context.Context, userID types.UserID, kind types.Kind, start time.Time) error

	// Arrivals yields the start of each summary that was counted for this user
	// and kind within w, earliest first.
	Arrivals(ctx context.Context, userID types.UserID, kind types.Kind, w types.Window) iter.Seq2[time.Time, error]

	// Close releases what the ledger has opened. Claims end, and other methods
	// fail.
	Close() error
}

// Claim is the right to request one user's history, and the only way to save
// chunks. It is safe for concurrent use.
type Claim interface {
	// Context ends when the claim is lost or released. If it is lost, the cause
	// wraps [ErrBusy]: another process may have the user now, so work under this
	// claim must stop.
	Context() context.Context

	// Save stores chunks of the claim's user, all or none of them. Each replaces
	// the chunk with the same kind and start; recorded arrivals stay. Once Save
	// has returned nil, the chunks survive a crash of the process and a power
	// cut. Chunk.Arrived is ignored.
	//
	// Save returns an error and changes nothing if [CheckChunks] does, if chunks
	// would overlap afterwards, or if the claim was lost or released ([ErrBusy]).
	// The ledger decides whether it was lost, not the clock of the caller. After
	// any other error, such as one of a disk or connection, either all of the
	// chunks are stored or none.
	Save(ctx context.Context, chunks ...*Chunk) error

	// Release ends the claim. Another claim on the user can be made at once.
	// Further calls do nothing.
	Release()
}

// ErrBusy is wrapped by the error of a Claim on a user that another run has
// claimed, and by that of a Save whose claim has ended.
var ErrBusy = errors.New("backfill: another run works on this user")

// Arrival tells the ledger that a summary was received. Call it where you save a
// summary, pushed or pulled; a summary that no backfill requested is ignored. If
// the application receives only files, call [Ledger].Arrived with
// types.KindActivities for each.
func Arrival(ctx context.Context, ledger Ledger, userID types.UserID, s types.Summary) error {
	kind, ok := kindOf(s.Kind())
	if !ok || types.Start(s).IsZero() {
		return nil
	}
	return ledger.Arrived(ctx, userID, kind, types.Start(s))
}
