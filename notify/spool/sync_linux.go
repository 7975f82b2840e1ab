package spool

import (
	"os"
	"syscall"
)

// syncFile does not sync the times of the file, which nobody reads and which
// would cost a commit of the file system's journal.
func syncFile(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
		}
		return nil
	}
}
