package notify

import (
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"time"

	"github.com/garminkit/activityapi/types"
)

var (
	// ErrInUse says that another process has the queue, or that this process
	// works on it already.
	ErrInUse = errors.New("notify: the queue is in use")
	// ErrLost says that a lease was lost, of a share or of a claim: another
	// process has, or may have, what the caller held, and the call changed
	// nothing.
	ErrLost = errors.New("notify: the lease was lost")
)

// Queue is a [Store] that hands out what it holds, item by item. A [Processor]
// works on it.
//
// A queue is an ordered, durable table of items and no more than that. What
// runs when, after what, and for how long it is tried is decided by the
// Processor, in the same way for every queue. Package notifytest checks a queue
// against this contract.
//
// # Items
//
// A body is taken apart as [Split] does it, when it is stored or later, and each
// item is on its own from then on. A body that cannot be read to its end gives
// the items before the fault and one item that is the whole body.
//
// # Shares
//
// Garmin's users are divided into shares, [ShareOf] tells which; a queue for one
// process has one share of everything. A share belongs to one worker at a time,
// under a lease. Who has a share sees all of its items, so the order of a user's
// items is kept across processes without a lock for each user.
type Queue interface {
	Store
	Letters

	// Shares makes the caller a worker and yields each share as it falls to it,
	// until ctx ends; then it returns without an error. A share that was
	// released or lost may be yielded again. A queue for one process yields
	// ErrInUse, as its only value, while another loop runs.
	Shares(ctx context.Context) iter.Seq2[Share, error]

	// Stats counts what the queue holds.
	Stats(ctx context.Context) (QueueStats, error)
}

// Share is the right to work on the items of some users. Its methods are safe
// for concurrent use. Each of them fails with an error that wraps [ErrLost], and
// changes nothing, once the right has ended: that is decided where the items
// are, and not by the clock of the worker.
type Share interface {
	// Context ends when the right has ended, or is so near its end that what
	// runs must stop now. For a shared queue that is some seconds before another
	// worker can have the share. Its cause wraps ErrLost. It ends with Release
	// too.
	Context() context.Context

	// Scan returns unfinished items of one class, at most max of them and none
	// for now if there is none. It begins behind the item after, which is zero
	// for the first item, or the last one of the scan before, and returns each
	// item once. Those of one user come in order of ID. An engine may keep what
	// is left of a large body back for those of other users that came after it;
	// else all come in order of ID.
	//
	// It may return fewer than there are, to answer within some milliseconds:
	// then Changed receives again. Items that wait for a later attempt are among
	// them, and so is what an earlier worker was given. An item is only returned
	// when every item of its user and class with a smaller ID is stored: what a
	// scan has passed never appears behind it.
	//
	// Items of ClassAccount are found even while a large body is being taken
	// apart. A scan for them that returns none has looked at all that was stored
	// when it began and is taken apart.
	Scan(ctx context.Context, class Class, after ItemID, max int) ([]*Item, error)

	// Changed receives after Scan may have something new. It is one channel for
	// the life of the share.
	Changed() <-chan struct{}

	// Wanted is closed when the share is wanted back: begin nothing more, let
	// what runs come to its end, and Release. A queue for one process never
	// closes it.
	Wanted() <-chan struct{}

	// Load returns items by ID, in any order. Those that are finished are left
	// out.
	Load(ctx context.Context, ids []ItemID) ([]*Item, error)

	// Open reads an item's bytes from their start. It fails with an error that
	// wraps [fs.ErrNotExist] if the item is finished.
	Open(ctx context.Context, id ItemID) (io.ReadCloser, error)

	// Settle records verdicts in their order, all or none of them. What it recorded of Done
	// and Again survives a crash of the process; a power cut may undo the latest.
	// A buried item's letter survives a power cut once Settle has returned nil,
	// and there is never neither item nor letter, nor a letter twice. A verdict
	// on an item that is finished already is passed over.
	Settle(ctx context.Context, verdicts []Verdict) error

	// Release gives the share up; nothing of it runs any more. What is not
	// finished is found by who has the share next.
	Release()
}

// ItemID names an item in its queue for ever. Among the items of one user, IDs
// grow with arrival. Zero is no item.
type ItemID uint64

