package main

import (
	"io"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest/control"
	"github.com/garminkit/activityapi/internal/fake"
)

// TestSampleScenario carries out the sample, without its waits.
func TestSampleScenario(t *testing.T) {
	steps, err := fake.ReadScenario("triathlon.json")
	require.NoError(t, err)
	for i := range steps {
		steps[i].Wait = 0
	}
	g := fake.New(0, 1)
	api := httptest.NewServer(control.Handler(g, nil))
	defer api.Close()
	require.NoError(t, fake.Play(t.Context(), api.URL, steps, io.Discard))
	require.Len(t, g.Users(), 2)
	require.Equal(t, 6, g.User("alice").State().Records["activities"])
}
