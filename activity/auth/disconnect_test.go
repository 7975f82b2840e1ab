package auth_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/notifytest"
	"github.com/garminkit/activityapi/types"
)

func TestDisconnected(t *testing.T) {
	t.Parallel()
	skewed := http.Header{"Date": {time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)}}
	for name, test := range map[string]struct {
		before   func(t *testing.T, fake *activitytest.Server, users *auth.Users)
		user     string
		want     bool
		wantErr  bool
		requests int
	}{
		"connected": {requests: 2},
		"left": {
			before: func(_ *testing.T, fake *activitytest.Server, _ *auth.Users) { fake.User(userID(0)).Deregister() },
			want:   true, requests: 1,
		},
		"refused before": {
			before: func(t *testing.T, fake *activitytest.Server, users *auth.Users) {
				fake.User(userID(0)).Deregister()
				_, err := users.Refresh(t.Context(), userID(0))
				require.ErrorIs(t, err, auth.ErrReconnect)
				fake.ClearRequests()
			},
			want: true,
		},
		"never connected": {user: "nobody", want: true},
		"Garmin is down": {
			before: func(_ *testing.T, fake *activitytest.Server, _ *auth.Users) {
				fake.Fail(100, activitytest.Fault{Status: http.StatusServiceUnavailable})
			},
			wantErr: true, requests: 1,
		},
		"refused": {
			before: func(_ *testing.T, fake *activitytest.Server, _ *auth.Users) {
				fake.Fail(1, activitytest.Fault{Path: "/user/id", Status: http.StatusForbidden})
			},
			want: true, requests: 2,
		},
		"our clock is wrong": {
			before: func(_ *testing.T, fake *activitytest.Server, _ *auth.Users) {
				fake.Fail(2, activitytest.Fault{Path: "/user/id", Status: http.StatusUnauthorized, Header: skewed})
			},
			wantErr: true, requests: 4,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake, users := connected(t, 1, &auth.MemoryStore{})
			if test.before != nil {
				test.before(t, fake, users)
			}
			user := test.user
			if user == "" {
				user = userID(0)
			}
			got, err := users.Disconnected(t.Context(), user)
			require.Equal(t, test.want, got)
			require.Equal(t, test.wantErr, err != nil, err)
			require.Len(t, fake.Requests(), test.requests)
		})
	}
}

// Once Garmin has refused a user's token, pushes still bring that user's data,
// and the deregistration that explains the refusal is still to come. Neither
// may be lost for want of a client.
func TestDeadTokenLosesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake, users := connected(t, 1, &auth.MemoryStore{})
		user := fake.User(userID(0))
		resolver := notify.ResolverFunc(func(ctx context.Context, garminID string) ([]notify.User, error) {
			client, err := users.Client(ctx, garminID)
			return []notify.User{{ID: garminID, Client: client}}, err
		})
		var saved []types.ID
		left := false
		outcomes := map[notify.Result]int{}
		queue := notifytest.NewMemory()
		processor, err := notify.NewProcessor(queue, resolver, notify.Callbacks{
			Save: func(_ context.Context, _ *notify.Delivery, s types.Summary) error {
				saved = append(saved, s.ID())
				return nil
			},
			Deregistration: func(ctx context.Context, d *notify.Delivery, _ *notify.Deregistration) (err error) {
				left, err = users.Disconnected(ctx, d.UserID)
				return err
			},
			PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
		}, &notify.ProcessorOptions{Workers: 1, Observe: func(o notify.Outcome) { outcomes[o.Result]++ }})
		require.NoError(t, err)
		receiver := notify.NewHandler(queue, nil)

		// The push and the ping were sent before the user left.
		fake.SetEndpoints(activitytest.Endpoint{Handler: receiver, Enabled: true, Push: true})
		fake.SetEndpoint(types.KindMoveIQ, activitytest.Endpoint{Handler: receiver, Enabled: true})
		user.Add(&types.Activity{SummaryID: "5001"}, &types.MoveIQ{SummaryID: "5002"})
		_, err = fake.DeliverAll(t.Context())
		require.NoError(t, err)
		user.Deregister()
		_, err = users.Refresh(t.Context(), user.ID())
		require.ErrorIs(t, err, auth.ErrReconnect)
		_, err = fake.DeliverAll(t.Context())
		require.NoError(t, err)

		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		require.NoError(t, processor.Run(ctx))
		require.Equal(t, []types.ID{"5001"}, saved)
		require.True(t, left)
		require.Equal(t, 2, outcomes[notify.ResultDone])
		require.Positive(t, outcomes[notify.ResultParked], "the ping")
		require.Zero(t, outcomes[notify.ResultBuried])
	})
}

var _ notify.Client = (*activity.Client)(nil)
