package notify_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
)

// TestEventsHideSecrets prints and logs every kind of event, and what it says, in
// every way: no token, callback query or raw byte shows.
func TestEventsHideSecrets(t *testing.T) {
	t.Parallel()
	const secret = "CANARY"
	item := `{"userId":"u","summaryId":"1","userAccessToken":"` + secret + `","steps":"x","activityName":"` + secret + `"`
	call := `,"callbackURL":"https://apis.garmin.com/wellness-api/rest/activities?token=` + secret + `"`
	body := `{"activities":[` + item + `},` + item + call + `},{"summaryId":"` + secret + `"}],"activityFiles":[` + item + call + `}],
		"deregistrations":[` + item + `}],"userPermissionsChange":[` + item + `}]}`
	kinds := map[string]bool{}
	d := notify.Decoder{KeepRaw: true}
	for ev, err := range d.Decode(strings.NewReader(body)) {
		require.NoError(t, err)
		kinds[fmt.Sprintf("%T", ev.Data)] = true
		require.Contains(t, string(ev.Raw), secret)
		var shown bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%s", "%q", "%x", "%X"} {
			fmt.Fprintf(&shown, verb+verb, ev, *ev)
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X"} {
			value := reflect.ValueOf(ev.Data).Elem().Interface()
			fmt.Fprintf(&shown, verb+verb, ev.Data, value)
			fmt.Fprintf(&shown, verb+verb, struct{ D notify.Data }{ev.Data}, struct{ V any }{value})
		}
		for _, h := range []slog.Handler{slog.NewJSONHandler(&shown, nil), slog.NewTextHandler(&shown, nil)} {
			slog.New(h).Info("x", "event", ev, "value", *ev, "data", ev.Data)
		}
		require.NotContains(t, shown.String(), secret, "%T", ev.Data)
		require.NotContains(t, strings.ToLower(shown.String()), fmt.Sprintf("%x", secret), "%T", ev.Data)
		require.NotContains(t, shown.String(), strings.Trim(fmt.Sprint([]byte(secret)), "[]"), "%T", ev.Data)
		require.Contains(t, shown.String(), ev.Key)
	}
	require.Len(t, kinds, 6)
}
