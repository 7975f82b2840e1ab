package activitytest

import (
	"bytes"
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
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	now := u.s.now().Truncate(time.Second)
	for _, summary := range summaries {
		if d, ok := summary.(*types.ActivityDetails); ok && u.s.NoLongDetails && types.Duration(d) > day {
			continue
		}
		r := u.s.newRecord(summary)
		r.uploaded = now
		u.put(r)
		u.s.announce(u, r)
	}
}

// AddHistory gives the user summaries from before the connection. They are not
// announced, and no pull returns them until a backfill requests them.
func (u *User) AddHistory(summaries ...types.Summary) {
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	for _, summary := range summaries {
		u.put(u.s.newRecord(summary))
	}
}

// AddRaw uploads any JSON object as an item, for shapes that package types cannot
// write. It panics if item is not an object. The item has no user id;
// notifications add it.
func (u *User) AddRaw(kind types.Kind, id types.ID, start time.Time, item string) {
	var body bytes.Buffer
	if err := json.Compact(&body, []byte(item)); err != nil || body.Bytes()[0] != '{' {
		panic("activitytest: the item is not a JSON object")
	}
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	r := &record{kind: kind, id: id, start: start, uploaded: u.s.now().Truncate(time.Second), body: body.Bytes()}
	u.put(r)
	u.s.announce(u, r)
}

// AddFile uploads an activity's file and queues its ping. An empty SummaryID is
// generated; an empty FileType means "FIT". The server fills UserID and
// CallbackURL.
func (u *User) AddFile(f types.ActivityFile, content []byte) {
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	r := u.s.newFile(f, content)
	r.uploaded = u.s.now().Truncate(time.Second)
	u.put(r)
	u.s.announce(u, r)
}

// AddFileHistory gives the user a file from before the connection.
func (u *User) AddFileHistory(f types.ActivityFile, content []byte) {
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	u.put(u.s.newFile(f, content))
}

// Upload adds a summary like Add, but does not announce it. It returns the
// summary's JSON, without the owner, and the callback URL of a ping for it.
func (u *User) Upload(summary types.Summary) (item json.RawMessage, callbackURL string) {
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	r := u.s.newRecord(summary)
	r.uploaded = u.s.now().Truncate(time.Second)
	u.put(r)
	return r.body, u.s.callbackURL(u, r.kind, types.Window{Start: r.uploaded, End: r.uploaded.Add(time.Second)})
}

// UploadFile adds a file like AddFile, but does not announce it. It returns the
// JSON of the file's ping, without owner and callback URL, and that URL.
func (u *User) UploadFile(f types.ActivityFile, content []byte) (item json.RawMessage, callbackURL string) {
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	r := u.s.newFile(f, content)
	r.uploaded = u.s.now().Truncate(time.Second)
	u.put(r)
	return r.body, u.s.fileURL(u, r)
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
