// Package fitfile reads the files that devices record, FIT, TCX and GPX, into one
// model.
//
//	for m, err := range fitfile.Messages(r) {
//		if err != nil {
//			return err
//		}
//		switch m := m.(type) {
//		case *fitfile.Record:
//			fmt.Println(m.Sample.StartTimeInSeconds, *m.HeartRate)
//		case *fitfile.Lap:
//			fmt.Println("lap of", m.Timer)
//		}
//	}
//
// [Messages] streams a file. [Read] returns the whole file, with its parts under the
// sessions that they belong to. The package is a separate module because it links
// github.com/muktihari/fit.
//
// # Damaged files
//
// A file is read as far as possible if it was cut, has a wrong checksum, bytes after
// its end, another encoding than it claims, or lacks messages that a complete one
// has. A [Warning] says what is wrong. An error means that the reader failed, or that
// the file has none of the three formats.
//
// # Units
//
// A [Record] has the fields of [types.Sample] and more; the unit is in the name of
// each field. Times are UTC.
package fitfile

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/garminkit/activityapi/activity/export"
	"github.com/garminkit/activityapi/types"
)

// ErrFormat means that a file is neither FIT nor TCX nor GPX.
var ErrFormat = errors.New("fitfile: the file is neither FIT nor TCX nor GPX")

// Messages yields the messages of a file in the file's order, which depends on the
// device: a session may come before or after its laps and records. If a file has
// records but no session, a session computed from them comes last.
//
// A [*Record] is valid until the next message; all others may be kept. An error comes
// last. The sequence can be used once. Reading ends when the loop does.
func Messages(r io.Reader) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		b := bufio.NewReader(r)
		head, err := b.Peek(512)
		if err != nil && err != io.EOF {
			yield(nil, fmt.Errorf("fitfile: %w", err))
			return
		}
		out := &output{yield: yield}
		switch {
		case len(head) >= 12 && string(head[8:12]) == ".FIT":
			err = readFIT(b, out)
		case looksLikeXML(head):
			err = readXML(b, out)
		default:
			err = ErrFormat
		}
		if err != nil && !out.ended {
			yield(nil, err)
		}
	}
}

// looksLikeXML reports whether an XML file may begin with head.
func looksLikeXML(head []byte) bool {
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	head = bytes.TrimLeft(head, " \t\r\n")
	return len(head) > 0 && head[0] == '<'
}

// output yields messages, and remembers what is needed at the end of the file.
type output struct {
	yield func(Message, error) bool
	ended bool // the loop was left
	n     int  // messages so far, without warnings

	sessions int
	made     totaller
}

// put yields m and reports whether to continue.
func (o *output) put(m Message) bool {
	if o.ended {
		return false
	}
	switch m := m.(type) {
	case *Warning:
	case *Record:
		o.n++
		o.made.add(m)
	case *Session:
		o.n++
		o.sessions++
	default:
		o.n++
	}
	if !o.yield(m, nil) {
		o.ended = true
	}
	return !o.ended
}

func (o *output) warn(w Warn, format string, args ...any) bool {
	return o.put(&Warning{Warn: w, Text: fmt.Sprintf(format, args...)})
}

// finish adds a session if the file has none.
func (o *output) finish(sport Session) {
	if o.sessions > 0 || o.made.records == 0 || o.ended {
		return
	}
	if o.warn(WarnNoSession, "there is no session: it was computed from %d records", o.made.records) {
		sport.Totals = o.made.totals()
		o.put(&sport)
	}
}

// Activity is the content of a whole file.
type Activity struct {
	FileID   *FileID // nil if the file has none
	Devices  []*Device
	Sessions []*Whole
	Warnings []*Warning
}

// Whole is a session with the parts that belong to it by time. Parts before the first
// session belong to the first.
type Whole struct {
	Session
	Laps    []*Lap
	Lengths []*Length
	Records []*Record
	Events  []*Event
	Zones   []*TimeInZones
}

// Read reads a whole file. It keeps every record in memory; use [Messages] if that may
// be too much.
func Read(r io.Reader) (*Activity, error) {
	a := &Activity{}
	var all Whole
	for m, err := range Messages(r) {
		if err != nil {
			return nil, err
		}
		switch m := m.(type) {
		case *FileID:
			a.FileID = cmp.Or(a.FileID, m)
		case *Device:
			a.Devices = append(a.Devices, m)
		case *Session:
			a.Sessions = append(a.Sessions, &Whole{Session: *m})
		case *Lap:
			all.Laps = append(all.Laps, m)
		case *Length:
			all.Lengths = append(all.Lengths, m)
		case *Record:
			all.Records = append(all.Records, m.clone())
		case *Event:
			all.Events = append(all.Events, m)
		case *TimeInZones:
			all.Zones = append(all.Zones, m)
		case *Warning:
			a.Warnings = append(a.Warnings, m)
		}
	}
	if len(a.Sessions) == 0 {
		return a, nil
	}
	slices.SortStableFunc(a.Sessions, func(x, y *Whole) int { return x.Start.Compare(y.Start) })
	for _, l := range all.Laps {
		s := a.at(l.Start)
		s.Laps = append(s.Laps, l)
	}
	for _, l := range all.Lengths {
		s := a.at(l.Start)
		s.Lengths = append(s.Lengths, l)
	}
	for _, e := range all.Events {
		s := a.at(e.Time)
		s.Events = append(s.Events, e)
	}
	for _, z := range all.Zones {
		s := a.at(z.Time.Add(-1)) // it is written at the end of what it is about
		s.Zones = append(s.Zones, z)
	}
	for _, r := range all.Records {
		s := a.at(r.StartTimeInSeconds.Time())
		r.setCadence(s.Type)
		s.Records = append(s.Records, r)
	}
	return a, nil
}

// at returns the session that a moment belongs to.
func (a *Activity) at(t time.Time) *Whole {
	i, found := slices.BinarySearchFunc(a.Sessions, t, func(s *Whole, t time.Time) int { return s.Start.Compare(t) })
	if !found {
		i--
	}
	return a.Sessions[max(i, 0)]
}

// Device returns the device that wrote the file, or an empty one.
func (a *Activity) Device() *Device {
	for _, d := range a.Devices {
		if d.Creator {
			return d
		}
	}
	return &Device{}
}

// Tracks returns a track for each session, for package export. Garmin's summaries and
// the file name the device differently: set DeviceName to that of the summary if there
// is one.
func (a *Activity) Tracks() []*export.Track {
	var tracks []*export.Track
	for _, s := range a.Sessions {
		t := &export.Track{
			Name: s.Name, Type: s.Type, DeviceName: a.Device().Name,
			Samples: func(yield func(*types.Sample, error) bool) {
				for _, r := range s.Records {
					if !yield(&r.Sample, nil) {
						return
					}
				}
			},
		}
		if s.Kilocalories != nil {
			t.Kilocalories = int(*s.Kilocalories)
		}
		for _, l := range s.Laps {
			t.Laps = append(t.Laps, l.Start)
		}
		slices.SortFunc(t.Laps, time.Time.Compare) // the file may have them in any order
		tracks = append(tracks, t)
	}
	return tracks
}
