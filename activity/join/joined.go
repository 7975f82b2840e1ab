package join

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/garminkit/activityapi/types"
)

// Joined is an activity with all parts that have arrived. Missing parts are nil.
// The parts are shared with the store and with other callers: do not change them.
type Joined struct {
	// User and ID name the activity; ID is the stem of the summary ids.
	User types.UserID
	ID   types.ID
	// Parent is the ID of the multisport activity that this is a leg of, or "". A
	// list of activities should show those without a parent.
	Parent types.ID

	// Summary is the newest version that came as an activity, and Manual the
	// newest that the user entered or edited in Garmin Connect. [Joined.Activity]
	// returns the one to show.
	Summary *types.Activity
	Manual  *types.ManualActivity
	Details *types.ActivityDetails
	File    *File

	// Legs are the legs of a multisport activity by start time, including
	// transitions. A leg whose record the store has lost has only an ID.
	Legs []*Joined

	// Revision is a hash of the versions of all parts, including those of the
	// legs. It is the same if and only if all versions are the same.
	Revision string
	// Changes grows whenever a part of the activity or of a leg is added or
	// replaced. It also grows after the store has lost the record, provided that
	// all orders come from one queue.
	Changes uint64

	edited bool // Manual is newer than Summary
}

// Missing returns the names of the parts that have not arrived, or nil: "summary",
// "details", "file" and, for a multisport activity, "legs". An edit counts as a
// summary. It does not look into the legs, and cannot know how many legs there
// should be. A missing part may never arrive; see the package comment.
func (j *Joined) Missing() []string {
	var missing []string
	if j.Summary == nil && j.Manual == nil {
		missing = append(missing, "summary")
	}
	if j.Details == nil {
		missing = append(missing, "details")
	}
	if j.File == nil {
		missing = append(missing, "file")
	}
	if a := j.Activity(); a != nil && a.IsParent && len(j.Legs) == 0 {
		missing = append(missing, "legs")
	}
	return missing
}

// Activity returns the activity as its user last saw it in Garmin Connect: the
// newer of Summary and Manual, or otherwise the summary within the details, with
// its ids added if it lacks them. It is nil if there is none of these.
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
		return types.Start(a)
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
