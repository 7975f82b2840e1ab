// Command partner is a partner application to begin from: users log in, connect
// their Garmin accounts, and see their workouts in a calendar, a list, and each
// on a page with its route, plots, laps and legs. They download what they want,
// disconnect, and delete what is theirs.
//
//	go run . -fake # in examples/partner, with a fake Garmin inside: no account is needed
//
// Log in as ann, whose year comes within seconds (go test -run TestFake -v tells how
// many), or as ben, who has not connected yet.
//
// With the real one, once Garmin has approved you:
//
//	export GARMIN_KEY=... GARMIN_SECRET=...           # as Garmin's developer portal gives them
//	export GARMIN_PATH_SECRET=$(openssl rand -hex 16) # keep it: it is part of the address
//	export OPERATOR_PASSWORD=$(openssl rand -hex 16)  # for /operator/, user "operator"
//	go run . -url https://me.example.com
//
// With a fake one that is another program, such as ../fakegarmin, the same with
// -garmin http://127.0.0.1:9000 and the client id and secret that it prints.
//
// It listens on this machine alone; a proxy with a certificate passes requests
// on. The address for Garmin's endpoint configuration is
// https://me.example.com/garmin/ with the path secret behind it, and the redirect
// URL https://me.example.com/connected.
//
// Workouts are kept in SQLite below -dir, or in the PostgreSQL that DATABASE_URL
// names. Tokens, the queue and the ledger of history are kept below -dir; for
// several machines, module postgres of this repository has a queue, tokens and a
// ledger that they share.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/join"
	"github.com/garminkit/activityapi/activity/service"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/drift"
	"github.com/garminkit/activityapi/notify/spool"
	"github.com/garminkit/activityapi/types"
)

// partner is the application.
type partner struct {
	log      *slog.Logger
	db       *database
	store    auth.TokenStore
	pool     *activity.Pool
	users    *auth.Users
	conn     *auth.Connector
	ledger   backfill.Ledger
	inbox    notify.Queue
	svc      *service.Service
	sessions *scs.SessionManager
	logins   *logins
	troubles *troubles
	changes  *drift.Report // what Garmin sends and we do not know
	views    views
	fake     *fake  // nil but with -fake
	files    string // the directory of downloaded files
	opened   []io.Closer

	mux   *http.ServeMux // all addresses
	pages *http.ServeMux // those of users
	web   http.Handler   // mux, guarded
}

// newPartner puts the parts together. opts is nil but in tests and with a fake.
func newPartner(ctx context.Context, c *config, log *slog.Logger, opts *auth.Options) (*partner, error) {
	p := &partner{
		log: log, mux: http.NewServeMux(), pages: http.NewServeMux(), troubles: newTroubles(log),
		logins: newLogins(), changes: drift.New(), files: filepath.Join(c.dir, "files"),
	}
	if err := p.open(ctx, c, opts); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *partner) open(ctx context.Context, c *config, opts *auth.Options) error {
	public, err := url.Parse(c.url)
	if err != nil {
		return err
	}
	p.web = p.guard(public, c.listen, p.mux)
	if public.Scheme != "https" && !c.fake {
		p.troubles.begin("-url", "", "Garmin sends to https addresses alone, and reaches nothing at "+c.url)
	}
	if err := c.makeDir(); err != nil {
		return err
	}
	if err := os.MkdirAll(p.files, 0o700); err != nil {
		return fmt.Errorf("-dir: %w", err)
	}
	if p.db, err = openDatabase(ctx, filepath.Join(c.dir, "partner.db"), c.database); err != nil {
		return err
	}
	p.opened = append(p.opened, p.db)
	if p.ledger, err = backfill.OpenLedger(filepath.Join(c.dir, "history"), &backfill.LedgerOptions{Logger: p.log}); err != nil {
		return fmt.Errorf("-dir: %w", err)
	}
	p.opened = append(p.opened, p.ledger)
	p.sessions = newSessions(p.db, public, p.log)
	if err := p.connecting(c, opts); err != nil {
		return err
	}
	if err := p.receiving(c); err != nil {
		return err
	}
	if err := p.userPages(); err != nil {
		return err
	}
	return p.operatorPages(c)
}

// close closes what newPartner has opened, the last first.
func (p *partner) close() (err error) {
	for _, c := range slices.Backward(p.opened) {
		err = errors.Join(err, c.Close())
	}
	return err
}

