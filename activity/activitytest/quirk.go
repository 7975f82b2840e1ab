package activitytest

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/garminkit/activityapi/types"
)

// Quirk names a difference between Garmin's real traffic and its document, or a
// recorded incident of an integration. [Server.SetQuirks] turns them on.
//
// Quirks of items, in notifications and in pulls:
//
//   - details-other-id: the activityId of details differs from summary.activityId
//   - id-as-string: activityId is a JSON string
//   - id-as-number: summaryId and parentSummaryId are JSON numbers, if they have
//     only digits
//   - no-activity-id: no activityId and no activityName, as before 2020
//   - integers-as-floats: 30 is written 30.0
//   - floats-as-integers: 30.5 comes as 30
//   - absent-values: only ids and start are there
//   - nulls: absent values are null
//   - is-parent-false: isParent is there, and false
//   - unknown-type: an activity type that is in no list
//   - type-in-title-case: "Running" for "RUNNING"
//   - description: activityDescription, with line breaks and emoji
//   - partial-samples: samples miss sensors; no laps
//   - timer-beyond-clock: timerDuration is more than clockDuration
//   - wide-offset: the watch shows almost another day
//   - user-access-token: items carry userAccessToken, as before OAuth 2
//   - manual-capital: the key is "Manual", as in the document's table
//   - device-name: odd spacing and case
//   - wheelchair-alias: wheelChairCadenceInPushesPerMinute
//   - upload-times: pings carry uploadStartTimeInSeconds and uploadEndTimeInSeconds
//   - unknown-fields: fields that no document has
//   - web-upload: isWebUpload, in files too
//   - no-permissions: a permission change without its permissions and id
//
// Quirks of bodies:
//
//   - reverse: newest first: children before their parent
//   - old-file-key: files come under the list key "file"
//   - empty-list: a list without items beside the others
//   - empty-item: an item {} among the others
//   - unknown-key: a list of another API's beside the others
//   - several-keys: bodies of several list keys become one
//   - repeated-key: one list key comes twice in a body
//   - bad-item: one more item, with a value of a wrong type
//   - unknown-user: an item of a user whom the partner does not know
//   - hostile-callback: forged pings beside the others
//
// Quirks of delivery:
//
//   - duplicate: what was acknowledged is sent once more
//   - shuffle: bodies are sent in any order
//   - late: bodies are a day late
//   - lost-answer: the first 200 is lost on the way
//   - cut-body: the first attempt breaks off in the middle of the body
//
// Quirks of answers:
//
//   - other-user: a pull's items carry another user's id
//   - summary-gone: a summary's callback URL works once, then 410
//   - html-error: a gateway's page, with status 502
//   - pull-cut: the JSON of a pull ends in the middle, under status 200
//   - redirect: pulls and files are redirected to another host
//   - permissions-array: user/permissions is a bare array
//   - permissions-one: user/permissions has one string for the list
//   - backfill-error: a backfill fails with 500 the first time, without effect
//   - duplicate-400: a duplicate backfill is a 400, with the text of the 409
//   - min-start-epoch: the minimum start time in an error is a number of seconds
//   - spent-file-400: the second download of a file is a 400
//   - not-ready: user/permissions fails once, right after consent
//
// Quirks of files:
//
//   - file-tcx: what [User.Sync] uploads comes as TCX
//   - file-gpx: it comes as GPX, if it has positions
//   - file-trailing: bytes follow the end
//   - file-header-crc-0: the header of a FIT file has no checksum
//   - file-chained: a FIT file is followed by itself
//   - file-latin-1: TCX and GPX in ISO-8859-1, with a name that is not ASCII
//   - file-truncated: the last third is missing
type Quirk string

// Quirks of items, in notifications and in pulls.
const (
	quirkDetailsOtherID   Quirk = "details-other-id"
	quirkIDAsString       Quirk = "id-as-string"
	quirkIDAsNumber       Quirk = "id-as-number"
	quirkNoActivityID     Quirk = "no-activity-id"
	quirkIntegersAsFloats Quirk = "integers-as-floats"
	quirkFloatsAsIntegers Quirk = "floats-as-integers"
	quirkAbsentValues     Quirk = "absent-values"
	quirkNulls            Quirk = "nulls"
	quirkIsParentFalse    Quirk = "is-parent-false"
	quirkUnknownType      Quirk = "unknown-type"
	quirkTypeInTitleCase  Quirk = "type-in-title-case"
	quirkDescription      Quirk = "description"
	quirkPartialSamples   Quirk = "partial-samples"
	quirkTimerBeyondClock Quirk = "timer-beyond-clock"
	quirkWideOffset       Quirk = "wide-offset"
	quirkUserAccessToken  Quirk = "user-access-token"
	quirkManualCapital    Quirk = "manual-capital"
	quirkDeviceName       Quirk = "device-name"
	quirkWheelchairAlias  Quirk = "wheelchair-alias"
	quirkUploadTimes      Quirk = "upload-times"
	quirkUnknownFields    Quirk = "unknown-fields"
	quirkWebUpload        Quirk = "web-upload"
	quirkNoPermissions    Quirk = "no-permissions"
)

