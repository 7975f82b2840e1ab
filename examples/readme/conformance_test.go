package readme_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/notifytest"
	"github.com/garminkit/activityapi/notify/spool"
)

// TestConformance is what the documentation of package notifytest shows.
func TestConformance(t *testing.T) {
	t.Skip("package spool runs it; here it is compiled")
	notifytest.Run(t, notifytest.Harness{
		Open: func(t *testing.T, dir string) notify.Queue {
			s, err := spool.Open(dir, nil)
			require.NoError(t, err)
			return s
		},
	})
}
