// Package solo is a whole program for one machine, except for your own code. Its
// stores are in one directory, and one handler serves its addresses:
//
//	p, err := solo.Open("data", accounts, &solo.Options{
//		URL: "https://me.example.com", App: app, PathSecret: secret, Session: session,
//	})
//	if err != nil {
//		return err
//	}
//	return p.Service.ListenAndServe(ctx, ":8080", p.Handler)
//
// You implement [Accounts], which stores who has connected and the data that
// arrives. Users connect at /connect. Garmin sends to /garmin/ followed by the
// path secret. /ready and /live are for the probes of a supervisor.
//
// A program that outgrows one machine uses [service.New] itself, with other
// stores such as those of module postgres.
package solo

import (
	"cmp"
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/service"
	"github.com/garminkit/activityapi/activity/service/admin"
	"github.com/garminkit/activityapi/activity/service/personal"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/drift"
	"github.com/garminkit/activityapi/notify/spool"
	"github.com/garminkit/activityapi/types"
)

// Options are the settings of [Open]. URL, App, PathSecret and Session are required.
type Options struct {
	// URL is the address at which users and Garmin reach the program, without a
	// path: https://me.example.com. Register URL/garmin/PathSecret with Garmin as
	// the endpoint, and URL/connected as the redirect URL.
	URL        string
	App        auth.App
	PathSecret types.Secret
	// Session returns the account that a browser is logged in to, or an error if
	// there is none.
	Session func(*http.Request) (string, error)

	// Operator returns a handler that lets only operators pass to the given one,
	// which has the pages below /admin/. Nil means that there are no such pages.
	Operator func(http.Handler) http.Handler
	// DaysPerMinute is Garmin's limit for requests of history. Zero means
	// [backfill.Production]; for an evaluation key set [backfill.Evaluation].
	DaysPerMinute int
	// History is how far back from the connection to fetch history. Zero means a
	// year; a negative value means none.
	History time.Duration
	// AEAD seals tokens, notifications and files on the disk, for instance AES-GCM
	// from cipher.NewGCM. User ids stay readable in names of files and in the
	// history. It must be set from the beginning: tokens that are stored plain
	// cannot be sealed later. Nil means that nothing is sealed.
	AEAD cipher.AEAD
	// Telemetry, if not nil, observes everything. Module otel has one.
	Telemetry Telemetry
	// Transport sends all calls to Garmin, as in [activity.Options] and
	// [auth.Options]. Nil means the default transport.
	Transport http.RoundTripper
	// Service has further settings. Open overwrites those that it sets itself.
	Service service.Options
}

// Telemetry wraps the places through which data passes.
type Telemetry interface {
	Intake(route string, next http.Handler) http.Handler
	Handler(*notify.HandlerOptions) *notify.HandlerOptions
	Processor(*notify.ProcessorOptions) *notify.ProcessorOptions
	Wrap(notify.Callbacks) notify.Callbacks
	Transport(http.RoundTripper) http.RoundTripper
}

// Program is the program that [Open] has assembled.
type Program struct {
	// Service runs the program, and closes its stores at the end.
	Service *service.Service
	// Handler serves /connect, /connected, /garmin/, /ready, /live and, with
	// [Options].Operator, /admin/.
	Handler http.Handler
	Users   *auth.Users
	Queue   notify.Queue
	Ledger  backfill.Ledger

	accounts Accounts
	tokens   auth.TokenStore
	leaving  *leaving
	depth    time.Duration
	log      *slog.Logger
}

// Open opens the stores in dir, which it creates if necessary, and assembles the
// program. The caller must then run Program.Service, which also closes the
// stores.
func Open(dir string, accounts Accounts, opts *Options) (_ *Program, err error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if accounts == nil {
		return nil, errors.New("solo: Open without Accounts")
	}
	secret, err := notify.PathSecret(string(o.PathSecret), "")
	if err != nil {
		return nil, fmt.Errorf("solo: Options.PathSecret: %w", err)
	}
	files := filepath.Join(dir, "files")
	if err := os.MkdirAll(files, 0o700); err != nil {
		return nil, fmt.Errorf("solo: %w", err)
	}
	mux := http.NewServeMux()
	s := &Program{accounts: accounts, depth: o.History, log: o.Service.Logger, Handler: mux}
	var opened []io.Closer
	defer func() {
		if err != nil {
			for _, c := range slices.Backward(opened) {
				err = errors.Join(err, c.Close())
			}
		}
	}()
	if s.Queue, err = spool.Open(filepath.Join(dir, "inbox"), &spool.Options{AEAD: o.AEAD, Logger: s.log}); err != nil {
		return nil, err
	}
	opened = append(opened, s.Queue)
	if s.Ledger, err = backfill.OpenLedger(filepath.Join(dir, "history"), &backfill.LedgerOptions{Logger: s.log}); err != nil {
		return nil, err
	}
	opened = append(opened, s.Ledger)
	if s.leaving, err = openLeaving(filepath.Join(dir, "leaving"), s.log); err != nil {
		return nil, fmt.Errorf("solo: %w", err)
	}
	s.leaving.erase = s.eraseAll
	if s.tokens, err = auth.OpenFile(filepath.Join(dir, "tokens"), &auth.FileOptions{AEAD: o.AEAD, Logger: s.log}); err != nil {
		return nil, err
	}
	opened = append(opened, s.tokens)
	pool, err := activity.NewPool(&activity.Options{Transport: o.Transport, Wrap: o.wrap, UnknownKey: o.Service.Drift.UnknownKey, Logger: s.log})
	if err != nil {
		return nil, err
	}
	opened = append(opened, pool)
	if s.Users, err = auth.NewUsers(o.App, s.tokens, &auth.Options{Pool: pool, Transport: o.Transport, Logger: s.log}); err != nil {
		return nil, err
	}
	opened = append(opened, s.Users)
	connector, err := auth.NewConnector(s.Users, o.URL+"/connected", s.connected, &auth.ConnectorOptions{Session: o.Session})
	if err != nil {
		return nil, err
	}
	if err := s.receive(mux, o, secret, files, pool); err != nil {
		return nil, err
	}
	mux.HandleFunc("GET /connect", connector.Start)
	mux.HandleFunc("GET /connected", connector.Callback)
	if err := s.operate(mux, o); err != nil {
		return nil, err
	}
	s.leaving.resume()
	return s, nil
}

