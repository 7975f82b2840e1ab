//go:build !plan9

package activity

import (
	"errors"
	"syscall"
)

// errnoOf finds the number of a system call's error, which holds no secret.
func errnoOf(err error) (error, bool) {
	errno, ok := errors.AsType[syscall.Errno](err)
	return errno, ok
}
