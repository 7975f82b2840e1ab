package drift_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/drift"
	"github.com/garminkit/activityapi/types"
)

// run gives bodies to a processor with a report.
func run(t *testing.T, bodies ...string) *drift.Report {
	t.Helper()
	r := drift.New()
	synctest.Test(t, func(t *testing.T) {
		q := memqueue.NewMemory()
		defer q.Close()
		users := func(_ context.Context, id types.UserID) ([]notify.User, error) {
			return []notify.User{{ID: string(id)}}, nil
		}
		called := 0
		callbacks := notify.Callbacks{
			Save:             func(context.Context, *notify.Delivery, types.Summary) error { called++; return nil },
			Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
			PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { called++; return nil },
		}
		inbox := q
		opts := &notify.ProcessorOptions{UnknownKey: r.UnknownKey, Observe: r.Observe}
		processor, err := notify.NewProcessor(inbox, users, r.Wrap(callbacks), opts)
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- processor.Run(ctx) }()
		for _, b := range bodies {
			require.NoError(t, q.Put(ctx, strings.NewReader(b)))
		}
		time.Sleep(time.Minute)
		stop()
		require.NoError(t, <-done)
		require.Positive(t, called, "the callbacks are called all the same")
	})
	return r
}

// TestReport: each kind of change is found, counted, and told without values.
func TestReport(t *testing.T) {
	t.Parallel()
	item := func(id int, more string) string {
		return fmt.Sprintf(`{"userId":"u1","userAccessToken":"CANARY","summaryId":"s%d","activityId":%d,"startTimeInSeconds":1700000000,"durationInSeconds":60%s}`, id, id, more)
	}
	r := run(t,
		`{"activities":[`+strings.Join([]string{
			item(1, `,"activityType":"RUNNING"`),
			item(2, `,"activityType":"MOON_WALKING"`),
			item(3, `,"activityType":"MOON_WALKING","newKey":"CANARY"`),
			item(4, `,"activityType":"Canary's own","newKey":{"x":"CANARY"}`),
			item(5, `,"steps":"CANARY"`),
			item(6, `,"steps":[1]`),
		}, ",")+`]}`,
		`{"activityDetails":[{"userId":"u1","summaryId":"d1","summary":{"activityType":"SUN_BATHING"},"samples":[{"startTimeInSeconds":1,"zeal":1},{"startTimeInSeconds":2,"zeal":2}]}]}`,
		`{"dailies":[{"userId":"u1"},{"userId":"CANARY"}]}`,
		`{"activities":[{"userId":["CANARY"],"summaryId":"x"},"CANARY",{"userId":"u1"}]}`,
		`{"userPermissionsChange":[{"userId":"u1","summaryId":"x","permissions":["ACTIVITY_EXPORT","SLEEP_EXPORT"],"changeTimeInSeconds":1700000000},{"userId":"u1","summaryId":"y","permissions":5}]}`,
	)
	var got []string
	for _, f := range r.Findings() {
		require.False(t, f.First.IsZero())
		require.False(t, f.Last.Before(f.First))
		got = append(got, fmt.Sprint(f.Count, " ", f.Kind, " ", f.Where, " ", f.What))
	}
	require.Equal(t, []string{
		"1 other value activities[].steps a string that holds no number for an integer",
		"1 other value activities[].steps an array for an integer",
		"1 other value userPermissionsChange[].permissions a number for a list of strings",
		"2 unknown activity type activities MOON_WALKING",
		"1 unknown activity type activities (a text of 12 bytes)",
		"1 unknown activity type activityDetails SUN_BATHING",
		"2 unknown key activities[].newKey ",
		"2 unknown key activityDetails[].samples[].zeal ",
		"2 unknown list dailies ",
		"1 unknown permission userPermissionsChange SLEEP_EXPORT",
		"1 unreadable item activities[] no summaryId",
		"1 unreadable item activities[] want an object, have a string",
		"1 unreadable item activities[].userId want a string, have an array",
	}, got)
	data, err := json.Marshal(r)
	require.NoError(t, err)
	for _, text := range []string{r.String(), string(data)} {
		require.Contains(t, text, "github.com/garminkit/activityapi")
		require.Contains(t, text, "MOON_WALKING")
		require.NotContains(t, strings.ToUpper(text), "CANARY")
		require.NotContains(t, text, "u1")
	}
}

