package activity_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/types"
)

// An item that is larger than it may be is read over and named, and costs
// neither its neighbours nor memory.
func TestHugeItem(t *testing.T) {
	const size = 200 << 20
	huge := func() io.Reader {
		return io.MultiReader(
			strings.NewReader(`[{"summaryId":"1"},{"summaryId":"2","activityName":"`),
			io.LimitReader(endless{}, size),
			strings.NewReader(`"},{"summaryId":"3"}]`))
	}
	transport := roundTripper(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, ContentLength: -1, Body: io.NopCloser(huge())}, nil
	})
	runtime.GC() // what earlier tests left is not this one's
	var most uint64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapInuse)
			}
		}
	}()
	c, err := poolClient(bearer("token"), &activity.Options{Transport: transport, MaxItemBytes: 4 << 20})
	require.NoError(t, err)
	items, err := collect(c.Follow(t.Context(), types.KindActivities, types.Secret(base+"/activities"+goodPull)))
	close(stop)
	<-done
	require.Len(t, items, 2)
	require.Equal(t, types.ID("3"), items[1].ID())
	require.ErrorIs(t, err, activity.ErrTooLarge)
	require.ErrorContains(t, err, "activities[1]")
	require.ErrorContains(t, err, "Options.MaxItemBytes")
	require.Equal(t, types.FaultItem, asError(t, err).Fault())
	require.Less(t, most, uint64(64<<20), "memory for one item of %d MiB", size>>20)

	var bad []string
	c, err = poolClient(bearer("token"), &activity.Options{Transport: transport, BadItem: func(_ types.Kind, raw json.RawMessage, err *types.DecodeError) {
		require.ErrorIs(t, err, activity.ErrTooLarge)
		require.LessOrEqual(t, len(raw), 1<<20)
		bad = append(bad, err.Path)
	}})
	require.NoError(t, err)
	_, err = collect(c.Activities(t.Context(), lastHour(), nil))
	require.NoError(t, err)
	require.Equal(t, []string{"activities[1]"}, bad)
}

type endless struct{}

// Read makes no garbage, since memory is what is measured.
func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// Samples that are handed on one by one are not held, and not bounded.
func TestHugeItemWithSampleHook(t *testing.T) {
	t.Parallel()
	body := `[{"summaryId":"1-detail","samples":[` + strings.Repeat(`{"heartRate":60},`, 10_000) + `{"heartRate":61}]}]`
	c, _ := answering(t, 200, body, nil, activity.Options{MaxItemBytes: 1000})
	_, err := collect(c.Details(t.Context(), lastHour(), nil))
	require.ErrorIs(t, err, activity.ErrTooLarge)
	n := 0
	items, err := collect(c.Details(t.Context(), lastHour(), &activity.PullOptions{Sample: func(int, *types.Sample) error { n++; return nil }}))
	require.NoError(t, err)
	require.Len(t, items, 1)
	require.Equal(t, 10_001, n)
}

// TestDefectsAreLogged: one line for a list, without the value.
func TestDefectsAreLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	c, _ := scripted(t, activity.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))},
		step{status: 200, body: `[{"summaryId":"1","steps":"SECRET"},{"summaryId":"2"},{"summaryId":"3","durationInSeconds":[1]}]`})
	items, err := collect(c.Activities(t.Context(), lastHour(), nil))
	require.NoError(t, err)
	require.Len(t, items, 3)
	require.NotNil(t, items[0].Defects)
	require.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
	require.Contains(t, log.String(), `level=WARN msg="activity: items without values that could not be read" op=Activities kind=activities items=2`)
	require.Contains(t, log.String(), "activities[0].steps, at byte 26")
	require.NotContains(t, log.String(), "SECRET")
}
