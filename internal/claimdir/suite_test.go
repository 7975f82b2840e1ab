package claimdir_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/claimdir"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/notifytest"
)

func TestClaims(t *testing.T) {
	t.Parallel()
	notifytest.RunClaims(t, notifytest.ClaimsHarness{Open: func(t *testing.T, dir string) notify.Claims {
		c, err := claimdir.Open(dir, nil)
		require.NoError(t, err)
		return c
	}})
}