// TestNothingNew: what is documented is no finding.
func TestNothingNew(t *testing.T) {
	t.Parallel()
	r := run(t,
		`{"activities":[{"userId":"u","summaryId":"1","activityId":1,"activityType":"RUNNING","startTimeInSeconds":1700000000,"durationInSeconds":60}]}`,
		`{"moveIQActivities":[{"userId":"u","summaryId":"2","activityType":"Running","startTimeInSeconds":1700000000,"durationInSeconds":60}]}`,
		`no JSON`, `{"activities":[{"userId":"u"`,
		`{"userPermissionsChange":[{"userId":"u","permissions":["ACTIVITY_EXPORT"],"changeTimeInSeconds":1700000000}]}`)
	require.Empty(t, r.Findings())
}

// TestBounded: whoever can reach the endpoint can make findings, and they take
// no more than some memory, whatever they are.
func TestBounded(t *testing.T) {
	t.Parallel()
	r := drift.New()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 2000 {
				r.UnknownKey(fmt.Sprintf("activities[%d].%s%d", i, strings.Repeat("k", i), i))
				r.UnknownKey("activities[0].\x00<script>\u2028" + fmt.Sprint(i))
			}
		})
	}
	wg.Wait()
	all := r.Findings()
	require.Len(t, all, 500)
	require.Equal(t, 500, r.Len())
	total := int64(0)
	for _, f := range all {
		require.LessOrEqual(t, len(f.Where), 103)
		require.NotContains(t, f.Where, "<")
		total += f.Count
	}
	text := r.String()
	require.Contains(t, text, fmt.Sprintf("%6d  others", 16_000-total))
	require.Less(t, len(text), 100_000)
}

// TestFiles: a file of a type that is not known, and what is odd in its ping.
func TestFiles(t *testing.T) {
	t.Parallel()
	r := drift.New()
	told := 0
	c := r.Wrap(notify.Callbacks{File: func(context.Context, *notify.Delivery, *notify.File) error { told++; return nil }})
	for _, a := range []types.ActivityFile{
		{FileType: "FIT", ActivityType: "RUNNING"},
		{FileType: "ZIP", ActivityType: "MOON_WALKING"},
		{FileType: "canary", Defects: &types.Defects{First: []types.Defect{{Path: "activityFiles[2].manual", Want: "a boolean", Have: "a number"}}, Count: 1}},
	} {
		require.NoError(t, c.File(t.Context(), nil, &notify.File{Announced: a}))
	}
	require.Equal(t, 3, told)
	var got []string
	for _, f := range r.Findings() {
		got = append(got, f.Kind+" "+f.Where+" "+f.What)
	}
	require.Equal(t, []string{
		"other value activityFiles[].manual a number for a boolean",
		"unknown activity type activityFiles MOON_WALKING",
		"unknown file type activityFiles (a text of 6 bytes)",
		"unknown file type activityFiles ZIP",
	}, got)
}

func ExampleReport() {
	report := drift.New()
	for range 3 {
		report.UnknownKey("activities[7].newKey")
	}
	for _, f := range report.Findings() {
		fmt.Println(f.Count, f.Kind, f.Where)
	}
	// Output: 3 unknown key activities[].newKey
}

func ExampleNew() {
	report := drift.New()
	d := notify.Decoder{UnknownKey: report.UnknownKey}
	body := `{"activities":[{"userId":"u","summaryId":"1","newKey":5}]}`
	for _, err := range d.Decode(strings.NewReader(body)) {
		if err != nil {
			fmt.Println(err)
		}
	}
	_, findings, _ := strings.Cut(report.String(), "\n")
	fmt.Print(findings)
	// Output:      1  unknown key  activities[].newKey
}
