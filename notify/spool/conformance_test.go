package spool_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/notifytest"
	"github.com/garminkit/activityapi/notify/spool"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, dir string) notify.Queue {
		s, err := spool.Open(dir, nil)
		require.NoError(t, err)
		return s
	})
}