func (o *Options) withDefaults() (*Options, error) {
	var d Options
	if o != nil {
		d = *o
	}
	switch {
	case d.URL == "":
		return nil, errors.New("solo: Options.URL is empty")
	case d.Session == nil:
		return nil, errors.New("solo: Options.Session is nil: nobody could say whose connection it is")
	case d.DaysPerMinute < 0:
		return nil, errors.New("solo: Options.DaysPerMinute is negative")
	}
	d.DaysPerMinute = cmp.Or(d.DaysPerMinute, backfill.Production)
	d.History = cmp.Or(d.History, 365*24*time.Hour)
	if d.Service.Drift == nil {
		d.Service.Drift = drift.New()
	}
	if d.Service.Logger == nil {
		d.Service.Logger = slog.New(slog.DiscardHandler)
	}
	return &d, nil
}

// wrap lets telemetry see the calls to Garmin.
func (o *Options) wrap(base http.RoundTripper) http.RoundTripper {
	if o.Telemetry == nil {
		return base
	}
	return o.Telemetry.Transport(base)
}

// receive puts the service together.
func (s *Program) receive(mux *http.ServeMux, o *Options, secret notify.OriginCheck, files string, pool io.Closer) (err error) {
	var handler notify.HandlerOptions
	if o.Service.Handler != nil {
		handler = *o.Service.Handler
	}
	handler.Origin = append(slices.Clone(handler.Origin), secret)
	var processor notify.ProcessorOptions
	if o.Service.Processor != nil {
		processor = *o.Service.Processor
	}
	processor.Files = &notify.Files{Dir: files, AEAD: o.AEAD}
	calls := notify.Callbacks{Save: s.save, File: s.accounts.File, Deregistration: s.left, PermissionChange: s.permitted}
	parts := o.Service
	parts.Handler, parts.Processor = &handler, &processor
	if t := o.Telemetry; t != nil {
		parts.Handler, parts.Processor, calls = t.Handler(&handler), t.Processor(&processor), t.Wrap(calls)
	}
	parts.Tokens = s.Users
	if o.History > 0 {
		limiter := backfill.NewLimiter(o.DaysPerMinute, s.Ledger)
		parts.History = &service.History{
			Runner: backfill.NewRunner(limiter, s.Ledger, &backfill.RunnerOptions{Logger: s.log}), Users: s.wanted,
		}
	}
	var stores personal.Stores
	if parts.Personal != nil {
		stores = *parts.Personal
	}
	stores.Tokens, stores.Ledger = s.tokens, s.Ledger
	stores.Others = maps.Clone(stores.Others)
	if stores.Others == nil {
		stores.Others = map[string]notify.Eraser{}
	}
	stores.Others["partner"] = account{s.accounts}
	parts.Personal = &stores
	parts.Close = append([]io.Closer{s.leaving, s.Ledger, s.tokens, pool}, parts.Close...)
	if s.Service, err = service.New(s.Queue, s.resolve, calls, &parts); err != nil {
		return err
	}
	intake := s.Service.Intake()
	if o.Telemetry != nil {
		intake = o.Telemetry.Intake("/garmin/{secret}", intake)
	}
	mux.Handle("/garmin/", intake)
	mux.Handle("GET /ready", s.Service.Ready())
	mux.Handle("GET /live", s.Service.Live())
	return nil
}

// operate serves the operator's pages.
func (s *Program) operate(mux *http.ServeMux, o *Options) error {
	if o.Operator == nil {
		return nil
	}
	pages, err := admin.New(s.Queue, s.log, &admin.Options{Processor: s.Service.Processor(), Ledger: s.Ledger, Tokens: s.tokens, Drift: o.Service.Drift, Erase: s.Service.Erase, Export: s.Service.Export})
	if err != nil {
		return err
	}
	mux.Handle("/admin/", o.Operator(http.StripPrefix("/admin", pages)))
	return nil
}

// Disconnect ends the connection of a user at Garmin, and then removes all that is
// kept of the user, as after a deregistration. It can be repeated. Once Garmin
// knows, a removal that fails is also repeated in the background, and after a
// restart. Call it from your own pages for the user who is logged in. Do not call it
// from a method of [Accounts]: it waits for running callbacks of the user.
func (s *Program) Disconnect(ctx context.Context, user types.UserID) error {
	client, err := s.Users.Client(ctx, user)
	if err == nil {
		err = client.Deregister(ctx)
	}
	if err != nil {
		if gone, e := s.Users.Disconnected(ctx, user); e != nil || !gone {
			return err
		}
	}
	if err := s.leaving.begin(user); err != nil {
		return err
	}
	if err := s.leaving.now(ctx, user); err != nil {
		s.leaving.later(user)
		return err
	}
	return nil
}
