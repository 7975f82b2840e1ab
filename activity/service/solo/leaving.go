package solo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/garminkit/activityapi/internal/atomicfile"
	"github.com/garminkit/activityapi/internal/backoff"
	"github.com/garminkit/activityapi/internal/owner"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// leaving removes all of the users who leave, and ends that after a restart. A note
// of each user is on disk until nothing else is: the notification that said it goes
// with the user's other items, and would not come again after a failure.
type leaving struct {
	dir   string // of the notes
	erase func(context.Context, types.UserID) error
	log   *slog.Logger

	ctx  context.Context
	stop context.CancelFunc
	work sync.WaitGroup

	turn  chan struct{} // one user is erased at a time
	mu    sync.Mutex
	users map[types.UserID]bool // who leave; true if a goroutine is at it
}

// A failed erasure is repeated after these waits. One of them may take as long as
// an attempt at an item, for which it waits.
const (
	leastWait  = time.Second
	mostWait   = 10 * time.Minute
	eraseLimit = 15 * time.Minute
)

// openLeaving reads the notes in dir. resume goes on with them.
func openLeaving(dir string, log *slog.Logger) (*leaving, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	l := &leaving{dir: dir, log: log, turn: make(chan struct{}, 1), users: map[types.UserID]bool{}}
	l.ctx, l.stop = context.WithCancel(context.Background())
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		if strings.HasSuffix(name, ".tmp") { // of a note that nobody has relied on
			if err := os.Remove(name); err != nil {
				return nil, err
			}
			continue
		}
		user, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		l.users[types.UserID(user)] = false
	}
	return l, nil
}

// resume goes on with those who were leaving when the program ended.
func (l *leaving) resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for user := range l.users {
		l.goOn(user)
	}
}

// Close waits for what runs. It is continued after a restart.
func (l *leaving) Close() error {
	l.stop()
	l.work.Wait()
	return nil
}

// begin notes that a user leaves. From then on all of the user goes, whatever
// happens.
func (l *leaving) begin(user types.UserID) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, noted := l.users[user]; noted {
		return nil
	}
	if err := l.note(user); err != nil {
		return fmt.Errorf("solo: noting that a user leaves: %w", err)
	}
	l.users[user] = false
	return nil
}

// has reports whether a user leaves.
func (l *leaving) has(user types.UserID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, leaves := l.users[user]
	return leaves
}

// later removes the user in the background.
func (l *leaving) later(user types.UserID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.goOn(user)
}

func (l *leaving) goOn(user types.UserID) {
	if busy, leaves := l.users[user]; busy || !leaves || l.ctx.Err() != nil {
		return
	}
	l.users[user] = true
	l.work.Go(func() {
		for n := 1; ; n++ {
			err := l.now(l.ctx, user)
			if err == nil {
				return
			}
			if l.ctx.Err() != nil {
				return
			}
			wait := backoff.Wait(n, leastWait, mostWait)
			l.log.ErrorContext(l.ctx, "solo: a user who left is not erased yet", "user", user, "wait", wait, "err", err)
			if backoff.Sleep(l.ctx, wait) != nil {
				return
			}
		}
	})
}

// now removes all of a user who leaves, and the note last.
func (l *leaving) now(ctx context.Context, user types.UserID) error {
	ctx, cancel := context.WithTimeout(ctx, eraseLimit)
	defer cancel()
	return l.alone(ctx, func() error {
		if !l.has(user) {
			return nil
		}
		if err := l.erase(ctx, user); err != nil {
			return err
		}
		return l.forget(user)
	})
}

// back ends the leaving of a user who has connected again.
func (l *leaving) back(ctx context.Context, user types.UserID) error {
	if !l.has(user) {
		return nil
	}
	return l.alone(ctx, func() error { return l.forget(user) })
}

// alone calls f while nobody is erased.
func (l *leaving) alone(ctx context.Context, f func() error) error {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
		return f()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// note writes a note that survives a power cut.
func (l *leaving) note(user types.UserID) error {
	root, err := os.OpenRoot(l.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	name := owner.Of(user)
	return atomicfile.Write(root, name+".tmp", name, (*os.File).Sync, []byte(user))
}

func (l *leaving) forget(user types.UserID) error {
	if err := os.Remove(filepath.Join(l.dir, owner.Of(user))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	l.mu.Lock()
	delete(l.users, user)
	l.mu.Unlock()
	return atomicfile.SyncDir(os.Open, l.dir, (*os.File).Sync)
}

// account is the partner's side as a store of its own, which is erased last.
type account struct{ Accounts }

var _ notify.Eraser = account{}

// Erase implements [notify.Eraser].
func (a account) Erase(ctx context.Context, user types.UserID) (*notify.Erasure, error) {
	return &notify.Erasure{}, a.Forget(ctx, user)
}

// Holdings yields nothing: what the partner holds is the partner's to export.
func (a account) Holdings(context.Context, types.UserID) iter.Seq2[*notify.Holding, error] {
	return func(func(*notify.Holding, error) bool) {}
}
