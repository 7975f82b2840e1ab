package types_test

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/types"
)

// field is one row of testdata/fields.csv: a key that Garmin documents or
// sends, and what Garmin says its type is.
type field struct {
	model, key, documented string
}

func readFields(t testing.TB) []field {
	t.Helper()
	f, err := os.Open("testdata/fields.csv")
	require.NoError(t, err)
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"model", "json_key", "documented_type", "source"}, records[0])
	var fields []field
	for _, r := range records[1:] {
		fields = append(fields, field{r[0], r[1], r[2]})
	}
	require.Greater(t, len(fields), 140)
	return fields
}

// aliases maps the second spellings in Garmin's documents to ours.
func canonicalKey(key string) string {
	switch key {
	case "Manual":
		return "manual"
	case "wheelChairCadenceInPushesPerMinute":
		return "directWheelchairCadence"
	}
	return key
}

// decodeModel decodes an item that holds object as a value of the model, and
// returns that value, a struct.
func decodeModel(model, object string) (reflect.Value, error) {
	var root any
	var get func() any
	switch model {
	case "Activity":
		v := new(types.Activity)
		root, get = v, func() any { return *v }
	case "ManualActivity":
		v := new(types.ManualActivity)
		root, get = v, func() any { return *v }
	case "ActivityDetails":
		v := new(types.ActivityDetails)
		root, get = v, func() any { return *v }
	case "ActivityDetails.summary":
		v := new(types.ActivityDetails)
		root, get = v, func() any { return v.Summary }
		object = `{"summary":` + object + `}`
	case "Sample":
		v := new(types.ActivityDetails)
		root, get = v, func() any { return v.Samples[0] }
		object = `{"samples":[` + object + `]}`
	case "Lap":
		v := new(types.ActivityDetails)
		root, get = v, func() any { return v.Laps[0] }
		object = `{"laps":[` + object + `]}`
	case "MoveIQ":
		v := new(types.MoveIQ)
		root, get = v, func() any { return *v }
	case "ActivityFile":
		v := new(types.ActivityFile)
		root, get = v, func() any { return *v }
	default:
		panic("no struct for model " + model)
	}
	err := json.Unmarshal([]byte(object), root)
	if err != nil {
		return reflect.Value{}, err
	}
	return reflect.ValueOf(get()), nil
}

// fieldFor returns the struct field whose JSON key is the given one, and its
// value with any pointer followed.
func fieldFor(v reflect.Value, key string) (reflect.Value, bool) {
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if name == key {
			f := v.Field(i)
			if f.Kind() == reflect.Pointer && !f.IsNil() {
				f = f.Elem()
			}
			return f, true
		}
	}
	return reflect.Value{}, false
}

// The values each documented type must accept, with how a struct field shows
// them, and those that are defects.
func samplesFor(f field) (accept map[string]string, refuse []string) {
	id := strings.HasSuffix(f.key, "Id") && f.key != "userId"
	moment := map[string]string{`1567498190`: "2019-09-03T08:09:50Z", `1567498190.0`: "2019-09-03T08:09:50Z",
		`1567498190.25`: "2019-09-03T08:09:50.25Z", `"1567498190"`: "2019-09-03T08:09:50Z"}
	switch f.documented {
	case "integer":
		if id {
			return map[string]string{`12345678901234567`: "12345678901234567", `"5001-x"`: "5001-x", `77.0`: "77"},
				[]string{`true`, `{}`, `7.5`, `7e1`, "\"\xff\""}
		}
		if f.key == "startTimeInSeconds" {
			return moment, []string{`"now"`, `true`, `[]`}
		}
		return map[string]string{`30`: "30", `30.0`: "30", `3e1`: "30", `-3`: "-3", `"30"`: "30", `"30.0"`: "30"},
			[]string{`30.5`, `"30.5"`, `"NaN"`, `""`, `true`, `{}`, `[30]`, `99999999999999999999`}
	case "floating point":
		return map[string]string{`30`: "30", `30.0`: "30", `-0.25`: "-0.25", `1.5e2`: "150", `"-0.25"`: "-0.25"},
			[]string{`"NaN"`, `"1,5"`, `true`, `{}`, `1e999`}
	case "float":
		return moment, []string{`"now"`, `false`}
	case "string":
		if id {
			return map[string]string{`"5001"`: "5001", `5001`: "5001", `9876543210123456789`: "9876543210123456789"},
				[]string{`true`, `{}`, `[]`, `50.5`}
		}
		if f.key == "callbackURL" {
			return map[string]string{`"https://x.test/?a=b"`: "[REDACTED]"}, []string{`true`, `{}`}
		}
		return map[string]string{`"RUNNING"`: "RUNNING", `"l\u00e4uft \"gut\""`: `läuft "gut"`, `12.50`: "12.50"}, []string{`true`, `{}`, `[]`, `"\ud83d"`}
	case "boolean":
		return map[string]string{`true`: "true", `false`: "false", `1`: "true", `0.0`: "false", `"true"`: "true", `"0"`: "false"},
			[]string{`2`, `"yes"`, `{}`}
	case "object":
		return map[string]string{`{"summaryId":"5001"}`: ""}, []string{`1`, `"x"`, `[]`}
	case "array":
		return map[string]string{`[{"startTimeInSeconds":1567498190}]`: "", `[1,null,{"startTimeInSeconds":"x"}]`: ""}, []string{`1`, `"x"`, `{}`}
	}
	panic("no samples for type " + f.documented)
}

