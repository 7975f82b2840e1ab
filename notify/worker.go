package notify

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"
)

// worker makes attempts at items.
type worker struct {
	users   Resolver
	call    Callbacks
	opts    ProcessorOptions
	decoder *Decoder
	files   *fileStore
	odd     oddFields
}

// newWorker returns a worker. If q is not nil, it keeps the claims of downloads.
func newWorker(q Queue, users Resolver, calls Callbacks, opts *ProcessorOptions) (*worker, error) {
	if users == nil {
		return nil, errors.New("notify: the resolver is nil")
	}
	if m := calls.missing(); m != "" {
		return nil, errors.New("notify: " + m)
	}
	w := &worker{users: users, call: calls}
	if opts != nil {
		w.opts = *opts
	}
	if err := w.opts.defaults(); err != nil {
		return nil, err
	}
	if calls.File != nil && w.opts.Files == nil {
		return nil, errors.New("notify: Callbacks.File without ProcessorOptions.Files: every announced file would be given up")
	}
	w.decoder = &Decoder{KeepRaw: w.opts.KeepRaw, MaxItem: w.opts.MaxItem}
	if f := w.opts.UnknownKey; f != nil {
		w.decoder.UnknownKey = func(path string) {
			w.logger().panicked(context.Background(), guard("UnknownKey", func() { f(path) }))
		}
	}
	if f := w.opts.Files; f != nil {
		clone := *f
		w.opts.Files = &clone
		if err := clone.check(); err != nil {
			return nil, err
		}
		files, err := clone.open(q)
		if err != nil {
			return nil, err
		}
		w.files = files
	}
	return w, nil
}

// Close releases the directory for files. No attempt may still be running.
func (w *worker) Close() error {
	if w.files == nil {
		return nil
	}
	return w.files.Close()
}

// Attempt tries an item once: it finds the user, pulls or downloads what was
// announced, and calls the callbacks. it.Key and it.Raw are required; the other
// fields may be zero. Unless the error is a [Failure] with [types.FaultItem],
// another attempt may succeed. No error holds a secret of the item.
func (w *worker) Attempt(ctx context.Context, it *Item) error {
	if it.UserID == "" || it.Size == 0 {
		// A caller with its own queue keeps only the bytes.
		clone := *it
		it = &clone
		ev, err := w.decoder.decodeItem(it.Key, it.Raw)
		if err != nil {
			return Permanent(err)
		}
		if ev == nil {
			return Permanent(errEmpty)
		}
		it.UserID, it.Size = ev.UserID.In(it.UserID.App()), int64(len(it.Raw))
		it.Class = pieceOf(ev).Class
	}
	a := &attempt{worker: w, it: it}
	return a.try(ctx)
}

// observe passes an outcome to the partner and the log. A failure there does not
// affect the item.
func (w *worker) observe(o Outcome) {
	ctx, l := context.Background(), w.logger()
	if f := w.opts.Observe; f != nil {
		l.panicked(ctx, guard("Observe", func() { f(o) }))
	}
	if l.to == nil || o.Result == ResultDone && !w.odd.news(o.Defects) {
		return
	}
	level := slog.LevelWarn
	switch o.Result {
	case ResultBuried, ResultExpiring, ResultQuarantined, ResultOutage, ResultStalled, ResultQueueFailed:
		level = slog.LevelError
	case ResultResumed:
		level = slog.LevelInfo
	}
	l.log(ctx, level, "notify: "+o.text(), "outcome", o)
}

func (w *worker) logger() logger { return logger{w.opts.Logger} }

// taker remembers which deliveries of an item succeeded while others of it did
// not.
type taker interface {
	taken(id ItemID, key string) bool
	take(id ItemID, key string)
}

// opener reads an item's bytes.
type opener func(ctx context.Context) (io.ReadCloser, error)

// lastChance is how long before the deadline the last attempt but one is made. It is
// less for an item that is tried for a few minutes only.
const lastChance = time.Minute
