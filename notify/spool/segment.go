package spool

import (
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/garminkit/activityapi/internal/seal"
	"github.com/garminkit/activityapi/notify"
)

// An item's ID is the number of its body and its offset in the body, so that it
// gives the place of the item without an index, and grows with arrival.
const (
	offsetBits = 28
	// wholeBody is the offset of an item that is a whole body: after all others.
	wholeBody = 1<<offsetBits - 1
	// maxBody is the size of the largest body that can be stored.
	maxBody = wholeBody - 1
)

func itemID(seq uint64, offset int64) notify.ItemID {
	return notify.ItemID(seq<<offsetBits | uint64(offset)&wholeBody)
}
func seqOf(id notify.ItemID) uint64   { return uint64(id) >> offsetBits }
func offsetOf(id notify.ItemID) int64 { return int64(id & wholeBody) }

// pieceID returns the ID of a piece of a body. Only a whole body starts at the
// first byte.
func pieceID(seq uint64, p *notify.Piece) notify.ItemID {
	if p.Offset == 0 {
		return itemID(seq, wholeBody)
	}
	return itemID(seq, p.Offset)
}

// unit is kept as a whole until all of it is finished: a segment, or a large
// body. spool.mu guards its variable fields.
type unit struct {
	marks *markFile
	// live is the number of unfinished items up to counted, which grows with the
	// scan.
	live    [notify.Classes]int64
	counted notify.ItemID
	// pinned: something in it could not be read, and is kept for a later Open.
	pinned bool
}

func (u *unit) total() (n int64) {
	for _, live := range u.live {
		n += live
	}
	return n
}

const segmentSuffix = ".seg"

// segment is a file of the log. spool.mu guards its variable fields.
type segment struct {
	unit
	base uint64 // no body in it has a lower number
	file string // the name within logDir
	salt uint32
	box  *seal.Box // nil if its bodies are not to be sealed

	end      int64     // where the safe records end
	first    time.Time // when its first body was received
	size     int64     // of the file, with the zeros behind
	last     uint64    // the number of the last record, 0 if there is none
	records  int       // bodies that are neither split nor finished
	recorded uint64    // up to this number they were split
	through  uint64    // bodies up to this number are finished
	regions  int       // damage without a letter
	sealed   bool      // nothing more is written to it
	spots    []spot
	version  int // grows when the file is replaced
	// dense is the number of live items when it was last found not worth
	// replacing.
	dense int64
}

// spot is the place of a record, one for every 16 KiB of a segment. A search starts
// at the spot before and reads on: a full segment takes 8 KiB of memory, however many
// bodies it has. Records begin at multiples of 8, so the lowest bit of off is free.
type spot struct {
	seq uint32 // above the segment's base
	off uint32 // the lowest bit: whether a record from here to the next spot may hold items of an account
}

const spotStep = 16 << 10

// segmentName names a segment; all orders below order were given before it was
// made. Version 0.1 had no orders.
func segmentName(base, order, random uint64) string {
	if order == 0 {
		return fmt.Sprintf("%016x-%016x%s", base, random, segmentSuffix)
	}
	return fmt.Sprintf("%016x-%016x-%016x%s", base, order, random, segmentSuffix)
}

func (s *spool) newSegment(base uint64, name string) *segment {
	return &segment{
		unit: unit{marks: s.newMarkFile(s.path(logDir, strings.TrimSuffix(name, segmentSuffix)+markSuffix), false)},
		base: base, file: name, salt: crc32.Checksum([]byte(name), castagnoli), box: s.box(),
	}
}

func parseSegmentName(name string) (base, order uint64, ok bool) {
	stem, _ := strings.CutSuffix(name, segmentSuffix)
	parts := strings.Split(stem, "-")
	if len(parts) == 2 {
		parts = []string{parts[0], "0", parts[1]}
	}
	if len(parts) != 3 {
		return 0, 0, false
	}
	base, err := strconv.ParseUint(parts[0], 16, 64)
	order, err2 := strconv.ParseUint(parts[1], 16, 63)
	random, err3 := strconv.ParseUint(parts[2], 16, 64)
	return base, order, err == nil && err2 == nil && err3 == nil && segmentName(base, order, random) == name
}

