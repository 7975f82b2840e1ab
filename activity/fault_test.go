package activity_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/types"
)

// A wrong consumer secret and a wrong token give the same refusal of a
// signature; only one that names the token judges the user.
func TestRefusedSignatures(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status int
		body   string
		want   types.Fault
	}{
		{401, `{"errorMessage":"Invalid signature"}`, ""},
		{401, `{"errorMessage":"OAuth 1.0 is no longer supported"}`, ""},
		{401, `{"errorMessage":"Unable to read oAuth header"}`, ""},
		{401, `{"errorMessage":"Unknown UserAccessToken"}`, types.FaultUser},
		{403, `{"errorMessage":"Unknown UserAccessToken"}`, types.FaultUser},
		{403, `{"errorMessage":"no"}`, types.FaultUser},
		{401, `<html>Unknown UserAccessToken`, types.FaultNetwork},
	} {
		s := &script{steps: []step{{status: test.status, body: test.body}}}
		p, err := activity.NewPool(&activity.Options{Transport: s})
		require.NoError(t, err)
		c, err := p.Client(header(func() string { return `OAuth oauth_token="token"` }))
		require.NoError(t, err)
		_, err = c.UserID(context.Background())
		require.Equal(t, test.want, asError(t, err).Fault(), test.body)
	}
}

// An Error that a fake makes by hand means what it says.
func TestFaultOfAnErrorMadeByHand(t *testing.T) {
	t.Parallel()
	for want, errs := range map[types.Fault][]*activity.Error{
		types.FaultUser: {
			{StatusCode: 401, Err: activity.ErrUnauthorized}, {StatusCode: 403, Err: activity.ErrForbidden},
			{StatusCode: 412, Err: activity.ErrNotPermitted}, {Err: activity.ErrUnauthorized},
			{Err: fmt.Errorf("x: %w", &needsReconnect{})},
		},
		types.FaultItem: {
			{StatusCode: 410, Err: activity.ErrGone}, {StatusCode: 400}, {StatusCode: 404}, {Err: activity.ErrCallback},
			{StatusCode: 200, Err: activity.ErrTooLarge}, {Op: "Download", Err: activity.ErrMaybeSpent}, {Op: "Download", StatusCode: 200, Err: fmt.Errorf("%w: cut", activity.ErrMaybeSpent)},
		},
		types.FaultApplication: {{StatusCode: 401, Err: activity.ErrUnauthorized, ClockSkew: time.Hour}, {StatusCode: 400, Err: activity.ErrEndpointNotEnabled}},
		types.FaultGarmin:      {{StatusCode: 429, Err: activity.ErrRateLimited}, {StatusCode: 503}, {StatusCode: 408}},
		types.FaultNetwork:     {{StatusCode: 302}, {StatusCode: 407}},
		"":                     {{}, {Err: errors.New("x")}, {Op: "Backfill", Err: activity.ErrMaybeSpent}, {Err: types.ErrNotSent}},
	} {
		for _, e := range errs {
			require.Equal(t, want, e.Fault(), "%v", e)
		}
	}
	require.Equal(t, time.Second, (&activity.Error{Wait: time.Second}).RetryAfter())
}
