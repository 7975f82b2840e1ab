package activitytest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/garminkit/activityapi/types"
)

// Upload is one item of a user's data: a Summary, a File, or JSON.
type Upload struct {
	// Summary is as in [User.Add].
	Summary types.Summary
	// File is as in [User.AddFile]. Content is what a download returns, for a
	// File or for JSON of KindActivityFiles.
	File    *types.ActivityFile
	Content []byte

	// JSON is an item of the given Kind: any JSON object, whose fields keep their
	// order. summaryId and startTimeInSeconds are added if they are missing. userId
	// and callbackURL are replaced by the server's; the userId of another user is an
	// error.
	JSON json.RawMessage
	Kind types.Kind
	// ID is the summaryId that JSON gets if it has none; if it has one, ID must
	// be the same or "". If both are missing, one is generated.
	ID types.ID
	// Raw leaves JSON as it is, even if it is no valid item. The server keeps it
	// under ID and Start.
	Raw   bool
	Start time.Time
	// Edit makes the manually updated activity that Garmin sends after the user has
	// changed the activity ID in Garmin Connect: that activity, with its fields
	// replaced by those in JSON.
	Edit bool

	// History makes it data from before the connection, as in [User.AddHistory].
	History bool
	// Silent means that no notification is made. The [Record] has the callback
	// URL instead.
	Silent bool
}

// Upload adds an item to the user's data and queues its notification. An item whose
// kind and id the user has already replaces the old one. What a user uploads who is
// not connected is history, unless it is Silent.
func (u *User) Upload(up Upload) (Record, error) {
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	r, err := u.newUpload(&up)
	if err != nil {
		return Record{}, err
	}
	up.History = up.History || u.gone && !up.Silent // the partner is not to know of it
	if !up.History {
		r.uploaded = u.s.now().Truncate(time.Second)
	}
	u.put(r)
	r = u.byID[recordKey{r.kind, r.id}]
	v := r.view()
	switch {
	case up.Silent && r.kind == types.KindActivityFiles:
		v.CallbackURL = u.s.fileURL(u, r)
	case up.Silent:
		v.CallbackURL = u.s.callbackURL(u, r.kind, types.Window{Start: r.uploaded, End: r.uploaded.Add(time.Second)})
	case !up.History:
		u.s.announce(u, r)
	}
	u.s.touch()
	return v, nil
}

// newUpload makes the record of what is uploaded.
func (u *User) newUpload(up *Upload) (*record, error) {
	switch {
	case up.Summary != nil:
		if d, ok := up.Summary.(*types.ActivityDetails); ok && !up.History && u.s.NoLongDetails && types.Duration(&d.Summary) > day {
			return nil, errors.New("activitytest: details of more than a day: see Server.NoLongDetails")
		}
		return u.s.newRecord(up.Summary), nil
	case up.File != nil:
		return u.s.newFile(*up.File, up.Content), nil
	case up.Edit:
		return u.edited(up)
	case !up.Kind.Known():
		return nil, fmt.Errorf("activitytest: no kind %q", string(up.Kind))
	}
	fields, err := parseFields(up.JSON)
	if err != nil {
		return nil, err
	}
	if up.Raw {
		body := []byte(up.JSON)
		isObject(&body)
		return &record{kind: up.Kind, id: up.ID, start: up.Start, body: body, content: slices.Clone(up.Content)}, nil
	}
	return u.itemRecord(up.Kind, fields, up)
}

// edited makes the manually updated activity of an Upload.Edit.
func (u *User) edited(up *Upload) (*record, error) {
	changed, err := parseFields(up.JSON)
	if err != nil {
		return nil, err
	}
	old := u.byID[recordKey{types.KindManualActivities, up.ID}]
	if old == nil {
		if old = u.byID[recordKey{types.KindActivities, up.ID}]; old == nil {
			return nil, errors.New("activitytest: no such activity")
		}
	}
	fields, err := parseFields(old.body)
	if err != nil {
		return nil, err
	}
	for _, c := range append(changed, member{"manual", []byte("true")}) {
		fields.set(c.key, c.raw)
	}
	return u.itemRecord(types.KindManualActivities, fields, up)
}

