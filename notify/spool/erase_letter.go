package spool

import (
	"bytes"
	"context"
	"errors"
	"hash/crc32"
	"io"
	"slices"
	"strings"

	"github.com/garminkit/activityapi/internal/erasure"
	"github.com/garminkit/activityapi/internal/redact"
	"github.com/garminkit/activityapi/notify"
)

// letters goes through all dead letters.
func (e *eraser) letters() error {
	for _, n := range e.s.letters.all() {
		if err := e.step("letters", func() error { return e.letter(n) }); err != nil {
			return err
		}
	}
	return nil
}

// letter takes what is the user's out of a letter, or removes it if nothing else
// is in it. It is replaced by one of the same name.
func (e *eraser) letter(n letterName) error {
	s := e.s
	if n.kind == ofRest {
		s.settling.Lock() // Nothing is added to it meanwhile.
		defer s.settling.Unlock()
	}
	l, err := s.openLetterFile(n.String())
	if err != nil {
		return err
	}
	defer l.f.Close()
	switch {
	case l.head.UserID == string(e.id):
		return e.removeLetter(n)
	case n.kind == ofRest:
		err := e.rest(l)
		if errors.Is(err, errDamagedLetter) {
			// It cannot be taken apart.
			named, nerr := e.user.Names(io.NewSectionReader(l.f, 0, l.size))
			if err = nerr; named && err == nil {
				return e.removeLetter(n)
			}
			if err == nil && l.sealed {
				e.untold()
			}
		}
		return err
	}
	for _, suffix := range besides {
		f, err := s.openBeside(n, suffix)
		if isNotExist(err) {
			continue
		}
		if err != nil {
			return err
		}
		defer f.close()
		gone, err := e.beside(n, f, suffix)
		if err != nil || gone {
			return err
		}
	}
	return e.letterItself(l)
}

func (e *eraser) removeLetter(n letterName) error {
	if err := e.s.removeLetter(n.String()); err != nil {
		return err
	}
	erasure.Remove(&e.out, "letters", 1)
	return nil
}

// look looks through a body, if it may name the user at all.
func (e *eraser) look(r io.ReaderAt, size int64) (*erasure.Found, error) {
	named, err := e.user.Names(io.NewSectionReader(r, 0, size))
	if err != nil || !named {
		return &erasure.Found{}, err
	}
	found, err := e.user.Look(r, size)
	if err == nil {
		erasure.Leave(&e.out, "letter items", found.Naming, othersName)
	}
	return found, err
}

// beside looks through the file with a letter's bytes, and tells whether the
// letter is gone.
func (e *eraser) beside(n letterName, f *text, suffix string) (gone bool, err error) {
	s := e.s
	found, err := e.look(f, f.size)
	if err != nil || len(found.Cuts) == 0 {
		if err == nil && strings.HasSuffix(suffix, damagedSuffix+sealedSuffix) {
			e.untold()
		}
		return false, err
	}
	if len(found.Others) == 0 {
		return true, e.removeLetter(n)
	}
	temp := s.tempPath(letterDir)
	out, err := s.fs.Create(temp)
	if err != nil {
		return false, err
	}
	box := s.box()
	if !strings.HasSuffix(suffix, sealedSuffix) {
		box = nil // as its name says
	}
	err = copyTo(newTextWriter(out, 0, box, aboutBody), erasure.Reader(f, f.size, found.Cuts))
	if err == nil {
		err = out.Sync()
	}
	err = errors.Join(err, out.Close())
	if err == nil {
		err = s.fs.Rename(temp, s.path(letterDir, n.String()+suffix))
	}
	if err != nil {
		_ = s.fs.Remove(temp)
		return false, err
	}
	erasure.Remove(&e.out, "letter items", len(found.Cuts))
	return false, s.fs.SyncDir(s.path(letterDir))
}

// letterItself looks through the bytes in a letter's own file.
func (e *eraser) letterItself(l *openedLetter) error {
	s, n := e.s, l.name
	text, err := l.text()
	if errors.Is(err, errDamagedLetter) {
		// Nobody can tell what is in it; the head is whole and may name the user.
		if e.user.Named([]byte(l.head.Reason)) {
			return e.removeLetter(n)
		}
		e.untold()
		return nil
	}
	if err != nil {
		return err
	}
	if l.head.Unopened {
		e.untold()
	}
	start, end := "", ""
	if !l.head.Whole {
		start, end = notify.AppLine(l.head.app())+bodyStart(l.head.Key), "]}"
	}
	body := append(append([]byte(start), text...), end...)
	found, err := e.look(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return err
	}
	told := e.user.Named([]byte(l.head.Reason))
	switch {
	case len(found.Cuts) == 0 && !told:
		return nil
	case len(found.Cuts) > 0 && len(found.Others) == 0, !l.old && !l.head.Beside && !l.sound(text):
		return e.removeLetter(n)
	}
	erasure.Apply(body, found.Cuts)
	h := l.head
	h.Reason = redact.Text(h.Reason, string(e.id))
	if err := s.writeLetter(n, &h, bytes.NewReader(body[len(start):len(start)+len(text)])); err != nil {
		return err
	}
	s.spend(-l.size)
	erasure.Remove(&e.out, "letter items", len(found.Cuts))
	return s.fs.SyncDir(s.path(letterDir))
}

