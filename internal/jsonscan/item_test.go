package jsonscan_test

import (
	"encoding/json"
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
		wantErr := oracle.Unmarshal(text, want.Interface())
		if (err != nil) != (wantErr != nil) {
			t.Fatalf("%v of %q: have %v, want %v", typ, text, err, wantErr)
		}
		if err == nil && !reflect.DeepEqual(have.Interface(), want.Interface()) {
			t.Fatalf("%v of %q: have %+v, want %+v", typ, text, have.Elem(), want.Elem())
		}
	}
}

var values = []string{
	`null`, `true`, `false`, `0`, `-0`, `1`, `-1`, `30.0`, `3e1`, `30.5`, `0.1`, `-94.74890395067632`, `1e400`, `9223372036854775807`, `9223372036854775808`,
	`2147483648`, `1234567890123456789012`, `""`, `"x"`, `"5"`, `"é\u00e9\n"`, `{}`, `[]`, `[1]`, `[{}]`, `[null]`, `["a"]`, `{"steps":1}`, `[{"heartRate":1}]`,
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
	for key := range keys {
		for _, v := range values {
			same(t, []byte(`{"`+key+`":`+v+`}`))
			same(t, []byte(`{ "`+key+`" : `+v+` , "steps":5, "`+key+`":null}`))
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
