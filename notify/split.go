package notify

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"runtime"
	"strings"

	"github.com/garminkit/activityapi/types"
)

// Class says what sort of work an item is. Each class has its own workers, so
// that none waits for another.
type Class uint8

// The classes.
const (
	// ClassAccount: deregistrations and permission changes.
	ClassAccount Class = iota
	// ClassPush: data that was pushed.
	ClassPush
	// ClassPull: pings for summaries.
	ClassPull
	// ClassFile: pings for files.
	ClassFile
	// ClassBad: unreadable items, which only have to be set aside.
	ClassBad

	// Classes is the number of classes.
	Classes = 5
)

// String names the class, as "push".
func (c Class) String() string {
	switch c {
	case ClassAccount:
		return "account"
	case ClassPush:
		return "push"
	case ClassPull:
		return "pull"
	case ClassFile:
		return "file"
	case ClassBad:
		return "bad"
	}
	return fmt.Sprintf("class %d", uint8(c))
}

// origin prevents collisions between names of different kinds.
type origin byte

const (
	ofSummary origin = iota + 1
	ofCallback
	ofFile
	ofAccount // its permissions
	ofDeregistration
)

func touching(o origin, kind types.Kind, name string) [16]byte {
	buf := make([]byte, 0, 128)
	buf = append(buf, byte(o), byte(len(kind)))
	buf = append(buf, kind...)
	buf = append(buf, name...)
	sum := sha256.Sum256(buf)
	return [16]byte(sum[:16])
}

// Piece describes one item of a body; see [Splitter].
type Piece struct {
	Class Class
	// Key is the list key, or "" for a whole body that could not be read to its
	// end. Index is the item's number under Key, from 0.
	Key   string
	Index int
	// Offset and Size give the item's place in the body.
	Offset, Size int64
	// UserID is the owner, or "" for an unreadable item. In both cases it has the
	// name of the body's application; see [AppLine].
	UserID types.UserID
	// Touch identifies what the item changes: a summary, a callback, a file, the
	// permissions, or the connection. Two items of one user with the same Touch must
	// not overtake each other. It is a hash of the sort of thing and its name. Zero
	// stands for nothing.
	Touch [16]byte
}

// singles is how many unreadable items become separate pieces.
const singles = 100

// A splitter lets other goroutines run after so many bytes of items, where an item
// counts for a kilobyte more than it has. A body may be megabytes of garbage, which
// is split at once. The scheduler alone would take the processor away after ten
// milliseconds, and another push passes through several goroutines.
const (
	turn    = 64 << 10
	perItem = 1 << 10
)

// Splitter splits bodies into items, for an implementation of [Queue]. It reuses
// its memory for the next body, and is not safe for concurrent use. The zero
// value is ready.
type Splitter struct{ dec *body }

// Split yields the items of a body, in order, with what a queue needs to know of
// each. If the body could not be read to its end, the last piece has no Key and
// is the whole body, as far as r returned it. After a hundred unreadable items,
// further ones that are adjacent in a list form one piece: their bytes with the
// commas between them.
//
// Memory is bounded for any body. An error comes last, and is that of r.
func (s *Splitter) Split(r io.Reader) iter.Seq2[Piece, error] {
	return func(yield func(Piece, error) bool) {
		in := &storedReader{r: r}
		if s.dec == nil {
			s.dec = (&Decoder{Envelope: true}).newBody(in)
		} else {
			s.dec.reset(in)
		}
		bad, work := 0, int64(0)
		var run Piece // neighbours of one list that cannot be read, if it has a size
		list := 0     // the list of run
		ended := func() bool {
			last := run
			run = Piece{}
			return last.Size == 0 || yield(last, nil)
		}
		for ev, err := range s.dec.decode {
			if in.err != nil {
				break
			}
			if err != nil {
				// What follows the last good item is no JSON.
				if _, err := io.Copy(io.Discard, in); err != nil {
					break
				}
				if ended() {
					yield(Piece{Class: ClassBad, Size: in.n, UserID: types.UserID("").In(in.app)}, nil)
				}
				return
			}
			p := pieceOf(ev)
			if work += perItem + p.Size; work >= turn {
				work = 0
				runtime.Gosched()
			}
			p.Offset += in.line
			p.UserID = p.UserID.In(in.app)
			if p.Class == ClassBad {
				if bad++; bad > singles {
					if run.Size > 0 && list == s.dec.list {
						run.Size = p.Offset + p.Size - run.Offset
						continue
					}
					if !ended() {
						return
					}
					run, list = p, s.dec.list
					continue
				}
			}
			if !ended() || !yield(p, nil) {
				return
			}
		}
		if in.err != nil {
			yield(Piece{}, in.err)
			return
		}
		ended()
	}
}

// countingReader counts what it gave.
type countingReader struct {
	r   io.Reader
	n   int64
	err error
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

// pieceOf returns what a queue needs to know of an event.
func pieceOf(ev *Event) Piece {
	p := Piece{Class: ClassBad, Key: ev.Key, Index: ev.Index, Offset: ev.Offset, Size: ev.Size, UserID: ev.UserID}
	switch data := ev.Data.(type) {
	case *Push:
		p.Class = ClassPush
		p.Touch = touching(ofSummary, recordKind(data.Kind), string(data.SummaryID))
	case *Ping:
		p.Class, p.Touch = ClassPull, touching(ofCallback, data.Kind, string(data.CallbackURL))
	case *FilePing:
		p.Class = ClassFile
		if id := data.File.SummaryID; id != "" {
			p.Touch = touching(ofFile, "", string(id))
		} else {
			p.Touch = touching(ofCallback, types.KindActivityFiles, string(data.File.CallbackURL))
		}
	case *Deregistration:
		p.Class, p.Touch = ClassAccount, touching(ofDeregistration, "", "")
	case *PermissionChange:
		p.Class, p.Touch = ClassAccount, touching(ofAccount, "", "")
	}
	return p
}

// bodyOf makes a notification body of an item's bytes. With no key they are a
// body themselves.
func bodyOf(key string, r io.Reader) io.Reader {
	if key == "" {
		return r
	}
	return io.MultiReader(strings.NewReader(bodyStart(key)), r, strings.NewReader(bodyEnd))
}

func bodyStart(key string) string {
	text, err := json.Marshal(key)
	if err != nil {
		text = []byte(`""`) // Marshal of a string does not fail.
	}
	return "{" + string(text) + ":["
}

const bodyEnd = "]}"
