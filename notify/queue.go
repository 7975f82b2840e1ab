package notify

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"log/slog"
	"slices"
	"time"
)

// ErrInUse says that another process, or another loop over [Queue.Bodies],
// works on the queue already.
var ErrInUse = errors.New("notify: the queue is in use")

// Queue is the worker's side of a [Store]: what Put stored and nobody has
// finished. One process works on a queue at a time; the [Processor] is that
// worker.
type Queue interface {
	Store

	// Bodies yields every unfinished body once, oldest first, and then each
	// new one as it is stored, until ctx ends; then it returns without an
	// error. While one loop runs, another yields [ErrInUse] at once. A body that
	// was yielded and not finished is yielded again by the next loop over the
	// same queue, and after the queue is next opened, with the items marked so
	// far.
	Bodies(ctx context.Context) iter.Seq2[Body, error]

	// Letters yields the dead letters, oldest first.
	Letters(ctx context.Context) iter.Seq2[*Letter, error]
	// Redrive makes a letter's item a new body to be processed and removes the
	// letter; [Letter.Body] gives the body's bytes. Between the two steps a
	// crash repeats the item, never loses it. An unknown id is an error that
	// wraps [fs.ErrNotExist].
	Redrive(ctx context.Context, letterID string) error
}

// Body is one stored notification. Its methods are safe for concurrent use. It
// may be used until its queue is closed or the next loop over Bodies begins,
// and so for some time after its own loop has ended.
type Body interface {
	// ID is unique in the queue and stable over restarts.
	ID() string
	// Received is when Put stored it.
	Received() time.Time
	Size() int64
	io.ReaderAt

	// Done reports whether the item at this ordinal (counting all the body's
	// events from 0 in order) was marked before.
	Done(ordinal int) bool
	// Mark records that the item needs no more work. The mark survives a crash
	// of the process; a power cut may undo the latest ones, and their items
	// run again.
	Mark(ctx context.Context, ordinal int) error
	// Bury stores a dead letter and marks its item. When it returns nil, the
	// letter survives a power cut.
	Bury(ctx context.Context, ordinal int, l *Letter) error
	// Finish removes the body; every item must be marked. The body is not used
	// afterwards.
	Finish(ctx context.Context) error
	// Close lets go of the body without finishing it.
	Close() error
}

// Letter is an item that was given up on, kept with the reason until a person
// has looked at it.
type Letter struct {
	// ID is set by the queue.
	ID string
	// Key is the list key, UserID the owner or "". Both are empty for a body
	// that is no JSON.
	Key    string
	UserID string
	// Reason is the last error's text, free of secrets. Quarantined tells that
	// the item could not be read at all.
	Reason      string
	Quarantined bool
	// Attempts counts the tries, Received is when the body came and Buried
	// when the item was given up.
	Attempts int
	Received time.Time
	Buried   time.Time
	// Raw is the item as Garmin sent it, or the whole body if Key is empty.
	Raw []byte
}

// Body returns the bytes of a notification body that holds the letter's item
// alone.
func (l *Letter) Body() []byte {
	if l.Key == "" {
		return l.Raw
	}
	key, err := json.Marshal(l.Key)
	if err != nil {
		key = []byte(`""`) // Marshal of a string does not fail.
	}
	return slices.Concat([]byte("{"), key, []byte(":["), l.Raw, []byte("]}"))
}

// LogValue gives the letter without the raw bytes, which may hold secrets.
func (l *Letter) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", l.ID), slog.String("key", l.Key),
		slog.String("user", l.UserID), slog.String("reason", l.Reason))
}
