// Package drift counts what Garmin sends that this version of the module does
// not know: keys, types of activities and files, permissions, and values whose
// JSON type differs from the documented one. The report can be pasted into a
// public issue: it has no values except names in capitals, such as MOON_WALKING.
// With r from [New]:
//
//	opts := &notify.ProcessorOptions{UnknownKey: r.UnknownKey, Observe: r.Observe}
//	processor, err := notify.NewProcessor(inbox, users, r.Wrap(callbacks), opts)
package drift

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// The kinds of findings.
const (
	// kindKey is a key of an item without a field here.
	kindKey = "unknown key"
	// kindList is a list key outside Garmin's Activity API.
	kindList = "unknown list"
	// kindType is an activity type, kindPermission a permission without a
	// constant here.
	kindType       = "unknown activity type"
	kindPermission = "unknown permission"
	// kindFile is a type of a file other than FIT, TCX and GPX.
	kindFile = "unknown file type"
	// kindValue is a value whose JSON type differs from that of the field.
	kindValue = "other value"
	// kindItem is an item that could not be read at all, such as one whose user
	// id is not text.
	kindItem = "unreadable item"
)

// finding is something unknown that Garmin sent.
type finding struct {
	Kind string `json:"kind"`
	// Where is the path without list indexes, such as
	// "activityDetails[].samples[].power". What is the unknown name, or the found
	// and the expected JSON type.
	Where string `json:"where"`
	What  string `json:"what,omitempty"`
	// Count is how often it was found, First and Last when.
	Count int64     `json:"count"`
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
}

// String returns the finding in one line.
func (f finding) String() string {
	line := fmt.Sprintf("%6d  %s  %s", f.Count, f.Kind, f.Where)
	if f.What != "" {
		line += ": " + f.What
	}
	return line
}

// most bounds the findings that are kept apart: whoever can reach the endpoint
// chooses what is unknown. The others are one count.
const most = 500

// Report counts findings. It is safe for concurrent use.
type Report struct {
	mu     sync.Mutex
	since  time.Time
	found  map[[3]string]*finding
	others int64
}

// New returns an empty report.
func New() *Report { return &Report{since: time.Now().UTC(), found: map[[3]string]*finding{}} }

// UnknownKey counts a key. Set it as UnknownKey in [notify.ProcessorOptions] or
// [notify.Decoder].
func (r *Report) UnknownKey(path string) { r.add(kindKey, path, "") }

// Observe counts items in unknown lists, unreadable items, and unreadable values
// of permission changes. Set it as Observe in [notify.ProcessorOptions].
func (r *Report) Observe(o notify.Outcome) {
	if types.Kind(o.Key) == types.KindPermissionChanges {
		r.defects(o.Defects)
	}
	if o.Result != notify.ResultQuarantined || o.Key == "" {
		return
	}
	if !known(types.Kind(o.Key)) {
		r.add(kindList, o.Key, "")
		return
	}
	// The text of a DecodeError names JSON types, and nothing of the item.
	if d, ok := errors.AsType[*types.DecodeError](o.Err); ok && d.Path != "" {
		r.add(kindItem, d.Path, clean(d.Err.Error()))
	}
}

func known(k types.Kind) bool {
	return k.Known() || k == types.KindDeregistrations || k == types.KindPermissionChanges || k == "file"
}

func knownPermission(p types.Permission) bool {
	switch p {
	case types.PermissionActivityExport, types.PermissionHistoricalDataExport,
		"HEALTH_EXPORT", "MCT_EXPORT", "WORKOUT_IMPORT", "COURSE_IMPORT": // for Garmin's other APIs
		return true
	}
	return false
}

// Wrap returns callbacks that count what is unknown in what they receive, and
// then call those of c.
func (r *Report) Wrap(c notify.Callbacks) notify.Callbacks {
	if save := c.Save; save != nil {
		c.Save = func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
			r.see(s)
			return save(ctx, d, s)
		}
	}
	if file := c.File; file != nil {
		c.File = func(ctx context.Context, d *notify.Delivery, f *notify.File) error {
			a := &f.Announced
			r.kind(types.KindActivityFiles, a.ActivityType)
			if a.FileType != "" && !slices.Contains(fileTypes, a.FileType) {
				r.add(kindFile, string(types.KindActivityFiles), name(a.FileType))
			}
			r.defects(a.Defects)
			return file(ctx, d, f)
		}
	}
	if change := c.PermissionChange; change != nil {
		c.PermissionChange = func(ctx context.Context, d *notify.Delivery, e *notify.PermissionChange) error {
			for _, p := range e.Permissions {
				if !knownPermission(p) {
					r.add(kindPermission, string(types.KindPermissionChanges), name(string(p)))
				}
			}
			return change(ctx, d, e)
		}
	}
	return c
}