// defectsOf returns the defects of an item of a model, or of the details it is
// in.
func defectsOf(model, object string) (*types.Defects, error) {
	switch model {
	case "ActivityDetails.summary":
		model, object = "ActivityDetails", `{"summary":`+object+`}`
	case "Sample":
		model, object = "ActivityDetails", `{"samples":[`+object+`]}`
	case "Lap":
		model, object = "ActivityDetails", `{"laps":[`+object+`]}`
	}
	v, err := decodeModel(model, object)
	if err != nil {
		return nil, err
	}
	return v.FieldByName("Defects").Interface().(*types.Defects), nil
}

func TestEveryDocumentedKeyHasItsField(t *testing.T) {
	t.Parallel()
	for _, f := range readFields(t) {
		t.Run(f.model+"/"+f.key, func(t *testing.T) {
			t.Parallel()
			accept, refuse := samplesFor(f)
			for value, want := range accept {
				v, err := decodeModel(f.model, fmt.Sprintf(`{"someNewKey":[{}],%q:%s}`, f.key, value))
				require.NoError(t, err, value)
				got, ok := fieldFor(v, canonicalKey(f.key))
				require.True(t, ok, "no field in %s", v.Type())
				if want != "" {
					require.Equal(t, want, fmt.Sprint(got.Interface()), value)
				} else {
					require.False(t, got.IsZero(), value)
				}
				// What was read is written under the same key.
				out, err := json.Marshal(v.Interface())
				require.NoError(t, err)
				if want != "false" {
					require.Contains(t, string(out), fmt.Sprintf("%q:", canonicalKey(f.key)))
				}
			}
			for _, value := range refuse {
				object := fmt.Sprintf(`{"durationInSeconds":7,%q:%s}`, f.key, value)
				defects, err := defectsOf(f.model, object)
				if identity := f.key == "userId" || f.key == "summaryId"; identity && f.model != "ActivityDetails.summary" {
					de, ok := errors.AsType[*types.DecodeError](err)
					require.True(t, ok, "%T", err)
					require.Equal(t, f.key, de.Path)
					continue
				}
				require.NoError(t, err, value)
				require.NotNil(t, defects, value)
				require.Equal(t, 1, defects.Count, value)
				require.Contains(t, defects.First[0].Path, f.key, value)
				v, err := decodeModel(f.model, object)
				require.NoError(t, err, value)
				got, _ := fieldFor(v, canonicalKey(f.key))
				require.True(t, got.IsZero(), value)
				if d, ok := fieldFor(v, "durationInSeconds"); ok && f.key != "durationInSeconds" {
					require.EqualValues(t, 7, d.Interface(), "the neighbour of %s", value)
				}
			}
			v, err := decodeModel(f.model, fmt.Sprintf(`{%q:null}`, f.key))
			require.NoError(t, err, "null counts as absent")
			got, _ := fieldFor(v, canonicalKey(f.key))
			require.True(t, got.IsZero(), "null counts as absent")
		})
	}
}

