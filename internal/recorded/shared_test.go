package recorded

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/internal/resource"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

func shared(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("ACTIVITYAPI_SHARED")
	if dir == "" {
		t.Skip("ACTIVITYAPI_SHARED is not set")
	}
	return dir
}

// decode decodes a body that must hold nothing odd.
func decode(t *testing.T, body string) []*notify.Event {
	t.Helper()
	d := &notify.Decoder{KeepRaw: true, UnknownKey: func(path string) { t.Errorf("unknown key %s", path) }}
	var events []*notify.Event
	for event, err := range d.Decode(strings.NewReader(body)) {
		require.NoError(t, err)
		if u, ok := event.Data.(*notify.Unrecognized); ok {
			t.Errorf("%s: %v", event, u.Err)
		}
		events = append(events, event)
	}
	return events
}

// nothingLost holds that each key of the item is in the summary with the same
// value.
func nothingLost(t *testing.T, raw json.RawMessage, s types.Summary) {
	t.Helper()
	out, err := json.Marshal(s)
	require.NoError(t, err)
	want, got := plain(t, raw), plain(t, out)
	delete(want, "userAccessToken") // in the event
	contains(t, string(s.ID()), want, got)
}

func plain(t *testing.T, raw []byte) map[string]any {
	t.Helper()
	var m map[string]any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	require.NoError(t, dec.Decode(&m))
	return m
}

func contains(t *testing.T, path string, want, got any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		m, ok := got.(map[string]any)
		require.True(t, ok, path)
		for key, value := range want {
			require.Contains(t, m, key, path)
			contains(t, path+"."+key, value, m[key])
		}
	case []any:
		list, ok := got.([]any)
		require.True(t, ok, path)
		require.Len(t, list, len(want), path)
		for i := range want {
			contains(t, path, want[i], list[i])
		}
	case json.Number:
		if id, ok := got.(string); ok {
			require.Equal(t, want.String(), id, path)
			return
		}
		a, err := want.Float64()
		require.NoError(t, err)
		b, err := got.(json.Number).Float64()
		require.NoError(t, err)
		require.Equal(t, a, b, path)
	default:
		require.Equal(t, want, got, path)
	}
}

func TestSharedPayloads(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(shared(t), "payloads", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			body, err := os.ReadFile(file)
			require.NoError(t, err)
			var lists map[string][]json.RawMessage
			require.NoError(t, json.Unmarshal(body, &lists))
			var items []json.RawMessage
			for _, list := range lists {
				items = append(items, list...)
			}
			events := decode(t, string(body))
			require.Len(t, events, len(items))
			require.NotEmpty(t, events)
			for _, event := range events {
				push, ok := event.Data.(*notify.Push)
				require.True(t, ok, "%T", event.Data)
				nothingLost(t, event.Raw, push.Summary)
			}
			// Whatever byte a body is cut at: a clear error, and never an
			// item that is not one of the whole body's.
			step := 1 + len(body)/500
			for n := 0; n < len(bytes.TrimSpace(body)); n += step {
				got := 0
				var last error
				for event, err := range new(notify.Decoder).Decode(bytes.NewReader(body[:n])) {
					if last = err; err == nil {
						require.Equal(t, events[got].Data.(*notify.Push).Summary.ID(), event.Data.(*notify.Push).Summary.ID())
						got++
					}
				}
				require.ErrorIs(t, last, io.ErrUnexpectedEOF, "cut at %d", n)
			}
		})
	}
}

// examples returns the JSON texts in the document, in order. Lines broken for
// print are joined, and so are texts that run over a page.
func examples(t *testing.T) []string {
	t.Helper()
	doc, err := os.ReadFile(filepath.Join(shared(t), "reference", "activity-api-1.2.1.txt"))
	require.NoError(t, err)
	var list []string
	open := ""
	for i, part := range strings.Split(string(doc), "```") {
		if i%2 == 0 {
			if strings.TrimSpace(part) != "" {
				list, open = finish(list, open)
			}
			continue
		}
		open += strings.NewReplacer("\r", "", "\n", "").Replace(part)
	}
	list, _ = finish(list, open)
	return list
}

func finish(list []string, text string) ([]string, string) {
	text = strings.TrimSpace(text)
	if _, data, ok := strings.Cut(text, " -d'"); ok {
		text, _, _ = strings.Cut(data, "' http")
	}
	if strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
		list = append(list, text)
	}
	return list, ""
}

