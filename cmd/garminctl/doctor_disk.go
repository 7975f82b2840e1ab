package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/garminkit/activityapi/internal/filelock"
)

// disk checks the free space, and who can read the files.
func (c *doctorCommand) disk(_ context.Context, d *diagnosis) {
	const check = "disk"
	places := []struct{ flag, path string }{{"-spool", c.Spool}, {"-tokens", c.Tokens}, {"-ledger", c.Ledger}, {"-files", c.Files}}
	looked := false
	for _, p := range places {
		if p.path == "" {
			continue
		}
		looked = true
		info, err := os.Stat(p.path)
		if errors.Is(err, fs.ErrNotExist) {
			d.add(check, warning, p.path+" is not there", "nothing to do if the service has never run; else see "+p.flag)
			continue
		}
		if err != nil {
			d.add(check, fault, reason(err), "run doctor as the user that the service runs as")
			continue
		}
		dir := p.path
		if !info.IsDir() {
			dir = filepath.Dir(dir)
		}
		c.room(d, dir)
		if runtime.GOOS != "windows" && p.flag != "-files" && info.Mode().Perm()&0o077 != 0 {
			d.add(check, warning, fmt.Sprintf("%s can be read by others (%v)", p.path, info.Mode().Perm()), "chmod go= "+p.path+": tokens and personal data are in it")
		}
	}
	if !looked {
		d.skip(check, "no -spool, -tokens, -ledger or -files")
	}
}

// room checks the free space where dir is.
func (c *doctorCommand) room(d *diagnosis, dir string) {
	const check = "disk"
	s, err := spaceOf(dir)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		d.skip(check, "%s: free space is not looked at on this system", dir)
	case err != nil:
		d.add(check, fault, dir+": "+reason(err), "look at the disk")
	case s.readOnly:
		d.add(check, fault, dir+" is on a disk that is mounted read-only", "see dmesg: a disk that fails is often made read-only")
	case s.free < uint64(max(c.LeastFree, 0))<<20:
		d.add(check, fault, fmt.Sprintf("the disk is full: %d MiB are free at %s, less than %d; a body that finds no room is answered 503", s.free>>20, dir, c.LeastFree),
			"free some, or give the spool a disk of its own; see garminctl letters, whose bodies are kept until somebody looks")
	case s.inodes > 0 && s.inodesFree < s.inodes/100:
		d.add(check, fault, fmt.Sprintf("the disk is full: %d of %d inodes are free at %s", s.inodesFree, s.inodes, dir), "remove small files, or make the file system anew with more")
	default:
		d.ok(check, "%d MiB are free at %s", s.free>>20, dir)
	}
}

// space is what is free on a file system.
type space struct {
	free               uint64 // bytes
	inodes, inodesFree uint64 // 0 if it has no fixed number
	readOnly           bool
}

// locks checks which process has the spool and the ledger. answers says why the service
// does not answer.
func (c *doctorCommand) locks(d *diagnosis, answers error) {
	const check = "lock"
	if c.Spool == "" && c.Ledger == "" {
		d.skip(check, "no -spool and no -ledger")
		return
	}
	if c.Spool != "" {
		c.lock(d, "the spool", c.Spool, "LOCK", answers)
	}
	if c.Ledger != "" {
		c.lock(d, "the ledger", c.Ledger, "lock", answers)
	}
}

// lock checks one directory.
func (c *doctorCommand) lock(d *diagnosis, what, dir, name string, answers error) {
	const check = "lock"
	held, holder, err := holderOf(dir, filepath.Join(dir, name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.skip(check, "%s has never been opened", what)
	case errors.Is(err, errors.ErrUnsupported):
		d.skip(check, "this system has no lock that ends with its process")
	case err != nil:
		d.add(check, fault, reason(err), "run doctor as the user that the service runs as")
	case held == lockGone:
		d.add(check, fault, what+" is held by "+holder+", and its lock file was removed or replaced: that process refuses what comes",
			"stop it and start the service again; never remove "+name)
	case held == lockHeld && c.Admin != "" && answers != nil:
		d.add(check, fault, "a stale lock: "+holder+" has "+what+", and the service does not answer",
			"stop that process and start the service; do not remove the lock file, it ends with the process")
	case held == lockHeld && c.Admin == "":
		d.add(check, warning, what+" is held by "+holder, "give -admin to see whether that is the running service; if it is not, stop it")
	case held == lockHeld:
		d.ok(check, "%s is held by %s, and the service answers", what, holder)
	case c.Admin != "" && answers == nil:
		d.add(check, fault, "the service runs, and does not have "+what+" at "+dir, "give the directory that the service uses")
	default:
		d.ok(check, "%s is free: no service runs on it", what)
	}
}

// lockState is the result of an attempt to lock a directory.
type lockState int

const (
	lockFree lockState = iota
	lockHeld
	lockGone // the directory is locked, and its lock file is not
)

// holderOf reports whether a process has locked dir or the file in it, and which. It
// takes the locks for a moment to find out.
func holderOf(dir, file string) (lockState, string, error) {
	var taken [2]bool
	for i, name := range []string{file, dir} {
		f, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) && i == 0 {
			if _, err := os.Stat(dir); err != nil {
				return lockFree, "", err
			}
			continue
		}
		if err != nil {
			return lockFree, "", err
		}
		free, err := filelock.Try(f)
		f.Close()
		if err != nil {
			return lockFree, "", err
		}
		taken[i] = !free
	}
	switch {
	case taken[0]:
		return lockHeld, holderName(file), nil
	case taken[1]:
		return lockGone, holderName(dir), nil
	}
	return lockFree, "", nil
}

// reason returns the text of an error without the operation.
func reason(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Path + ": " + p.Err.Error()
	}
	return err.Error()
}
