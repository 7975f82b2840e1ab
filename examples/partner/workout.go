package main

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/garminkit/activityapi/activity/join"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// workout is an activity as lists show it.
type workout struct {
	GarminID types.UserID
	ID       types.ID
	Parent   types.ID
	Day      string // the day it counts for, as yyyy-mm-dd
	Start    time.Time
	Type     activitytype.Type
	Name     string
	Duration time.Duration
	Meters   float64
	Device   string
}

// Path is the address of its page.
func (w *workout) Path() string {
	return "/activity/" + url.PathEscape(string(w.GarminID)) + "/" + url.PathEscape(string(w.ID))
}

// Title is its name, or what it is.
func (w *workout) Title() string { return cmp.Or(shown(w.Name), w.Kind(), "Activity") }

// Kind is the name of its type, or "".
func (w *workout) Kind() string { return shown(w.Type.Name()) }

// About is what it is, when it was and what Garmin asks for, as far as it is known.
func (w *workout) About() string {
	return joinKnown(w.Kind(), w.Day, w.Attribution())
}

func joinKnown(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " · ")
}

// Attribution is what Garmin asks for beside it.
func (w *workout) Attribution() string { return types.Attribution(w.Device) }

// workoutOf is how lists show what was joined, of which anything may be missing.
func workoutOf(j *join.Joined) *workout {
	w := &workout{GarminID: j.User, ID: j.ID, Parent: j.Parent}
	if a := j.Activity(); a != nil {
		w.Day, w.Start, w.Type, w.Name, w.Duration, w.Device = types.LocalDay(a), types.Start(a), a.ActivityType, a.ActivityName, max(types.Duration(a), 0), a.DeviceName
		if a.DistanceInMeters != nil {
			w.Meters = max(*a.DistanceInMeters, 0)
		}
	} else if j.File != nil {
		f := &j.File.Announced
		w.Start, w.Type, w.Name, w.Device = f.StartTimeInSeconds.Time(), f.ActivityType, f.ActivityName, f.DeviceName
		if !w.Start.IsZero() {
			w.Day = w.Start.Format(time.DateOnly) // until we hear of the user's offset
		}
	}
	w.Type, w.Name, w.Device = activitytype.Type(brief(string(w.Type))), brief(w.Name), brief(w.Device)
	return w
}

// add joins a delivery with what there is of its workout, and keeps the result.
// It may be done again.
func (db *database) add(ctx context.Context, account string, item join.Item) error {
	all, err := join.New(&joinStore{db, account}).Add(ctx, item)
	if err != nil {
		return err
	}
	for _, j := range all {
		if err := db.keep(ctx, account, j); err != nil {
			return err
		}
	}
	return nil
}

// keep stores what lists show. Two calls at a time may come in either order: the
// greater Changes stays.
func (db *database) keep(ctx context.Context, account string, j *join.Joined) error {
	w := workoutOf(j)
	_, err := db.change(ctx, `
		INSERT INTO workout (account, garmin_id, id, changes, parent, day, start, type, name, seconds, meters, device)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (account, garmin_id, id) DO UPDATE
		SET changes = excluded.changes, parent = excluded.parent, day = excluded.day, start = excluded.start, type = excluded.type,
			name = excluded.name, seconds = excluded.seconds, meters = excluded.meters, device = excluded.device
		WHERE excluded.changes >= workout.changes`,
		account, j.User, j.ID, int64(j.Changes), w.Parent, w.Day, w.Start.Unix(), w.Type, w.Name, int64(w.Duration.Seconds()), w.Meters, w.Device)
	return err
}

// detect keeps what a watch detected, in place of an older version of it: what
// [notify.Delivery.Replaces] says, in one statement.
func (db *database) detect(ctx context.Context, d *notify.Delivery, m *types.MoveIQ) error {
	if len(d.Record) > 4*maxID { // ids, escaped
		return notify.Permanent(errLongID)
	}
	_, err := db.change(ctx, `
		INSERT INTO detected (record, account, ord, revision, day, type, seconds) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (record) DO UPDATE
		SET ord = excluded.ord, revision = excluded.revision, day = excluded.day, type = excluded.type, seconds = excluded.seconds
		WHERE excluded.ord >= detected.ord AND excluded.revision <> detected.revision`,
		d.Record, d.User.ID, int64(d.Order), d.Revision, types.LocalDay(m), m.ActivityType, m.DurationInSeconds)
	return err
}

