// Package personal removes or exports all data of one user, in all stores of a
// program.
//
//	stores := &personal.Stores{Queue: inbox, Files: files, Tokens: tokens, Ledger: ledger}
//	receipt, err := stores.Erase(ctx, user, false)
//
// A service.Service has both as methods, for the stores that it knows and those
// in its options.
//
// # What is erased
//
// Erase removes what was there when it was called. What Garmin sends during the
// call and later is stored and processed as for any user. So disconnect the user
// first, and make the resolver return [notify.ErrUnknownUser]. Repeat Erase after
// a crash or an error. Logs, backups, and blocks of the disk that the file system
// has freed are not touched.
//
// One thing is kept: half a hash of each body, without ids, by which a body that
// Garmin sends again is recognized.
package personal

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/join"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/internal/erasure"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/silence"
	"github.com/garminkit/activityapi/types"
)

// Stores are the places that hold data of users. A nil field is left out.
type Stores struct {
	// Queue holds items, dead letters, and the claims of downloads.
	Queue notify.Queue
	// Processor is the one that works on Queue in this process. Erase makes it
	// forget what it has read of the user.
	Processor *notify.Processor
	// Files holds downloaded files and the state of downloads: a [*notify.FileDir].
	Files  notify.Eraser
	Tokens auth.TokenStore
	Ledger backfill.Ledger
	Join   join.Store
	// Silence is saved to SilencePath after the user is removed, if that is not
	// "".
	Silence     *silence.Detector
	SilencePath string
	// Others are stores of the application's own, by their names.
	Others map[string]notify.Eraser
}

// Receipt lists what was removed, or would be, and what is left. It contains no
// data of the user.
type Receipt struct {
	At     time.Time `json:"at"`
	DryRun bool      `json:"dry_run"`
	Stores []Store   `json:"stores"`
}

// Store is one store's part of a receipt.
type Store struct {
	Name string `json:"name"`
	// Removed and Left are as in [notify.Erasure].
	Removed map[string]int    `json:"removed"`
	Left    []notify.Leftover `json:"left,omitempty"`
	// Error is why the store was not erased completely, or "".
	Error string `json:"error,omitempty"`
}

// Complete reports whether nothing is left.
func (r *Receipt) Complete() bool {
	return !slices.ContainsFunc(r.Stores, func(s Store) bool { return s.Error != "" || len(s.Left) > 0 })
}

// Erase removes everything that the stores hold of a user, or with dryRun only
// counts it. If a store fails, the others are erased all the same; the error joins
// all failures, and the receipt says what was done.
func (s *Stores) Erase(ctx context.Context, user types.UserID, dryRun bool) (*Receipt, error) {
	r := &Receipt{At: time.Now().UTC(), DryRun: dryRun}
	if user == "" {
		return r, errors.New("personal: no user")
	}
	var errs []error
	for _, p := range s.parts() {
		store := Store{Name: p.name}
		do := p.erase
		if dryRun {
			do = p.count
		}
		e, err := do(ctx, user)
		if e != nil {
			store.Removed, store.Left = e.Removed, e.Left
		}
		if err != nil {
			store.Error = err.Error()
			errs = append(errs, fmt.Errorf("personal: %s: %w", p.name, err))
		}
		r.Stores = append(r.Stores, store)
	}
	return r, errors.Join(errs...)
}

// part is a store as Erase and Export see it.
type part struct {
	name     string
	erase    func(context.Context, types.UserID) (*notify.Erasure, error)
	holdings func(context.Context, types.UserID) iter.Seq2[*notify.Holding, error]
}

func (p *part) count(ctx context.Context, user types.UserID) (*notify.Erasure, error) {
	out := &notify.Erasure{}
	for h, err := range p.holdings(ctx, user) {
		if err != nil {
			return out, err
		}
		erasure.Remove(out, h.What, 1)
	}
	return out, nil
}

func none(context.Context, types.UserID) iter.Seq2[*notify.Holding, error] {
	return func(func(*notify.Holding, error) bool) {}
}

// parts are the stores in the order in which they are erased: first what could
// be delivered, then what was.
func (s *Stores) parts() (all []part) {
	add := func(name string, e notify.Eraser) {
		all = append(all, part{name, e.Erase, e.Holdings})
	}
	if s.Queue != nil {
		add("queue", s.Queue)
	}
	if p := s.Processor; p != nil {
		all = append(all, part{"processor", func(ctx context.Context, user types.UserID) (*notify.Erasure, error) {
			return nil, p.Reread(ctx, user)
		}, none})
	}
	if s.Files != nil {
		add("files", s.Files)
	}
	if s.Ledger != nil {
		all = append(all, part{"ledger", s.eraseLedger, s.ledgerHoldings})
	}
	if j := s.Join; j != nil {
		all = append(all, part{"join", func(ctx context.Context, user types.UserID) (*notify.Erasure, error) {
			if e, ok := j.(eraser); ok {
				return e.Erase(ctx, user)
			}
			return nil, j.Forget(ctx, user)
		}, none})
	}
	if s.Silence != nil {
		all = append(all, part{"silence", s.eraseSilence, none})
	}
	if s.Tokens != nil {
		all = append(all, part{"tokens", s.eraseTokens, s.tokenHoldings})
	}
	names := make([]string, 0, len(s.Others))
	for name := range s.Others {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		add(name, s.Others[name])
	}
	return all
}

// eraser is a store that tells of an erasure itself.
type eraser interface {
	Erase(context.Context, types.UserID) (*notify.Erasure, error)
}

func (s *Stores) eraseLedger(ctx context.Context, user types.UserID) (*notify.Erasure, error) {
	if e, ok := s.Ledger.(eraser); ok {
		return e.Erase(ctx, user)
	}
	out := &notify.Erasure{}
	if e, ok := s.Ledger.(interface {
		Erase(context.Context, types.UserID) (int, error)
	}); ok {
		n, err := e.Erase(ctx, user)
		erasure.Remove(out, "chunks", n)
		return out, err
	}
	for _, err := range s.Ledger.Chunks(ctx, user) {
		if err != nil {
			return out, err
		}
		erasure.Remove(out, "chunks", 1)
	}
	return out, s.Ledger.Forget(ctx, user)
}

func (s *Stores) eraseSilence(_ context.Context, user types.UserID) (*notify.Erasure, error) {
	s.Silence.Forget(user)
	if s.SilencePath == "" {
		return nil, nil
	}
	return nil, s.Silence.Save(s.SilencePath)
}

func (s *Stores) eraseTokens(ctx context.Context, user types.UserID) (*notify.Erasure, error) {
	if e, ok := s.Tokens.(eraser); ok {
		return e.Erase(ctx, user)
	}
	out := &notify.Erasure{}
	if e, ok := s.Tokens.(interface {
		Erase(context.Context, types.UserID) (bool, error)
	}); ok {
		had, err := e.Erase(ctx, user)
		if had {
			erasure.Remove(out, "tokens", 1)
		}
		return out, err
	}
	for {
		t, err := s.Tokens.Token(ctx, user)
		if errors.Is(err, auth.ErrNotConnected) {
			return out, nil
		}
		if err == nil {
			_, err = s.Tokens.Swap(ctx, t, nil)
		}
		if err == nil {
			erasure.Remove(out, "tokens", 1)
		} else if !errors.Is(err, auth.ErrConflict) {
			return out, err
		}
	}
}
