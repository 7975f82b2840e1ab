package activitytest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/types"
)

func TestAddItem(t *testing.T) {
	fake := activitytest.NewServer() // what the caller writes is not described
	u := fake.AddUser(&activitytest.UserOptions{ID: "u"})
	var got []string
	fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = append(got, string(b))
	})})
	for _, test := range []struct {
		kind       types.Kind
		item, want string
	}{
		{"activities", `{"summaryId":"7","startTimeInSeconds":100,"z":[1.50,{"a":null}],"a":"<&>"}`, `{"activities":[{"userId":"u","summaryId":"7","startTimeInSeconds":100,"z":[1.50,{"a":null}],"a":"<&>"}]}`},
		{"activities", ` { "summaryId" : 8 , "startTimeInSeconds" : 100.5 } `, `{"activities":[{"userId":"u","summaryId":8,"startTimeInSeconds":100.5}]}`},
		{"activities", `{"userId":"u","summaryId":"9","startTimeInSeconds":1,"callbackURL":"https://attacker.example"}`, `{"activities":[{"userId":"u","summaryId":"9","startTimeInSeconds":1}]}`},
		{"moveIQActivities", `{"startTimeInSeconds":1}`, `{"moveIQActivities":[{"userId":"u","summaryId":"18000000001","startTimeInSeconds":1}]}`},
		{"activityDetails", `{"summary":{"startTimeInSeconds":1}}`, `{"activityDetails":[{"userId":"u","summaryId":"18000000002-detail","summary":{"startTimeInSeconds":1}}]}`},
		{"manuallyUpdatedActivities", `{"summaryId":"x","startTimeInSeconds":0}`, `{"manuallyUpdatedActivities":[{"userId":"u","summaryId":"x","startTimeInSeconds":0}]}`},
	} {
		got = nil
		_, err := u.Upload(activitytest.Upload{Kind: test.kind, JSON: []byte(test.item)})
		require.NoError(t, err, test.item)
		fake.Deliver(t.Context())
		require.Equal(t, []string{test.want}, got)
	}
	rec, err := u.Upload(activitytest.Upload{Kind: "activities", JSON: []byte(`{}`)})
	require.NoError(t, err)
	require.Equal(t, fake.State().Now.Unix()/10, rec.Start.Unix()/10)
	for _, bad := range []string{
		``, `[]`, `null`, `{`, `{} {}`, `"x"`, `{"userId":"other"}`, `{"userId":7}`, `{"summaryId":{}}`, `{"summaryId":null}`,
		`{"startTimeInSeconds":"soon"}`, `{"startTimeInSeconds":1e30}`, `{"startTimeInSeconds":-1}`,
	} {
		_, err := u.Upload(activitytest.Upload{Kind: "activities", JSON: []byte(bad)})
		require.Error(t, err, bad)
	}
	_, err = u.Upload(activitytest.Upload{Kind: "sleeps", JSON: []byte(`{}`)})
	require.Error(t, err)

	// An edit takes its place and is announced.
	n := u.State().Records["activities"]
	fake.Deliver(t.Context())
	got = nil
	_, err = u.Upload(activitytest.Upload{Kind: "activities", JSON: []byte(`{"startTimeInSeconds":100,"new":true}`), ID: "7"})
	require.NoError(t, err)
	_, err = u.Upload(activitytest.Upload{Kind: "activities", JSON: []byte(`{"summaryId":"6"}`), ID: "7"})
	require.Error(t, err)
	require.Equal(t, n, u.State().Records["activities"])
	fake.Deliver(t.Context())
	require.Equal(t, []string{`{"activities":[{"userId":"u","summaryId":"7","startTimeInSeconds":100,"new":true}]}`}, got)

	// History waits for a backfill; a file has its content.
	_, err = u.Upload(activitytest.Upload{Kind: "activities", JSON: []byte(`{"summaryId":"old","startTimeInSeconds":5}`), History: true})
	require.NoError(t, err)
	require.Zero(t, fake.State().Pending)
	_, err = u.Upload(activitytest.Upload{Kind: "activityFiles", JSON: []byte(`{"summaryId":"f","startTimeInSeconds":5}`), Content: []byte("bytes")})
	require.NoError(t, err)
	got = nil
	fake.Deliver(t.Context())
	var body struct {
		ActivityFiles []struct{ CallbackURL, FileType string }
	}
	require.NoError(t, json.Unmarshal([]byte(got[0]), &body))
	require.Equal(t, "FIT", body.ActivityFiles[0].FileType)
	status, content := get(t, fake, body.ActivityFiles[0].CallbackURL, u.State().AccessToken)
	require.Equal(t, 200, status)
	require.Equal(t, "bytes", content)
}

