package spool

import (
	"crypto/cipher"
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

	"github.com/garminkit/activityapi/internal/claimdir"
	"github.com/garminkit/activityapi/notify"
)

var (
	// errLocked means that another process, or another spool of this process, has
	// the directory open.
	errLocked = fmt.Errorf("spool: the directory belongs to another process: %w", notify.ErrInUse)
	// errMaxBytes means that a body would exceed [Options].MaxBytes.
	errMaxBytes = errors.New("spool: full")
	// errClosed means that the spool was closed.
	errClosed = fmt.Errorf("spool: %w", os.ErrClosed)
	// errGone means that the directory was removed or replaced while the spool
	// was open, so nothing can be stored in it.
	errGone = errors.New("spool: the directory is gone")
	// errFormat means that the directory holds something else, or was written by
	// a later version of this package.
	errFormat = errors.New("unknown format")
)

// Options are the optional settings of [Open].
type Options struct {
	// MaxBytes limits the disk space of bodies, their indexes and letters. Beyond
	// it every Put fails, and an item that should become a letter stays an item.
	// Records of finished items do not count, so that a full spool can be
	// emptied. 0 means no limit but the disk's.
	MaxBytes int64
	// LetterRetention is how long a dead letter is kept. None is removed in the
	// first hour after Open. 0 means that letters are kept until they are
	// redriven or discarded.
	LetterRetention time.Duration
	// RepeatTime is how long an identical body is acknowledged but not stored
	// again, since its content has been delivered or will be. 0 means eight days,
	// because Garmin repeats a notification for up to seven. A negative value
	// means that every body is stored.
	//
	// If a user undoes an edit within this time, the notification can be
	// identical to the one before the edit. It cannot be told from a repeat, and
	// is not delivered.
	//
	// Each body takes about 60 bytes of memory. At most the latest million bodies
	// are remembered, and fewer if MaxBytes is below 1.5 GiB.
	RepeatTime time.Duration
	// AEAD seals what is stored, for instance AES-GCM from cipher.NewGCM with a key
	// of 32 bytes; see the section Encryption of the package's documentation. Its
	// nonces must have at least 12 bytes, or none. A plain spool becomes a sealed
	// one. If AEAD is nil, a sealed spool is not opened.
	AEAD cipher.AEAD
	// Logger is told of damage and of failing disks, and at level Debug of
	// repeats. Nil is silent.
	Logger *slog.Logger
}

// spool is a [notify.Queue] in a directory.
type spool struct {
	dir  string
	fs   fileSystem
	opts Options
	lock lock
	keys *keys // nil if nothing is sealed
	log  *slog.Logger

	// Sizes that tests make small.
	segmentSize int64
	zeroAhead   int64
	reserveSize int64
	indexRoom   int64

	ending   chan struct{}   // closed by Close
	written  chan struct{}   // closed when the writer has ended
	kept     chan struct{}   // closed when the keeper has ended
	untidy   chan struct{}   // tells the keeper that something has changed
	turning  chan chan error // asks the writer for a new segment
	tempNum  atomic.Uint64
	builders sync.WaitGroup // of indexes
	building sync.Mutex     // one of them at a time

	// gate is held for reading by everything outside the writer that changes the
	// directory, so that Close can wait for it. Who holds it must not ask for it
	// again: a Close that waits would let neither go on.
	gate sync.RWMutex
	// settling is held while finished items or letters change. It is locked
	// before the locks of files of marks, and these before mu.
	settling  sync.Mutex
	doubtful  map[notify.ItemID]letterName // letters of a failed Settle whose marks may come back
	reserving sync.Mutex
	// erasing is held for reading by who makes a body of what is stored already,
	// and for writing by Erase. It is taken before settling.
	erasing sync.RWMutex
	// redriving is held while a letter is put back or discarded. It is taken
	// before gate and settling.
	redriving sync.Mutex

	gathering *gathering
	oldest    oldest
	known     knownItems
	repeats   *repeats // nil if repeats are stored
	claims    *claimdir.Dir
	bytes     atomic.Int64 // on the disk, in all files
	promised  atomic.Int64 // what running Puts are going to take
	letters   letterList
	expired   map[letterName]time.Time // letters, since when; the keeper's
	stamped   atomic.Int64             // the time in the name of the newest letter
	reserved  atomic.Bool              // the reserve is there

	// mu guards all that follows. It is never held during an operation on the disk.
	mu         sync.Mutex
	closed     bool
	seq        uint64              // the last number given out
	order      uint64              // the least order not given out
	unseen     map[uint64]struct{} // the first numbers of what is being stored; see visible
	named      uint64              // the highest that the log tells the next Open
	segments   []*segment          // by base; the last is the newest
	large      map[uint64]*largeBody
	largeOrder []*largeBody // by number
	indexed    map[*largeBody]struct{}
	indexes    int64             // what indexes without a file take of indexRoom
	marked     map[*markFile]int // whose marks are in memory, and how many
	marksKept  int
	rests      map[uint64]letterName // letters that can be added to, by body
	share      *share                // that somebody has
	looping    bool                  // somebody waits for shares
	counts     counts
}

