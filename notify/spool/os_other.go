//go:build !windows && (!unix || solaris || aix)

package spool

import (
	"io"
	"os"
)

// lockFile only makes the file: there is no lock that ends with the process.
// See the package documentation.
func lockFile(name string) (io.Closer, error) {
	return os.OpenFile(name, os.O_RDWR|os.O_CREATE, fileMode)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	d.Sync() // Not every platform can.
	return d.Close()
}
