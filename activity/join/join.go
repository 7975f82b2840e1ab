// Package join puts an activity together from what Garmin sends of it: the
// summary, the edits, the details, the file, and the legs of a multisport
// activity. These come one by one, in any order, days apart, repeated, or
// never.
//
//	joiner := join.New(join.NewMemory(nil))
//	joined, err := joiner.Add(ctx, join.Item{User: "u1", Order: 1, Summary: &types.Activity{SummaryID: "5001"}})
//
// Call [Joiner.Add] for each delivery, and store what it returns by user and id:
// the activity that the delivery belongs to, as it is now, and the multisport
// activity around it.
//
// # What belongs together
//
// The user, and the stem of the summary id: "5001", "5001-detail" and
// "5001-file" are one activity. The activity id does not decide; it is absent
// from old activities, and the one of the details may be another.
//
// Of each part the newest counts, by the order of arrival in the queue. What
// comes out depends on what came, and not on when.
//
// # What is missing
//
// [Joined.Missing] says which parts have not come. Some never do: Garmin
// announces files for some activities only, activities that were typed in have
// no samples, and each kind is an endpoint that can be switched off. So nothing
// waits: what there is comes out at once, and again when more is there. It is for
// the product to decide what it shows without which part.
//
// # State
//
// A [Store] keeps one [Record] for an activity, with all parts in it. [Memory] is
// a bounded one; package jointest checks one of your own. A store may lose a
// record, as Memory does when it is full: then what comes later stands alone. So
// store what is there, and take a part that is missing for no reason to delete the
// one that you have.
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

// Key names an activity: its user, and the stem of its summary id.
type Key struct {
	User types.UserID
	ID   types.ID
}

// Item is one delivery.
type Item struct {
	// User is whose it is. If empty, it is the owner that Summary names.
	User types.UserID
	// Order grows with arrival among the items of one user, as the Order of a
	// delivery does. It decides which of two versions is the newer.
	Order uint64
	// Revision tells versions apart, as the Revision of a delivery does. If empty,
	// it is the hash of the item as Garmin sent it, where that is known, else of
	// our own JSON.
	Revision string

	// Summary or File is what came. A [types.MoveIQ] belongs to no activity and
	// is passed over.
	Summary types.Summary
	File    *File
}

// File is the recorded file of an activity: what was announced, and where the
// partner keeps it.
type File struct {
	// Announced is the item that announced the file. Its CallbackURL is spent, and
	// is not kept.
	Announced types.ActivityFile `json:"announced"`
	// Name and Size are of the partner's copy.
	Name string `json:"name,omitempty"`
	Size int64  `json:"size,omitempty"`
}

// Joiner puts activities together. It is safe for concurrent use if its store
// is.
type Joiner struct {
	store Store
}

// New returns a joiner that keeps its state in a store.
func New(store Store) *Joiner { return &Joiner{store} }

// Add takes a delivery and returns the activity it belongs to, as it is now,
// and then the multisport activity that this is a leg of, if it is known to be
// one. After an edit that moves a leg, both parents are returned. The list is
// empty for a [types.MoveIQ].
//
// An item that came before, or that is older than what is there, changes
// nothing; Add returns the same then. So an item may be added again after an
// error or a crash. Keep of each activity what has the greater Changes, and
// after equal ones the last: two calls at a time may return in either order.
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
		err := j.store.Update(ctx, parent, func(r *Record) bool {
			changed := r.leg(key.ID, rec.Changes)
			rec = r.clone()
			return changed
		})
		if err != nil {
			return nil, fmt.Errorf("join: %w", err)
		}
		around, err := j.assemble(ctx, parent, rec)
		if err != nil {
			return nil, err
		}
		list = append(list, around)
	}
	return list, nil
}

// Get returns an activity as it is now, or nil if nothing has come of it.
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

// Forget removes all of a user's activities from the state.
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
