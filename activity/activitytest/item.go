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

// ItemOptions are the particulars of [User.AddItem]. nil is the zero value.
type ItemOptions struct {
	// ID is the summaryId that the item has, or gets if it has none. "" is the
	// item's own, or one that is made up.
	ID types.ID
	// History makes it data from before the connection, as [User.AddHistory] does.
	History bool
	// Content is the file of a KindActivityFiles.
	Content []byte
}

// AddItem uploads an item as the caller has written it, and queues its
// notification. It may be any JSON object; its fields and their order stay.
// summaryId and startTimeInSeconds are added if it has none. userId and
// callbackURL are taken out, since the server puts its own in front; a userId of
// somebody else is an error. An item whose id the user has already, of the same
// kind, takes the place of the old one and is announced again.
func (u *User) AddItem(kind types.Kind, item []byte, o *ItemOptions) (Record, error) {
	if o == nil {
		o = &ItemOptions{}
	}
	if !kind.Known() {
		return Record{}, fmt.Errorf("activitytest: no kind %q", string(kind))
	}
	fields, err := parseFields(item)
	if err != nil {
		return Record{}, err
	}
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	r, err := u.itemRecord(kind, fields, o)
	if err != nil {
		return Record{}, err
	}
	if !o.History {
		r.uploaded = u.s.now().Truncate(time.Second)
	}
	u.put(r)
	if !o.History {
		u.s.announce(u, u.byID[recordKey{kind, r.id}])
	}
	u.s.touch()
	return r.view(), nil
}

// EditItem makes the manually updated activity that Garmin sends after the user
// has changed an activity in Garmin Connect: the activity of this id with the
// fields of changes in the place of its own.
func (u *User) EditItem(id types.ID, changes []byte) (Record, error) {
	changed, err := parseFields(changes)
	if err != nil {
		return Record{}, err
	}
	old, ok := u.Record(types.KindManualActivities, id)
	if !ok {
		if old, ok = u.Record(types.KindActivities, id); !ok {
			return Record{}, errors.New("activitytest: no such activity")
		}
	}
	fields, err := parseFields(old.JSON)
	if err != nil {
		return Record{}, err
	}
	for _, c := range append(changed, member{"manual", []byte("true")}) {
		fields.set(c.key, c.raw)
	}
	return u.AddItem(types.KindManualActivities, fields.json(), &ItemOptions{ID: id})
}

// Record returns one record, or false if the user does not have it.
func (u *User) Record(kind types.Kind, id types.ID) (Record, bool) {
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	if r := u.byID[recordKey{kind, id}]; r != nil {
		return r.view(), true
	}
	return Record{}, false
}

func (r *record) view() Record {
	return Record{r.kind, r.id, r.start.UTC(), r.uploaded.UTC(), r.body}
}

func (u *User) itemRecord(kind types.Kind, fields members, o *ItemOptions) (*record, error) {
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
