//go:build !linux

package notify

import "os"

// reserve finds out whether an empty file can grow to n bytes.
func reserve(f *os.File, n int64) error { return tryWrite(f, n) }
