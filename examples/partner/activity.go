package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/garminkit/activityapi/activity/export"
	"github.com/garminkit/activityapi/activity/fitfile"
	"github.com/garminkit/activityapi/activity/join"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/types"
)

// activityPage is what the page of one workout shows.
type activityPage struct {
	*workout
	What    string // its type, and the time that the watch showed
	Note    string // the user's description
	Facts   []fact
	Route   *route // nil if there is none
	Plots   []*plot
	Laps    []*lap
	Legs    []*workout
	Missing []string // what has not come
	GPX     bool
}

// fact is one figure.
type fact struct{ Name, Value string }

// activityPage shows one workout.
func (p *partner) activityPage(w http.ResponseWriter, r *http.Request) {
	j, err := p.activity(r)
	if err != nil {
		p.broken(w, r, err)
		return
	}
	if j == nil {
		p.fail(w, r, http.StatusNotFound, "There is no such activity.", nil)
		return
	}
	page := &activityPage{workout: workoutOf(j), Facts: factsOf(j)}
	page.What = joinKnown(page.Kind(), page.Day)
	if a := j.Activity(); a != nil {
		var when string
		if at := types.LocalStart(a); !at.IsZero() {
			when = at.Format("Mon 2 Jan 2006, 15:04")
		}
		page.What, page.Note = joinKnown(page.Kind(), when), shownLines(a.ActivityDescription)
	}
	tracks, err := p.tracks(r.Context(), j)
	if err == nil {
		page.Route, err = newRoute(tracks)
	}
	if err == nil {
		page.Plots, page.Laps, err = newPlots(tracks)
	}
	if err != nil {
		p.broken(w, r, err)
		return
	}
	page.GPX = page.Route != nil
	for _, leg := range j.Legs {
		page.Legs = append(page.Legs, workoutOf(leg))
	}
	if !slices.Contains([]bool{len(tracks) > 0, len(j.Legs) > 0}, true) {
		page.Missing = j.Missing()
	}
	p.page(w, r, http.StatusOK, "activity", page)
}

// activity returns the activity that a path names, or nil if the user has none
// of that name.
func (p *partner) activity(r *http.Request) (*join.Joined, error) {
	return p.db.joined(r.Context(), accountOf(r).ID, join.Key{User: types.UserID(r.PathValue("garmin")), ID: types.ID(r.PathValue("id"))})
}

// tracks returns what was recorded: the samples of the details, or, where those
// have not come, of the file.
func (p *partner) tracks(_ context.Context, j *join.Joined) ([]*export.Track, error) {
	if tracks := export.FromJoined(j); len(tracks) > 0 || j.File == nil || j.File.Name == "" {
		return tracks, nil
	}
	f, err := os.Open(filepath.Join(p.files, filepath.FromSlash(j.File.Name)))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	read, err := fitfile.Read(f)
	if err != nil {
		p.log.Warn("a file cannot be read", "id", j.ID, "err", err)
		return nil, nil // the page does without
	}
	tracks := read.Tracks()
	for _, t := range tracks {
		t.DeviceName = j.File.Announced.DeviceName
	}
	return tracks, nil
}

// factsOf are the figures of a workout's summary. What cannot be zero is not shown
// if it is.
func factsOf(j *join.Joined) (facts []fact) {
	a := j.Activity()
	if a == nil {
		return nil
	}
	add := func(name, format string, values ...any) {
		facts = append(facts, fact{name, fmt.Sprintf(format, values...)})
	}
	if a.DistanceInMeters != nil && *a.DistanceInMeters > 0 {
		add("Distance", "%s", kilometers(*a.DistanceInMeters))
	}
	if a.DurationInSeconds > 0 {
		add("Time", "%s", clock(types.Duration(a)))
	}
	if a.AverageSpeedInMetersPerSecond != nil && *a.AverageSpeedInMetersPerSecond > 0 {
		speed := *a.AverageSpeedInMetersPerSecond
		switch a.ActivityType.Group() {
		case activitytype.GroupRunning, activitytype.GroupWalking, activitytype.GroupHiking:
			add("Pace", "%s /km", clock(time.Duration(1000/speed*float64(time.Second))))
		case activitytype.GroupSwimming:
			add("Pace", "%s /100 m", clock(time.Duration(100/speed*float64(time.Second))))
		default:
			add("Average speed", "%s km/h", number(speed*3.6, 1))
		}
	}
	if a.AverageHeartRateInBeatsPerMinute != nil && *a.AverageHeartRateInBeatsPerMinute > 0 {
		add("Average heart rate", "%d bpm", *a.AverageHeartRateInBeatsPerMinute)
	}
	if a.MaxHeartRateInBeatsPerMinute != nil && *a.MaxHeartRateInBeatsPerMinute > 0 {
		add("Highest heart rate", "%s bpm", number(*a.MaxHeartRateInBeatsPerMinute, 0))
	}
	if a.TotalElevationGainInMeters != nil {
		add("Ascent", "%s m", number(*a.TotalElevationGainInMeters, 0))
	}
	if a.ActiveKilocalories != nil {
		add("Energy", "%d kcal", *a.ActiveKilocalories)
	}
	if a.NumberOfActiveLengths != nil {
		add("Lengths", "%d", *a.NumberOfActiveLengths)
	}
	if a.Steps != nil {
		add("Steps", "%d", *a.Steps)
	}
	if a.Pushes != nil {
		add("Pushes", "%d", *a.Pushes)
	}
	return facts
}
