package types_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/types"
)

func TestIDUnmarshal(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		want types.ID
	}{
		{`"5001"`, "5001"},
		{`5001`, "5001"},
		{`"5001-detail"`, "5001-detail"},
		{`"x120d383-60256e84"`, "x120d383-60256e84"},
		{`9007199254740993`, "9007199254740993"}, // 2^53+1: no float64
		{`9876543210123456789`, "9876543210123456789"},
		{`"9876543210123456789"`, "9876543210123456789"},
		{`123456789012345678901234567890`, "123456789012345678901234567890"},
		{`5001.0`, "5001"},
		{`5001.000`, "5001"},
		{`-7`, "-7"},
		{`0`, "0"},
		{`""`, ""},
		{`"\u0035001"`, "5001"},
		{`null`, ""},
	} {
		var id types.ID
		require.NoError(t, json.Unmarshal([]byte(tt.in), &id), tt.in)
		require.Equal(t, tt.want, id, tt.in)
	}
	for _, in := range []string{`true`, `{}`, `[]`, `5001.5`, `5e3`, "\"\xff\"", `"\ud83d"`, `-`, ``} {
		var id types.ID
		require.Error(t, id.UnmarshalJSON([]byte(in)), in)
		require.Empty(t, id, in)
	}
	id := types.ID("kept")
	require.NoError(t, id.UnmarshalJSON([]byte("null")))
	require.Equal(t, types.ID("kept"), id)
}

func TestIDIsAStringInJSON(t *testing.T) {
	t.Parallel()
	out, err := json.Marshal(types.ID("5001"))
	require.NoError(t, err)
	require.Equal(t, `"5001"`, string(out))
}

func TestIDStem(t *testing.T) {
	t.Parallel()
	for in, want := range map[types.ID]types.ID{
		"5001":             "5001",
		"5001-detail":      "5001",
		"5001-file":        "5001",
		"5001-file-detail": "5001",
		"5001-moveiq":      "5001-moveiq",
		"":                 "",
	} {
		require.Equal(t, want, in.Stem(), in)
	}
}

// FuzzID holds that an ID is taken from JSON digit by digit or refused, and
// that what was taken survives a round trip.
func FuzzID(f *testing.F) {
	for _, s := range []string{`"5001"`, `5001`, `9876543210123456789`, `-1.0`, `null`, `"\ud800"`, `1e3`, `.5`, `-.0`, `1.`} {
		f.Add([]byte(s))
	}
	integer := regexp.MustCompile(`^(-?[0-9]+)(\.0+)?$`)
	f.Fuzz(func(t *testing.T, in []byte) {
		var id types.ID
		if err := json.Unmarshal(in, &id); err != nil {
			require.Empty(t, id)
			return
		}
		var v any
		dec := json.NewDecoder(bytes.NewReader(in))
		dec.UseNumber()
		require.NoError(t, dec.Decode(&v))
		switch v := v.(type) {
		case nil:
			require.Empty(t, id)
		case string:
			require.Equal(t, types.ID(v), id)
		case json.Number:
			m := integer.FindStringSubmatch(v.String())
			require.NotNil(t, m, "%q gave %q", in, id)
			require.Equal(t, m[1], string(id))
		default:
			t.Fatalf("%q gave %q", in, id)
		}
		out, err := json.Marshal(id)
		require.NoError(t, err)
		var back types.ID
		require.NoError(t, json.Unmarshal(out, &back))
		require.Equal(t, id, back)
	})
}
