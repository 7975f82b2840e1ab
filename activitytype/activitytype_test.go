package activitytype_test

import (
	"encoding/csv"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activitytype"
)

// appendix is one row of testdata/activity-types.csv: what Garmin shows and the
// names that stand for it. Rows that only payloads show have no display name.
type appendix struct {
	display string
	names   []activitytype.Type
}

func readAppendix(t *testing.T) []appendix {
	t.Helper()
	f, err := os.Open("testdata/activity-types.csv")
	require.NoError(t, err)
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"display", "api_names", "source"}, records[0])
	var rows []appendix
	for _, r := range records[1:] {
		row := appendix{display: r[0]}
		for name := range strings.SplitSeq(r[1], ",") {
			row.names = append(row.names, activitytype.Type(strings.TrimSpace(name)))
		}
		rows = append(rows, row)
	}
	require.Greater(t, len(rows), 120)
	return rows
}

func TestEveryDocumentedNameIsKnown(t *testing.T) {
	t.Parallel()
	all := slices.Collect(activitytype.All())
	for _, row := range readAppendix(t) {
		for _, name := range row.names {
			require.Contains(t, all, name)
			require.True(t, name.Known(), name)
			require.NotEmpty(t, name.Group(), name)
			if row.display != "" {
				// The document's spacing is uneven (EMOUNTAINBIKING, INDOOR_HANDCYCLING).
				require.True(t, strings.EqualFold(spaceless(row.display), spaceless(name.Name())),
					"%s: want the display name %q in any case, have %q", name, row.display, name.Name())
			}
			require.Equal(t, row.names[0].Canonical(), name.Canonical(), "%s and %s are one activity", row.names[0], name)
		}
	}
}

func spaceless(s string) string { return strings.NewReplacer(" ", "", "_", "").Replace(s) }

func TestNothingIsInvented(t *testing.T) {
	t.Parallel()
	var documented []activitytype.Type
	for _, row := range readAppendix(t) {
		documented = append(documented, row.names...)
	}
	slices.Sort(documented)
	require.Equal(t, slices.Compact(documented), slices.Sorted(activitytype.All()))
}

func TestEveryConstantIsInAll(t *testing.T) {
	t.Parallel()
	f, err := parser.ParseFile(token.NewFileSet(), "names.go", nil, 0)
	require.NoError(t, err)
	all := slices.Collect(activitytype.All())
	n := 0
	ast.Inspect(f, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		lit, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			return true
		}
		s, err := strconv.Unquote(lit.Value)
		require.NoError(t, err)
		require.Contains(t, all, activitytype.Type(s), spec.Names[0].Name)
		n++
		return true
	})
	require.Len(t, all, n)
}

func TestAllHasEachTypeOnce(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for typ := range activitytype.All() {
		key := strings.ToUpper(string(typ))
		require.False(t, seen[key], typ)
		seen[key] = true
	}
	for range activitytype.All() {
		break // an early stop must not panic
	}
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	for typ := range activitytype.All() {
		c := typ.Canonical()
		require.True(t, c.Known(), typ)
		require.Equal(t, c, c.Canonical(), "the canonical name of %s is not its own", typ)
		require.Equal(t, typ.Group(), c.Group(), typ)
		require.False(t, strings.HasSuffix(string(c), "_V2"), typ)
	}
	for _, tt := range []struct{ typ, want activitytype.Type }{
		{"BOATING_V2", "BOATING"},
		{"BOATING", "BOATING"},
		{"TRANSITION_V2", "TRANSITION"},
		{"SWIMTOBIKETRANSITION", "SWIM_TO_BIKE_TRANSITION"},
		{"SNOW_SHOE_WS", "SNOW_SHOE"},
		{"SNOWBOARDING_WS", "SNOWBOARDING_WS"}, // there is no form without WS
		{"boating_v2", "BOATING"},
		{"Running", "RUNNING"},
	} {
		require.Equal(t, tt.want, tt.typ.Canonical(), tt.typ)
	}
}

func TestAnyLetterCase(t *testing.T) {
	t.Parallel()
	for typ := range activitytype.All() {
		for _, spelled := range []string{
			strings.ToLower(string(typ)),
			string(typ[:1]) + strings.ToLower(string(typ[1:])),
		} {
			got := activitytype.Type(spelled)
			require.True(t, got.Known(), spelled)
			require.Equal(t, typ.Name(), got.Name())
			require.Equal(t, typ.Group(), got.Group())
			require.Equal(t, typ.Canonical(), got.Canonical())
		}
	}
}

func TestUnknownTypePassesThrough(t *testing.T) {
	t.Parallel()
	for _, typ := range []activitytype.Type{"", "KITE_SKATING", "kite_Skating", "RUNNING ", "RUN", "Läufe", "\xff"} {
		require.False(t, typ.Known(), "%q", typ)
		require.Equal(t, typ, typ.Canonical())
		require.Equal(t, string(typ), typ.Name())
		require.Empty(t, typ.Group())
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		typ  activitytype.Type
		want activitytype.Group
	}{
		{"ULTRA_RUN", activitytype.GroupRunning},
		{"INDOOR_HANDCYCLING", activitytype.GroupCycling},
		{"MEDITATION", activitytype.GroupGym},
		{"OPEN_WATER_SWIMMING", activitytype.GroupSwimming},
		{"INDOOR_WALKING", activitytype.GroupWalking},
		{"RUCKING", activitytype.GroupHiking},
		{"SKATE_SKIING", activitytype.GroupWinter},
		{"WINDSURFING_V2", activitytype.GroupWater},
		{"RUNTOBIKETRANSITION", activitytype.GroupTransition},
		{"VOLLEYBALL", activitytype.GroupTeam},
		{"PADDELBALL", activitytype.GroupRacket},
		{"STOP_WATCH", activitytype.GroupOther},
		{"WHEELCHAIR_PUSH_WALK", activitytype.GroupPara},
		{"MULTI_SPORT", activitytype.GroupMultisport},
	} {
		require.Equal(t, tt.want, tt.typ.Group(), tt.typ)
	}
}
