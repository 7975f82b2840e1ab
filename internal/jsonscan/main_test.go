package jsonscan_test

import (
	"os"
	"runtime/debug"
	"testing"
)

// TestMain has the heap collected more rarely: it is small, and collecting it took a
// large part of the processor time.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}
