package control

import (
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/openapi"
)

// TestRoutesAreDescribed: every route has a description, and the other way round.
func TestRoutesAreDescribed(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("openapi/control.json")
	require.NoError(t, err)
	d, err := openapi.Read(b)
	require.NoError(t, err)
	routes := []string{"GET /events"}
	for _, r := range new(control).routes() {
		routes = append(routes, r.pattern)
	}
	slices.Sort(routes)
	require.Equal(t, routes, d.Operations())
}