// see counts what is unknown in a summary.
func (r *Report) see(s types.Summary) {
	var defects *types.Defects
	switch s := s.(type) {
	case *types.Activity:
		r.kind(s.Kind(), s.ActivityType)
		defects = s.Defects
	case *types.ManualActivity:
		r.kind(s.Kind(), s.ActivityType)
		defects = s.Defects
	case *types.ActivityDetails:
		r.kind(s.Kind(), s.Summary.ActivityType)
		defects = s.Defects
	case *types.MoveIQ:
		r.kind(s.Kind(), s.ActivityType)
		defects = s.Defects
	}
	r.defects(defects)
}

func (r *Report) defects(all *types.Defects) {
	if all == nil {
		return
	}
	for _, d := range all.First {
		r.add(kindValue, d.Path, d.Have+" for "+d.Want)
	}
}

func (r *Report) kind(k types.Kind, t activitytype.Type) {
	if t != "" && !t.Known() {
		r.add(kindType, string(k), name(string(t)))
	}
}

var (
	place = regexp.MustCompile(`\[\d+\]`)
	// A name in capitals is one of Garmin's; anything else may be somebody's.
	capitals = regexp.MustCompile(`^[A-Z][A-Z0-9_]{1,60}$`)
	plain    = regexp.MustCompile(`[^A-Za-z0-9_.,\[\] -]`)

	fileTypes = []string{"FIT", "TCX", "GPX"}
)

// name is text itself if it looks like one of Garmin's names.
func name(text string) string {
	if capitals.MatchString(text) {
		return text
	}
	return fmt.Sprintf("(a text of %d bytes)", len(text))
}

// clean is text without what a terminal or a page might take for its own, and not
// too long.
func clean(text string) string {
	text = plain.ReplaceAllString(text, "?")
	if len(text) > 100 {
		text = text[:100] + "..."
	}
	return text
}

func (r *Report) add(kind, path, what string) {
	path = clean(place.ReplaceAllString(path, "[]"))
	now := time.Now().UTC()
	r.mu.Lock()
	defer r.mu.Unlock()
	key := [3]string{kind, path, what}
	f := r.found[key]
	if f == nil {
		if len(r.found) >= most {
			r.others++
			return
		}
		f = &finding{Kind: kind, Where: path, What: what, First: now}
		r.found[key] = f
	}
	f.Count++
	f.Last = now
}

// Len returns the number of findings, at most 500, for metrics.
func (r *Report) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.found)
}

// findings returns the findings by kind, the most frequent first.
func (r *Report) findings() []finding {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]finding, 0, len(r.found))
	for _, f := range r.found {
		all = append(all, *f)
	}
	slices.SortFunc(all, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Where, b.Where), cmp.Compare(a.What, b.What))
	})
	return all
}

// summary is the report as JSON.
type summary struct {
	Module   string    `json:"module"`
	Version  string    `json:"version"`
	Since    time.Time `json:"since"`
	Findings []finding `json:"findings"`
	// Others counts what there was no room for.
	Others int64 `json:"others,omitempty"`
}

const module = "github.com/garminkit/activityapi"

func (r *Report) summary() summary {
	s := summary{Module: module, Version: version(), Findings: r.findings()}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Since, s.Others = r.since, r.others
	return s
}

// version is that of this module in the program.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == module && m.Version != "" {
			return m.Version
		}
	}
	return "unknown"
}

// MarshalJSON implements [json.Marshaler]. Each of the findings has kind, where,
// what, count, first and last.
func (r *Report) MarshalJSON() ([]byte, error) { return json.Marshal(r.summary()) }

// String returns the report as text, one line for each finding.
func (r *Report) String() string {
	s := r.summary()
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s, since %s\n", s.Module, s.Version, s.Since.Format(time.RFC3339))
	for _, f := range s.Findings {
		fmt.Fprintln(&b, f)
	}
	if s.Others > 0 {
		fmt.Fprintf(&b, "%6d  others\n", s.Others)
	}
	return b.String()
}
