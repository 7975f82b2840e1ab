package service

import (
	"context"
	"errors"
	"io"
	"iter"
	"maps"

	"github.com/garminkit/activityapi/activity/service/personal"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// Erase removes all that the service keeps of a user, or with dryRun counts it.
// Once it has returned nil, none of that is delivered any more: remove what your
// application keeps of the user after that. Erase waits for running callbacks with
// items of the user, until ctx ends. A callback must therefore not call it for the
// user of its item, since it would wait for itself. See [personal.Stores.Erase].
func (s *Service) Erase(ctx context.Context, user types.UserID, dryRun bool) (*personal.Receipt, error) {
	stores, done, err := s.stores()
	if err != nil {
		return &personal.Receipt{DryRun: dryRun}, err
	}
	r, err := stores.Erase(ctx, user, dryRun)
	err = errors.Join(err, done())
	// The id is in no receipt; the log has to say whose it is.
	s.opts.Logger.InfoContext(ctx, "service: erased a user", "user", user, "dry run", dryRun, "complete", r.Complete(), "err", err)
	return r, err
}

// Export writes all that the service keeps of a user to w, as a zip. See
// [personal.Stores.Export].
func (s *Service) Export(ctx context.Context, user types.UserID, w io.Writer) (*personal.Manifest, error) {
	stores, done, err := s.stores()
	if err != nil {
		return nil, err
	}
	m, err := stores.Export(ctx, user, w)
	return m, errors.Join(err, done())
}

// stores are those of the options, with what the service knows.
func (s *Service) stores() (*personal.Stores, func() error, error) {
	var all personal.Stores
	if s.opts.Personal != nil {
		all = *s.opts.Personal
	}
	done := func() error { return nil }
	if all.Queue == nil {
		all.Queue = s.queue
	}
	if all.Processor == nil {
		all.Processor = s.processor
	}
	if w := s.opts.Silence; w != nil && all.Silence == nil {
		all.Silence, all.SilencePath = w.Detector, w.Path
	}
	if f := s.opts.Processor.Files; f != nil && all.Files == nil {
		d, err := notify.OpenFileDir(f.Dir, f.AEAD)
		if err != nil {
			return nil, nil, err
		}
		all.Files, done = d, d.Close
		if e := elsewhere(f); e != nil {
			others := map[string]notify.Eraser{fileStore: e}
			maps.Copy(others, all.Others)
			all.Others = others
		}
	}
	return &all, done, nil
}

// fileStore is the name, in receipts, of the files that a FileDir cannot find.
const fileStore = "file store"

// elsewhere is for the files of a user that are not in Dir under the user's name. It
// is nil if there are none.
func elsewhere(f *notify.Files) notify.Eraser {
	store, ok := f.Store.(notify.Eraser)
	_, dir := f.Store.(*notify.FileDir) // finds the names that Files makes, and no others
	switch {
	case f.Store != nil && !ok:
		return unfound{why: "Files.Store is no Eraser"}
	case f.Name != nil && (f.Store == nil || dir):
		return unfound{store, "Files.Name names them: the application knows which are the user's"}
	}
	return store
}

// unfound says why files of a user cannot be found, so that no receipt and no
// manifest is complete without them.
type unfound struct {
	others notify.Eraser // for what can be found, or nil
	why    string
}

func (u unfound) Erase(ctx context.Context, user types.UserID) (*notify.Erasure, error) {
	out, err := &notify.Erasure{}, error(nil)
	if u.others != nil {
		out, err = u.others.Erase(ctx, user)
	}
	out.Left = append(out.Left, notify.Leftover{What: "files", Why: u.why})
	return out, err
}

func (u unfound) Holdings(ctx context.Context, user types.UserID) iter.Seq2[*notify.Holding, error] {
	return func(yield func(*notify.Holding, error) bool) {
		if u.others != nil {
			for h, err := range u.others.Holdings(ctx, user) {
				if !yield(h, err) {
					return
				}
			}
		}
		yield(nil, errors.New("files are left out: "+u.why))
	}
}
