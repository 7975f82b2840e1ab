package activitytest_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/internal/openapi"
)

// newServer returns a server. At the end of the test, each answer and each
// notification that it has sent is held against the documents that describe them.
func newServer(t testing.TB) *activitytest.Server {
	t.Helper()
	fake := activitytest.NewServer()
	t.Cleanup(func() { checkDescribed(t, fake) })
	return fake
}

func checkDescribed(t testing.TB, fake *activitytest.Server) {
	t.Helper()
	if len(fake.State().Quirks) > 0 {
		return // what is odd is not described
	}
	api := document(t, "garmin")
	for _, e := range fake.Requests(fake.State().Requests - 10_000) {
		unknown := e.Status == 404 || e.Status == 405 || e.Status/100 == 3 && e.Method == "GET" // the multiplexer's
		if e.By != "" || e.Status == 0 || unknown || e.Answer.Dropped || int64(len(e.Answer.Body)) < e.Answer.Size {
			continue
		}
		if err := api.Answer(e.Method, e.Path, e.Status, e.Answer.Header.Get("Content-Type"), e.Answer.Body); err != nil {
			t.Errorf("%v: %s", err, e.Answer.Body)
		}
	}
	notifications := document(t, "notifications")
	for _, d := range fake.Deliveries(fake.State().Deliveries - 1000) {
		if d.Answer.Dropped {
			continue
		}
		key := string(d.Key)
		if err := notifications.Schema("Notification"+strings.ToUpper(key[:1])+key[1:], d.Body); err != nil {
			t.Errorf("%v: %s", err, d.Body)
		}
	}
}

func document(t testing.TB, name string) *openapi.Document {
	t.Helper()
	b, err := os.ReadFile("control/openapi/" + name + ".json")
	require.NoError(t, err)
	d, err := openapi.Read(b)
	require.NoError(t, err)
	return d
}
