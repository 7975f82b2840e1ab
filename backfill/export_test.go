package backfill

import (
	"bytes"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/garminkit/activityapi/types"
)

// BreakDisk makes all writes of a ledger fail.
func BreakDisk(l *FileLedger) { l.file.Close() }

// OpenLedgerOn is OpenLedger with other syncs.
func OpenLedgerOn(dir string, sync func(*os.File) error, syncDir func(string) error) (*FileLedger, error) {
	l := &FileLedger{dir: dir, sync: sync, syncDir: syncDir}
	return l.start(nil)
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

// Cover takes a chunk apart that is a duplicate.
var Cover = cover

// Frame makes a log of one record.
func Frame(payload []byte) []byte {
	return appendFrame([]byte(logHeader), func(b []byte) []byte { return append(b, payload...) })
}

func SeedPayloads() [][]byte {
	e := entry{start: 1e9, end: 1e9 + 86400, requested: 1, answered: 2, attempts: 1, state: Hole, more: &more{
		reason: ReasonOther, detail: "x", earlier: types.Window{Start: time.Unix(5, 0), End: time.Unix(6, 0)}, inDoubt: 7,
	}}
	return [][]byte{
		appendSave(nil, "u", 2, func(add func(Kind, *entry)) { add(MoveIQ, &e); add(Activities, &e) }),
		appendArrivals(nil, "u", Activities, []int64{1e9, 1e9 + 5}),
	}
}

// LogOf returns the log of a ledger that fill has filled.
func LogOf(fill func(Ledger)) []byte {
	l := NewLedger()
	fill(l)
	var b bytes.Buffer
	if _, err := l.book.writeTo(&b); err != nil {
		panic(err)
	}
	return b.Bytes()
}
