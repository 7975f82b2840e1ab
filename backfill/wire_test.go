package backfill_test

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answering is a client of activity whose every request is answered by status
// and body. It does not ask for permissions.
func answering(t *testing.T, answer func(start int64) (int, string)) backfill.Requester {
	pool, err := activity.NewPool(&activity.Options{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		start, err := strconv.ParseInt(r.URL.Query().Get("summaryStartTimeInSeconds"), 10, 64)
		if err != nil {
			return nil, err
		}
		status, body := answer(start)
		kind := "application/json"
		if strings.HasPrefix(body, "<") {
			kind = "text/html"
		}
		return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	})})
	require.NoError(t, err)
	t.Cleanup(func() { pool.Close() })
	c, err := pool.Client(activity.OAuth2(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "t"})))
	require.NoError(t, err)
	return requester(func(ctx context.Context, k types.Kind, w types.Window) error { return c.Backfill(ctx, k, w) })
}
