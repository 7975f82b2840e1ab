package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"slices"
	"strconv"

	"github.com/garminkit/activityapi/activity/service/admin"
	"github.com/garminkit/activityapi/activity/service/personal"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/silence"
	"github.com/garminkit/activityapi/types"
)

// personalStores selects the stores of a user's data: those of a running service, through
// its admin API, or those of a stopped one.
type personalStores struct {
	stores
	Tokens  string `env:"GARMIN_TOKENS" placeholder:"FILE" help:"Token file of a stopped service."`
	Ledger  string `env:"GARMIN_LEDGER" placeholder:"DIR" help:"Ledger of a stopped service."`
	Files   string `env:"GARMIN_FILES" placeholder:"DIR" help:"Directory of downloaded files, of a stopped service."`
	Silence string `env:"GARMIN_SILENCE" placeholder:"FILE" help:"State of the silence detector of a stopped service."`
}

// personal returns a panel that erases and exports.
func (s *personalStores) personal(ctx context.Context, out *output) (*panel, error) {
	if s.Admin != "" {
		for name, value := range map[string]string{"-tokens": s.Tokens, "-ledger": s.Ledger, "-files": s.Files, "-silence": s.Silence} {
			if value != "" {
				return nil, usagef("%s is for a stopped service, and -admin is given", name)
			}
		}
		return s.open(ctx, out)
	}
	var all personal.Stores
	var closers []func() error
	done := func() error {
		var err error
		for _, c := range slices.Backward(closers) {
			err = errors.Join(err, c())
		}
		return err
	}
	if err := s.fill(ctx, &all, &closers); err != nil {
		return nil, errors.Join(err, done())
	}
	q := all.Queue
	if q == nil {
		q = noQueue{}
	}
	return localPanel(q, &admin.Options{Erase: all.Erase, Export: all.Export}, out, done)
}

// fill opens the stores of a stopped service.
func (s *personalStores) fill(ctx context.Context, all *personal.Stores, closers *[]func() error) error {
	opened := func(done func() error) { *closers = append(*closers, done) }
	switch {
	case s.DB.Database && (s.Spool != "" || s.Tokens != "" || s.Ledger != ""):
		return usagef("-database is given, and so is a store that it has")
	case s.DB.Database:
		db, done, err := s.DB.open(ctx)
		if err != nil {
			return err
		}
		opened(done)
		all.Queue, all.Tokens, all.Ledger, all.Join = db.Queue(), db.Tokens(), db.Ledger(), db.Joined()
	case s.Spool == "" && s.Tokens == "" && s.Ledger == "" && s.Files == "" && s.Silence == "":
		return usagef("give -admin of a running service; or of a stopped one what it had: -spool, -tokens, -ledger, -files, -silence, -database")
	}
	if s.Spool != "" {
		inbox, err := openSpool(s.Spool)
		if err != nil {
			return err
		}
		opened(inbox.Close)
		all.Queue = inbox
	}
	if s.Ledger != "" {
		ledger, done, err := openLedger(ctx, s.Ledger, &database{})
		if err != nil {
			return err
		}
		opened(done)
		all.Ledger = ledger
	}
	if s.Tokens != "" {
		tokens, done, err := openTokens(ctx, s.Tokens, &database{})
		if err != nil {
			return err
		}
		opened(done)
		all.Tokens = tokens
	}
	if s.Files != "" {
		aead, err := seal(tokensKey)
		if err != nil {
			return err
		}
		files, err := notify.OpenFileDir(s.Files, aead)
		if err != nil {
			return usagef("the directory of files: %v", reason(err))
		}
		opened(files.Close)
		all.Files = files
	}
	if s.Silence == "" {
		return nil
	}
	if _, err := os.Stat(s.Silence); err != nil {
		return usagef("the silence detector: %v", reason(err))
	}
	d, err := silence.Load(s.Silence, nil)
	if err != nil {
		return err
	}
	all.Silence, all.SilencePath = d, s.Silence
	return nil
}

// eraseCommand erases a user.
type eraseCommand struct {
	personalStores
	User types.UserID `arg:"" help:"The user, by the id that Garmin gives, with @ and the application if there are several."`
	Yes  bool         `help:"Do it. Without it, what there is is counted."`
}

// Run erases a user, or counts what there is.
func (c *eraseCommand) Run(ctx context.Context, out *output) error {
	p, err := c.personal(ctx, out)
	if err != nil {
		return err
	}
	var answer struct {
		Receipt *personal.Receipt `json:"receipt"`
	}
	err = p.post(ctx, "erase", url.Values{"user": {string(c.User)}, "dry_run": {strconv.FormatBool(!c.Yes)}}, &answer)
	if err = errors.Join(err, p.close()); err != nil {
		return err
	}
	r := answer.Receipt
	if r == nil {
		return errors.New("the admin API gives no receipt")
	}
	err = out.value(r, func(w io.Writer) {
		for i := range r.Stores {
			storeLine(w, &r.Stores[i])
		}
		if r.DryRun {
			fmt.Fprintln(w, "nothing was done; add -yes to erase it for good")
		}
	})
	if err == nil && !r.Complete() {
		return errFound
	}
	return err
}

func storeLine(w io.Writer, s *personal.Store) {
	fmt.Fprintf(w, "%s:", s.Name)
	for _, what := range slices.Sorted(maps.Keys(s.Removed)) {
		fmt.Fprintf(w, " %d %s", s.Removed[what], what)
	}
	if len(s.Removed) == 0 {
		fmt.Fprint(w, " -")
	}
	fmt.Fprintln(w)
	for _, l := range s.Left {
		count := ""
		if l.Count > 0 {
			count = fmt.Sprint(l.Count, " ")
		}
		fmt.Fprintf(w, "  left: %s%s: %s\n", count, l.What, l.Why)
	}
	if s.Error != "" {
		fmt.Fprintf(w, "  %s\n", s.Error)
	}
}

// exportCommand exports a user.
type exportCommand struct {
	personalStores
	User types.UserID `arg:"" help:"The user, by the id that Garmin gives."`
	Out  string       `required:"" placeholder:"FILE" help:"The zip, which must not exist."`
}

// Run writes a zip. The status is 1 if something of the user's could not be read.
func (c *exportCommand) Run(ctx context.Context, out *output) (err error) {
	p, err := c.personal(ctx, out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	f, err := os.OpenFile(c.Out, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return usagef("-out: %v", reason(err))
	}
	complete := true
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			_ = os.Remove(c.Out)
		} else if !complete {
			err = errFound // what there is is kept
		}
	}()
	if err := p.download(ctx, "export", url.Values{"user": {string(c.User)}}, f); err != nil {
		return err
	}
	m, err := manifestOf(f)
	if err != nil {
		return err
	}
	err = out.value(m, func(w io.Writer) {
		for _, e := range m.Entries {
			fmt.Fprintf(w, "%s  %d B  %s\n", e.File, e.Size, dash(e.Key))
		}
		for _, why := range m.Missing {
			fmt.Fprintln(w, "missing:", why)
		}
	})
	if complete = len(m.Missing) == 0; !complete {
		out.remark("the export is not complete")
	}
	return err
}

// manifestOf reads the manifest of a complete export.
func manifestOf(f *os.File) (*personal.Manifest, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	data, err := readZipped(f, info.Size(), "manifest.json")
	if err != nil {
		return nil, fmt.Errorf("the export was cut short: %w", err)
	}
	m := &personal.Manifest{}
	return m, json.Unmarshal(data, m)
}
