package activitytest

import (
	"cmp"
	"net/http"
	"slices"
)

const (
	defaultRecords = 100_000
	defaultBytes   = 16 << 20
	// maxKept is how much of the body of a request, or of an answer, is kept.
	maxKept = 64 << 10
)

func (s *Server) keepBytes() int { return max(0, cmp.Or(s.KeepBytes, defaultBytes)) }

// Message is what one side of an HTTP exchange has sent.
type Message struct {
	// Header is the header without credentials.
	Header http.Header `json:"header"`
	// Body is at most the first 64 KB of the body.
	Body []byte `json:"body"`
	// Size is the length of the whole body.
	Size int64 `json:"size"`
	// Dropped means that header and body are no longer kept; see
	// [Server.KeepBytes].
	Dropped bool `json:"dropped"`
}

func (m *Message) load() int { return headerSize(m.Header) + len(m.Body) }

func (m *Message) drop() { m.Header, m.Body, m.Dropped = nil, nil, true }

func headerSize(h http.Header) (n int) {
	for key, values := range h {
		for _, v := range values {
			n += len(key) + len(v)
		}
	}
	return n
}

// cargo is what an entry of a journal carries beside its facts.
type cargo[T any] interface {
	*T
	load() int
	drop()
}

// journal keeps the latest entries. Their ids count from 1. The latest ones that
// fit into a number of bytes keep their cargo.
type journal[T any, P cargo[T]] struct {
	list   []T
	gone   int64 // how many entries came before list
	bare   int   // how many entries of list have lost their cargo
	loaded int   // bytes of cargo
}

func (j *journal[T, P]) nextID() int64 { return j.gone + int64(len(j.list)) + 1 }

func (j *journal[T, P]) add(e T, records, bytes int) {
	j.list = append(j.list, e)
	j.loaded += P(&e).load()
	j.trim(cmp.Or(records, defaultRecords), bytes)
}

func (j *journal[T, P]) trim(records, bytes int) {
	for j.bare < len(j.list) && j.loaded > bytes {
		e := P(&j.list[j.bare])
		j.loaded -= e.load()
		e.drop()
		j.bare++
	}
	// A tenth more is cut at once, so that not every entry moves all others.
	if extra := len(j.list) - records; extra > records/10 {
		for i := j.bare; i < extra; i++ {
			j.loaded -= P(&j.list[i]).load()
		}
		clear(j.list[:extra])
		j.list = append(make([]T, 0, records+records/10+1), j.list[extra:]...)
		j.gone += int64(extra)
		j.bare = max(0, j.bare-extra)
	}
}

// after returns a copy of the entries whose id is greater than id, oldest first.
func (j *journal[T, P]) after(id int64) []T {
	return slices.Clone(j.list[min(max(id-j.gone, 0), int64(len(j.list))):])
}

func (j *journal[T, P]) get(id int64) P {
	if i := id - j.gone - 1; i >= 0 && i < int64(len(j.list)) {
		return P(&j.list[i])
	}
	return nil
}
