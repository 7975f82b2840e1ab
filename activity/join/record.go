package join

import (
	"cmp"
	"slices"

	"github.com/garminkit/activityapi/types"
)

// Record is what a store keeps of an activity. It can be written as JSON and read
// back. Only a [Joiner] changes it.
type Record struct {
	Summary *types.Activity        `json:"summary,omitempty"`
	Manual  *types.ManualActivity  `json:"manual,omitempty"`
	Details *types.ActivityDetails `json:"details,omitempty"`
	File    *File                  `json:"file,omitempty"`
	// Versions are the versions of the four parts above, in that order.
	Versions [parts]Version `json:"versions"`
	// Legs are the legs that name this activity as their parent, or did so once,
	// sorted by id. At most 1,000 are kept.
	Legs []Leg `json:"legs,omitempty"`
	// Parents are the activities that this one names as its parent, or did so
	// once. Most activities have none.
	Parents []types.ID `json:"parents,omitempty"`
	// Changes grows with each change of the activity and its legs, and is at
	// least the order of the last change.
	Changes uint64 `json:"changes,omitempty"`
}

// Version identifies a version of a part: its Item.Order and Item.Revision.
type Version struct {
	Order    uint64 `json:"order,omitempty"`
	Revision string `json:"revision,omitempty"`
}

// Leg is what the record of a multisport activity holds about a leg: its id, and
// the Changes of the leg's record when they were last noted.
type Leg struct {
	ID      types.ID `json:"id"`
	Changes uint64   `json:"changes"`
}

// part is one of the four things that a record has.
type part int

const (
	none part = iota - 1
	summary
	manual
	details
	file
	parts
)

// What a peer who makes up deliveries can add to one record is bounded.
const (
	maxLegs    = 1000
	maxParents = 8
)

// put sets a part, unless what is there is newer, and reports whether the record
// is another now.
func (r *Record) put(p part, item *Item, revision string) bool {
	v := &r.Versions[p]
	switch {
	case v.Revision == "": // nothing is there
	case item.Order < v.Order:
		return false
	case revision == v.Revision:
		// The same content again, but later: it is now newer than what came
		// between, in whatever order the three get here.
		moved := item.Order > v.Order
		before := r.edited()
		v.Order = item.Order
		if before != r.edited() {
			r.changed(item.Order)
			r.name(item.stem())
		}
		return moved
	}
	*v = Version{item.Order, revision}
	switch s := item.Summary.(type) {
	case *types.Activity:
		r.Summary = s
	case *types.ManualActivity:
		r.Manual = s
	case *types.ActivityDetails:
		r.Details = s
	default:
		r.File = item.File.kept()
	}
	r.changed(item.Order)
	r.name(item.stem())
	return true
}

// name notes the parent that the activity now names.
func (r *Record) name(own types.ID) {
	id := r.parent(own)
	if id != "" && len(r.Parents) < maxParents && !slices.Contains(r.Parents, id) {
		r.Parents = append(slices.Clip(r.Parents), id)
	}
}

// leg notes a leg and the changes it has seen, and reports whether the record is
// another now.
func (r *Record) leg(id types.ID, changes uint64) bool {
	i, found := slices.BinarySearchFunc(r.Legs, id, func(l Leg, id types.ID) int { return cmp.Compare(l.ID, id) })
	switch {
	case found && r.Legs[i].Changes >= changes, !found && len(r.Legs) >= maxLegs:
		return false
	case found:
		r.Legs = slices.Clone(r.Legs)
		r.Legs[i].Changes = changes
	default:
		r.Legs = slices.Insert(slices.Clone(r.Legs), i, Leg{id, changes})
	}
	r.changed(changes)
	return true
}

// changed counts a change. The count is never behind the order of what came, so
// that it does not fall behind itself when a store loses the record and what
// comes later begins a new one.
func (r *Record) changed(order uint64) { r.Changes = max(r.Changes+1, order) }

// edited reports whether the edit is newer than the summary.
func (r *Record) edited() bool {
	return r.Manual != nil && (r.Summary == nil || r.Versions[manual].Order > r.Versions[summary].Order)
}

// parent returns the id of the activity that this one, which is called own, is a
// leg of: as the newest that names one has it.
func (r *Record) parent(own types.ID) types.ID {
	var named [3]types.ID
	if r.Summary != nil {
		named[0] = r.Summary.ParentSummaryID
	}
	if r.Manual != nil {
		named[1] = r.Manual.ParentSummaryID
	}
	if r.Details != nil {
		named[2] = r.Details.Summary.ParentSummaryID
	}
	if r.edited() {
		named[0], named[1] = named[1], named[0]
	}
	for _, id := range named {
		if id = id.Stem(); id != "" && id != own {
			return id
		}
	}
	return ""
}

// clone returns a copy that does not change with r. The parts never change.
func (r *Record) clone() *Record {
	c := *r
	return &c
}

// stem returns the id of the activity that an item belongs to.
func (i *Item) stem() types.ID {
	if i.Summary != nil {
		return i.Summary.ID().Stem()
	}
	return i.File.Announced.SummaryID.Stem()
}

// kept is the file without what is spent.
func (f *File) kept() *File {
	c := *f
	c.Announced.CallbackURL = ""
	c.Announced.Raw = nil // has the URL in it
	return &c
}
