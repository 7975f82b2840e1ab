// Package export writes an activity as GPX, TCX, GeoJSON, CSV or encoded
// polylines.
//
//	track := export.FromDetails(details)
//	err := export.WriteGPX(w, nil, track)
//
// A [Track] comes from details, from a joined activity, or from any sequence of
// samples. Output is streamed: memory does not grow with the track, except for
// the list of laps and for polylines. For that the samples are read two or more
// times. A function that fails, other than with [ErrEmpty], may have written a
// part of the output.
//
// # Privacy
//
// [Options] leaves out fields and places. A [Zone] hides more than its circle;
// its comment has the reason, and what a zone cannot hide.
//
// # Attribution
//
// Garmin requires an attribution in every file. It is written as creator and
// source in GPX, as creator in TCX, as property source in GeoJSON, and as column
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

// ErrEmpty means that there is nothing to write: there are no samples, none has a
// position that the format needs, or all are hidden. Nothing was written.
var ErrEmpty = errors.New("export: no sample is left to write")

// Track is what to write: an activity, or a leg of a multisport activity.
type Track struct {
	Name string
	Type activitytype.Type
	// DeviceName is as Garmin sent it; the attribution is made from it.
	DeviceName string
	// Laps are the times at which laps began, in order. Empty means one lap.
	Laps []time.Time
	// Kilocalories is the total of the track, or 0.
	Kilocalories int

	// Samples yields the samples in order, from the beginning each time it is
	// called. A sample is used before the next is requested, so its memory may
	// be reused. A sample without a time is left out.
	Samples iter.Seq2[*types.Sample, error]
}

// FromDetails returns the track of an activity's details, which must not change
// while the track is in use.
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

// FromJoined returns the tracks of a joined activity: that of its details, or for
// a multisport activity those of its legs with details. Names and types are those
// that the user sees, including edits.
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
