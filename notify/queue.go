package notify

import (
	"context"
	"errors"
	"io"
	"iter"
	"sync/atomic"
	"time"

	"github.com/garminkit/activityapi/types"
)

var (
	// ErrInUse means that another process has the queue, or that this process is
	// already working on it.
	ErrInUse = errors.New("notify: the queue is in use")
	// ErrLost means that the lease of a share or claim was lost: another process
	// has, or may have, what the caller held. The call changed nothing.
	ErrLost = errors.New("notify: the lease was lost")
)

// Queue keeps notification bodies until they are processed, and hands them out
// item by item. [NewHandler] stores in it and a [Processor] works on it.
//
// A queue is just an ordered, durable table of items. The Processor decides what
// runs when and how long it is retried, in the same way for every queue. Package
// notifytest checks a queue against this contract.
//
// # Items
//
// A body is split into items as [Splitter] does, when it is stored or later. From
// then on each item is independent. A body that cannot be read to its end gives
// the items before the fault and one item that is the whole body.
//
// # Shares
//
// Garmin's users are divided into shares, by a hash of the id for instance; a
// queue for one process has a single share. A share belongs to one worker at a time, under a lease. Its
// owner sees all of its items, so the order of a user's items is kept across
// processes without a lock per user.
//
// # Dead letters
//
// Dead letters wait until a person has looked at them.
type Queue interface {
	// Put stores a body: it reads r to its end and stores the bytes unchanged.
	// When it returns nil, the body survives a crash of the process and a power
	// cut. If r or ctx fails, or Put returns an error for any other reason, nothing
	// of the body may be left to be processed. A body identical to an earlier one
	// may be acknowledged without storing it again; all that differ must be stored.
	// Put must be safe for concurrent use, must not hold a large body in memory,
	// and must not retry: Garmin does.
	Put(ctx context.Context, r io.Reader) error

	Eraser

	// Shares makes the caller a worker and yields each share that it is given,
	// until ctx ends; it then returns without an error. A share that was released
	// or lost may be yielded again. A queue for one process yields ErrInUse, as
	// its only value, while another loop runs.
	Shares(ctx context.Context) iter.Seq2[Share, error]

	// Stats counts what the queue holds.
	Stats(ctx context.Context) (QueueStats, error)

	// Letters yields the letters that match f, oldest first, without reading
	// their bytes. A nil f matches all.
	Letters(ctx context.Context, f *LetterFilter) iter.Seq2[*DeadLetter, error]
	// Letter returns one letter. Here and below, an unknown ID is an error that
	// wraps [fs.ErrNotExist].
	Letter(ctx context.Context, id string) (*DeadLetter, error)
	// OpenLetter reads what Redrive would store: a notification body with only
	// the letter's items, behind their [AppLine], or the bytes as they came if
	// they are not JSON.
	OpenLetter(ctx context.Context, id string) (io.ReadCloser, error)
	// Redrive makes the letter's items new items, received now, and removes the
	// letter. A crash in between may repeat the items but never loses them. A
	// single item keeps its Order; several items get Orders below those of any
	// body that came later.
	Redrive(ctx context.Context, id string) error
	// Discard removes a letter for good.
	Discard(ctx context.Context, id string) error

	// Claims returns the records of which files were asked for, which all
	// processes of the queue share. Erase also removes those of the user. A queue
	// whose users get no files may return nil.
	Claims() Claims

	// Check returns nil if Put would store a body now, and otherwise why not. A
	// readiness probe calls it every few seconds.
	Check(ctx context.Context) error
	// Close ends loops over Shares and releases what the queue holds in this
	// process. Later calls fail. A queue that lives in a database may leave that
	// to the database's own Close.
	Close() error
}

// Share is the right to work on the items of some users. Its methods are safe for
// concurrent use. Once the right has ended, each fails with an error that wraps
// [ErrLost] and changes nothing. The engine decides this where the items are
// stored, not by the worker's clock.
type Share interface {
	// Context returns a context that ends when the right has ended, or is about
	// to end and running work must stop. For a shared queue that is some seconds
	// before another worker can have the share. Its cause wraps ErrLost. Release
	// also ends it.
	Context() context.Context

	// Scan returns at most max unfinished items of one class, or none if there
	// are none now. It starts after the item named after: zero at first, then the
	// last item of the previous scan. It returns each item once. Items of one
	// user come in order of ID. An engine may defer the rest of a large body in
	// favour of later items of other users; otherwise all items come in order of
	// ID.
	//
	// It may return fewer items than there are, to answer within some
	// milliseconds; Changed then receives again. It includes items that wait for
	// a later attempt, and those that an earlier worker was given. An item is
	// returned only when every item of its user and class with a smaller ID is
	// stored, so no item appears behind a scan.
	//
	// Items of ClassAccount are found even while a large body is being split. A
	// scan for them that returns none has covered everything that was stored and
	// split when it began.
	Scan(ctx context.Context, class Class, after ItemID, max int) ([]*Item, error)

	// Changed receives when Scan may have something new. It is the same channel
	// for the life of the share.
	Changed() <-chan struct{}

	// Wanted is closed when the share must be returned: start nothing more, let
	// running work finish, and call Release. A queue for one process never closes
	// it.
	Wanted() <-chan struct{}

	// Load returns items by ID, in any order. It omits finished items.
	Load(ctx context.Context, ids []ItemID) ([]*Item, error)

	// Open reads an item's bytes from their start. It fails with an error that
	// wraps [fs.ErrNotExist] if the item is finished.
	Open(ctx context.Context, id ItemID) (io.ReadCloser, error)

	// Settle records verdicts in order, all or none of them. Recorded Done and
	// Again verdicts survive a crash of the process; a power cut may undo the
	// latest. Once Settle has returned nil, a buried item's letter survives a
	// power cut. At every moment either the item or its letter exists, and there
	// is never a second letter. A verdict on a finished item is ignored.
	Settle(ctx context.Context, verdicts []Verdict) error

	// Release gives up the share. None of its work may still be running. The next
	// owner finds what is unfinished.
	Release()
}

