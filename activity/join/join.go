// Package join assembles an activity from the parts that Garmin sends: the
// summary, the edits, the details, the file, and the legs of a multisport
// activity. These arrive one by one, in any order, perhaps days apart, repeated,
// or never.
//
//	joiner := join.New(join.NewMemory(nil))
//	joined, err := joiner.Add(ctx, join.Item{User: "u1", Order: 1, Summary: &types.Activity{SummaryID: "5001"}})
//
// A leg is one part of a multisport activity, such as the swim of a triathlon;
// Garmin sends each leg as an activity of its own.
//
// Call [Joiner.Add] for each delivery, that is, for each summary or file that a
// callback of package notify gets. Store what it returns under user and id: the
// current state of the activity that the delivery belongs to, and that of the
// multisport activity if it is a leg.
//
// # What belongs together
//
// Deliveries with the same user and the same stem of the summary id
// ([types.ID.Stem]) belong together: "5001", "5001-detail" and "5001-file" are
// one activity. The activity id is not used: old activities lack it, and details
// may have another one.
//
// The newest version of each part counts, by the order in which the queue
// received them. The order in which they are added does not matter.
//
// # What is missing
//
// [Joined.Missing] lists the parts that have not arrived. Some never do: Garmin
// announces files only for some activities, activities entered by hand have no
// samples, and the endpoint of each kind can be switched off. So Add never waits:
// it returns what there is, and returns more when more has been added. Your
// program decides what to show while a part is missing.
//
// # State
//
// A [Store] keeps one [Record] with all parts of an activity. [NewMemory] returns a
// bounded store; package jointest checks your own. A store may lose a record, as
// that of NewMemory does when it is full; later parts then start a new one. So if a
// part is missing from a result, keep the part that you stored earlier.
package join

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/garminkit/activityapi/types"
)

// Key identifies an activity: its user, and the stem of its summary id.
type Key struct {
	User types.UserID
	ID   types.ID
}

// Item is one delivery.
type Item struct {
	// User is the owner. If empty, it is the UserID of Summary.
	User types.UserID
	// Order grows with the arrival of one user's items. Use the Order of the
	// notify.Delivery. It decides which of two versions is newer.
	Order uint64
	// Revision identifies the version. Use the Revision of the notify.Delivery.
	// If empty, it is the hash of the item as Garmin sent it, if that is known,
	// and otherwise of the item written as JSON by this package.
	Revision string

	// Summary or File is the delivered part; the other is nil. A [types.MoveIQ]
	// belongs to no activity and is ignored.
	Summary types.Summary
	File    *File
}

// File is the recorded file of an activity: its announcement, and where your
// program keeps it.
type File struct {
	// Announced is the item that announced the file, without its CallbackURL,
	// which is used up.
	Announced types.ActivityFile `json:"announced"`
	// Name and Size describe your copy of the file.
	Name string `json:"name,omitempty"`
	Size int64  `json:"size,omitempty"`
}

// Joiner assembles activities. It is safe for concurrent use if its store is.
type Joiner struct {
	store Store
}

// New returns a joiner that keeps its state in store, which must not be nil.
func New(store Store) *Joiner { return &Joiner{store} }

// Add adds a delivery and returns the current state of its activity, followed by
// the multisport activity that this is known to be a leg of, if any. After an
// edit that moves a leg, it returns both parents. The list is empty for a
// [types.MoveIQ].
//
// A repeated item, or one older than what is there, changes nothing, and Add
// returns the current state. So an item may be added again after an error or a
// crash. Concurrent calls may return in either order: for each activity, keep the
// result with the greater Changes, and of two equal ones the later.
func (j *Joiner) Add(ctx context.Context, item Item) ([]*Joined, error) {
	key, p, err := item.part()
	if err != nil || p == none {
		return nil, err
	}
	revision, err := item.revision()
	if err != nil {
		return nil, err
	}
	var rec *Record
	err = j.store.Update(ctx, key, func(r *Record) bool {
		changed := r.put(p, &item, revision)
		rec = r.clone()
		return changed
	})
	if err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	own, err := j.assemble(ctx, key, rec)
	if err != nil {
		return nil, err
	}
	list := []*Joined{own}
	for _, id := range rec.Parents {
		parent := Key{key.User, id}
		var whole *Record // not rec, of which f needs the changes if it is called again
		err := j.store.Update(ctx, parent, func(r *Record) bool {
			changed := r.leg(key.ID, rec.Changes)
			whole = r.clone()
			return changed
		})
		if err != nil {
			return nil, fmt.Errorf("join: %w", err)
		}
		around, err := j.assemble(ctx, parent, whole)
		if err != nil {
			return nil, err
		}
		list = append(list, around)
	}
	return list, nil
}