// place notes the place of a record.
func (g *segment) place(seq uint64, off int64, account bool) {
	n := len(g.spots)
	if n == 0 || off-g.spots[n-1].at() >= spotStep {
		g.spots = append(g.spots, spot{uint32(seq - g.base), uint32(off)})
		n++
	}
	if account {
		g.spots[n-1].off |= 1
	}
	g.last = max(g.last, seq)
}

func (p spot) at() int64     { return int64(p.off &^ 1) }
func (p spot) account() bool { return p.off&1 != 0 }

// spotOf returns the index of the spot to search from for the record with a
// number, or of the first one.
func (g *segment) spotOf(seq uint64) int {
	i := sort.Search(len(g.spots), func(i int) bool { return g.base+uint64(g.spots[i].seq) > seq })
	return max(i-1, 0)
}

// scanner reads the segment from off to end. The file may have been replaced
// since, so only a record's header says what it is: a place that is in the middle of a
// record now holds no good header.
func (g *segment) scanner(f io.ReaderAt, off, end int64, ahead int) *scanner {
	return &scanner{r: f, base: g.base, salt: g.salt, file: g.file, box: g.box, off: off, end: end, ahead: ahead}
}

// openSegment opens the file of a segment, if it is still that of the version whose
// places the caller knows. Who replaces the file has the marks locked from before the
// new one has its name until the places are those of the new one: without them,
// the new file could be read with the places of the old one.
func (s *spool) openSegment(g *segment, version int) (f file, same bool, err error) {
	g.marks.mu.Lock()
	defer g.marks.mu.Unlock()
	s.mu.Lock()
	same = g.version == version
	s.mu.Unlock()
	if !same {
		return nil, false, nil
	}
	f, err = s.fs.Open(s.path(logDir, g.file))
	return f, true, err
}

// segmentFor returns the segment with the body of this number, if any; s.mu is
// held.
func (s *spool) segmentFor(seq uint64) *segment {
	i := s.segmentAfter(seq) - 1
	if i < 0 {
		return nil
	}
	return s.segments[i]
}

// segmentAfter returns the index of the first segment whose base is above seq.
func (s *spool) segmentAfter(seq uint64) int {
	return sort.Search(len(s.segments), func(i int) bool { return s.segments[i].base > seq })
}

// scanned reports whether everything in the segment has been counted; s.mu is
// held.
func (g *segment) scanned() bool {
	return g.regions == 0 && (g.last == 0 || g.counted >= itemID(g.last, wholeBody))
}

// finished reports whether a segment can be removed; s.mu is held. The newest
// stays, since it tells the next numbers.
func (s *spool) finished(g *segment) bool {
	return g.sealed && g.scanned() && g.total() == 0 && !g.pinned && g != s.segments[len(s.segments)-1]
}

// removeFinished removes finished segments. The next Open removes those that it
// cannot.
func (s *spool) removeFinished() {
	s.mu.Lock()
	var gone []*segment
	s.segments = slices.DeleteFunc(s.segments, func(g *segment) bool {
		if !s.finished(g) {
			return false
		}
		gone = append(gone, g)
		return true
	})
	s.mu.Unlock()
	for _, g := range gone {
		// Outside spool.mu: nobody finds the segment any more, and who reads it has
		// it open, or takes a missing file for finished.
		err := s.fs.Remove(s.path(logDir, g.file))
		s.spend(-g.size)
		if err == nil {
			// Marks without a segment are garbage; a segment without marks would
			// run again.
			if err = s.fs.SyncDir(s.path(logDir)); err == nil {
				g.marks.mu.Lock()
				err = g.marks.remove()
				g.marks.mu.Unlock()
			}
		}
		if err != nil {
			s.log.Error("spool: a finished segment stays behind", "file", g.file, "err", err)
		}
		s.forgetMarks(g.marks)
	}
}
