package types_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/types"
)

func TestAttribution(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ device, want string }{
		// As payloads have them.
		{"forerunner935", "Garmin Forerunner 935"},
		{"fenix 5X Plus", "Garmin fenix 5X Plus"},
		{"Edge 820", "Garmin Edge 820"},
		{"Garmin fenix 8", "Garmin fenix 8"},
		{"Garmi fenix 8", "Garmin fenix 8"},
		{"unknown", "Garmin"},
		{"", "Garmin"},
		{"Garmin Forerunner 965", "Garmin Forerunner 965"},
		{"Garmin Fenix 7X Pro", "Garmin fenix 7X Pro"},
		{"Garmin fēnix 8 – 51 mm, AMOLED", "Garmin fēnix 8 51 mm, AMOLED"},
		{"vivoactive3", "Garmin vivoactive 3"},
		{"vívoactive® 4S", "Garmin vívoactive 4S"},
		{"FORERUNNER 245 Music", "Garmin Forerunner 245 Music"},
		{"Forerunner 735XT", "Garmin Forerunner 735XT"},
		{"fenix3_hr", "Garmin fenix 3 hr"},
		{"edge_530", "Garmin Edge 530"},
		{"Venu Sq. Music", "Garmin Venu Sq. Music"},
		{"Instinct Crossover", "Garmin Instinct Crossover"},
		{"MARQ (Gen 2) Athlete", "Garmin MARQ (Gen 2) Athlete"},
		{"D2 Air X10", "Garmin D2 Air X10"},
		{"TACX NEO 2T", "Garmin TACX NEO 2T"},
		// What is no model.
		{"Unknown", "Garmin"},
		{"UNKNOWN_DEVICE", "Garmin"},
		{" unknown\t", "Garmin"},
		{"null", "Garmin"},
		{"N/A", "Garmin"},
		{"-", "Garmin"},
		{"...", "Garmin"},
		{"Garmin", "Garmin"},
		{"GARMIN", "Garmin"},
		{"Garmin Connect", "Garmin"},
		{"Garmin Connect™", "Garmin"},
		{"garmin_connect", "Garmin"},
		{"Garmin unknown", "Garmin"},
		{"Wahoo ELEMNT BOLT", "Garmin"},
		{"Zwift", "Garmin"},
		{"Apple Watch Series 9", "Garmin"},
		// The maker, once.
		{"Garmin Garmin Edge 840", "Garmin Edge 840"},
		{"GarminEdge530", "Garmin Edge 530"},
		{"Edge 1040 by Garmin", "Garmin Edge 1040 by"},
		{"Garmin® Edge® 1050", "Garmin Edge 1050"},
		{"gargarminmin Edge 20", "Garmin gar min Edge 20"},
		{"-Garmi Lily 2", "Garmin Lily 2"},
		{"Garmi", "Garmin"},
		{"Garmi Garmi Edge", "Garmin Edge"},
		// What does not belong into a name.
		{"  Edge\n  130\r\n", "Garmin Edge 130"},
		{"Edge\x00130", "Garmin Edge 130"},
		{"<b>Edge 130</b>", "Garmin b Edge 130 /b"},
		{"Edge \u202e031", "Garmin Edge 031"},
		{"Edge \xff", "Garmin"},
		{strings.Repeat("x", 64), "Garmin " + strings.Repeat("x", 64)},
		{strings.Repeat("x", 65), "Garmin"},
		{strings.Repeat("ē", 64), "Garmin " + strings.Repeat("ē", 64)},
		{strings.Repeat("garmin", 1e5), "Garmin"},
	} {
		require.Equal(t, tt.want, types.Attribution(tt.device), "%q", tt.device)
	}
}

func FuzzAttribution(f *testing.F) {
	for _, s := range []string{"forerunner935", "Garmi fenix 8", "-garmi-", "garmi garmin", "Edge®\u202e", "ɢarmin", "edge5edge6", "wahoo\x00garmin", "garminunknown"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, device string) {
		got := types.Attribution(device)
		require.True(t, got == "Garmin" || strings.HasPrefix(got, "Garmin "), "%q", got)
		require.Equal(t, 1, strings.Count(strings.ToLower(got), "garmin"), "%q", got)
		require.Equal(t, strings.Join(strings.Fields(got), " "), got)
		require.True(t, utf8.ValidString(got))
		require.LessOrEqual(t, utf8.RuneCountInString(got), len("Garmin ")+64)
		for _, r := range got {
			require.True(t, unicode.IsGraphic(r) && !strings.ContainsRune("<>\"\\;={}", r), "%q of %q", r, got)
		}
		require.Equal(t, got, types.Attribution(got), "it does not stay as it is")
	})
}
