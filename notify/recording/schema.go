package recording

import (
	"maps"
	"reflect"
	"strings"

	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/types"
)

// meaning is what a value under a key is.
type meaning int

const (
	unknown meaning = iota // a key that no document has
	text
	id
	token
	callback
	moment
	date
	latitude
	longitude // and so on: each latitude is followed by its longitude
	latitudeOfStart
	longitudeOfStart
	elevation
	measurement
	activityType
	fileType
	permission
)

// schema knows the keys of Garmin's documents.
type schema struct {
	keys map[string]meaning
}

// special are the keys whose values are neither text nor measurements.
var special = map[string]meaning{
	"userId": id, "summaryId": id, "activityId": id, "parentSummaryId": id,
	"userAccessToken": token, "callbackURL": callback,
	"startTimeInSeconds": moment, "changeTimeInSeconds": moment,
	"uploadStartTimeInSeconds": moment, "uploadEndTimeInSeconds": moment,
	"calendarDate":     date,
	"latitudeInDegree": latitude, "startingLatitudeInDegree": latitudeOfStart,
	"longitudeInDegree": longitude, "startingLongitudeInDegree": longitudeOfStart,
	"elevationInMeters": elevation,
	"activityType":      activityType, "fileType": fileType, "permissions": permission,
	// Keys that no struct has.
	"file": text, "Manual": text, "wheelChairCadenceInPushesPerMinute": measurement,
}

func newSchema() *schema {
	s := &schema{keys: map[string]meaning{}}
	for _, v := range []any{types.Activity{}, types.ActivityDetails{}, types.Sample{}, types.Lap{}, types.MoveIQ{}, types.ActivityFile{}} {
		s.add(reflect.TypeOf(v))
	}
	for _, k := range types.Kinds() {
		s.keys[string(k)] = text
	}
	s.keys[string(types.KindDeregistrations)] = text
	s.keys[string(types.KindPermissionChanges)] = text
	maps.Copy(s.keys, special)
	return s
}

// add takes the keys of a struct: what is a number is a measurement, unless it is
// special.
func (s *schema) add(t reflect.Type) {
	for f := range t.Fields() {
		key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if key == "" || key == "-" {
			continue
		}
		of := f.Type
		if of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		s.keys[key] = text
		if of.Kind() == reflect.Int || of.Kind() == reflect.Float64 {
			s.keys[key] = measurement
		}
	}
}

// word reports whether a text is one of the words that a key may have.
func word(m meaning, s string) bool {
	switch m {
	case activityType:
		return activitytype.Type(s).Known()
	case fileType:
		return s == "FIT" || s == "TCX" || s == "GPX"
	case permission:
		some := false
		for p := range strings.FieldsFuncSeq(s, func(r rune) bool { return strings.ContainsRune("[], ", r) }) {
			if some = true; types.Permission(p) != types.PermissionActivityExport && types.Permission(p) != types.PermissionHistoricalDataExport {
				return false
			}
		}
		return some
	}
	return false
}