// untold notes a letter of which nobody can tell whose it is.
func (e *eraser) untold() {
	erasure.Leave(&e.out, "letters", 1, "damaged and sealed: what is in it cannot be told")
}

// text reads the bytes in the letter's own file.
func (l *openedLetter) text() ([]byte, error) {
	if l.head.Beside {
		return nil, nil
	}
	var f io.ReaderAt = io.NewSectionReader(l.f, l.body, l.size-l.body)
	if l.sealed {
		t, err := l.own()
		if err != nil {
			return nil, err
		}
		defer func() { _ = t.sealed.Close() }()
		f = t
	}
	text := make([]byte, l.head.Size)
	return text, readFull(f, text, 0)
}

// sound tells whether a letter's bytes are what was written. Of one that is not,
// the rest would pass for whole.
func (l *openedLetter) sound(text []byte) bool {
	if l.sealed {
		return true // else it had not opened
	}
	var tail [sumSize]byte
	return readFull(l.f, tail[:], l.body+l.head.Size) == nil && string(tail[:]) == sumText(crc32.Checksum(text, castagnoli))
}

// rest takes the user's items out of the letter of the rest of a body.
func (e *eraser) rest(l *openedLetter) (err error) {
	s := e.s
	was, _, err := readSlots(l.f, l.body)
	if err != nil {
		return err
	}
	temp := s.tempPath(letterDir)
	out, err := s.fs.Create(temp)
	if err != nil {
		return err
	}
	defer func() {
		out.Close()
		if temp != "" {
			_ = s.fs.Remove(temp)
		}
	}()
	a := &restAdder{s: s, name: l.name, f: out, body: l.body, now: slot{end: l.body + slotsSize, gen: was.gen}}
	cut := 0
	for at := l.body + slotsSize; at < was.end; {
		fr, err := l.readFrame(at, was.end)
		if err != nil {
			return err
		}
		at = fr.next
		start := notify.AppLine(l.head.app()) + bodyStart(fr.key)
		text := slices.Concat([]byte(start), fr.item, []byte("]}"))
		found, err := e.look(bytes.NewReader(text), int64(len(text)))
		if err != nil {
			return err
		}
		cut += len(found.Cuts)
		if len(found.Cuts) > 0 && len(found.Others) == 0 {
			continue
		}
		erasure.Apply(text, found.Cuts)
		size := int64(len(fr.item))
		if err := a.frame(fr.offset, fr.key, bytes.NewReader(text[len(start):][:size]), size); err != nil {
			return err
		}
	}
	switch {
	case cut == 0:
		return nil
	case a.now.items == 0:
		return e.removeLetter(l.name)
	}
	head := make([]byte, l.body+slotsSize)
	if err := readFull(l.f, head[:l.body], 0); err != nil {
		return err
	}
	if err := writeFull(out, head, 0); err != nil {
		return err
	}
	if err := a.flush(); err != nil {
		return err
	}
	a.now.gen++
	if err := writeFull(out, a.now.encode(), a.body+int64(a.now.gen%2)*slotSize); err != nil {
		return err
	}
	if err := out.Sync(); err != nil {
		return err
	}
	if err := s.fs.Rename(temp, s.letterPath(l.name.String())); err != nil {
		return err
	}
	temp = ""
	s.spend(a.now.end - l.size)
	erasure.Remove(&e.out, "letter items", cut)
	return s.fs.SyncDir(s.path(letterDir))
}

// claims removes the notes of the user's files.
func (e *eraser) claims() error {
	n, err := e.s.claims.Erase(e.ctx, e.id)
	erasure.Remove(&e.out, "claims", n)
	if err != nil && e.ctx.Err() == nil {
		erasure.Leave(&e.out, "claims", 1, "the disk: "+err.Error())
		return nil
	}
	if err != nil {
		return context.Cause(e.ctx)
	}
	return nil
}
