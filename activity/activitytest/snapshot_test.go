package activitytest_test

import (
	"bytes"
	"cmp"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/types"
)

// busy is a server with something of each sort in its state.
func busy(t testing.TB) *activitytest.Server {
	t.Helper()
	fake := newServer(t)
	fake.RedirectURL = "https://partner.example/back"
	u, gone := fake.AddUser(nil), fake.AddUser(&activitytest.UserOptions{ID: "gone", Permissions: []types.Permission{}})
	fake.AddUser(&activitytest.UserOptions{NotConnected: true})
	u.FillHistory(activitytest.NewGenerator(1), types.Window{Start: fake.State().Now.AddDate(0, 0, -20), End: fake.State().Now})
	u.Sync(activitytest.NewGenerator(2), activitytype.StrengthTraining, fake.State().Now)
	_, err := u.Upload(activitytest.Upload{Kind: types.KindActivities, JSON: []byte(`{"z": 1, "name": "<a & b>\u2028", "big": 12345678901234567890}`)})
	require.NoError(t, err)
	_, err = u.Upload(activitytest.Upload{Edit: true, ID: "18000000001", JSON: []byte(`{"name": "c"}`)})
	require.NoError(t, err)
	status := 200
	fake.SetEndpoints(activitytest.Endpoint{URL: "http://x.example", Enabled: true, Push: true, Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
		io.Copy(io.Discard, r.Body)
		status = 703 - status
		return &http.Response{StatusCode: status, Header: http.Header{"X": {"y"}}, Body: io.NopCloser(strings.NewReader("answer"))}, nil
	})}, types.KindActivities)

	fake.Backstage().Change(func() { fake.DeliveryItems = 2; fake.BackfillDelay = time.Hour })
	fake.Deliver(t.Context())
	require.NoError(t, u.Backfill(types.KindActivities, types.Window{Start: fake.State().Now.AddDate(0, 0, -10), End: fake.State().Now}))
	_, err = fake.Advance(t.Context(), 10*time.Minute)
	require.NoError(t, err)
	u.FileURL(u.View(types.KindActivityFiles, types.Window{Start: time.Unix(0, 0), End: fake.State().Now.Add(time.Hour)})[0].ID)
	u.Connect()
	_, err = fake.Consent(authorizeURL(fake, nil), u)
	require.NoError(t, err)
	gone.Deregister()
	fake.SetQuirks(.25, "nulls")
	fake.SetQuirks(.5, "html-error")
	fake.SetFaults(activitytest.Fault{Times: 2, Status: 500, Header: http.Header{"Retry-After": {"1"}}, Path: "/never"})
	for range 4 {
		get(t, fake, rest+"user/id", u.State().AccessToken)
		get(t, fake, rest+"user/permissions", u.State().AccessToken)
	}
	return fake
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestSnapshot: the same state again is the same to the byte, in the same server
// after other things have happened and in another, and goes on the same.
func TestSnapshot(t *testing.T) {
	fake := busy(t)
	first, err := fake.Snapshot()
	require.NoError(t, err)
	for _, other := range []*activitytest.Server{activitytest.NewServer(), busy(t), fake} {
		other.Deliver(t.Context())
		other.AddUser(nil)
		require.NoError(t, other.Restore(first))
		again, err := other.Snapshot()
		require.NoError(t, err)
		require.Equal(t, string(first), string(again))
	}

	// What comes next is the same.
	next := func() string {
		require.NoError(t, fake.Restore(first))
		u := fake.Users()[0]
		require.Same(t, u, fake.User(u.ID()))
		u.Connect()
		var out bytes.Buffer
		for range 20 {
			status, body := get(t, fake, rest+"user/permissions", u.State().AccessToken)
			out.WriteString(body)
			out.WriteByte(byte(status))
		}
		fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(&out, r.Body)
		})})
		_, err := fake.Advance(t.Context(), 2*time.Hour)
		require.NoError(t, err)
		return out.String()
	}
	one, two := next(), next()
	require.Contains(t, one, "<a & b>\\u2028")
	require.Contains(t, one, "12345678901234567890")
	require.Equal(t, one, two)

	// A body of the log can still be sent, as often as it is asked for.
	require.NoError(t, fake.Restore(first))
	var got []byte
	fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got, _ = io.ReadAll(r.Body)
	})})
	d := fake.Deliveries(0)[0]
	_, err = fake.Resend(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, d.Body, got)
}

