package activitytest

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/garminkit/activityapi/types"
)

// record is one summary, or the announcement of one file, as Garmin keeps it.
type record struct {
	kind     types.Kind
	id       types.ID
	start    time.Time
	uploaded time.Time // zero: history that only a backfill brings
	// body is the item's JSON without its owner: what a pull answers.
	body    []byte
	content []byte // of a file
}

type recordKey struct {
	kind types.Kind
	id   types.ID
}

// Add uploads summaries as if the user had synced a device now, and queues their
// notifications. A summary with the same kind and id as an earlier one is an
// edit: it replaces the earlier one and is announced again. A summary without an
// id gets one. The summaries' user ids are ignored.
func (u *User) Add(summaries ...types.Summary) {
	for _, summary := range summaries {
		_, _ = u.Upload(Upload{Summary: summary}) // fails only under NoLongDetails
	}
}

// AddHistory gives the user summaries from before the connection. They are not
// announced, and no pull returns them until a backfill requests them.
func (u *User) AddHistory(summaries ...types.Summary) {
	for _, summary := range summaries {
		_, _ = u.Upload(Upload{Summary: summary, History: true}) // cannot fail
	}
}

// AddFile uploads an activity's file and queues its ping. An empty SummaryID is
// generated; an empty FileType means "FIT". The server fills UserID and
// CallbackURL.
func (u *User) AddFile(f types.ActivityFile, content []byte) {
	_, _ = u.Upload(Upload{File: &f, Content: content}) // cannot fail
}

// Item returns a summary's JSON as Garmin writes it, without the owner.
func Item(summary types.Summary) json.RawMessage { return encodeSummary(summary, summary.ID()) }

func (u *User) put(r *record) {
	key := recordKey{r.kind, r.id}
	if old := u.byID[key]; old != nil {
		*old = *r
		return
	}
	u.byID[key] = r
	u.records = append(u.records, r)
	u.counts[r.kind]++
}

func (s *Server) newRecord(summary types.Summary) *record {
	id := summary.ID()
	if id == "" {
		id = s.nextID()
		if summary.Kind() == types.KindActivityDetails {
			id += "-detail"
		}
	}
	return &record{kind: summary.Kind(), id: id, start: types.Start(summary), body: encodeSummary(summary, id)}
}

func (s *Server) newFile(f types.ActivityFile, content []byte) *record {
	if f.SummaryID == "" {
		f.SummaryID = s.nextID() + "-file"
	}
	if f.FileType == "" {
		f.FileType = "FIT"
	}
	return &record{
		kind: types.KindActivityFiles, id: f.SummaryID, start: f.StartTimeInSeconds.Time(),
		body: encodeFile(&f), content: slices.Clone(content),
	}
}

// nextID makes up an activity id. Garmin's have passed 2^32.
func (s *Server) nextID() types.ID {
	s.lastID++
	return types.ID(formatInt(s.lastID))
}

// hex makes up n random bytes in hex digits, uuid 16 of them with dashes.
func (s *Server) hex(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(s.rand.Uint32())
	}
	return fmt.Sprintf("%x", b)
}

func (s *Server) uuid() string {
	h := s.hex(16)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
