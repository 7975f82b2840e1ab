package filelock

import (
	"errors"
	"os"
	"syscall"
	"unsafe"
)

// Try locks f against every other open file, of this process or another.
// It reports false if one holds the lock.
func Try(f *os.File) (bool, error) {
	const (
		failImmediately = 1
		exclusiveLock   = 2
		lockViolation   = syscall.Errno(33)
	)
	lockFileEx := syscall.NewLazyDLL("kernel32.dll").NewProc("LockFileEx")
	var at syscall.Overlapped
	r, _, err := lockFileEx.Call(f.Fd(), exclusiveLock|failImmediately, 0, 1, 0, uintptr(unsafe.Pointer(&at)))
	switch {
	case r != 0:
		return true, nil
	case errors.Is(err, lockViolation), errors.Is(err, syscall.ERROR_IO_PENDING):
		return false, nil
	default:
		return false, &os.PathError{Op: "LockFileEx", Path: f.Name(), Err: err}
	}
}

// Close closes f and ends its lock.
func Close(f *os.File) error { return f.Close() }