func TestRestoreRefuses(t *testing.T) {
	fake := busy(t)
	good, err := fake.Snapshot()
	require.NoError(t, err)
	for _, change := range [][2]string{
		{`{"version":1`, `{"version":2`},
		{`"kind":"activities","id":"18000000001"`, `"kind":"activities","id":"1"`},
		{`{"user":"gone"`, `{"user":"nobody"`},
		{`"nulls":0.25`, `"nuls":0.25`},
		{`"id":"gone"`, `"id":""`},
		{`"secret":"`, `"secret":"AA==","x":"`},
		{`"random":"`, `"random":"AA==","x":"`},
		{`"body":{`, `"body":[],"x":{`},
		{`"ahead":`, `"ahead":-`},
		{`"batchItems":2`, `"batchItems":-2`},
		{`"timeout":0`, `"timeout":-1`},
		{`{`, ``},
	} {
		bad := strings.Replace(string(good), change[0], change[1], 1)
		require.NotEqual(t, string(good), bad, change)
		other := activitytest.NewServer()
		before, err := other.Snapshot()
		require.NoError(t, err)
		require.Error(t, other.Restore([]byte(bad)), change)
		after, err := other.Snapshot()
		require.NoError(t, err)
		require.Equal(t, string(before), string(after), change)
	}
}

// TestRestoreWrongQueue: an item in a queue of another list key could not be sent.
func TestRestoreWrongQueue(t *testing.T) {
	for _, queues := range [][2]types.Kind{
		{types.KindActivities, types.KindDeregistrations},
		{types.KindActivities, types.KindMoveIQ},
		{types.KindPermissionChanges, types.KindActivities},
	} {
		fake := newServer(t)
		u := fake.AddUser(nil)
		u.Add(run("1", time.Now()))
		u.SetPermissions()
		b, err := fake.Snapshot()
		require.NoError(t, err)
		from, to := `"`+string(queues[0])+`":[`, `"`+string(queues[1])+`":[`
		at := strings.Index(string(b), `"waiting":`)
		bad := string(b[:at]) + strings.Replace(string(b[at:]), from, to, 1)
		require.NotEqual(t, string(b), bad)
		require.Error(t, fake.Restore([]byte(bad)), queues)
	}
}

func TestReset(t *testing.T) {
	fake := busy(t)
	fake.Backstage().Change(func() {
		fake.RedirectURL, fake.DeliveryItems, fake.BackfillDelay = "", 0, 0
	})
	require.NoError(t, fake.Restore(nil))
	got, err := fake.Snapshot()
	require.NoError(t, err)
	want, err := activitytest.NewServer().Snapshot()
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
	require.Equal(t, activitytest.NewServer().AddUser(nil).State().AccessToken, fake.AddUser(nil).State().AccessToken)
}

// TestRestoreUnderWay: a body that is under way while the state is replaced is
// neither counted nor sent again.
func TestRestoreUnderWay(t *testing.T) {
	fake := newServer(t)
	fake.AddUser(nil).Add(run("1", fake.State().Now))
	before, err := fake.Snapshot()
	require.NoError(t, err)
	n := 0
	var during []byte
	var failed error
	fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n++; n > 1 {
			return
		}
		during, failed = fake.Snapshot()
		failed = cmp.Or(failed, fake.Restore(before))
		w.WriteHeader(http.StatusInternalServerError)
	})})
	sent := fake.Deliver(t.Context())
	require.NoError(t, failed)
	require.Contains(t, string(during), `"retries":[{`)
	require.Len(t, sent, 2) // the second is that of the state restored
	require.Equal(t, 500, sent[0].Status)
	require.Zero(t, fake.State().Pending)
	kept := fake.Deliveries(0)
	require.Len(t, kept, 1)
	require.EqualValues(t, 1, kept[0].ID)
	require.True(t, kept[0].Acknowledged)
}

// FuzzRestore: a snapshot that is taken makes the same state each time, and the
// server can be used.
func FuzzRestore(f *testing.F) {
	// Something of each sort, and little of it.
	fake := activitytest.NewServer()
	u := fake.AddUser(&activitytest.UserOptions{ID: "u"})
	fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, Handler: http.NotFoundHandler()})
	u.Add(run("1", fake.State().Now))
	u.AddFile(types.ActivityFile{SummaryID: "f"}, []byte("FIT"))
	fake.Deliver(f.Context())
	u.Add(run("2", fake.State().Now))
	require.NoError(f, u.Backfill(types.KindMoveIQ, types.Window{Start: fake.State().Now.Add(-time.Hour), End: fake.State().Now}))
	u.Connect()
	fake.SetQuirks(.5, "nulls")
	fake.SetFaults(activitytest.Fault{Path: "x"})
	good, err := fake.Snapshot()
	require.NoError(f, err)
	f.Add(good)
	f.Add([]byte(`{"version":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		fake := newServer(t)
		if fake.Restore(b) != nil {
			return
		}
		first, err := fake.Snapshot()
		if err != nil {
			return // a date that JSON cannot write
		}
		require.NoError(t, fake.Restore(first))
		again, err := fake.Snapshot()
		require.NoError(t, err)
		require.Equal(t, string(first), string(again))
		fake.SetFaults() // one may be a delay of a year
		fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})})
		fake.Deliver(t.Context())
		for _, u := range fake.Users() {
			get(t, fake, rest+"user/permissions", u.State().AccessToken)
		}
	})
}