func TestSharedDocument(t *testing.T) {
	t.Parallel()
	var valid, invalid []string
	for _, text := range examples(t) {
		// The end of one list stands on the next page, outside the example.
		if strings.HasPrefix(text, "[") && !strings.HasSuffix(text, "]") {
			text += "]"
		}
		if json.Valid([]byte(text)) {
			valid = append(valid, text)
		} else {
			invalid = append(invalid, text)
		}
	}
	require.Len(t, invalid, 2, "the file ping without a comma, and the answer 409")
	require.Len(t, valid, 8)

	lists := map[types.Kind]int{}
	for _, text := range valid {
		switch {
		case strings.HasPrefix(text, "["):
			kind := kindOf(text)
			lists[kind] += pulled(t, kind, text)
		case strings.Contains(text, "errorMessage"):
			client := answering(t, http.StatusBadRequest, text)
			_, err := client.UserID(t.Context())
			require.ErrorContains(t, err, "appears to be in")
		default:
			// uploadStart/EndTimeInSeconds of the old ping repeat the URL's.
			for event, err := range (&notify.Decoder{KeepRaw: true}).Decode(strings.NewReader(text)) {
				require.NoError(t, err)
				switch data := event.Data.(type) {
				case *notify.Ping:
					lists["ping"]++
					require.Contains(t, string(data.CallbackURL), "activities?uploadStartTimeInSeconds=1444937651")
				case *notify.Push:
					lists["push"]++
					nothingLost(t, event.Raw, data.Summary)
				default:
					t.Errorf("%T in %s", data, event)
				}
			}
		}
	}
	require.Equal(t, map[types.Kind]int{
		types.KindActivities: 2, types.KindManualActivities: 2, types.KindActivityDetails: 1, types.KindMoveIQ: 1,
		"ping": 2, "push": 1,
	}, lists)

	t.Run("file ping without a comma", func(t *testing.T) {
		list, ok := strings.CutPrefix(invalid[0], `{ "activityFiles" : [`)
		require.True(t, ok)
		const before = `{"activityFiles":[{"userId":"u","summaryId":"1-file","callbackURL":"https://x.test/?id=1"},`
		var files int
		var last error
		for event, err := range new(notify.Decoder).Decode(strings.NewReader(before + list)) {
			if last = err; err == nil {
				require.Equal(t, types.ID("1-file"), event.Data.(*notify.FilePing).File.SummaryID)
				files++
			}
		}
		require.Equal(t, 1, files, "what stands before the fault is not lost")
		var de *types.DecodeError
		require.ErrorAs(t, last, &de)
		at := len(before) + strings.Index(list, `"summaryId"`)
		require.InDelta(t, at, de.Offset, 1, "%v", last)
		// With its comma the rest is two good items.
		mended := strings.Replace(invalid[0], `"  "summaryId"`, `","summaryId"`, 1)
		require.Len(t, decode(t, mended), 2)
	})
	t.Run("answer 409", func(t *testing.T) {
		client := answering(t, http.StatusConflict, invalid[1])
		start := time.Date(2021, 4, 2, 7, 5, 57, 0, time.UTC)
		err := client.Backfill(t.Context(), types.KindActivities, types.Window{Start: start, End: start.Add(24 * time.Hour)})
		require.ErrorIs(t, err, activity.ErrDuplicate)
		var e *activity.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, start, e.Earlier.Start.UTC())
		require.Equal(t, "6efb2a74-fa98-4d1c-aeb9-238b223fb304", e.TraceID)
	})
}

// kindOf tells what the items of an answer are.
func kindOf(text string) types.Kind {
	switch {
	case strings.Contains(text, `"samples"`):
		return types.KindActivityDetails
	case strings.Contains(text, `"calendarDate"`):
		return types.KindMoveIQ
	case strings.Contains(text, `"manual"`):
		return types.KindManualActivities
	}
	return types.KindActivities
}

// pulled has a client pull the text and returns the number of its summaries.
func pulled(t *testing.T, kind types.Kind, text string) int {
	t.Helper()
	client := answering(t, http.StatusOK, text)
	var raw []json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(text), &raw))
	url := types.Secret("https://apis.garmin.com/wellness-api/rest/" + resource.Of(kind) + "?uploadStartTimeInSeconds=1444937651&uploadEndTimeInSeconds=1444937902&token=x")
	n := 0
	for s, err := range client.Follow(t.Context(), kind, url) {
		require.NoError(t, err)
		nothingLost(t, raw[n], s)
		n++
	}
	require.Equal(t, len(raw), n)
	return n
}

type answer func() *http.Response

func (a answer) RoundTrip(*http.Request) (*http.Response, error) { return a(), nil }

// answering returns a client that gets this answer to everything.
func answering(t *testing.T, status int, body string) *activity.Client {
	t.Helper()
	pool, err := activity.NewPool(&activity.Options{
		Transport: answer(func() *http.Response {
			return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body))}
		}),
		UnknownKey: func(path string) { t.Errorf("unknown key %s", path) },
	})
	require.NoError(t, err)
	client, err := pool.Client(activity.OAuth2(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "t"})))
	require.NoError(t, err)
	return client
}
