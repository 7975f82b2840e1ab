package activitytest

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/openapi"
	"github.com/garminkit/activityapi/types"
)

// TestRoutesAreDescribed: every route has a description, and the other way round.
func TestRoutesAreDescribed(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("control/openapi/garmin.json")
	require.NoError(t, err)
	d, err := openapi.Read(b)
	require.NoError(t, err)
	var routes []string
	for _, r := range NewServer().apiRoutes() {
		routes = append(routes, r.pattern)
	}
	slices.Sort(routes)
	require.Equal(t, routes, d.Operations())
}

// TestFieldsAreDescribed: the documents have the fields of package types.
func TestFieldsAreDescribed(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"garmin", "notifications"} {
		b, err := os.ReadFile("control/openapi/" + name + ".json")
		require.NoError(t, err)
		var d struct {
			Channels   map[string]any
			Components struct {
				Schemas map[string]struct{ Properties map[string]any }
			}
		}
		require.NoError(t, json.Unmarshal(b, &d))
		want := map[string]any{
			"Activity": types.Activity{}, "Sample": types.Sample{}, "Lap": types.Lap{}, "MoveIQ": types.MoveIQ{}, "ActivityDetails": types.ActivityDetails{},
		}
		if name == "notifications" {
			want["FilePing"] = types.ActivityFile{}
			for _, key := range listKeys() {
				require.Contains(t, d.Channels, string(key))
			}
			require.Len(t, d.Channels, len(listKeys()))
		}
		for schema, v := range want {
			properties := d.Components.Schemas[schema].Properties
			var fields []string
			for i := range reflect.TypeOf(v).NumField() {
				key, _, _ := strings.Cut(reflect.TypeOf(v).Field(i).Tag.Get("json"), ",")
				if key == "" || key == "-" {
					continue
				}
				fields = append(fields, key)
				require.Contains(t, properties, key, schema)
			}
			for key := range properties {
				require.True(t, slices.Contains(fields, key) || key == "userAccessToken", "%s.%s", schema, key)
			}
		}
	}
}
