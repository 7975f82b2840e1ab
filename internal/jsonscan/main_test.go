package jsonscan_test

import (
	"os"
	"runtime/debug"
	"testing"
)

// TestMain has the heap collected more rarely: it is small, and half of the
// processor time went into collecting it.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}
