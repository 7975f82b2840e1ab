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
		again   bool
	}{
		"page":              {"<html><body>maintenance</body></html>", 0, "<html><body>maintenance</body></html>", true},
		"long page":         {"<p>" + strings.Repeat("a", 5000), 0, "<p>a", true},
		"empty":             {"", 0, "", true},
		"blanks":            {" \n ", 0, "", true},
		"object":            {"{}", 0, "", true},
		"object with list":  {`{"activities":[]}`, 0, "", true},
		"null":              {"null", 0, "null", true},
		"string":            {`"[]"`, 0, `"[]"`, true},
		"cut at once":       {"[", 0, "", true},
		"cut in an item":    {`[{"summaryId":"1"},{"summ`, 1, "", true},
		"cut between items": {`[{"summaryId":"1"}`, 1, "", true},
		"two lists":         {`[{"summaryId":"1"}][]`, 1, "", true},
		"text behind":       {`[{"summaryId":"1"}]x`, 1, "", true},
		"no comma":          {`[{"summaryId":"1"}{"summaryId":"2"}]`, 1, "", true},
		"UTF-16":            {"\xff\xfe[\x00]\x00", 0, "\ufffd[", true},
		"bad items":         {`[{"summaryId":"1"},7,{"steps":"x"},{"summaryId":"2"},null]`, 2, "", false},
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
			_, again := e.Retry()
			require.Equal(t, test.again, again)
			require.False(t, e.Unauthorized())
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
	const body = `[{"summaryId":"1","new":1},{"summaryId":"2","steps":"many"},{"summaryId":"3"}]`
	t.Run("without a hook", func(t *testing.T) {
		c, _ := answering(t, 200, body, nil, activity.Options{})
		items, err := collect(c.Follow(context.Background(), types.KindActivities, base+"/activities"+goodPull))
		require.Len(t, items, 2)
		require.Equal(t, types.ID("3"), items[1].ID())
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
		require.Contains(t, bad[0], `activities {"summaryId":"2","steps":"many"} activities[1]`)
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
	oauth1 := activity.OAuth1{ConsumerKey: "k", ConsumerSecret: "s", Token: "t", TokenSecret: "ts"}
	for name, test := range map[string]struct {
		cred activity.Credential
		opts activity.Options
	}{
		"no credential":             {cred: nil},
		"no source":                 {cred: activity.OAuth2{}},
		"no consumer key":           {cred: activity.OAuth1{ConsumerSecret: "s", Token: "t", TokenSecret: "ts"}},
		"empty consumer secret":     {cred: activity.OAuth1{ConsumerKey: "k", Token: "t", TokenSecret: "ts"}},
		"empty token":               {cred: activity.OAuth1{ConsumerKey: "k", ConsumerSecret: "s", TokenSecret: "ts"}},
		"empty token secret":        {cred: activity.OAuth1{ConsumerKey: "k", ConsumerSecret: "s", Token: "t"}},
		"failing credential":        {cred: failingCredential{}},
		"http":                      {oauth1, activity.Options{BaseURL: "http://apis.garmin.com/wellness-api/rest"}},
		"http to a look-alike":      {oauth1, activity.Options{BaseURL: "http://localhost.evil.example"}},
		"http to a private host":    {oauth1, activity.Options{BaseURL: "http://192.168.1.1"}},
		"other scheme":              {oauth1, activity.Options{BaseURL: "ftp://apis.garmin.com"}},
		"no scheme":                 {oauth1, activity.Options{BaseURL: "apis.garmin.com"}},
		"opaque":                    {oauth1, activity.Options{BaseURL: "https:apis.garmin.com"}},
		"userinfo":                  {oauth1, activity.Options{BaseURL: "https://u:p@apis.garmin.com"}},
		"query":                     {oauth1, activity.Options{BaseURL: "https://apis.garmin.com/?a=b"}},
		"fragment":                  {oauth1, activity.Options{BaseURL: "https://apis.garmin.com/#a"}},
		"dots":                      {oauth1, activity.Options{BaseURL: "https://apis.garmin.com/a/../b"}},
		"escapes":                   {oauth1, activity.Options{BaseURL: "https://apis.garmin.com/a%2fb"}},
		"no URL":                    {oauth1, activity.Options{BaseURL: "https://[::1"}},
		"a port that signs wrongly": {oauth1, activity.Options{BaseURL: "https://apis.garmin.com:80"}},
		"callback host as URL":      {oauth1, activity.Options{CallbackHosts: []string{"https://healthapi.garmin.com"}}},
		"callback host with port":   {oauth1, activity.Options{CallbackHosts: []string{"healthapi.garmin.com:443"}}},
		"callback host of one word": {oauth1, activity.Options{CallbackHosts: []string{"localhost"}}},
		"negative timeout":          {oauth1, activity.Options{Timeout: -1}},
		"negative limit":            {oauth1, activity.Options{MaxResponseBytes: -1}},
		"back-off upside down":      {oauth1, activity.Options{MinBackoff: 2, MaxBackoff: 1}},
		"negative back-off":         {oauth1, activity.Options{MinBackoff: -1}},
		"negative budget":           {oauth1, activity.Options{RetryBudget: -1}},
		"budget above one":          {oauth1, activity.Options{RetryBudget: 1.1}},
		"user agent":                {oauth1, activity.Options{UserAgent: "a\r\nb"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := activity.NewClient(test.cred, &test.opts)
			require.Error(t, err)
		})
	}
	for _, base := range []string{"", "https://apis.garmin.com/wellness-api/rest/", "https://apis.garmin.com:443", "http://127.0.0.1:1", "http://localhost", "http://[::1]:8080/x", "https://gateway.example:8443/garmin"} {
		c, err := activity.NewClient(oauth1, &activity.Options{BaseURL: base})
		require.NoError(t, err, base)
		require.NoError(t, c.Close())
	}
	require.NotPanics(t, func() { _, _ = activity.NewClient(oauth1, nil) })
}

type failingCredential struct{}

func (failingCredential) Transport(http.RoundTripper) (http.RoundTripper, error) {
	return nil, errors.New("no")
}
