package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGeneratedIsCurrent: whoever changes a struct of package types runs
// "go generate ./internal/wire".
func TestGeneratedIsCurrent(t *testing.T) {
	t.Parallel()
	want, err := generate()
	require.NoError(t, err)
	have, err := os.ReadFile("../targets_gen.go")
	require.NoError(t, err)
	require.Equal(t, string(want), string(have), "run go generate ./internal/wire")
}