// connecting serves the pages at which users connect and disconnect.
func (p *partner) connecting(c *config, opts *auth.Options) error {
	store, err := auth.OpenFile(filepath.Join(c.dir, "tokens"), &auth.FileOptions{Logger: p.log})
	if err != nil {
		return fmt.Errorf("-dir: %w", err)
	}
	p.store, p.opened = store, append(p.opened, store)
	if opts == nil {
		opts = &auth.Options{Logger: p.log}
		opts.Pool, err = activity.NewPool(&activity.Options{UnknownKey: p.changes.UnknownKey, Logger: p.log})
		if err != nil {
			return err
		}
		p.opened = append(p.opened, opts.Pool)
	}
	p.pool = opts.Pool
	users, err := auth.NewUsers(c.app, store, opts)
	if err != nil {
		return err
	}
	p.users, p.opened = users, append(p.opened, users)
	connector, err := auth.NewConnector(users, c.url+"/connected", p.connected, &auth.ConnectorOptions{Session: p.accountID})
	if err != nil {
		return err
	}
	p.pages.HandleFunc("GET /connect", p.private(connector.Start))
	p.pages.HandleFunc("GET /connected", p.private(connector.Callback))
	p.pages.HandleFunc("POST /disconnect", p.private(p.disconnect))
	p.conn = connector
	return nil
}

// receiving serves the address at which Garmin notifies, and makes a service of
// all parts. Garmin signs nothing: the secret in the path keeps strangers out.
func (p *partner) receiving(c *config) error {
	secret, err := notify.PathSecret(c.secret, "")
	if err != nil {
		return err
	}
	inbox, err := spool.Open(filepath.Join(c.dir, "inbox"), &spool.Options{LetterRetention: 30 * 24 * time.Hour, Logger: p.log})
	if err != nil {
		return fmt.Errorf("-dir: %w", err)
	}
	p.inbox, p.opened = inbox, append(p.opened, inbox)
	limiter := backfill.NewLimiter(c.days, p.ledger)
	p.svc, err = service.New(inbox, p.resolve, notify.Callbacks{
		Save:             p.save,
		File:             p.file,
		Deregistration:   p.left,
		PermissionChange: p.permitted,
	}, &service.Options{
		Handler:   &notify.HandlerOptions{Origin: []notify.OriginCheck{secret}, Observe: p.troubles.received},
		Processor: &notify.ProcessorOptions{Files: &notify.Files{Dir: p.files}, Observe: p.troubles.processed},
		Tokens:    p.users,
		KeepAlive: &auth.KeepAliveOptions{Failed: p.troubles.renewal},
		History: &service.History{
			Runner:   backfill.NewRunner(limiter, p.ledger, &backfill.RunnerOptions{Logger: p.log}),
			Users:    p.wantHistory,
			Progress: p.troubles.history,
		},
		Drift:  p.changes,
		Close:  []io.Closer{p.ledger, p.store, p.db, p.pool},
		Logger: p.log,
	})
	if err != nil {
		return err
	}
	p.mux.Handle("/garmin/", p.svc.Intake())
	p.mux.Handle("GET /ready", p.svc.Ready())
	p.mux.Handle("GET /live", p.svc.Live())
	return nil
}

// resolve finds our user behind Garmin's id.
func (p *partner) resolve(ctx context.Context, garminID types.UserID) ([]notify.User, error) {
	account, err := p.db.owner(ctx, garminID)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, notify.ErrUnknownUser
	}
	if err != nil {
		return nil, err
	}
	client, err := p.users.Client(ctx, garminID)
	switch {
	case errors.Is(err, auth.ErrNotConnected):
		return []notify.User{{ID: account}}, nil // who is about to be forgotten
	case err != nil:
		return nil, err
	}
	return []notify.User{{ID: account, Client: client}}, nil
}

// save stores a summary, pushed or pulled, new or edited.
func (p *partner) save(ctx context.Context, d *notify.Delivery, s types.Summary) (err error) {
	if m, ok := s.(*types.MoveIQ); ok {
		err = p.db.detect(ctx, d, m)
	} else {
		err = p.db.add(ctx, d.User.ID, join.Item{User: d.UserID, Order: d.Order, Revision: d.Revision, Summary: s})
	}
	if err != nil {
		return err
	}
	return backfill.Arrival(ctx, p.ledger, d.UserID, s)
}

// file stores where a file is. It is noted first, so that none is left behind
// when its user is deleted.
func (p *partner) file(ctx context.Context, d *notify.Delivery, f *notify.File) error {
	if err := p.db.addFile(ctx, d.User.ID, f.Name); err != nil {
		return err
	}
	return p.db.add(ctx, d.User.ID, join.Item{
		User: d.UserID, Order: d.Order, Revision: d.Revision,
		File: &join.File{Announced: f.Announced, Name: f.Name, Size: f.Size},
	})
}

// permitted keeps what a user allows.
func (p *partner) permitted(ctx context.Context, d *notify.Delivery, e *notify.PermissionChange) error {
	allowed := e.Permissions
	if allowed == nil { // Garmin left it out
		client, err := p.users.Client(ctx, d.UserID)
		if err == nil {
			allowed, err = client.Permissions(ctx)
		}
		if err != nil {
			return err
		}
	}
	if err := p.db.permit(ctx, d.UserID, allowed, e.ChangeTimeInSeconds); err != nil {
		return err
	}
	if slices.Contains(allowed, types.PermissionHistoricalDataExport) {
		p.svc.FetchHistory()
	}
	return nil
}
