package backfill_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// connect returns a client of a user of the fake.
func connect(t *testing.T, fake *activitytest.Server, u *activitytest.User) *activity.Client {
	pool, err := activity.NewPool(&activity.Options{Transport: fake})
	require.NoError(t, err)
	c, err := pool.Client(activity.OAuth2(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: u.State().AccessToken})))
	require.NoError(t, err)
	return c
}

// Against the fake Garmin: every rule it can have, with answers lost, servers
// in trouble and latency. All is accepted once, nothing beyond the limit, and
// every summary arrives.
func TestOnFake(t *testing.T) {
	for name, set := range map[string]func(*activitytest.Server){
		"default":          func(*activitytest.Server) {},
		"fixed minutes":    func(fake *activitytest.Server) { fake.BackfillFixedMinutes = true },
		"exact duplicates": func(fake *activitytest.Server) { fake.BackfillExactDuplicates, fake.BackfillDelay = true, time.Hour },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := activitytest.NewServer()
				set(fake)
				from := time.Now().UTC().AddDate(-1, 0, 0).Add(12*time.Hour + time.Second/3)
				u := fake.AddUser(&activitytest.UserOptions{HistoryFrom: from})
				w := types.Window{Start: time.Now().UTC().AddDate(-2, 0, 0), End: time.Now().UTC().Add(-7 * time.Hour)}
				ledger := backfill.NewLedger()
				fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					for e, err := range new(notify.Decoder).Decode(r.Body) {
						if err != nil {
							t.Error(err)
							break
						}
						if push, ok := e.Data.(*notify.Push); ok {
							if err := backfill.Arrival(r.Context(), ledger, e.UserID, push.Summary); err != nil {
								t.Error(err)
							}
						}
					}
				})})
				// Summaries on both sides of each midnight, where chunks meet.
				given := 0
				for at := w.Start; at.Before(w.End); at = at.Add(12 * time.Hour) {
					for _, at := range []time.Time{at.Add(-time.Second), at} {
						u.AddHistory(&types.Activity{StartTimeInSeconds: types.NewTimestamp(at)})
						if w.Contains(at) && at.After(from) {
							given++
						}
					}
				}
				backfills := "backfill/activities"
				fake.SetFaults(
					activitytest.Fault{Times: 2, Path: backfills, Lose: true},
					activitytest.Fault{Times: 2, Path: backfills, Status: 500},
					activitytest.Fault{Times: 2, Path: backfills, Refuse: true},
					activitytest.Fault{Times: 9, Path: backfills, Delay: 7 * time.Second})

				user := &backfill.User{ID: u.ID(), Requester: connect(t, fake, u), Window: w, Kinds: []types.Kind{types.KindActivities}}
				for p, err := range backfill.NewRunner(backfill.NewLimiter(backfill.Evaluation, nil), ledger, nil).Run(t.Context(), user) {
					require.NoError(t, err)
					require.Contains(t, []backfill.State{backfill.StateAccepted, backfill.StateRefused}, p.Chunk.State, p.Chunk.String())
				}
				require.Zero(t, fake.State().BackfillViolations)

				_, err := fake.DeliverAll(t.Context())
				require.NoError(t, err)
				arrived, accepted := 0, 0
				next := w.Start
				for c, err := range ledger.Chunks(t.Context(), u.ID()) {
					require.NoError(t, err)
					require.Equal(t, next, c.Window.Start)
					next = c.Window.End
					arrived += c.Arrived
					if c.State == backfill.StateAccepted {
						accepted++
					} else {
						require.Equal(t, backfill.ReasonMinStart, c.Reason)
					}
				}
				require.Equal(t, w.End, next)
				require.Len(t, u.State().Backfilled[types.KindActivities], accepted)
				require.Equal(t, given, arrived, "summaries at the seams")
			})
		})
	}
}

// What stops a user, as the client tells it.
func TestOnFakeStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := activitytest.NewServer()
		fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, Handler: http.NotFoundHandler()})
		off := fake.State().Endpoints[types.KindMoveIQ]
		off.Enabled = false
		fake.SetEndpoints(off, types.KindMoveIQ)
		now := time.Now()
		run := func(u *activitytest.User, r backfill.Requester, k types.Kind) (last error) {
			user := &backfill.User{ID: u.ID(), Requester: r, Kinds: []types.Kind{k}, Window: types.Window{Start: now.AddDate(0, 0, -20), End: now}}
			for _, err := range backfill.NewRunner(backfill.NewLimiter(backfill.Evaluation, nil), backfill.NewLedger(), nil).Run(t.Context(), user) {
				last = err
			}
			return last
		}
		none := fake.AddUser(&activitytest.UserOptions{Permissions: []types.Permission{types.PermissionActivityExport}})
		client := connect(t, fake, none)
		missing, ok := errors.AsType[*backfill.UserError](run(none, client, types.KindActivities))
		require.True(t, ok)
		require.Equal(t, types.PermissionHistoricalDataExport, missing.Permission)
		require.ErrorIs(t, missing, activity.ErrNotPermitted)
		require.Empty(t, none.State().Backfilled, "no request for history was made")

		// Without the check, the request itself tells.
		blind := requester(func(ctx context.Context, k types.Kind, w types.Window) error { return client.Backfill(ctx, k, w) })
		missing, ok = errors.AsType[*backfill.UserError](run(none, blind, types.KindActivities))
		require.True(t, ok)
		require.Equal(t, types.PermissionHistoricalDataExport, missing.Permission)
		require.ErrorIs(t, missing, activity.ErrNotPermitted)

		good := fake.AddUser(nil)
		client = connect(t, fake, good)
		require.ErrorIs(t, run(good, client, types.KindMoveIQ), activity.ErrEndpointNotEnabled)
		require.NoError(t, run(good, client, types.KindActivities))
		good.Deregister()
		err := run(good, client, types.KindActivities)
		_, ok = errors.AsType[*backfill.UserError](err)
		require.True(t, ok, "%v", err)
	})
}
