package jsonscan_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/bodygen"
	"github.com/garminkit/activityapi/internal/oracle"
	"github.com/garminkit/activityapi/types"
)

var models = []any{
	types.Activity{}, types.ManualActivity{}, types.ActivityDetails{}, types.MoveIQ{}, types.ActivityFile{}, types.Sample{}, types.Lap{},
}

// same fails the test unless each model's UnmarshalJSON and the oracle agree
// about text.
func same(t *testing.T, text []byte) {
	t.Helper()
	for _, model := range models {
		typ := reflect.TypeOf(model)
		have, want := reflect.New(typ), reflect.New(typ)
		err := have.Interface().(json.Unmarshaler).UnmarshalJSON(text)
		if string(text) == "null" {
			require.NoError(t, err) // by the convention of encoding/json
			continue
		}
		result, wantErr := oracle.Unmarshal(text, want.Interface())
		f := have.Elem().FieldByName("Defects")
		wantBad := wantErr != nil || result.Unread["userId"] || result.Unread["summaryId"] || !f.IsValid() && len(result.Defects) > 0
		if (err != nil) != wantBad {
			t.Fatalf("%v of %q: have %v, want %v", typ, text, err, wantErr)
		}
		if err != nil {
			continue
		}
		if f.IsValid() {
			sameDefects(t, text, f.Interface().(*types.Defects), result.Defects)
			raw := have.Elem().FieldByName("Raw")
			if kept := raw.Bytes(); (kept != nil) != (len(result.Defects) > 0) || kept != nil && string(kept) != string(text) {
				t.Fatalf("%v of %q: kept %q", typ, text, kept)
			}
			f.SetZero()
			raw.SetZero()
		}
		if !reflect.DeepEqual(have.Interface(), want.Interface()) {
			t.Fatalf("%v of %q: have %+v, want %+v", typ, text, have.Elem(), want.Elem())
		}
	}
}

func sameDefects(t *testing.T, text []byte, have *types.Defects, want []oracle.Defect) {
	t.Helper()
	if have == nil {
		have = &types.Defects{}
	}
	ok := have.Count == len(want) && len(have.First) == min(len(want), 16)
	for i, d := range have.First {
		ok = ok && d.Path == want[i].Path && int(d.Offset) == want[i].Offset && strings.HasPrefix(d.Have, want[i].Have)
	}
	if !ok {
		t.Fatalf("%q: have defects %v, want %v", text, have.First, want)
	}
}

// TestEveryFieldTakesWhatItShould gives each value to each field of each
// model. A field that was added without a way to read it shows here.
func TestEveryFieldTakesWhatItShould(t *testing.T) {
	t.Parallel()
	keys := map[string]bool{"Manual": true, "wheelChairCadenceInPushesPerMinute": true, "unknown": true}
	for _, model := range models {
		for field := range reflect.TypeOf(model).Fields() {
			key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			keys[key] = true
		}
	}
	require.Greater(t, len(keys), 60)
	require.Greater(t, len(bodygen.OddValues()), 150)
	for key := range keys {
		for i, v := range bodygen.OddValues() {
			if testing.Short() && i%3 != 0 {
				continue
			}
			same(t, []byte(`{"`+key+`":`+v+`}`))
			same(t, []byte(`{ "`+key+`" : `+v+` , "steps":5, "`+key+`":null}`))
			same(t, []byte(`{"`+key+`":`+v+`,"`+key+`":"7"}`))
			same(t, []byte(`{"`+key+`":"7","`+key+`":`+v+`}`))
			if i%10 == 0 && key != "" {
				escaped := fmt.Sprintf(`\u%04x`, key[0]) + key[1:]
				same(t, []byte(`{"`+key+`":"7","`+escaped+`":`+v+`}`))
				same(t, []byte(`{"`+escaped+`":`+v+`,"`+key+`":{}}`))
			}
			same(t, []byte(`{"summary":{"`+key+`":`+v+`},"samples":[{"`+key+`":`+v+`},{"`+key+`":1}]}`))
		}
	}
}

// TestBetweenElements puts between the elements of a list what is none, again and
// again: what stood there once must not be taken for what always stands there.
func TestBetweenElements(t *testing.T) {
	t.Parallel()
	for _, between := range []string{
		"", "7,", "null,", "{},", `"x",`, `[{"heartRate":1}],`, `{"heartRate":"x"},`, `{"steps":{}},`, ` {"heartRate" : 3 } , `, `{"heartRate":3,"powerInWatts":null},`,
	} {
		for _, element := range []string{
			`{"heartRate":1}`, `{"startTimeInSeconds":5,"heartRate":2.0}`, `{ "powerInWatts" : 1.5 }`, `{"wheelChairCadenceInPushesPerMinute":2}`,
			// Keys in another order than the struct has, and one twice.
			`{"clockDurationInSeconds":1,"heartRate":20}`, `{"powerInWatts":1.5,"steps":0,"latitudeInDegree":-22.25}`, `{"heartRate":1,"heartRate":-100}`,
		} {
			text := `{"samples":[` + strings.Repeat(element+","+between, 5) + element + strings.Repeat(" ", 200) + `],"laps":[{"startTimeInSeconds":1},` + between + `{"startTimeInSeconds":1}]}`
			same(t, []byte(text))
			same(t, []byte(text+strings.Repeat(" ", 200)))
		}
	}
}

func FuzzItem(f *testing.F) {
	f.Add([]byte(`{"summaryId":5,"steps":30.0,"manual":true,"activityName":"\u00e9"}`))
	f.Add([]byte(`{"summary":{"distanceInMeters":1.5},"samples":[{"heartRate":1,"powerInWatts":2e1},null],"laps":[{}]}`))
	for _, pretty := range []bool{false, true} {
		body := bodygen.Details(bodygen.Options{Samples: 2, Bare: true, Pretty: pretty})
		f.Add(body[1 : len(body)-1])
	}
	f.Fuzz(same)
}

// FuzzItemDrawn is FuzzItem of objects that are nearly good.
func FuzzItemDrawn(f *testing.F) {
	for p := range bodygen.Programs() {
		f.Add(p)
	}
	d := bodygen.NewDrawer()
	f.Fuzz(func(t *testing.T, program []byte) { same(t, d.Item(program)) })
}
