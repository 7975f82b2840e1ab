package spool

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/garminkit/activityapi/notify"
)

const (
	letterSuffix  = ".letter"
	damagedSuffix = ".damaged"
	letterMagic   = "spool letter 1"
	// wholeBody is the ordinal of a letter that stands for a whole body.
	wholeBody = 1<<32 - 1
	// excerpt is how much of a damaged large body its letter holds.
	excerpt = 64 << 10
)

// letterID names the letter of one item of one body, so that burying it again
// after a crash gives no second one.
func letterID(seq uint64, ordinal uint32) string { return fmt.Sprintf("%016x-%08x", seq, ordinal) }

func (s *Spool) letterPath(id string) string { return s.path(letterDir, id+letterSuffix) }

// letterHead is the second line of a letter's file.
type letterHead struct {
	Key         string    `json:"key"`
	UserID      string    `json:"userId"`
	Reason      string    `json:"reason"`
	Quarantined bool      `json:"quarantined"`
	Attempts    int       `json:"attempts"`
	Received    time.Time `json:"received"`
	Buried      time.Time `json:"buried"`
}

// encodeLetter gives the file of a letter: a line with the checksum of all that
// follows, a line of JSON, and the item's bytes.
func encodeLetter(l *notify.Letter) ([]byte, error) {
	head, err := json.Marshal(letterHead{l.Key, l.UserID, l.Reason, l.Quarantined, l.Attempts, l.Received, l.Buried})
	if err != nil {
		return nil, err
	}
	rest := slices.Concat(head, []byte("\n"), l.Raw)
	return fmt.Appendf(nil, "%s %08x %d\n%s", letterMagic, crc32.Checksum(rest, castagnoli), len(rest), rest), nil
}

var errDamagedLetter = errors.New("the letter's file is damaged")

func decodeLetter(data []byte) (*notify.Letter, error) {
	first, rest, _ := bytes.Cut(data, []byte("\n"))
	want := fmt.Sprintf("%s %08x %d", letterMagic, crc32.Checksum(rest, castagnoli), len(rest))
	if string(first) != want {
		return nil, errDamagedLetter
	}
	line, raw, ok := bytes.Cut(rest, []byte("\n"))
	var h letterHead
	if err := json.Unmarshal(line, &h); err != nil || !ok {
		return nil, errDamagedLetter
	}
	return &notify.Letter{Key: h.Key, UserID: h.UserID, Reason: h.Reason, Quarantined: h.Quarantined,
		Attempts: h.Attempts, Received: h.Received, Buried: h.Buried, Raw: raw}, nil
}

// bury writes a letter, durably.
func (s *Spool) bury(id string, l *notify.Letter) error {
	data, err := encodeLetter(l)
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	temp := s.tempPath(letterDir)
	if err := s.writeWhole(temp, data); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if err := s.fs.Rename(temp, s.letterPath(id)); err != nil {
		_ = s.fs.Remove(temp)
		return fmt.Errorf("spool: %w", err)
	}
	if err := s.fs.SyncDir(s.path(letterDir)); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	s.sweepLetters()
	return nil
}

// writeWhole makes a file with the data and syncs it, or leaves none.
func (s *Spool) writeWhole(name string, data []byte) error {
	f, err := s.fs.Create(name)
	if err != nil {
		return err
	}
	n, err := f.WriteAt(data, 0)
	if err == nil && n < len(data) {
		err = io.ErrShortWrite
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		_ = s.fs.Remove(name)
	}
	return err
}

// readWhole reads a file of known size.
func (s *Spool) readWhole(name string, size int64) ([]byte, error) {
	f, err := s.fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data := make([]byte, size)
	n, err := f.ReadAt(data, 0)
	if err == io.EOF {
		err = nil
	}
	return data[:n], err
}

// Letters yields the dead letters in the order in which their bodies came.
func (s *Spool) Letters(ctx context.Context) iter.Seq2[*notify.Letter, error] {
	return func(yield func(*notify.Letter, error) bool) {
		s.sweepLetters()
		list, err := s.letterFiles()
		if err != nil {
			yield(nil, err)
			return
		}
		for _, e := range list {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			l, err := s.readLetter(e)
			if isNotExist(err) {
				continue // redriven meanwhile
			}
			if err != nil {
				yield(nil, fmt.Errorf("spool: %w", err))
				return
			}
			if !yield(l, nil) {
				return
			}
		}
	}
}

// letterFiles lists the letters, oldest body first.
func (s *Spool) letterFiles() ([]entry, error) {
	list, err := s.fs.List(s.path(letterDir))
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	list = slices.DeleteFunc(list, func(e entry) bool { return !strings.HasSuffix(e.name, letterSuffix) })
	slices.SortFunc(list, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	return list, nil
}

func (s *Spool) readLetter(e entry) (*notify.Letter, error) {
	data, err := s.readWhole(s.path(letterDir, e.name), e.size)
	if err != nil {
		return nil, err
	}
	return parseLetter(strings.TrimSuffix(e.name, letterSuffix), data), nil
}

// parseLetter makes a letter of a file, whatever is in it.
func parseLetter(id string, data []byte) *notify.Letter {
	l, err := decodeLetter(data)
	if err != nil {
		l = &notify.Letter{Reason: "spool: " + err.Error(), Quarantined: true, Raw: data}
	}
	l.ID = id
	return l
}

// findLetter reads the letter with an id that may come from anywhere. It does
// not read the directory: whoever clears it would do so once for each letter.
func (s *Spool) findLetter(id string) (*notify.Letter, error) {
	missing := fmt.Errorf("spool: letter %q: %w", id, fs.ErrNotExist)
	if id == "" || strings.Trim(id, "0123456789abcdefghijklmnopqrstuvwxyz-") != "" {
		return nil, missing // and it cannot lead out of the directory
	}
	f, err := s.fs.Open(s.letterPath(id))
	if isNotExist(err) {
		return nil, missing
	}
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<62))
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	return parseLetter(id, data), nil
}

