package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/garminkit/activityapi/notify"
)

var (
	// ErrLocked says that another process, or another Spool of this one, has
	// the directory open. It is [notify.ErrInUse] too.
	ErrLocked = fmt.Errorf("spool: the directory belongs to another process: %w", notify.ErrInUse)
	// ErrFull says that a body would take the spool over [Options].MaxBytes.
	ErrFull = errors.New("spool: full")
	// ErrClosed says that the spool was closed.
	ErrClosed = errors.New("spool: closed")
	// ErrFormat says that the directory holds something else, or was written
	// by a later version of this package.
	ErrFormat = errors.New("unknown format")
)

// Options are the optional settings of [Open].
type Options struct {
	// MaxBytes bounds what the spool's files take on the disk; a Put beyond it
	// fails with ErrFull. 0 means no bound but the disk's.
	MaxBytes int64
	// LetterRetention is how long a dead letter is kept after it was buried.
	// 0 means until it is redriven or discarded.
	LetterRetention time.Duration
	// Logger is told of damage and of failing disks. Nil means nobody.
	Logger *slog.Logger
}

// Spool is a [notify.Queue] in a directory. Its methods are safe for
// concurrent use. It has one goroutine, which Close ends.
type Spool struct {
	dir  string
	fs   fileSystem
	opts Options
	lock io.Closer
	log  *slog.Logger

	segmentSize int64
	zeroAhead   int64

	ending  chan struct{} // closed by Close
	written chan struct{} // closed when the writer has ended
	tempNum atomic.Uint64

	// gate is held for reading by all that changes the directory outside the
	// writer, so that Close can wait for it.
	gate sync.RWMutex

	gathering *gathering

	mu       sync.Mutex
	closed   bool
	seq      uint64     // the last number given out
	named    uint64     // the highest that the log tells the next Open
	segments []*segment // by base; the last is the newest
	large    map[uint64]*largeBody
	marks    map[uint64]*markSet // of unfinished bodies that have any
	feed     *feed               // the running loop over Bodies, nil if none
	bytes    int64               // on the disk, in all files
	stats    Stats
	swept    time.Time // when expired letters were last looked for
}

var _ notify.Queue = (*Spool)(nil)

const (
	lockName   = "LOCK"
	formatName = "FORMAT"
	formatText = "activityapi spool 1\n"
	logDir     = "log"
	largeDir   = "large"
	letterDir  = "letters"
	tempSuffix = ".tmp"
)

// Open opens the spool in dir, which is made if it is not there, and recovers
// what a crash left. It reads all that is unfinished once, to know that it is
// whole, at the speed of the disk. It fails with [ErrLocked] while another
// process has the directory, and with [ErrFormat] if it cannot read it.
func Open(dir string, opts *Options) (*Spool, error) {
	return open(dir, opts, diskFS{})
}

func open(dir string, opts *Options, fs fileSystem) (_ *Spool, err error) {
	s := &Spool{
		dir: dir, fs: fs,
		segmentSize: 16 << 20,
		zeroAhead:   zeroStep,
		ending:      make(chan struct{}),
		written:     make(chan struct{}),
		gathering:   newGathering(),
		large:       map[uint64]*largeBody{},
		marks:       map[uint64]*markSet{},
		log:         slog.New(slog.DiscardHandler),
	}
	if opts != nil {
		s.opts = *opts
	}
	if s.opts.MaxBytes < 0 || s.opts.LetterRetention < 0 {
		return nil, errors.New("spool: negative option")
	}
	if s.opts.Logger != nil {
		s.log = s.opts.Logger
	}
	for _, d := range []string{"", logDir, largeDir, letterDir} {
		if err := fs.Mkdir(filepath.Join(dir, d)); err != nil {
			return nil, fmt.Errorf("spool: %w", err)
		}
	}
	if s.lock, err = fs.Lock(s.path(lockName)); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	defer func() {
		if err != nil {
			s.lock.Close()
		}
	}()
	if err := s.checkFormat(); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	if err := s.recoverLog(); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	if err := s.recoverLarge(); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	if err := s.recoverLetters(); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	for _, d := range []string{largeDir, letterDir, logDir, ""} {
		if err := fs.SyncDir(filepath.Join(dir, d)); err != nil {
			return nil, fmt.Errorf("spool: %w", err)
		}
	}
	s.beginLog()
	return s, nil
}

// checkFormat refuses a directory that a later version wrote, and signs a new
// one. A torn signature is completed.
func (s *Spool) checkFormat() error {
	f, err := s.fs.Open(s.path(formatName))
	if isNotExist(err) {
		f, err = s.fs.Create(s.path(formatName))
	}
	if err != nil {
		return err
	}
	defer f.Close()
	have := make([]byte, 2*len(formatText))
	n, err := f.ReadAt(have, 0)
	if err != nil && err != io.EOF {
		return err
	}
	text := strings.TrimRight(string(have[:n]), "\x00")
	if text == formatText {
		return nil
	}
	if !strings.HasPrefix(formatText, text) {
		return ErrFormat
	}
	if err := writeFull(f, []byte(formatText), 0); err != nil {
		return err
	}
	return f.Sync()
}

// Close ends loops over Bodies, waits for what is being written, and gives the
// directory free. A Put that is still reading its body fails with ErrClosed, as
// does whatever is done with a body after this.
func (s *Spool) Close() error {
	s.gate.Lock()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		s.gate.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.gathering.close()
	close(s.ending)
	s.gate.Unlock()
	<-s.written
	s.keepNumbers()
	s.mu.Lock()
	for _, g := range s.segments {
		g.marks.close()
	}
	for _, l := range s.large {
		l.marks.close()
	}
	s.mu.Unlock()
	return s.lock.Close()
}

// enter begins a change of the directory, to be ended by leave.
func (s *Spool) enter() error {
	s.gate.RLock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		s.gate.RUnlock()
		return ErrClosed
	}
	return nil
}

func (s *Spool) leave() { s.gate.RUnlock() }

// tempPath names a temporary file.
func (s *Spool) tempPath(dir string) string {
	return s.path(dir, fmt.Sprintf("%d-%d%s", os.Getpid(), s.tempNum.Add(1), tempSuffix))
}

func (s *Spool) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}

// nextSeq gives the next body its number.
func (s *Spool) nextSeq() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	return s.seq
}

// Process hands each body to f, oldest first and one at a time, and finishes
// it when f returns nil. When f fails, the same body is tried again after a
// pause of 1 s, doubling up to 1 min: the bodies behind it wait. It is meant
// for programs that forward or archive whole bodies; [notify.Processor] does
// all that items need. It returns ctx.Err() when ctx ends.
func (s *Spool) Process(ctx context.Context, f func(ctx context.Context, body io.Reader) error) error {
	for b, err := range s.Bodies(ctx) {
		if err != nil {
			return err
		}
		if err := s.processOne(ctx, b, f); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (s *Spool) processOne(ctx context.Context, b notify.Body, f func(ctx context.Context, body io.Reader) error) error {
	defer b.Close()
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		err := f(ctx, io.NewSectionReader(b, 0, b.Size()))
		if err == nil {
			return b.Finish(ctx)
		}
		s.log.WarnContext(ctx, "spool: body failed", "id", b.ID(), "err", err, "again", wait)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.ending:
			return ErrClosed
		case <-time.After(wait):
		}
	}
}
