package bodygen_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/bodygen"
)

func TestBodies(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(bodygen.Options) []byte{
		"details": bodygen.Details, "activities": bodygen.Activities, "pings": bodygen.Pings,
	} {
		for _, bare := range []bool{false, true} {
			compact := make(bodygen.Options{Seed: 7, Size: 1 << 20, Bare: bare})
			pretty := make(bodygen.Options{Seed: 7, Pretty: true, Size: 1 << 20, Bare: bare})
			require.True(t, json.Valid(compact), name)
			require.True(t, json.Valid(pretty), name)
			require.True(t, bytes.HasPrefix(compact, bodygen.Compact(pretty)[:1<<18]), name)
			require.Equal(t, compact, make(bodygen.Options{Seed: 7, Size: 1 << 20, Bare: bare}), name)
			require.NotEqual(t, compact, make(bodygen.Options{Seed: 8, Size: 1 << 20, Bare: bare}), name)
			require.GreaterOrEqual(t, len(compact), 1<<20)
		}
	}
	day := bodygen.Day(bodygen.Options{Seed: 1})
	require.Equal(t, 86_400, bytes.Count(day, []byte(`"clockDurationInSeconds"`)))
}