// Redrive makes the letter's item a new body and removes the letter. The letter
// of a damaged large body puts the whole of it back as it is now.
func (s *Spool) Redrive(ctx context.Context, letterID string) error {
	l, err := s.findLetter(letterID)
	if err != nil {
		return err
	}
	if f, err := s.fs.Open(s.path(letterDir, letterID+damagedSuffix)); err == nil {
		err = s.Put(ctx, io.NewSectionReader(f, 0, 1<<62))
		f.Close()
		if err != nil {
			return err
		}
	} else if err := s.Put(ctx, bytes.NewReader(l.Body())); err != nil {
		return err
	}
	return s.removeLetter(letterID)
}

// Discard removes a letter for good. An unknown id is an error that wraps
// [fs.ErrNotExist].
func (s *Spool) Discard(_ context.Context, letterID string) error {
	if _, err := s.findLetter(letterID); err != nil {
		return err
	}
	return s.removeLetter(letterID)
}

func (s *Spool) removeLetter(id string) error {
	if err := s.fs.Remove(s.letterPath(id)); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if err := s.fs.Remove(s.path(letterDir, id+damagedSuffix)); err != nil && !isNotExist(err) {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}

// setAsideLarge makes a letter of a large body whose bytes are not those that
// were stored.
func (s *Spool) setAsideLarge(l *largeBody) error {
	raw, err := s.readWhole(s.path(largeDir, l.file), min(l.size, excerpt))
	if err != nil {
		return err
	}
	id := letterID(l.seq, wholeBody)
	err = s.bury(id, &notify.Letter{
		Reason:      fmt.Sprintf("spool: checksum mismatch in a body of %d bytes; it is kept as %s", l.size, id+damagedSuffix),
		Quarantined: true, Received: l.received, Buried: time.Now().UTC(), Raw: raw,
	})
	if err != nil {
		return err
	}
	if err := s.fs.Rename(s.path(largeDir, l.file), s.path(letterDir, id+damagedSuffix)); err != nil {
		return err
	}
	_ = l.marks.remove()
	s.forgetLarge(l)
	s.damaged("file", l.file)
	return nil
}

// setAsideRecord makes a letter of damage in the log.
func (s *Spool) setAsideRecord(g *segment, it item) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	id := letterID(it.seq, wholeBody)
	l := &notify.Letter{Quarantined: true, Received: it.receivedAt(), Buried: time.Now().UTC(), Raw: slices.Clone(it.body)}
	if it.region {
		id = fmt.Sprintf("%016x-at-%08x", g.base, it.off)
		l.Reason = fmt.Sprintf("spool: %d bytes of the log hold no readable record", it.next-it.off)
		l.Received = time.Time{}
	} else {
		l.Reason = fmt.Sprintf("spool: checksum mismatch in a body of %d bytes", it.size)
	}
	if g.end == it.next && g.sealed {
		l.Reason += "; it is the last in its file and may be the rest of a write that a crash cut short and that was never acknowledged"
	}
	if err := s.bury(id, l); err != nil {
		return err
	}
	if err := s.finishRecord(g, it); err != nil {
		return err
	}
	// The letter may be gone before the next power cut: it must not come back.
	if err := g.marks.sync(); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if err := s.fs.SyncDir(s.path(logDir)); err != nil { // the marks may be new
		return fmt.Errorf("spool: %w", err)
	}
	s.damaged("file", g.file, "offset", it.off)
	return nil
}

func (s *Spool) damaged(where ...any) {
	s.mu.Lock()
	s.stats.Damaged++
	s.mu.Unlock()
	s.log.Error("spool: a stored body is damaged and was made a letter", where...)
}

// recoverLetters clears temporary files away and removes expired letters.
func (s *Spool) recoverLetters() error {
	list, err := s.fs.List(s.path(letterDir))
	if err != nil {
		return err
	}
	for _, e := range list {
		if strings.HasSuffix(e.name, tempSuffix) {
			if err := s.fs.Remove(s.path(letterDir, e.name)); err != nil {
				return err
			}
		}
		// A number is not given twice while a letter has it.
		if seq, err := strconv.ParseUint(e.name[:min(16, len(e.name))], 16, 64); err == nil {
			s.seq = max(s.seq, seq)
		}
	}
	s.sweepLetters()
	return nil
}

// sweepLetters removes expired letters, once an hour at most. What fails is
// tried again.
func (s *Spool) sweepLetters() {
	if s.opts.LetterRetention == 0 {
		return
	}
	now := time.Now()
	s.mu.Lock()
	due := now.Sub(s.swept) >= time.Hour
	if due {
		s.swept = now
	}
	s.mu.Unlock()
	if !due {
		return
	}
	list, err := s.letterFiles()
	if err != nil {
		return
	}
	for _, e := range list {
		l, err := s.readLetter(e)
		if err == nil && !l.Buried.IsZero() && now.Sub(l.Buried) > s.opts.LetterRetention {
			_ = s.removeLetter(l.ID)
		}
	}
}