var _ notify.Queue = (*spool)(nil)

const (
	lockName    = "LOCK"
	formatName  = "FORMAT"
	reserveName = "RESERVE"
	// formatText is what this version writes; it reads version 1 too.
	formatText  = "activityapi spool 2\n"
	formatText1 = "activityapi spool 1\n"
	// formatSealed tells that there may be something sealed, which a version that
	// knows nothing of it would take for damage.
	formatSealed = "activityapi spool 3\n"
	logDir       = "log"
	largeDir     = "large"
	letterDir    = "letters"
	claimDir     = "claims"
	tempSuffix   = ".tmp"
)

// Open opens the spool in dir, which it creates if necessary, and recovers what a
// crash left. It reads the segments once, at the speed of the disk, but verifies
// no body: that is done when its items are handed out. It fails with [notify.ErrInUse] while another process has the
// directory, and with [ErrKey] if the spool is sealed and Options.AEAD does not
// open it. It also fails if the directory holds something else, or was written by
// a later version of this package.
//
// The queue is safe for concurrent use. Close it when the handler and the
// processor have stopped: a Put that is still reading its body then fails with
// [os.ErrClosed], as does every later call. The queue has two goroutines, which
// Close ends. Its Claims do not count towards MaxBytes and can be used until
// Close.
func Open(dir string, opts *Options) (notify.Queue, error) {
	s, err := openDir(dir, opts)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func openDir(dir string, opts *Options) (*spool, error) {
	s, err := open(dir, opts, diskFS{})
	if err != nil {
		return nil, err
	}
	var aead cipher.AEAD
	if s.keys != nil {
		aead = s.keys.aead
	}
	if s.claims, err = claimdir.Open(s.path(claimDir), aead); err != nil {
		return nil, errors.Join(fmt.Errorf("spool: %w", err), s.Close())
	}
	return s, nil
}

// Claims returns the records of which files were asked for, kept in a directory
// of the spool.
func (s *spool) Claims() notify.Claims { return s.claims }

func open(dir string, opts *Options, fs fileSystem) (*spool, error) {
	s, err := prepare(dir, opts, fs)
	if err == nil {
		err = s.start()
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// prepare makes a spool that has not touched its directory yet.
func prepare(dir string, opts *Options, fs fileSystem) (*spool, error) {
	s := &spool{
		doubtful: map[notify.ItemID]letterName{},
		dir:      dir, fs: fs,
		segmentSize: 16 << 20,
		zeroAhead:   zeroStep,
		reserveSize: reserveSize,
		indexRoom:   indexRoom,
		ending:      make(chan struct{}),
		written:     make(chan struct{}),
		kept:        make(chan struct{}),
		untidy:      make(chan struct{}, 1),
		turning:     make(chan chan error),
		gathering:   newGathering(),
		unseen:      map[uint64]struct{}{},
		large:       map[uint64]*largeBody{},
		indexed:     map[*largeBody]struct{}{},
		marked:      map[*markFile]int{},
		rests:       map[uint64]letterName{},
		log:         slog.New(slog.DiscardHandler),
	}
	if opts != nil {
		s.opts = *opts
	}
	if s.opts.MaxBytes < 0 || s.opts.LetterRetention < 0 {
		return nil, errors.New("spool: Options has a negative value")
	}
	if s.opts.Logger != nil {
		s.log = s.opts.Logger
	}
	if s.opts.MaxBytes > 0 {
		s.zeroAhead = min(s.zeroAhead, s.opts.MaxBytes/32)
		s.reserveSize = min(s.reserveSize, s.opts.MaxBytes/32)
	}
	return s, nil
}

// start takes the directory and recovers what is in it.
func (s *spool) start() (err error) {
	fs, dir := s.fs, s.dir
	for _, d := range []string{"", logDir, largeDir, letterDir} {
		if err := fs.Mkdir(filepath.Join(dir, d)); err != nil {
			return fmt.Errorf("spool: %w", err)
		}
	}
	if s.lock, err = fs.Lock(dir); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	defer func() {
		if err != nil {
			_ = s.lock.Close()
		}
	}()
	if err := s.checkFormat(); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if err := s.recoverLog(); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if err := s.recoverLarge(); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if err := s.recoverLetters(); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	// A killed process may have renamed a file and not synced the name. Its items are
	// handed out now, so the name must be safe: rule 2 in layout.go.
	for _, d := range []string{largeDir, letterDir, logDir, ""} {
		if err := fs.SyncDir(filepath.Join(dir, d)); err != nil {
			return fmt.Errorf("spool: %w", err)
		}
	}
	s.recoverReserve()
	s.recoverRepeats()
	s.beginLog()
	s.wantTidy()
	go s.keep()
	return nil
}

// checkFormat refuses a directory of a later version, and one that is sealed and
// does not open. It writes the signature of a new one, of one of version 1, and of
// one that is sealed from now on, before anything is. It completes a torn
// signature.
func (s *spool) checkFormat() error {
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
	plain := text == formatText || text == formatText1
	if !plain && text != formatSealed && !strings.HasPrefix(formatText, text) {
		return errFormat
	}
	if err := s.openKeys(text == formatSealed, plain); err != nil {
		return err
	}
	want := formatText
	if s.keys != nil {
		want = formatSealed
	}
	if text == want {
		return nil
	}
	if err := writeFull(f, []byte(want), 0); err != nil {
		return err
	}
	return f.Sync()
}

// Close ends loops over Shares and the share, waits for running writes, and
// releases the directory lock.
func (s *spool) Close() (err error) {
	s.gate.Lock()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		s.gate.Unlock()
		return nil
	}
	s.closed = true
	h := s.share
	s.mu.Unlock()
	// In this order: when the writer sees ending, no more bodies can join a batch.
	s.gathering.close()
	close(s.ending)
	s.gate.Unlock()
	if h != nil {
		h.lose(fmt.Errorf("%w: %w", errClosed, notify.ErrLost))
	}
	// The lock is released last: nobody may open what is still written to.
	<-s.written
	<-s.kept
	s.builders.Wait()
	s.keepNumbers()
	s.repeats.close()
	if s.claims != nil {
		err = s.claims.Close()
	}
	return errors.Join(err, s.lock.Close())
}

// enter begins a change of the directory, to be ended by leave.
func (s *spool) enter() error {
	// First the gate: a Close after this look must wait for it.
	s.gate.RLock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		s.gate.RUnlock()
		return errClosed
	}
	return nil
}

func (s *spool) leave() { s.gate.RUnlock() }

// stillThere fails if a synced file has lost its name: the next restart would not
// find it.
func (s *spool) stillThere(f file, name string) error {
	if !f.Is(name) {
		return fmt.Errorf("%w: %s has lost its name", errGone, filepath.Base(name))
	}
	return nil
}

// tempPath names a temporary file.
func (s *spool) tempPath(dir string) string {
	return s.path(dir, fmt.Sprintf("%d-%d%s", os.Getpid(), s.tempNum.Add(1), tempSuffix))
}

func (s *spool) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}