func TestEditItem(t *testing.T) {
	fake := newServer(t)
	u := fake.AddUser(&activitytest.UserOptions{ID: "u"})
	_, err := u.Upload(activitytest.Upload{Kind: "activities", JSON: []byte(`{"summaryId":"7","activityName":"a","startTimeInSeconds":100,"distanceInMeters":5.0}`)})
	require.NoError(t, err)
	for _, test := range [][2]string{
		{`{"activityName":"b","note":[1]}`, `{"summaryId":"7","activityName":"b","startTimeInSeconds":100,"distanceInMeters":5.0,"note":[1],"manual":true}`},
		{`{"distanceInMeters":6}`, `{"summaryId":"7","activityName":"b","startTimeInSeconds":100,"distanceInMeters":6,"note":[1],"manual":true}`}, // on top of the last
	} {
		rec, err := u.Upload(activitytest.Upload{Edit: true, ID: "7", JSON: []byte(test[0])})
		require.NoError(t, err)
		require.Equal(t, types.KindManualActivities, rec.Kind)
		require.Equal(t, test[1], string(rec.JSON))
	}
	_, err = u.Upload(activitytest.Upload{Edit: true, ID: "8", JSON: []byte(`{}`)})
	require.Error(t, err)
	_, err = u.Upload(activitytest.Upload{Edit: true, ID: "7", JSON: []byte(`[]`)})
	require.Error(t, err)
	require.Contains(t, string(u.View(types.KindActivities, types.Window{})[0].JSON), `"a"`) // the device's stays
}

// FuzzAddItem: what is taken is sent as JSON that any reader reads, with the owner
// and nobody else's.
func FuzzAddItem(f *testing.F) {
	for _, s := range []string{`{"a":1}`, `{"userId":"u","summaryId":7}`, `{"summaryId":"x","\u0073ummaryId":"y"}`, `{"\ud800":1}`, `{"a":{"userId":"z"}}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, item string) {
		fake := activitytest.NewServer()
		u := fake.AddUser(&activitytest.UserOptions{ID: "u"})
		fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})})
		rec, err := u.Upload(activitytest.Upload{Kind: "activities", JSON: []byte(item)})
		var o map[string]json.RawMessage
		if err != nil {
			return
		}
		require.NoError(t, json.Unmarshal([]byte(item), &o))
		delete(o, "userId")
		delete(o, "callbackURL")
		for _, key := range []string{"summaryId", "startTimeInSeconds"} {
			delete(o, key)
		}
		d := fake.Deliver(t.Context())
		var body struct{ Activities []map[string]json.RawMessage }
		require.NoError(t, json.Unmarshal(d[0].Body, &body))
		sent := body.Activities[0]
		require.Equal(t, `"u"`, string(sent["userId"]))
		var id types.ID
		require.NoError(t, json.Unmarshal(sent["summaryId"], &id))
		require.Equal(t, rec.ID, id)
		for key, raw := range o {
			var want, got strings.Builder
			want.WriteString(compact(t, raw))
			got.WriteString(compact(t, sent[key]))
			require.Equal(t, want.String(), got.String(), key)
		}
	})
}

func compact(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	b, err := json.Marshal(raw)
	require.NoError(t, err)
	return string(b)
}
