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
	// has it now, or may have it. The call changed nothing.
	ErrLost = errors.New("notify: the lease was lost")
)

// Queue keeps notification bodies until they are processed, and hands them out
// item by item. [NewHandler] stores in it and a [Processor] works on it. Package
// spool and module postgres each have one. Most programs call only its methods
// for letters, Stats and Close; the rest of this comment is for those who
// implement a Queue.
//
// A queue is an ordered, durable table of items. The Processor decides what runs
// when and how long it is retried, in the same way for every queue. Package
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
// Garmin's users are divided into shares, for instance by a hash of the id; a queue for
// one process has a single share. A share belongs to one worker at a time, under a
// lease: a right that ends after some time unless it is renewed. The owner sees all
// items of the share, so that the order of a user's items is kept across processes
// without a lock for each user.
//
// # Dead letters
//
// Dead letters wait until a person has looked at them.
type Queue interface {
	// Put stores a body: it reads r to its end and stores the bytes unchanged. When
	// it returns nil, the body survives a crash of the process and a power cut. If
	// r fails, ctx ends, or Put returns an error for any other reason, nothing of
	// the body may be processed later. If the body is identical to an earlier one,
	// Put may return nil without storing it again. Put must be safe for concurrent
	// use, must not hold a large body in memory, and must not retry, since Garmin
	// does.
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
	// OpenLetter reads what Redrive would store: their [AppLine] and a
	// notification body with only the letter's items, or the bytes as they
	// came if they are not JSON. The caller closes the reader.
	OpenLetter(ctx context.Context, id string) (io.ReadCloser, error)
	// Redrive makes new items of the letter's items, as if they were received
	// now, and removes the letter. A crash in between may repeat the items but
	// never loses them. A single item keeps its Order. Several items get Orders
	// that are less than those of any body that came later.
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
	// process. Later calls return an error. A queue in a database may leave this
	// to the Close of the database's handle.
	Close() error
}

// Share is the right to work on the items of some users. Its methods are safe for
// concurrent use. Once the right has ended, each returns an error that wraps
// [ErrLost] and changes nothing. This must be decided where the items are stored,
// not by the worker's clock.
type Share interface {
	// Context returns a context that ends when running work must stop, because
	// the right to the share has ended or is about to. For a shared queue that
	// is some seconds before another worker can get the share. Its cause wraps
	// [ErrLost]. Release also ends it. A download goes on under its claim, see
	// [Claims], even after Release.
	Context() context.Context

	// Scan returns at most max unfinished items of one class, or none if there
	// are none now. It starts after the item named after: zero at first, then the
	// last item of the previous scan. A series of scans returns each item once.
	// Items of one user come in order of ID. The rest of a large body may come
	// after later items of other users; otherwise all items come in order of ID.
	//
	// It may return fewer items than there are, to return within some
	// milliseconds; Changed then receives again. It includes items that wait for
	// a later attempt, and those that an earlier worker was given. An item may
	// be returned only when every item of its user and class with a smaller ID
	// is stored: otherwise such an item would appear behind the scan and be
	// missed.
	//
	// Items of [ClassAccount] are found even while a large body is being split.
	// If a scan for them returns none, there was none in what was stored and
	// split when it began.
	Scan(ctx context.Context, class Class, after ItemID, max int) ([]*Item, error)

	// Changed returns a channel that receives when Scan may have something new.
	// It is the same channel for the life of the share.
	Changed() <-chan struct{}

	// Wanted returns a channel that is closed when another process needs the
	// share: start nothing more, let running work finish, and call Release. A
	// queue for one process never closes it.
	Wanted() <-chan struct{}

	// Load returns items by ID, in any order. It omits finished items.
	Load(ctx context.Context, ids []ItemID) ([]*Item, error)

	// Open reads an item's bytes from their start; the caller closes the reader.
	// If the item is finished, the error wraps [fs.ErrNotExist].
	Open(ctx context.Context, id ItemID) (io.ReadCloser, error)

	// Settle records verdicts in order, all or none of them. [Done] and [Again]
	// survive a crash of the process once they are recorded; a power cut may
	// undo the latest. The letter of a [Buried] item survives a power cut once
	// Settle has returned nil. At every moment either the item or its letter
	// exists, and there is never a second letter. A verdict on a finished item
	// is ignored, and so is one on an item whose record cannot be read: that item
	// stays unfinished, and holds up no other.
	Settle(ctx context.Context, verdicts []Verdict) error

	// Release gives up the share. None of its work may still be running. The next
	// owner gets the unfinished items.
	Release()
}

