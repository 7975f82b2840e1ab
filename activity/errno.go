//go:build !plan9

package activity

import (
	"errors"
	"syscall"
)

// errnoOf finds the number of a system call's error, which holds no secret, or
// returns nil.
func errnoOf(err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno
	}
	return nil
}
