package activity_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/types"
)

// TestOddLists is row F32: 200 with a body that is not the list asked for.
func TestOddLists(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		body    string
		items   int
		excerpt string
	}{
		"page":              {"<html><body>maintenance</body></html>", 0, "<html><body>maintenance</body></html>"},
		"long page":         {"<p>" + strings.Repeat("a", 5000), 0, "<p>a"},
		"empty":             {"", 0, ""},
		"blanks":            {" \n ", 0, ""},
		"object":            {"{}", 0, ""},
		"object with list":  {`{"activities":[]}`, 0, ""},
		"null":              {"null", 0, "null"},
		"string":            {`"[]"`, 0, `"[]"`},
		"cut at once":       {"[", 0, ""},
		"cut in an item":    {`[{"summaryId":"1"},{"summ`, 1, ""},
		"cut between items": {`[{"summaryId":"1"}`, 1, ""},
		"two lists":         {`[{"summaryId":"1"}][]`, 1, ""},
		"text behind":       {`[{"summaryId":"1"}]x`, 1, ""},
		"no comma":          {`[{"summaryId":"1"}{"summaryId":"2"}]`, 1, ""},
		"UTF-16":            {"\xff\xfe[\x00]\x00", 0, "\ufffd["},
		"bad items":         {`[{"summaryId":"1"},7,{"steps":"x"},{"summaryId":"2"},null]`, 2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c, n := answering(t, 200, test.body, nil, activity.Options{})
			items, err := collect(c.Activities(context.Background(), lastHour(), nil))
			e := asError(t, err)
			require.Len(t, items, test.items)
			require.Equal(t, 1, *n, "part of the list was yielded: not repeated")
			require.Equal(t, 200, e.StatusCode)
			require.True(t, strings.HasPrefix(e.Body, test.excerpt), e.Body)
			require.Equal(t, test.excerpt == "", e.Body == "")
			require.LessOrEqual(t, len(e.Body), 1024)
			want := types.Fault("")
			switch name {
			case "page", "long page", "UTF-16":
				want = types.FaultNetwork
			case "bad items":
				want = types.FaultItem
			}
			require.Equal(t, want, e.Fault())
			var de *types.DecodeError
			require.ErrorAs(t, err, &de)
		})
	}
	for name, body := range map[string]string{"empty list": "[]", "blanks around": " [ ] \n", "empty objects": "[{},{}]"} {
		c, _ := answering(t, 200, body, http.Header{"Content-Type": {"text/plain; charset=iso-8859-1"}}, activity.Options{})
		items, err := collect(c.Activities(context.Background(), lastHour(), nil))
		require.NoError(t, err, name)
		require.Empty(t, items)
	}
}

// TestOneBadItem: it does not cost its neighbours, and it is not passed over in
// silence.
func TestOneBadItem(t *testing.T) {
	t.Parallel()
	const body = `[{"summaryId":"1","new":1},{"summaryId":{"id":2}},{"summaryId":"3","steps":"many"}]`
	t.Run("without a hook", func(t *testing.T) {
		c, _ := answering(t, 200, body, nil, activity.Options{})
		items, err := collect(c.Follow(context.Background(), types.KindActivities, base+"/activities"+goodPull))
		require.Len(t, items, 2)
		require.Equal(t, types.ID("3"), items[1].ID())
		odd := items[1].(*types.Activity)
		require.Equal(t, "activities[2].steps, at byte 75: want an integer, have a string that holds no number", odd.Defects.String())
		require.JSONEq(t, `{"summaryId":"3","steps":"many"}`, string(odd.Raw))
		require.ErrorContains(t, err, "1 of the items cannot be read: activities[1]")
		var de *types.DecodeError
		require.ErrorAs(t, err, &de)
		require.Contains(t, de.Path, "activities[1]")
		require.NotZero(t, de.Offset)
	})
	t.Run("with hooks", func(t *testing.T) {
		var bad, unknown []string
		c, _ := answering(t, 200, body, nil, activity.Options{
			BadItem: func(kind types.Kind, raw json.RawMessage, err *types.DecodeError) {
				bad = append(bad, string(kind)+" "+string(raw)+" "+err.Path)
			},
			UnknownKey: func(path string) { unknown = append(unknown, path) },
			KeepRaw:    true,
		})
		items, err := collect(c.Activities(context.Background(), lastHour(), nil))
		require.NoError(t, err)
		require.Len(t, items, 2)
		require.JSONEq(t, `{"summaryId":"1","new":1}`, string(items[0].Raw))
		require.Len(t, bad, 1)
		require.Contains(t, bad[0], `activities {"summaryId":{"id":2}} activities[1]`)
		require.Equal(t, []string{"activities[0].new"}, unknown)
	})
	t.Run("many", func(t *testing.T) {
		c, _ := answering(t, 200, "["+strings.Repeat("1,", 99)+"1]", nil, activity.Options{})
		_, err := collect(c.MoveIQ(context.Background(), lastHour(), nil))
		require.ErrorContains(t, err, "100 of the items cannot be read")
		require.Less(t, len(err.Error()), 600)
	})
}

