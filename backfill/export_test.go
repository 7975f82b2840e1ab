package backfill

import (
	"bytes"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/garminkit/activityapi/internal/recordlog"
	"github.com/garminkit/activityapi/types"
)

// The reasons that a ledger need not tell apart.
const (
	ReasonPermission   = reasonPermission
	ReasonNotEnabled   = reasonNotEnabled
	ReasonUnauthorized = reasonUnauthorized
	ReasonDuplicate    = reasonDuplicate
	ReasonOther        = reasonOther
)

// KindOf returns the kind whose history brings summaries or files of kind k.
var KindOf = kindOf

// Settled reports whether a run does not ask for the chunk.
func Settled(c *Chunk) bool { return c.settled() }

// BreakDisk makes all writes of a ledger fail.
func BreakDisk(l Ledger) { l.(*fileLedger).file.Close() }

// Abandon leaves a ledger as a killed process does.
func Abandon(l *fileLedger) {
	l.file.Close()
	l.lock.Close()
}

// WriteBy makes a ledger write by another function.
func WriteBy(ledger Ledger, write func(f *os.File, b []byte, at int64) (int, error)) {
	l := ledger.(*fileLedger)
	l.device.Write = write
}

// Heals lets the next call of a ledger that cannot be written try again.
func Heals(l Ledger) { l.(*fileLedger).mend = time.Time{} }

// OpenLedgerOn is OpenLedger with another sync, of files and directories.
func OpenLedgerOn(dir string, sync func(*os.File) error, opts *LedgerOptions) (*fileLedger, error) {
	l := &fileLedger{dir: dir, device: recordlog.NewDisk()}
	l.device.Sync = sync
	return l, l.start(opts)
}

// Replay reads a log and returns the log that a rewrite makes of it, with
// users in order. It panics if the book breaks its rules.
func Replay(log []byte) ([]byte, error) {
	r := replay{file: bytes.NewReader(log), book: newBook(0)}
	if err := r.run(); err != nil {
		return nil, err
	}
	chunks, starts := 0, 0
	out := []byte(logHeader)
	for _, id := range slices.Sorted(maps.Keys(r.book.users)) {
		a := r.book.users[id]
		for _, es := range a.kinds {
			end := int64(0)
			for _, e := range es {
				if e.start < end || e.end <= e.start {
					panic("entries overlap or are out of order")
				}
				end = e.end
				if e.more != nil {
					for i, s := range e.more.arrivals {
						if s < e.start || s >= e.end || i > 0 && s <= e.more.arrivals[i-1] {
							panic("arrivals out of place")
						}
					}
					starts += len(e.more.arrivals)
				}
			}
			chunks += len(es)
		}
		out = a.appendTo(out)
	}
	if chunks != r.book.chunks || starts != r.book.starts {
		panic("the book's counts are off")
	}
	return out, nil
}

// Answer is what a run reads in an error.
type Answer struct {
	Duplicate, MinStart bool
	Earliest, Processed time.Time
	Earlier             types.Window
}

// ReadAnswer reads an error of a requester.
func ReadAnswer(err error) Answer {
	a := readAnswer(err)
	return Answer{a.verdict == duplicate, a.verdict == minStart, a.earliest, a.processed, a.earlier}
}

// The parts of a plan that have no exported name.
var (
	Cut       = cut
	ChunkDays = chunkDays
)

// Cover takes a chunk apart that is a duplicate.
var Cover = cover

// Frame makes a log of one record.
func Frame(payload []byte) []byte {
	return appendFrame([]byte(logHeader), func(b []byte) []byte { return append(b, payload...) })
}

func SeedPayloads() [][]byte {
	e := entry{start: 1e9, end: 1e9 + 86400, requested: 1, answered: 2, attempts: 1, state: StateHole, more: &more{
		reason: reasonOther, detail: "x", earlier: types.Window{Start: time.Unix(5, 0), End: time.Unix(6, 0)}, inDoubt: 7,
	}}
	return [][]byte{
		appendSave(nil, "u", 2, func(add func(number, *entry)) { add(2, &e); add(0, &e) }),
		appendArrivals(nil, "u", 0, []int64{1e9, 1e9 + 5}),
		appendForget(nil, "u"),
	}
}

// LogOf returns the log of a ledger that fill has filled.
func LogOf(fill func(Ledger)) []byte {
	l := NewLedger().(*memoryLedger)
	fill(l)
	var b bytes.Buffer
	if _, err := l.book.writeTo(&b); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// What the functions return.
type (
	FileLedger    = fileLedger
	MemoryLedger  = memoryLedger
	MemoryLimiter = memoryLimiter
)