// TestSamplesAndLapsAlone holds that a sample or lap reads the same outside its
// details.
func TestSamplesAndLapsAlone(t *testing.T) {
	t.Parallel()
	const object = `{"startTimeInSeconds":1567498190.0,"heartRate":98.0,"wheelChairCadenceInPushesPerMinute":3,"HeartRate":1,"new":[]}`
	var s types.Sample
	require.NoError(t, json.Unmarshal([]byte(object), &s))
	in, err := decodeModel("Sample", object)
	require.NoError(t, err)
	require.Equal(t, in.Interface(), s)
	require.Equal(t, 98, *s.HeartRate)
	var l types.Lap
	require.NoError(t, json.Unmarshal([]byte(object), &l))
	require.Equal(t, types.Timestamp(1567498190), l.StartTimeInSeconds)
	err = json.Unmarshal([]byte(`{"heartRate":98.5}`), &s)
	require.ErrorContains(t, err, "heartRate")
}

// TestKeysMatchExactly holds what encoding/json would not: letter case counts.
func TestKeysMatchExactly(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"SummaryId", "summaryid", "SUMMARYID", "MANUAL", "durationinseconds", "\u212Aey"} {
		v, err := decodeModel("Activity", fmt.Sprintf(`{%q:{"odd":1}}`, key))
		require.NoError(t, err, key)
		require.True(t, v.IsZero(), key)
	}
}

func TestLastOfARepeatedKeyCounts(t *testing.T) {
	t.Parallel()
	var a types.Activity
	require.NoError(t, json.Unmarshal([]byte(`{"steps":1,"Manual":true,"steps":2,"manual":false}`), &a))
	require.Equal(t, 2, *a.Steps)
	require.False(t, a.Manual)
}

// TestNoFieldIsInvented holds the other direction: each field is in
// fields.csv, or is named here with where it was seen.
func TestNoFieldIsInvented(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, f := range readFields(t) {
		known[f.model+" "+canonicalKey(f.key)] = true
	}
	extra := map[string]string{
		"Activity userId":                    "every push",
		"Activity activityDescription":       "portal schema",
		"Activity isWebUpload":               "payloads",
		"ManualActivity userId":              "every push",
		"ManualActivity activityDescription": "one struct with Activity",
		"ManualActivity isWebUpload":         "one struct with Activity",
		"ActivityDetails.summary userId":     "one struct with Activity",
		"MoveIQ userId":                      "every push",
	}
	for _, model := range []string{"Activity", "ManualActivity", "ActivityDetails", "ActivityDetails.summary", "Sample", "Lap", "MoveIQ", "ActivityFile"} {
		v, err := decodeModel(model, `{}`)
		require.NoError(t, err)
		for i := range v.NumField() {
			key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			if key == "-" {
				continue
			}
			if _, ok := extra[model+" "+key]; !ok && !known[model+" "+key] {
				t.Errorf("%s %s has no source", model, key)
			}
		}
	}
}

// TestRoundTrip fills every field with random values, or leaves it out, and
// wants each back.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		for _, v := range []any{new(types.Activity), new(types.ManualActivity), new(types.ActivityDetails), new(types.MoveIQ), new(types.ActivityFile)} {
			fill(rng, reflect.ValueOf(v).Elem())
			out, err := json.Marshal(v)
			require.NoError(t, err)
			back := reflect.New(reflect.TypeOf(v).Elem())
			require.NoError(t, json.Unmarshal(out, back.Interface()), "%s", out)
			require.Equal(t, v, back.Interface(), "%s", out)
		}
	}
}

func fill(rng *rand.Rand, v reflect.Value) {
	switch v.Interface().(type) {
	case types.Timestamp:
		// Microseconds are what a Timestamp promises to keep.
		v.SetFloat(float64(rng.Int64N(4e9)))
		if rng.IntN(2) == 0 {
			v.SetFloat(v.Float() + float64(rng.IntN(1e6))/1e6)
		}
		return
	case json.RawMessage, *types.Defects, [32]byte:
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if rng.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(rng, v.Elem())
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(rng, field)
		}
	case reflect.Slice:
		if n := rng.IntN(4); n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				fill(rng, v.Index(i))
			}
		}
	case reflect.String:
		letters := []rune("aZ09 -_\"\\/<>&\n\u2028äπ🏃\x00")
		var s []rune
		for range rng.IntN(12) {
			s = append(s, letters[rng.IntN(len(letters))])
		}
		v.SetString(string(s))
	case reflect.Bool:
		v.SetBool(rng.IntN(2) == 0)
	case reflect.Int:
		v.SetInt(int64(rng.Int32()) * int64(rng.IntN(3)-1))
	case reflect.Float64:
		v.SetFloat(rng.NormFloat64() * 1000)
		if rng.IntN(3) == 0 {
			v.SetFloat(float64(rng.IntN(3)))
		}
	default:
		panic("no random value for " + v.Type().String())
	}
}
