package main

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// TestForgedDeregistration: whoever finds the endpoint can claim that a user
// left. Without Garmin's word nothing is deleted.
func TestForgedDeregistration(t *testing.T) {
	t.Parallel()
	down := errors.New("Garmin is down")
	for name, tt := range map[string]struct {
		left    bool
		err     error
		deleted bool
	}{
		"the token is good": {},
		"nobody knows":      {err: down},
		"Garmin refuses it": {left: true, deleted: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, forgot := newPartner(), false
			p.disconnected = func(context.Context, types.UserID) (bool, error) { return tt.left, tt.err }
			p.forget = func(context.Context, types.UserID) error { forgot = true; return nil }
			p.connect("g", "Ann", nil)
			err := p.deregistration(t.Context(), &notify.Delivery{UserID: "g"}, &notify.Deregistration{})
			require.Equal(t, tt.deleted, err == nil)
			if tt.err != nil {
				require.ErrorIs(t, err, tt.err)
			}
			require.Equal(t, tt.deleted, forgot)
			require.Equal(t, tt.deleted, p.gone["g"])
		})
	}
}

// Only Garmin's own word says that a user has left, and not a gateway's.
func TestRefused(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]bool{
		`{"errorMessage":"Unknown UserAccessToken"}`: true,
		"<html>403</html>":                           false,
		"":                                           false,
		"Forbidden":                                  false,
	} {
		for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden} {
			fake := activitytest.NewServer()
			fake.SetFaults(activitytest.Fault{Times: 10, Status: status, Body: body})
			pool, err := activity.NewPool(&activity.Options{Transport: fake})
			require.NoError(t, err)
			d := &demonstration{partner: newPartner(), pool: pool}
			require.NoError(t, d.connect("g", "Ann", "token"))
			left, err := d.partner.refused(t.Context(), "g")
			require.Equal(t, want, left, "%d %s", status, body)
			require.Equal(t, want, err == nil)
			require.NoError(t, pool.Close())
		}
	}
}