const workoutColumns = `SELECT garmin_id, id, parent, day, start, type, name, seconds, meters, device FROM workout `

func (db *database) workouts(ctx context.Context, query string, args ...any) (all []*workout, err error) {
	err = db.rows(ctx, func(r row) error {
		w := &workout{}
		var start, seconds int64
		err := r.Scan(&w.GarminID, &w.ID, &w.Parent, &w.Day, &start, &w.Type, &w.Name, &seconds, &w.Meters, &w.Device)
		w.Start, w.Duration = time.Unix(start, 0).UTC(), time.Duration(seconds)*time.Second
		all = append(all, w)
		return err
	}, workoutColumns+query, args...)
	return all, err
}

// workoutsBetween returns an account's workouts of the days from first to last,
// without legs, the latest first.
func (db *database) workoutsBetween(ctx context.Context, account, first, last string) ([]*workout, error) {
	return db.workouts(ctx, `WHERE account = $1 AND parent = '' AND day >= $2 AND day <= $3 ORDER BY start DESC, id DESC`, account, first, last)
}

// workoutsOnPage returns a page of an account's workouts, counted from 1, and one
// more if there is another page.
func (db *database) workoutsOnPage(ctx context.Context, account string, page, size int) ([]*workout, error) {
	return db.workouts(ctx, `WHERE account = $1 AND parent = '' ORDER BY start DESC, id DESC LIMIT $2 OFFSET $3`, account, size+1, (page-1)*size)
}

// allWorkouts returns every workout and leg of an account.
func (db *database) allWorkouts(ctx context.Context, account string) ([]*workout, error) {
	return db.workouts(ctx, `WHERE account = $1 ORDER BY start, id`, account)
}

// detection is what a watch detected.
type detection struct {
	Day      string
	Type     activitytype.Type
	Duration time.Duration
}

func (db *database) detections(ctx context.Context, account, first, last string) (all []*detection, err error) {
	err = db.rows(ctx, func(r row) error {
		d := &detection{}
		var seconds int64
		err := r.Scan(&d.Day, &d.Type, &seconds)
		d.Duration = time.Duration(seconds) * time.Second
		all = append(all, d)
		return err
	}, `SELECT day, type, seconds FROM detected WHERE account = $1 AND day >= $2 AND day <= $3 ORDER BY day, record`, account, first, last)
	return all, err
}

// joined returns a workout with all that has come of it, or nil.
func (db *database) joined(ctx context.Context, account string, key join.Key) (*join.Joined, error) {
	return join.New(&joinStore{db, account}).Get(ctx, key)
}

// count returns how many workouts have a part of a kind. It is for tests and
// figures, and reads all of them.
func (db *database) count(ctx context.Context, account string, has func(*join.Record) bool) (n int, err error) {
	err = db.rows(ctx, func(r row) error {
		var data []byte
		if err := r.Scan(&data); err != nil {
			return err
		}
		rec, err := unpack(data)
		if err == nil && has(rec) {
			n++
		}
		return err
	}, `SELECT record FROM joined WHERE account = $1`, account)
	return n, err
}

// addFile notes a file that is on the disk, so that it can be removed.
func (db *database) addFile(ctx context.Context, account, name string) error {
	_, err := db.change(ctx, `INSERT INTO file (account, name) VALUES ($1, $2) ON CONFLICT DO NOTHING`, account, name)
	return err
}

func (db *database) files(ctx context.Context, account string) (names []string, err error) {
	err = db.rows(ctx, func(r row) error {
		var name string
		err := r.Scan(&name)
		names = append(names, name)
		return err
	}, `SELECT name FROM file WHERE account = $1 ORDER BY name`, account)
	return names, err
}
