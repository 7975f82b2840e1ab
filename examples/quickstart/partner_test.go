package main

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
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
			p.disconnected = func(context.Context, string) (bool, error) { return tt.left, tt.err }
			p.forget = func(context.Context, string) error { forgot = true; return nil }
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
