package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// spaceOf returns what is free where dir is, for users other than root.
func spaceOf(dir string) (space, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return space{}, err
	}
	const readOnly = 1 // ST_RDONLY
	return space{
		free:   s.Bavail * uint64(max(s.Bsize, 0)),
		inodes: s.Files, inodesFree: s.Ffree,
		readOnly: s.Flags&readOnly != 0,
	}, nil
}

// holderName names the process that has locked a file, if this machine knows it.
func holderName(name string) string {
	const unknown = "another process"
	info, err := os.Stat(name)
	if err != nil {
		return unknown
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return unknown
	}
	f, err := os.Open("/proc/locks")
	if err != nil {
		return unknown
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) < 6 || words[1] != "FLOCK" || !strings.HasSuffix(words[5], ":"+strconv.FormatUint(st.Ino, 10)) {
			continue
		}
		// A process in another container has no number here.
		if comm, err := os.ReadFile("/proc/" + words[4] + "/comm"); err == nil {
			return fmt.Sprintf("process %s (%s)", words[4], strings.TrimSpace(string(comm)))
		}
	}
	return unknown
}
