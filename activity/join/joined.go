package join

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/garminkit/activityapi/types"
)

// Joined is an activity with all that has come of it. What has not is nil. The
// parts are shared with the store and with other callers: do not change them.
type Joined struct {
	// User and ID name the activity; ID is the stem of the summary ids.
	User types.UserID
	ID   types.ID
	// Parent is the ID of the multisport activity that this is a leg of, or "". A
	// product that lists activities lists those without a parent.
	Parent types.ID

	// Summary is the newest that came as an activity, Manual the newest edit in
	// Garmin Connect. See [Joined.Activity] for which of them to show.
	Summary *types.Activity
	Manual  *types.ManualActivity
	Details *types.ActivityDetails
	File    *File

	// Legs are the parts of a multisport activity by the time of their start,
	// transitions among them. A leg that the store has lost has an ID and
	// nothing else.
	Legs []*Joined

	// Revision is a hash of the versions of all parts, those of the legs too: it
	// is the same exactly if all the same has come.
	Revision string
	// Changes grows when a part is added or replaced, in a leg too, and also over a
	// loss of the record where orders are those of one queue.
	Changes uint64

	edited bool // Manual is newer than Summary
}

// Part is one of the things an activity is put together from.
type Part string

// The parts of an activity.
const (
	PartSummary Part = "summary" // Summary or Manual
	PartDetails Part = "details"
	PartFile    Part = "file"
	PartLegs    Part = "legs" // of a multisport activity
)

// Missing returns which parts have not come, or nil. It does not look into the
// legs, and cannot know how many of them there are. Parts that are missing may
// never come: see the package's comment.
func (j *Joined) Missing() []Part {
	var missing []Part
	if j.Summary == nil && j.Manual == nil {
		missing = append(missing, PartSummary)
	}
	if j.Details == nil {
		missing = append(missing, PartDetails)
	}
	if j.File == nil {
		missing = append(missing, PartFile)
	}
	if a := j.Activity(); a != nil && a.IsParent && len(j.Legs) == 0 {
		missing = append(missing, PartLegs)
	}
	return missing
}

// Activity returns the activity as its user last saw it in Garmin Connect: the
// newer of Summary and Manual, else the summary within the details, with the
// ids that it may lack. It is nil if there is none of these.
func (j *Joined) Activity() *types.Activity {
	switch {
	case j.Manual != nil && (j.edited || j.Summary == nil):
		return (*types.Activity)(j.Manual)
	case j.Summary != nil:
		return j.Summary
	case j.Details != nil:
		a := j.Details.Summary
		a.UserID, a.SummaryID = j.User, j.ID
		return &a
	}
	return nil
}

func (j *Joined) start() time.Time {
	if a := j.Activity(); a != nil {
		return a.Start()
	}
	if j.File != nil {
		return j.File.Announced.StartTimeInSeconds.Time()
	}
	return time.Time{}
}

// joined is the activity of a record without its legs. Its Revision is that of
// its own parts.
func (r *Record) joined(key Key) *Joined {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %t\n", key.User, key.ID, r.edited())
	for _, v := range r.Versions {
		fmt.Fprintf(h, "%q\n", v.Revision)
	}
	return &Joined{
		User: key.User, ID: key.ID, Parent: r.parent(key.ID),
		Summary: r.Summary, Manual: r.Manual, Details: r.Details, File: r.File,
		Revision: hex.EncodeToString(h.Sum(nil)),
		Changes:  r.Changes,
		edited:   r.edited(),
	}
}
