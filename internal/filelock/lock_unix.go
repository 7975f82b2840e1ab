//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package filelock

import (
	"errors"
	"os"
	"syscall"
)

// Try locks f against every other open file, of this process or another.
// It reports false if one holds the lock.
func Try(f *os.File) (bool, error) {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		default:
			return false, &os.PathError{Op: "flock", Path: f.Name(), Err: err}
		}
	}
}

// Close closes f and ends its lock. A child process that is just being started has a
// copy of f for a moment: the lock ends all the same.
func Close(f *os.File) error {
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) // f may not be locked, or closed
	return f.Close()
}
