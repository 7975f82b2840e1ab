package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCurrent: the clients in the repository are those of the documents.
func TestCurrent(t *testing.T) {
	for _, name := range clients() {
		code, types, err := generate("../../../activity/activitytest/control/openapi/"+name+".json", name)
		require.NoError(t, err)
		for file, want := range map[string][]byte{"../" + name + ".mjs": code, "../" + name + ".d.mts": types} {
			got, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(want), string(got), "run go run ./examples/javascript/generate")
		}
	}
}
