//go:build !linux || arm || ppc64 || ppc64le

package spool

import "os"

// beginWrite leaves the timing to the kernel.
func beginWrite(*os.File, int64, int64) {}