func TestFollowKinds(t *testing.T) {
	t.Parallel()
	c, n := answering(t, 200, "[]", nil, activity.Options{})
	_, err := collect(c.Follow(context.Background(), types.KindActivityFiles, base+"/activityFile?id=1&token=t"))
	require.ErrorIs(t, err, activity.ErrCallback)
	require.Zero(t, *n)
	seq := c.Follow(context.Background(), types.KindActivities, base+"/activities"+goodPull)
	for range 2 {
		_, err := collect(seq)
		require.NoError(t, err)
	}
	require.Equal(t, 2, *n, "each use asks anew")
}

// TestOptions is row F46: the constructor refuses what cannot be meant.
func TestOptions(t *testing.T) {
	t.Parallel()
	good := bearer("token")
	for name, test := range map[string]struct {
		cred activity.Credential
		opts activity.Options
	}{
		"no credential":             {cred: nil},
		"no source":                 {cred: activity.OAuth2(nil)},
		"failing credential":        {cred: failingCredential},
		"http":                      {good, activity.Options{BaseURL: "http://apis.garmin.com/wellness-api/rest"}},
		"http to a look-alike":      {good, activity.Options{BaseURL: "http://localhost.evil.example/wellness-api/rest"}},
		"http to a private host":    {good, activity.Options{BaseURL: "http://192.168.1.1/wellness-api/rest"}},
		"other scheme":              {good, activity.Options{BaseURL: "ftp://apis.garmin.com/wellness-api/rest"}},
		"no scheme":                 {good, activity.Options{BaseURL: "apis.garmin.com"}},
		"opaque":                    {good, activity.Options{BaseURL: "https:apis.garmin.com"}},
		"userinfo":                  {good, activity.Options{BaseURL: "https://u:p@apis.garmin.com/wellness-api/rest"}},
		"query":                     {good, activity.Options{BaseURL: "https://apis.garmin.com/wellness-api/rest?a=b"}},
		"fragment":                  {good, activity.Options{BaseURL: "https://apis.garmin.com/wellness-api/rest#a"}},
		"dots":                      {good, activity.Options{BaseURL: "https://host.example/a/../b"}},
		"escapes":                   {good, activity.Options{BaseURL: "https://host.example/a%2fb"}},
		"no URL":                    {good, activity.Options{BaseURL: "https://[::1"}},
		"a port that signs wrongly": {good, activity.Options{BaseURL: "https://apis.garmin.com:80/wellness-api/rest"}},
		"callback host as URL":      {good, activity.Options{CallbackHosts: []string{"https://healthapi.garmin.com"}}},
		"callback host with port":   {good, activity.Options{CallbackHosts: []string{"healthapi.garmin.com:443"}}},
		"callback host of one word": {good, activity.Options{CallbackHosts: []string{"localhost"}}},
		"negative timeout":          {good, activity.Options{Timeout: -1}},
		"negative limit":            {good, activity.Options{MaxResponseBytes: -1}},
		"back-off upside down":      {good, activity.Options{MinBackoff: 2, MaxBackoff: 1}},
		"negative back-off":         {good, activity.Options{MinBackoff: -1}},
		"no host":                   {good, activity.Options{BaseURL: "https:///wellness-api/rest"}},
		"no path":                   {good, activity.Options{BaseURL: "https://apis.garmin.com"}},
		"negative item":             {good, activity.Options{MaxItemBytes: -1}},
		"negative budget":           {good, activity.Options{RetryBudget: -1}},
		"budget above one":          {good, activity.Options{RetryBudget: 1.1}},
		"user agent":                {good, activity.Options{UserAgent: "a\r\nb"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := poolClient(test.cred, &test.opts)
			require.Error(t, err)
		})
	}
	for _, base := range []string{"", "https://apis.garmin.com/wellness-api/rest/", "https://apis.garmin.com:443/wellness-api/rest", "http://127.0.0.1:1/x", "http://localhost/wellness-api/rest", "http://[::1]:8080/x", "https://gateway.example:8443/garmin"} {
		p, err := activity.NewPool(&activity.Options{BaseURL: base})
		require.NoError(t, err, base)
		require.NoError(t, p.Close())
	}
	require.NotPanics(t, func() { _, _ = poolClient(good, nil) })
}

func failingCredential(http.RoundTripper) (http.RoundTripper, error) {
	return nil, errors.New("no")
}
