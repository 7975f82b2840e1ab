package notify

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"iter"
	"strings"

	"github.com/garminkit/activityapi/types"
)

// Class is the path that an item takes through the queue. Each has workers of
// its own, so that none waits for another.
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
	// ClassBad: what could not be read and only has to be set aside.
	ClassBad

	// Classes counts them.
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

// Touch names what two items of one user must not change out of order: a
// summary, a callback, a file, the account. It is a hash of the kind of thing and
// its name, so that no name of one kind can be that of another. The zero Touch
// touches nothing.
type Touch [16]byte

// origin keeps the names of different things apart.
type origin byte

const (
	ofSummary origin = iota + 1
	ofCallback
	ofFile
	ofAccount
)

func touching(o origin, kind types.Kind, name string) Touch {
	buf := make([]byte, 0, 128)
	buf = append(buf, byte(o), byte(len(kind)))
	buf = append(buf, kind...)
	buf = append(buf, name...)
	sum := sha256.Sum256(buf)
	return Touch(sum[:16])
}

// Piece is what [Split] tells of an item.
type Piece struct {
	Class Class
	// Key is the list key, "" for a whole body that could not be read to its
	// end. Index counts the items under it.
	Key   string
	Index int
	// Offset and Size tell where in the body the item stands.
	Offset, Size int64
	// UserID is the owner, or "" for what could not be read.
	UserID types.UserID
	// Touch is what the item changes.
	Touch Touch
}

// singles is how many items that cannot be read are pieces of their own.
const singles = 100

// Split yields the items of a body, in order, with what a queue needs to know
// of each. The last of a body that could not be read to its end is a piece with
// no Key that is the whole of what r gave. Beyond a hundred items that cannot be
// read, neighbours of a list are one piece: their bytes with the commas between them.
//
// Memory is bounded, whatever the body. An error is r's, and comes last.
func Split(r io.Reader) iter.Seq2[Piece, error] {
	return new(Splitter).Split(r)
}

// Splitter splits one body after another and keeps what it has allocated. It
// is not safe for concurrent use. The zero value is ready.
type Splitter struct{ dec *body }

// Split is as the function of that name.
func (s *Splitter) Split(r io.Reader) iter.Seq2[Piece, error] {
	return func(yield func(Piece, error) bool) {
		in := &countingReader{r: r}
		if s.dec == nil {
			s.dec = (&Decoder{Envelope: true}).newBody(in)
		} else {
			s.dec.reset(in)
		}
		bad := 0
		var run *Piece // neighbours of one list that cannot be read
		list := 0      // the list of run
		for ev, err := range s.dec.decode {
			if in.err != nil {
				break
			}
			if err != nil {
				// What follows the last good item is no JSON.
				if _, err := io.Copy(io.Discard, in); err != nil {
					break
				}
				if run != nil && !yield(*run, nil) {
					return
				}
				yield(Piece{Class: ClassBad, Size: in.n}, nil)
				return
			}
			p := pieceOf(ev)
			if p.Class == ClassBad {
				if bad++; bad > singles {
					if run != nil && list == s.dec.list {
						run.Size = p.Offset + p.Size - run.Offset
						continue
					}
					if run != nil && !yield(*run, nil) {
						return
					}
					run, list = &p, s.dec.list
					continue
				}
			}
			if run != nil {
				if !yield(*run, nil) {
					return
				}
				run = nil
			}
			if !yield(p, nil) {
				return
			}
		}
		if in.err != nil {
			yield(Piece{}, in.err)
			return
		}
		if run != nil {
			yield(*run, nil)
		}
	}
}

// countingReader counts what it gave, and keeps a failing reader apart from a
// body that is no JSON.
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

// pieceOf tells what a queue needs to know of an event.
func pieceOf(ev Event) Piece {
	at := ev.Pos()
	p := Piece{Class: ClassBad, Key: at.Key, Index: at.Index, Offset: at.Offset, Size: at.Size, UserID: ev.Owner()}
	switch ev := ev.(type) {
	case *Push:
		p.Class = ClassPush
		p.Touch = touching(ofSummary, recordKind(ev.Kind), string(ev.SummaryID))
	case *Ping:
		p.Class, p.Touch = ClassPull, touching(ofCallback, ev.Kind, string(ev.CallbackURL))
	case *FilePing:
		p.Class = ClassFile
		if id := ev.File.SummaryID; id != "" {
			p.Touch = touching(ofFile, "", string(id))
		} else {
			p.Touch = touching(ofCallback, types.KindActivityFiles, string(ev.File.CallbackURL))
		}
	case *Deregistration, *PermissionChange:
		p.Class, p.Touch = ClassAccount, touching(ofAccount, "", "")
	}
	return p
}

// ShareOf returns the share of n to which a user belongs.
func ShareOf(user types.UserID, n int) int {
	h := fnv.New32a()
	_, _ = io.WriteString(h, string(user))
	return int(h.Sum32() % uint32(n))
}

func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
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
