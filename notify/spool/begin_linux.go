//go:build linux && !arm && !ppc64 && !ppc64le

package spool

import (
	"os"
	"syscall"
)

// beginWrite ignores errors: the sync that follows finds them again.
func beginWrite(f *os.File, off, n int64) {
	const write = 2 // SYNC_FILE_RANGE_WRITE
	_ = syscall.SyncFileRange(int(f.Fd()), off, n, write)
}