// StoredAs tells whoever waits for a Put what number the body has: it is the
// [Item].Body of its items. An engine calls it with the ctx of Put when it has
// stored the body, and leaves it out for a repeat. [Receipt].Body is what it told.
func StoredAs(ctx context.Context, body uint64) {
	if to, ok := ctx.Value(storedKey{}).(*atomic.Uint64); ok {
		to.Store(body)
	}
}

type storedKey struct{}

// ItemID identifies an item in its queue permanently. Among the items of one
// user, IDs grow with arrival. Zero means no item.
type ItemID uint64

// Item is one item of a stored body, without its bytes.
type Item struct {
	ID ItemID
	// Order tells which of two versions of a thing is newer. It grows with
	// arrival among the items of one user; a redriven item keeps its Order. No
	// Order is less than twice the Unix time, in nanoseconds, at which the queue
	// was made. So a queue that replaces a lost one, or another engine, gives
	// greater Orders than that did. It fits an int64.
	Order uint64
	Piece
	// Body is the same for all items of one body, and differs between bodies that
	// are in the queue at the same time.
	Body uint64
	// Received is when Put stored the body.
	Received time.Time
	// Attempts and Next are those of the last Again verdict: the number of
	// attempts, and when the next is due. Both are zero without such a verdict.
	// An engine may lose them in a power cut.
	Attempts int
	Next     time.Time
	// Raw is the item's bytes if the engine had them at hand, and otherwise nil;
	// see Share.Open. They must not be changed.
	Raw []byte
}

// Fate is how an attempt at an item ended.
type Fate uint8

// The fates.
const (
	// Done: the item needs no more work, and is removed.
	Done Fate = iota + 1
	// Again: the item waits until Next.
	Again
	// Buried: the item becomes a dead letter.
	Buried
)

// Verdict is a worker's decision about an item.
type Verdict struct {
	ID   ItemID
	Fate Fate

	// Attempts, Next and Reason belong to Again. They inform the next worker and
	// people; an engine keeps them on a best-effort basis.
	Attempts int
	Next     time.Time
	Reason   string

	// Letter belongs to Buried. The queue sets its ID, its Size and, if zero, its
	// Buried; the bytes are the item's.
	Letter *DeadLetter
	// Rest adds the item to a letter for the rest of its body, which the first
	// such verdict creates, so that a body of a million bad items does not become
	// a million letters. Key and UserID of that letter are empty, and it opens as
	// a body of all these items.
	Rest bool
}

// QueueStats are the figures of a queue.
type QueueStats struct {
	// Items counts the unfinished items by class. Oldest is when the oldest of
	// each class was received, or zero. Both exclude bodies that are not split
	// yet; Bodies counts these.
	Items  [Classes]int64
	Oldest [Classes]time.Time
	Bodies int64
	// Letters counts the dead letters. Bytes is the storage used by everything.
	Letters int64
	Bytes   int64

	// What follows counts from the opening of the queue, and is for metrics. An
	// engine may leave it zero; the spool does not. Puts counts the stored bodies,
	// and Syncs the writes that small bodies shared. Repeats counts the bodies that
	// were acknowledged but not stored, as repeats of earlier ones.
	Puts, Syncs, Repeats int64
	// Damaged counts the damage that was found and became letters. Unreadable
	// counts the files that could not be read in part or as a whole.
	Damaged, Unreadable int
}

// DeadLetter is an item that was given up, kept with the reason until a person
// has looked at it.
type DeadLetter struct {
	// ID is set by the queue.
	ID string
	// Key is the list key, UserID the owner or "". Both are empty for a body that
	// is not JSON, and for the rest of a body with many bad items. In the latter
	// case Items counts these items; otherwise it is 1. UserID
	// carries the name of the application that the body is for, also without an
	// owner.
	Key    string
	UserID types.UserID
	Items  int
	// Reason is the last error's text, free of secrets. Quarantined means that
	// the item could not be read at all.
	Reason      string
	Quarantined bool
	// Attempts counts the attempts. Received is when the body arrived, Buried
	// when the item was given up.
	Attempts int
	Received time.Time
	Buried   time.Time
	// Size is the length of the item in bytes.
	Size int64
}

// LetterFilter selects dead letters. A zero field matches all.
type LetterFilter struct {
	Key    string
	UserID types.UserID
	// Reason is a part of the reason's text, in any letter case.
	Reason string
	// Letters buried at After or later, and before Before.
	After, Before time.Time
	// From skips the letter with this ID, which may be gone, and all letters
	// before it. Use it to read a list in pieces. An ID that no letter can have
	// is an error that wraps [fs.ErrNotExist].
	From string
}

// Match reports whether l matches the filter, ignoring From. It is for engines.
func (f *LetterFilter) Match(l *DeadLetter) bool {
	switch {
	case f == nil:
		return true
	case f.Key != "" && f.Key != l.Key,
		f.UserID != "" && f.UserID != l.UserID,
		f.Reason != "" && !containsFold(l.Reason, f.Reason),
		!f.After.IsZero() && l.Buried.Before(f.After),
		!f.Before.IsZero() && !l.Buried.Before(f.Before):
		return false
	}
	return true
}