// Item is one item of a stored body, without its bytes.
type Item struct {
	ID ItemID
	// Order tells which of two versions of a thing is the newer. It grows with
	// arrival among the items of one user, but a redriven item has the Order of
	// the item it was. No Order is below twice the nanoseconds of Unix time at
	// which the queue was made: so those of a queue that takes the place of a lost
	// one, or of another engine, are above what that gave. It fits an int64.
	Order uint64
	Piece
	// Body is the same for all items of one body, and different for two bodies
	// that are in the queue at the same time.
	Body uint64
	// Received is when Put stored the body.
	Received time.Time
	// Attempts and Next are what the last Again verdict said: how often the
	// item was tried, and when the next attempt is due. Both are zero for an
	// item that has none. An engine may forget them in a power cut.
	Attempts int
	Next     time.Time
	// Raw is the item's bytes if the engine had them at hand, else nil: see
	// Share.Open. They are not changed.
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

// Verdict is what a worker decided about an item.
type Verdict struct {
	ID   ItemID
	Fate Fate

	// Attempts, Next and Reason belong to Again. They are a memory for the next
	// worker and for people; an engine keeps them as well as it can.
	Attempts int
	Next     time.Time
	Reason   string

	// Letter belongs to Buried. Its ID, Size and, if zero, Buried are filled by
	// the queue; the bytes are the item's.
	Letter *DeadLetter
	// Rest adds the item to one letter that holds the rest of its body, which
	// is made by the first such verdict: so a body of a million bad items does
	// not become a million letters. Key and UserID of that letter are empty, and
	// it opens as a body of all these items.
	Rest bool
}

// Letters keeps dead letters until a person has looked at them.
type Letters interface {
	// Letters yields the letters that the filter lets pass, oldest first,
	// without reading their bytes. Nil lets all pass.
	Letters(ctx context.Context, f *LetterFilter) iter.Seq2[*DeadLetter, error]
	// Letter returns one letter. An unknown ID is, here and below, an error that
	// wraps [fs.ErrNotExist].
	Letter(ctx context.Context, id string) (*DeadLetter, error)
	// OpenLetter reads a letter as what Redrive would store: a notification body
	// with the letter's items alone, or the bytes as they came if they are no
	// JSON.
	OpenLetter(ctx context.Context, id string) (io.ReadCloser, error)
	// Redrive makes the letter's items new items, received now, and removes the
	// letter. A crash in between repeats the items and never loses them. The item
	// of a letter keeps its Order, and those of a letter with several have
	// Orders below those of any body that came later.
	Redrive(ctx context.Context, id string) error
	// Discard removes a letter for good.
	Discard(ctx context.Context, id string) error
}

// QueueStats are figures of a queue.
type QueueStats struct {
	// Items counts the unfinished items by class, Oldest is when the oldest of
	// each class was received, or zero. Items of bodies that were not taken
	// apart yet are not among them: Bodies counts these bodies.
	Items  [Classes]int64
	Oldest [Classes]time.Time
	Bodies int64
	// Letters counts the dead letters, Bytes what all of it takes where it is
	// stored.
	Letters int64
	Bytes   int64
}

// DeadLetter is an item that was given up on, kept with the reason until a
// person has looked at it.
type DeadLetter struct {
	// ID is set by the queue.
	ID string
	// Key is the list key, UserID the owner or "". Both are empty for a body
	// that is no JSON, and for the rest of a body with many bad items: then
	// Items counts these. Items is 1 for all others.
	Key    string
	UserID types.UserID
	Items  int
	// Reason is the last error's text, free of secrets. Quarantined tells that
	// the item could not be read at all.
	Reason      string
	Quarantined bool
	// Attempts counts the tries, Received is when the body came and Buried
	// when the item was given up.
	Attempts int
	Received time.Time
	Buried   time.Time
	// Size counts the bytes of the item.
	Size int64
}

// LogValue gives what tells the letter from others.
func (l *DeadLetter) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", l.ID), slog.String("key", l.Key),
		slog.String("user", string(l.UserID)), slog.String("reason", l.Reason))
}

// LetterFilter chooses dead letters. A zero field lets all pass.
type LetterFilter struct {
	Key    string
	UserID types.UserID
	// Reason is part of the reason's text, in any case of letters.
	Reason string
	// Letters buried at After or later, and before Before.
	After, Before time.Time
	// From leaves out the letter with this ID, which may be gone, and all that
	// the list has before it: so a list is read in pieces. An ID that no letter
	// can have is an error that wraps [fs.ErrNotExist].
	From string
}

// Match reports whether the filter lets l pass, but for From. It is for engines.
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
