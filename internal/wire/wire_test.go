package wire_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/bodygen"
	"github.com/garminkit/activityapi/internal/jsonscan"
	"github.com/garminkit/activityapi/internal/wire"
	"github.com/garminkit/activityapi/types"
)

var models = []any{types.Activity{}, types.ManualActivity{}, types.ActivityDetails{}, types.MoveIQ{}, types.ActivityFile{}}

// same fails the test unless the generated target stores what package reflect
// does.
func same(t *testing.T, text []byte) {
	t.Helper()
	for _, model := range models {
		typ := reflect.TypeOf(model)
		have, want := reflect.New(typ).Interface(), reflect.New(typ).Interface()
		target := wire.Target(have)
		require.NotNil(t, target)
		for v, target := range map[any]jsonscan.Target{have: target, want: nil} {
			s := jsonscan.New(bytes.NewReader(text), jsonscan.Options{})
			s.Begin("", 0)
			s.Item(v, target)
		}
		if !reflect.DeepEqual(have, want) {
			t.Fatalf("%v of %s: have %+v, want %+v", typ, text, have, want)
		}
	}
}

// TestTargets fills each field of each model.
func TestTargets(t *testing.T) {
	t.Parallel()
	for _, model := range models {
		v := reflect.New(reflect.TypeOf(model))
		full(v.Elem())
		text, err := json.Marshal(v.Interface())
		require.NoError(t, err)
		same(t, text)
		back := reflect.New(reflect.TypeOf(model)).Interface()
		s := jsonscan.New(bytes.NewReader(text), jsonscan.Options{})
		s.Begin("", 0)
		require.True(t, s.Item(back, wire.Target(back)))
		require.Equal(t, v.Interface(), back)
	}
	require.Nil(t, wire.Target(&struct{}{}))
	for p := range bodygen.Programs() {
		same(t, bodygen.NewDrawer().Item(p))
	}
	same(t, []byte(`{"summary":{"steps":1},"samples":[{"heartRate":1}],"laps":[{}],"summary":null,"samples":7,"laps":null,"userId":"u","userId":null}`))
}

// full sets every field that has a key to something.
func full(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if key := v.Type().Field(i).Tag.Get("json"); key != "-" {
				full(v.Field(i))
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		full(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 3, 3))
		for i := range 3 {
			full(v.Index(i))
		}
	case reflect.String:
		v.SetString("text of " + v.Type().String())
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(17)
	case reflect.Float64:
		v.SetFloat(1567498190.5)
	}
}
