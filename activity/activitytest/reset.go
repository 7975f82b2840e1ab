//go:build !plan9

package activitytest

import "syscall"

// errReset is what a connection fails with that the other side has cut.
const errReset = syscall.ECONNRESET