// Quirks of bodies.
const (
	quirkReverse         Quirk = "reverse"
	quirkOldFileKey      Quirk = "old-file-key"
	quirkEmptyList       Quirk = "empty-list"
	quirkEmptyItem       Quirk = "empty-item"
	quirkUnknownKey      Quirk = "unknown-key"
	quirkSeveralKeys     Quirk = "several-keys"
	quirkRepeatedKey     Quirk = "repeated-key"
	quirkBadItem         Quirk = "bad-item"
	quirkUnknownUser     Quirk = "unknown-user"
	quirkHostileCallback Quirk = "hostile-callback"
)

// Quirks of delivery.
const (
	quirkDuplicate  Quirk = "duplicate"
	quirkShuffle    Quirk = "shuffle"
	quirkLate       Quirk = "late"
	quirkLostAnswer Quirk = "lost-answer"
	quirkCutBody    Quirk = "cut-body"
)

// Quirks of answers.
const (
	quirkOtherUser        Quirk = "other-user"
	quirkSummaryGone      Quirk = "summary-gone"
	quirkHTMLError        Quirk = "html-error"
	quirkPullCut          Quirk = "pull-cut"
	quirkRedirect         Quirk = "redirect"
	quirkPermissionsArray Quirk = "permissions-array"
	quirkPermissionsOne   Quirk = "permissions-one"
	quirkBackfillError    Quirk = "backfill-error"
	quirkDuplicate400     Quirk = "duplicate-400"
	quirkMinStartEpoch    Quirk = "min-start-epoch"
	quirkSpentFile400     Quirk = "spent-file-400"
	quirkNotReady         Quirk = "not-ready"
)

// Quirks of files.
const (
	quirkFileTCX        Quirk = "file-tcx"
	quirkFileGPX        Quirk = "file-gpx"
	quirkFileTrailing   Quirk = "file-trailing"
	quirkFileHeaderCRC0 Quirk = "file-header-crc-0"
	quirkFileChained    Quirk = "file-chained"
	quirkFileLatin1     Quirk = "file-latin-1"
	quirkFileTruncated  Quirk = "file-truncated"
)

// quirk says what a Quirk does. One of the functions is set, or none where the
// place of its effect asks for it by name.
type quirk struct {
	name  Quirk
	about string
	item  func(s *Server, n *notice, key types.Kind, o object)
	body  func(s *Server, lists []list) []list
}

// Quirks returns every quirk.
func Quirks() []Quirk {
	var names []Quirk
	for _, q := range quirks {
		names = append(names, q.name)
	}
	return names
}

// About returns a line on where the quirk was seen, or "" for an unknown quirk.
func (q Quirk) About() string {
	if i := slices.IndexFunc(quirks, func(e quirk) bool { return e.name == q }); i >= 0 {
		return quirks[i].about
	}
	return ""
}

// SetQuirks sets how often the named quirks apply: share is their part of all
// cases, from 0, which turns them off, to 1. Other quirks stay as they are. The
// cases are the same in every run. SetQuirks panics if a quirk does not exist.
func (s *Server) SetQuirks(share float64, names ...Quirk) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range names {
		s.setQuirk(q, share)
	}
	s.touch()
}

func (s *Server) setQuirk(q Quirk, share float64) {
	if q.About() == "" {
		panic(fmt.Sprintf("activitytest: no quirk %q", string(q)))
	}
	if s.quirks == nil {
		s.quirks = make(map[Quirk]float64)
	}
	if s.quirks[q] = share; !(share > 0) {
		delete(s.quirks, q)
	}
}

// odd reports whether a quirk applies to the case at hand.
func (s *Server) odd(q Quirk) bool {
	share := s.quirks[q]
	return share > 0 && (share >= 1 || s.rand.Float64() < share)
}

// list is one root key of a body.
type list struct {
	key   types.Kind
	items [][]byte
}

// object is an item that is being changed.
type object map[string]json.RawMessage

func (o object) set(key string, v any) { o[key] = marshal(v) }

// rename moves a value to another key.
func (o object) rename(from, to string) {
	if v, ok := o[from]; ok {
		delete(o, from)
		o[to] = v
	}
}

// inSummary calls f for the summary in details, if o has one.
func (o object) inSummary(f func(object)) {
	const key = "summary"
	if sub := parseObject(o[key]); sub != nil {
		f(sub)
		o[key] = marshal(sub)
	}
}

// samples calls f for each sample.
func (o object) samples(f func(i int, sample object)) {
	var list []object
	if json.Unmarshal(o["samples"], &list) == nil && list != nil {
		for i, sample := range list {
			f(i, sample)
		}
		o["samples"] = marshal(list)
	}
}

func parseObject(b []byte) (o object) {
	if json.Unmarshal(b, &o) != nil {
		return nil
	}
	return o
}

// oddItem applies the quirks of items. n may be nil in a pull.
func (s *Server) oddItem(n *notice, key types.Kind, item []byte) []byte {
	if len(s.quirks) == 0 {
		return item
	}
	var o object
	for _, q := range quirks {
		if q.item == nil || !s.odd(q.name) {
			continue
		}
		if o == nil {
			if o = parseObject(item); o == nil {
				return item
			}
		}
		q.item(s, n, key, o)
	}
	if o == nil {
		return item
	}
	return marshal(o)
}

// oddBody applies the quirks of bodies.
func (s *Server) oddBody(lists []list) []list {
	if len(s.quirks) == 0 {
		return lists
	}
	for _, q := range quirks {
		if q.body != nil && s.odd(q.name) {
			lists = q.body(s, lists)
		}
	}
	return lists
}
