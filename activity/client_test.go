package activity_test

import (
	"context"
	"io"
	"iter"
	"log"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/types"
)

func bearer(token string) activity.Credential {
	return activity.OAuth2(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: token}))
}

// header is a credential that makes an Authorization header for each attempt.
func header(make func() string) activity.Credential {
	return func(base http.RoundTripper) (http.RoundTripper, error) {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			r = r.Clone(r.Context())
			r.Header.Set("Authorization", make())
			return base.RoundTrip(r)
		}), nil
	}
}

// newClient returns a client of the fake's user, in memory.
func newClient(t *testing.T, s *activitytest.Server, u *activitytest.User, change func(*activity.Options)) *activity.Client {
	t.Helper()
	opts := &activity.Options{Transport: s}
	if change != nil {
		change(opts)
	}
	c, err := poolClient(bearer(u.State().AccessToken), opts)
	require.NoError(t, err)
	return c
}

// collect drains a list.
func collect[T any](seq iter.Seq2[T, error]) (items []T, err error) {
	for v, e := range seq {
		if e != nil {
			return items, e
		}
		items = append(items, v)
	}
	return items, nil
}

// lastHour is a window that holds what was just uploaded.
func lastHour() types.Window {
	end := time.Now().Truncate(time.Second).Add(time.Second)
	return types.Window{Start: end.Add(-time.Hour), End: end}
}

// asError returns err as the package's error.
func asError(t *testing.T, err error) *activity.Error {
	t.Helper()
	var e *activity.Error
	require.ErrorAs(t, err, &e)
	return e
}

// roundTripper makes a function a transport.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestEndToEnd(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := activitytest.NewServer()
	u := s.AddUser(nil)
	c := newClient(t, s, u, func(o *activity.Options) { o.KeepRaw = true })

	id, err := c.UserID(ctx)
	require.NoError(t, err)
	require.Equal(t, u.ID(), id)
	permissions, err := c.Permissions(ctx)
	require.NoError(t, err)
	require.Equal(t, u.State().Permissions, permissions)

	now := types.NewTimestamp(time.Now().Add(-time.Hour).Truncate(time.Second))
	u.Add(
		&types.Activity{SummaryID: "1", StartTimeInSeconds: now},
		&types.ManualActivity{SummaryID: "2", StartTimeInSeconds: now},
		&types.ActivityDetails{SummaryID: "3-detail", Samples: []types.Sample{{StartTimeInSeconds: now}}},
		&types.MoveIQ{SummaryID: "4", StartTimeInSeconds: now},
	)
	u.AddFile(types.ActivityFile{SummaryID: "1-file"}, []byte("a FIT file"))

	opts := &activity.PullOptions{Token: types.Secret(u.State().PullToken)}
	activities, err := collect(c.Activities(ctx, lastHour(), opts))
	require.NoError(t, err)
	require.Len(t, activities, 1)
	require.Equal(t, types.ID("1"), activities[0].SummaryID)
	require.Contains(t, string(activities[0].Raw), `"summaryId"`)
	manual, err := collect(c.ManualActivities(ctx, lastHour(), opts))
	require.NoError(t, err)
	require.Len(t, manual, 1)
	details, err := collect(c.Details(ctx, lastHour(), opts))
	require.NoError(t, err)
	require.Len(t, details[0].Samples, 1)
	moves, err := collect(c.MoveIQ(ctx, lastHour(), opts))
	require.NoError(t, err)
	require.Len(t, moves, 1)

	for kind, want := range map[types.Kind]types.ID{
		types.KindActivities: "1", types.KindManualActivities: "2",
		types.KindActivityDetails: "3-detail", types.KindMoveIQ: "4",
	} {
		got, err := collect(c.Follow(ctx, kind, types.Secret(u.CallbackURL(kind, lastHour()))))
		require.NoError(t, err)
		require.Len(t, got, 1)
		require.Equal(t, want, got[0].ID())
		require.Equal(t, kind, got[0].Kind())
	}

	url := types.Secret(u.FileURL("1-file"))
	file, err := c.Download(ctx, url)
	require.NoError(t, err)
	content, err := io.ReadAll(file)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	require.Equal(t, "a FIT file", string(content))
	_, err = c.Download(ctx, url)
	require.ErrorIs(t, err, activity.ErrGone)

	today := time.Now().UTC().Truncate(24 * time.Hour)
	month := types.Window{Start: today.AddDate(0, 0, -20), End: today}
	require.NoError(t, c.Backfill(ctx, types.KindActivities, month))
	require.ErrorIs(t, c.Backfill(ctx, types.KindActivities, month), activity.ErrDuplicate)

	require.NoError(t, c.Deregister(ctx))
	_, err = c.UserID(ctx)
	require.Equal(t, types.FaultUser, asError(t, err).Fault(), "%v", err)
	require.False(t, u.State().Connected)
}

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }
