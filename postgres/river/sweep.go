package garminriver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/riverqueue/river"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// SweepArgs is the job that makes a sweep.
type SweepArgs struct {
	Name string `json:"name"`
}

// Kind implements [river.JobArgs].
func (SweepArgs) Kind() string { return "garmin_sweep" }

// InsertOpts implements [river.JobArgsWithInsertOpts].
func (SweepArgs) InsertOpts() river.InsertOpts { return single("") }

// Sweep is a job that removes what is no longer needed. After an interruption Run
// is called again, and continues with what is left.
type Sweep struct {
	Name string
	Run  func(ctx context.Context) error
}

// Sweeper is the worker of [SweepArgs].
type Sweeper struct {
	river.WorkerDefaults[SweepArgs]
	sweeps map[string]Sweep
}

// NewSweeper returns the worker of sweeps, which must have different names.
func NewSweeper(sweeps ...Sweep) *Sweeper {
	w := &Sweeper{sweeps: map[string]Sweep{}}
	for _, s := range sweeps {
		w.sweeps[s.Name] = s
	}
	return w
}

// Timeout implements [river.Worker].
func (*Sweeper) Timeout(*river.Job[SweepArgs]) time.Duration { return atMost + grace }

// Work implements [river.Worker].
func (w *Sweeper) Work(ctx context.Context, job *river.Job[SweepArgs]) error {
	s, ok := w.sweeps[job.Args.Name]
	if !ok {
		return river.JobCancel(fmt.Errorf("garminriver: there is no sweep %q", job.Args.Name))
	}
	c, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	return resumed(c, s.Run(c))
}

// SweepLetters returns the sweep "letters". It discards dead letters that are
// older than age. A queue in PostgreSQL can do so itself, with
// Options.LetterRetention.
func SweepLetters(letters notify.Queue, age time.Duration) Sweep {
	return Sweep{"letters", func(ctx context.Context) error {
		for l, err := range letters.Letters(ctx, &notify.LetterFilter{Before: time.Now().Add(-age)}) {
			if err != nil {
				return err
			}
			// Another process may have discarded it.
			if err := letters.Discard(ctx, l.ID); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return nil
	}}
}

// SweepHistory returns the sweep "history". It removes users from the ledger who
// are no longer connected, for instance because Ledger.Forget failed when they
// left.
func SweepHistory(ledger backfill.Ledger, tokens auth.TokenStore) Sweep {
	return Sweep{"history", func(ctx context.Context) error {
		var gone []types.UserID
		for id, err := range ledger.Users(ctx) {
			if err != nil {
				return err
			}
			switch _, err := tokens.Token(ctx, id); {
			case errors.Is(err, auth.ErrNotConnected):
				gone = append(gone, id)
			case err != nil:
				return err
			}
		}
		for _, id := range gone {
			if err := ledger.Forget(ctx, id); err != nil {
				return err
			}
		}
		return nil
	}}
}

// SweepFiles returns the sweep "files". Below dir, the directory of [notify.Files], it
// removes what is left of failed or incomplete downloads and is older than age. Dead
// letters name these files, so age should be longer than letters are kept. Complete
// files stay, stored or not yet.
func SweepFiles(dir string, age time.Duration) Sweep {
	const kept = ".downloads"
	return Sweep{"files", func(ctx context.Context) error {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return err
		}
		defer func() { _ = root.Close() }()
		entries, err := fs.ReadDir(root.FS(), kept)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, e := range entries {
			switch path.Ext(e.Name()) {
			case ".broken", ".rejected", ".answer":
			default:
				continue
			}
			info, err := e.Info()
			if err != nil || !info.Mode().IsRegular() || time.Since(info.ModTime()) < age {
				continue // it may have gone
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := root.Remove(path.Join(kept, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return nil
	}}
}