// StoredAs reports the number of a stored body, which is the Body of its items, to
// the handler, which puts it into [Receipt].Body. An implementation of [Queue]
// calls it with the ctx of Put when it has stored the body, but not for a repeat.
func StoredAs(ctx context.Context, body uint64) {
	if to, ok := ctx.Value(storedKey{}).(*atomic.Uint64); ok {
		to.Store(body)
	}
}

type storedKey struct{}

// ItemID identifies an item in its queue permanently. Among the items of one
// user, IDs grow with arrival. Zero means no item.
type ItemID uint64

// Item is one item of a stored body, usually without its bytes.
type Item struct {
	ID ItemID
	// Order says which of two versions of a thing is newer. It grows with
	// arrival among the items of one user; a redriven item keeps its Order. No
	// Order is less than twice the Unix time, in nanoseconds, at which the queue
	// was made, so that a queue that replaces a lost one gives greater Orders.
	// It fits an int64.
	Order uint64
	Piece
	// Body is the same for all items of one body, and differs between bodies that
	// are in the queue at the same time.
	Body uint64
	// Received is when Put stored the body.
	Received time.Time
	// Attempts and Next are those of the last verdict [Again]: the number of
	// attempts so far, and when the next is due. Both are zero without such a
	// verdict. They may be lost in a power cut.
	Attempts int
	Next     time.Time
	// Raw is the item's bytes if the queue had them in memory, and otherwise nil;
	// see [Share].Open. They must not be changed.
	Raw []byte
}

// Fate says what becomes of an item after an attempt.
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

// Verdict is a worker's decision about an item, to be recorded by [Share].Settle.
type Verdict struct {
	ID   ItemID
	Fate Fate

	// Attempts, Next and Reason belong to [Again]. They inform the next worker
	// and people. A queue may lose them.
	Attempts int
	Next     time.Time
	Reason   string

	// Letter belongs to [Buried], and must not be nil then. The queue sets its
	// ID, its Size and, if zero, its Buried. The letter's bytes are those of the
	// item.
	Letter *DeadLetter
	// Rest, for a Buried item, adds it to one letter for the rest of its body, so
	// that a body of a million bad items does not become a million letters. The
	// first such verdict creates that letter. Its Key and UserID are empty, and
	// OpenLetter reads a body of all its items.
	Rest bool
}

// QueueStats are the figures of a queue.
type QueueStats struct {
	// Items counts the unfinished items by class. Oldest is when the oldest of
	// each class was received, or zero. Neither includes bodies that are not
	// split yet; Bodies counts those.
	Items  [Classes]int64
	Oldest [Classes]time.Time
	Bodies int64
	// Letters counts the dead letters. Bytes is the storage used by everything.
	Letters int64
	Bytes   int64

	// The following fields count from the opening of the queue, for metrics. The
	// spool sets them; other queues may leave them zero. Puts counts the stored
	// bodies, and Syncs the writes to disk that small bodies shared. Repeats counts
	// the bodies that were acknowledged but not stored, since they repeat earlier
	// ones.
	Puts, Syncs, Repeats int64
	// Damaged counts damaged parts that became letters. Unreadable counts files
	// that could not be read, wholly or in part.
	Damaged, Unreadable int
}

// DeadLetter is an item that was given up, kept with the reason until a person
// has looked at it.
type DeadLetter struct {
	// ID is set by the queue.
	ID string
	// Key is the list key, UserID the owner or "". Both are empty for a body that
	// is not JSON, and for a letter that holds the rest of a body with many bad
	// items. Items is the number of items in the letter, 1 except in the last
	// case. UserID has the name of the body's application, even without an owner.
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
	// From, if not "", skips the letter with this ID and all letters before it.
	// Use it to read a list in pieces; the letter may have been removed
	// meanwhile. An ID that no letter can have gives an error that wraps
	// [fs.ErrNotExist].
	From string
}
