package notify_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// TestDecodeCommas teaches the decoder orders of keys, and wants every comma
// that is missing or too many to be seen all the same.
func TestDecodeCommas(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ lessons, wrong string }{
		"none between keys that came first and second": {
			`{"userId":"u","summaryId":"1"},{"summaryId":"1","userId":"u"},{"userId":"u","steps":1,"summaryId":"1"}`, `{"userId":"u""summaryId":"1"}`},
		"none after an unknown key": {
			`{"summaryId":"1","userId":"u"}`, `{"new":1"summaryId":"1","userId":"u"}`},
		"one before the first key": {
			`{"new":1,"summaryId":"1","userId":"u"},{"new":1,"summaryId":"1","userId":"u"}`, `{,"summaryId":"1","userId":"u"}`},
		"one before the end": {
			`{"summaryId":"1","userId":"u"}`, `{"summaryId":"1","userId":"u",}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pushes := 0
			var last error
			body := `{"activities":[` + tt.lessons + `,` + tt.wrong + `]}`
			for event, err := range new(notify.Decoder).Decode(strings.NewReader(body)) {
				if last = err; err == nil {
					require.IsType(t, &notify.Push{}, event.Data)
					pushes++
				}
			}
			require.Equal(t, strings.Count(tt.lessons, "userId"), pushes)
			var de *types.DecodeError
			require.ErrorAs(t, last, &de)
			require.Greater(t, int(de.Offset), strings.Index(body, tt.wrong))
		})
	}
}

// TestSampleCommas does the same for samples, which have a road of their own.
func TestSampleCommas(t *testing.T) {
	t.Parallel()
	for _, wrong := range []string{
		`{"startTimeInSeconds":1"heartRate":2}`,
		`{,"heartRate":2,"startTimeInSeconds":1}`,
		`{"new":1"heartRate":2}`,
		`{"heartRate":2,}`,
	} {
		body := `{"activityDetails":[{"userId":"u","samples":[{"startTimeInSeconds":1,"heartRate":2},{"heartRate":2,"startTimeInSeconds":1},{"new":1,"heartRate":2},{"startTimeInSeconds":1,"steps":1},` + wrong + `]}]}`
		var last error
		for _, err := range new(notify.Decoder).Decode(strings.NewReader(body)) {
			last = err
		}
		require.Error(t, last, wrong)
	}
}
