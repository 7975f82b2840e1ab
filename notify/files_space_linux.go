package notify

import (
	"errors"
	"os"
	"syscall"
)

// reserve takes n bytes of the disk for an empty file, whose size stays zero.
// It fails if there is no room.
func reserve(f *os.File, n int64) error {
	const keepSize = 1 // FALLOC_FL_KEEP_SIZE
	for {
		err := syscall.Fallocate(int(f.Fd()), keepSize, 0, n)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.ENOSYS):
			return tryWrite(f, n)
		default:
			return &os.PathError{Op: "reserve", Path: f.Name(), Err: err}
		}
	}
}
