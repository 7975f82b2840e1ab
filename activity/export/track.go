// Package export writes an activity as GPX, TCX, GeoJSON, CSV or encoded
// polylines.
//
//	track := export.FromDetails(details)
//	err := export.WriteGPX(w, nil, track)
//
// A [Track] comes from details, from a joined activity, or from any sequence of
// samples. What is written is a stream: the memory it takes does not grow with
// the track, but for the list of its laps and for polylines themselves. Samples
// are read two or more times for that.
//
// # Privacy
//
// [Options] take out fields and places before anything else sees a sample. A
// [Zone] hides more than its circle: see there for why, and for what a zone
// cannot hide.
//
// # Attribution
//
// Garmin asks for it in every file. It is in what is written: as creator and
// source in GPX, as creator in TCX, as property source in GeoJSON, as column
// source in CSV. An encoded polyline has no place for it: show it beside the map.
package export

import (
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/garminkit/activityapi/activity/join"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/types"
)

// ErrEmpty means that nothing would be left to write: there is no sample, none
// has a position where the format needs one, or all are hidden. Nothing was
// written.
var ErrEmpty = errors.New("export: no sample is left to write")

// Track is what is written: one activity, or one leg of a multisport activity.
type Track struct {
	Name string
	Type activitytype.Type
	// DeviceName is as Garmin sent it; the attribution is made from it.
	DeviceName string
	// Laps are the times at which laps began, in order. Empty means one lap.
	Laps []time.Time
	// Kilocalories are of the whole track, or 0.
	Kilocalories int

	// Samples yields the samples in their order, each time it is called. A sample
	// is read before the next is asked for, so that it may be used again. One
	// without a time is left out.
	Samples iter.Seq2[*types.Sample, error]
}

// FromDetails returns the track of an activity's details.
func FromDetails(d *types.ActivityDetails) *Track {
	t := &Track{
		Name:       d.Summary.ActivityName,
		Type:       d.Summary.ActivityType,
		DeviceName: d.Summary.DeviceName,
		Samples:    samplesOf(d.Samples),
	}
	if d.Summary.ActiveKilocalories != nil {
		t.Kilocalories = *d.Summary.ActiveKilocalories
	}
	for _, l := range d.Laps {
		t.Laps = append(t.Laps, l.StartTimeInSeconds.Time())
	}
	slices.SortFunc(t.Laps, time.Time.Compare)
	return t
}

// FromJoined returns the tracks of a joined activity: that of its details, and
// of a multisport activity those of its legs, if they have details. Names and
// types are those that its user sees, edits included.
func FromJoined(j *join.Joined) []*Track {
	var tracks []*Track
	for _, leg := range j.Legs {
		tracks = append(tracks, FromJoined(leg)...)
	}
	if len(tracks) > 0 || j.Details == nil {
		return tracks
	}
	t := FromDetails(j.Details)
	a := j.Activity()
	t.Name, t.Type = a.ActivityName, a.ActivityType
	if t.DeviceName == "" {
		t.DeviceName = a.DeviceName
	}
	return []*Track{t}
}

func samplesOf(samples []types.Sample) iter.Seq2[*types.Sample, error] {
	return func(yield func(*types.Sample, error) bool) {
		for i := range samples {
			if !yield(&samples[i], nil) {
				return
			}
		}
	}
}

// kind is the type as a file has it, such as "trail_running".
func (t *Track) kind() string {
	return strings.ToLower(string(t.Type.Canonical()))
}