func (r *record) view() Record {
	return Record{r.kind, r.id, r.start.UTC(), r.uploaded.UTC(), r.body, ""}
}

func (u *User) itemRecord(kind types.Kind, fields members, o *Upload) (*record, error) {
	var owner types.UserID
	if raw := fields.get("userId"); raw != nil && (json.Unmarshal(raw, &owner) != nil || owner != u.id) {
		return nil, errors.New("activitytest: the item's userId is not the user's")
	}
	fields.remove("userId")
	fields.remove("callbackURL")
	id := o.ID
	if raw := fields.get("summaryId"); raw != nil {
		var own types.ID
		if err := json.Unmarshal(raw, &own); err != nil || own == "" {
			return nil, errors.New("activitytest: the item's summaryId is neither a text nor a number")
		}
		if id != "" && own != id {
			return nil, errors.New("activitytest: the item's summaryId is a different one")
		}
		id = own
	} else {
		if id == "" {
			id = u.s.nextID()
			switch kind {
			case types.KindActivityDetails:
				id += "-detail"
			case types.KindActivityFiles:
				id += "-file"
			}
		}
		fields = slices.Insert(fields, 0, member{"summaryId", marshal(id)})
	}
	start, known, err := fields.start(kind)
	if err != nil {
		return nil, err
	}
	if !known {
		start = u.s.now().Truncate(time.Second)
		if kind != types.KindActivityDetails {
			fields.set("startTimeInSeconds", []byte(formatInt(start.Unix())))
		}
	}
	if kind == types.KindActivityFiles && fields.get("fileType") == nil {
		fields.set("fileType", []byte(`"FIT"`))
	}
	return &record{kind: kind, id: id, start: start, body: fields.json(), content: slices.Clone(o.Content)}, nil
}

// member is a field of a JSON object as it is written.
type member struct {
	key string
	raw json.RawMessage
}

// members is a JSON object that keeps the order of its fields.
type members []member

func parseFields(b []byte) (members, error) {
	wrong := errors.New("activitytest: the item is not a JSON object")
	if !isObject(&b) {
		return nil, wrong
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if _, err := d.Token(); err != nil {
		return nil, wrong
	}
	var list members
	for d.More() {
		key, err := d.Token()
		var m member
		if m.key, _ = key.(string); err == nil {
			err = d.Decode(&m.raw)
		}
		if err != nil {
			return nil, wrong
		}
		list = append(list, m)
	}
	return list, nil
}

// get returns the last field of a name, as most readers of JSON do, or nil.
func (l members) get(key string) json.RawMessage {
	for _, m := range slices.Backward(l) {
		if m.key == key {
			return m.raw
		}
	}
	return nil
}

// set changes a field, or adds it at the end.
func (l *members) set(key string, raw json.RawMessage) {
	for i := range *l {
		if (*l)[i].key == key {
			(*l)[i].raw = raw
			return
		}
	}
	*l = append(*l, member{key, raw})
}

func (l *members) remove(key string) {
	*l = slices.DeleteFunc(*l, func(m member) bool { return m.key == key })
}

func (l members) json() []byte {
	b := []byte{'{'}
	for i, m := range l {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, quote(m.key)...), ':'), m.raw...)
	}
	return append(b, '}')
}

// maxStart is the end of the year 9999, the last that JSON can write.
const maxStart = 253402300799

// start returns when the item began, if it says so.
func (l members) start(kind types.Kind) (start time.Time, known bool, err error) {
	raw := l.get("startTimeInSeconds")
	if raw == nil && kind == types.KindActivityDetails {
		if summary, err := parseFields(l.get("summary")); err == nil {
			raw = summary.get("startTimeInSeconds")
		}
	}
	if raw == nil {
		return start, false, nil
	}
	var t types.Timestamp
	if err := json.Unmarshal(raw, &t); err != nil || t < 0 || t > maxStart {
		return start, false, errors.New("activitytest: the item's startTimeInSeconds is not a time")
	}
	if t == 0 {
		return time.Unix(0, 0).UTC(), true, nil
	}
	return t.Time(), true, nil
}
