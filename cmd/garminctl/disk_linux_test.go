package main

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// fullDisk returns a directory on a file system of its own with no room.
func fullDisk(t *testing.T) string {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skip("a file system cannot be mounted here: the case beside it stands for it")
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, 0)) })
	return dir
}