// Get returns the current state of an activity, or nil if nothing has arrived of
// it.
func (j *Joiner) Get(ctx context.Context, key Key) (*Joined, error) {
	key.ID = key.ID.Stem()
	rec, err := j.store.Load(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	if rec == nil {
		return nil, nil
	}
	return j.assemble(ctx, key, rec)
}

// Forget removes all activities of a user from the store.
func (j *Joiner) Forget(ctx context.Context, user types.UserID) error {
	if err := j.store.Forget(ctx, user); err != nil {
		return fmt.Errorf("join: %w", err)
	}
	return nil
}

// part tells where an item belongs.
func (i *Item) part() (Key, part, error) {
	var key Key
	var p part
	switch s := i.Summary.(type) {
	case nil:
		if i.File == nil {
			return key, none, errors.New("join: an item has neither a summary nor a file")
		}
		key, p = Key{i.File.Announced.UserID, i.File.Announced.SummaryID}, file
	case *types.Activity:
		key, p = Key{s.UserID, s.SummaryID}, summary
	case *types.ManualActivity:
		key, p = Key{s.UserID, s.SummaryID}, manual
	case *types.ActivityDetails:
		key, p = Key{s.UserID, s.SummaryID}, details
	default:
		return key, none, nil
	}
	key = Key{cmp.Or(i.User, key.User), key.ID.Stem()}
	if key.User == "" || key.ID == "" {
		return key, none, errors.New("join: an item names no user or no activity")
	}
	return key, p, nil
}

func (i *Item) revision() (string, error) {
	if i.Revision != "" {
		return i.Revision, nil
	}
	var sum [sha256.Size]byte
	var content any = i.Summary
	switch s := i.Summary.(type) {
	case *types.Activity:
		sum = s.SHA256
	case *types.ManualActivity:
		sum = s.SHA256
	case *types.ActivityDetails:
		sum = s.SHA256
	default:
		content = i.File.kept()
	}
	if sum == ([sha256.Size]byte{}) {
		text, err := json.Marshal(content)
		if err != nil {
			return "", fmt.Errorf("join: %w", err)
		}
		sum = sha256.Sum256(text)
	}
	return hex.EncodeToString(sum[:]), nil
}

// assemble makes an activity of its record and those of its legs.
func (j *Joiner) assemble(ctx context.Context, key Key, rec *Record) (*Joined, error) {
	whole := rec.joined(key)
	for _, l := range rec.Legs {
		leg, err := j.store.Load(ctx, Key{key.User, l.ID})
		if err != nil {
			return nil, fmt.Errorf("join: %w", err)
		}
		if leg == nil {
			leg = &Record{} // the store had no room for it
		} else if leg.parent(l.ID) != key.ID {
			continue // an edit has moved it
		}
		whole.Legs = append(whole.Legs, leg.joined(Key{key.User, l.ID}))
	}
	slices.SortStableFunc(whole.Legs, func(a, b *Joined) int {
		return cmp.Or(a.start().Compare(b.start()), cmp.Compare(a.ID, b.ID))
	})
	if len(whole.Legs) > 0 {
		h := sha256.New()
		_, _ = io.WriteString(h, whole.Revision+"\n")
		for _, leg := range whole.Legs {
			_, _ = io.WriteString(h, leg.Revision+"\n")
		}
		whole.Revision = hex.EncodeToString(h.Sum(nil))
	}
	return whole, nil
}
