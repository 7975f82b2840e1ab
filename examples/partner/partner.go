// Command partner is a whole partner application, as small as one can be:
// users connect with their browsers, what Garmin sends is stored, files are
// downloaded, and a year of history is fetched. The maps of [database] stand
// for yours. The test beside it runs all of it against a fake Garmin.
//
//	GARMIN_KEY=... GARMIN_SECRET=... go run ./examples/partner -url https://me.example.com
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/spool"
	"github.com/garminkit/activityapi/types"
)

// partner is the application.
type partner struct {
	db        *database
	users     *auth.Users
	inbox     *spool.Spool
	processor *notify.Processor
	ledger    *backfill.FileLedger
	limiter   backfill.Limiter
	mux       *http.ServeMux
}

// newPartner puts the parts together. All that must outlive the process is in
// dir. url is the public address; opts is nil but in tests.
func newPartner(dir, url string, app auth.App, opts *auth.Options) (*partner, error) {
	p := &partner{db: newDatabase(), mux: http.NewServeMux(), limiter: backfill.NewLimiter(backfill.Evaluation)}
	if err := os.MkdirAll(filepath.Join(dir, "files"), 0o700); err != nil {
		return nil, err
	}
	if err := p.connecting(dir, url, app, opts); err != nil {
		return nil, err
	}
	if err := p.receiving(dir); err != nil {
		return nil, errors.Join(err, p.users.Close())
	}
	var err error
	if p.ledger, err = backfill.OpenLedger(filepath.Join(dir, "history"), nil); err != nil {
		return nil, errors.Join(err, p.users.Close(), p.inbox.Close())
	}
	return p, nil
}

// connecting serves the addresses at which users connect.
func (p *partner) connecting(dir, url string, app auth.App, opts *auth.Options) error {
	store, err := auth.OpenFile(filepath.Join(dir, "tokens"), nil)
	if err != nil {
		return err
	}
	users, err := auth.NewUsers(app, store, opts)
	if err != nil {
		return err
	}
	connector, err := auth.NewConnector(users, url+"/connected", p.connected, &auth.ConnectorOptions{Session: p.db.loggedIn})
	if err != nil {
		return err
	}
	p.mux.HandleFunc("GET /connect", connector.Start)
	p.mux.HandleFunc("GET /connected", connector.Callback)
	p.users = users
	return nil
}

// connected answers a browser that comes back from Garmin's consent page.
func (p *partner) connected(w http.ResponseWriter, r *http.Request, c *auth.Connection, err error) {
	switch {
	case errors.Is(err, auth.ErrDenied):
		fmt.Fprintln(w, "You can connect later, in the settings.")
	case err != nil:
		http.Error(w, "That did not work. Please try again.", http.StatusBadGateway)
	default:
		p.db.connect(c.Session, c.UserID, c.Permissions)
		fmt.Fprintln(w, "Connected. Now sync your device.")
	}
}

// receiving serves the address at which Garmin notifies.
func (p *partner) receiving(dir string) error {
	inbox, err := spool.Open(filepath.Join(dir, "inbox"), nil)
	if err != nil {
		return err
	}
	p.mux.Handle("POST /garmin", notify.NewHandler(inbox, nil))

	processor, err := notify.NewProcessor(inbox, notify.ResolverFunc(p.resolve), notify.Callbacks{
		Save:             p.save,
		File:             p.file,
		Deregistration:   p.left,
		PermissionChange: p.permitted,
	}, &notify.ProcessorOptions{Files: &notify.Files{Dir: filepath.Join(dir, "files")}})
	if err != nil {
		return errors.Join(err, inbox.Close())
	}
	p.inbox, p.processor = inbox, processor
	return nil
}

// resolve finds our user behind Garmin's id.
func (p *partner) resolve(ctx context.Context, garminID string) ([]notify.User, error) {
	name, ok := p.db.name(garminID)
	if !ok {
		return nil, notify.ErrUnknownUser
	}
	client, err := p.users.Client(ctx, garminID)
	if err != nil {
		return nil, err
	}
	return []notify.User{{ID: name, Client: client}}, nil
}

// save stores a summary, pushed or pulled, new or edited: the same id with
// another key is an edit, the same key a repeat.
func (p *partner) save(ctx context.Context, d *notify.Delivery, s types.Summary) error {
	p.db.upsert(d.User.ID, s, d.Key)
	return backfill.Arrival(ctx, p.ledger, d.UserID, s)
}

func (p *partner) file(_ context.Context, d *notify.Delivery, f *notify.File) error {
	p.db.addFile(d.User.ID, f)
	return nil
}

// left deletes a user. Anybody can send a deregistration, so Garmin is asked.
func (p *partner) left(ctx context.Context, d *notify.Delivery, _ *notify.Deregistration) error {
	gone, err := p.users.Disconnected(ctx, d.UserID)
	if err != nil {
		return err // Garmin cannot be asked now; it comes again
	}
	if !gone {
		return notify.Permanent(errors.New("the user is still connected"))
	}
	p.db.disconnect(d.UserID)
	return p.users.Forget(ctx, d.UserID)
}

func (p *partner) permitted(_ context.Context, d *notify.Delivery, e *notify.PermissionChange) error {
	p.db.permit(d.User.ID, e.Permissions, e.ChangeTimeInSeconds.Time())
	return nil
}

// history asks for the year before the user connected. It goes on where it was
// if it is called again.
func (p *partner) history(ctx context.Context, garminID string, connected time.Time) error {
	client, err := p.users.Client(ctx, garminID)
	if err != nil {
		return err
	}
	user := &backfill.User{ID: garminID, Requester: client, Window: types.Window{Start: connected.AddDate(-1, 0, 0), End: connected}}
	for step, err := range backfill.Run(ctx, user, p.limiter, p.ledger, nil) {
		if err != nil {
			return err
		}
		log.Printf("%d of %d days: %s", step.DaysDone, step.DaysTotal, step.Chunk)
	}
	return nil
}

// run works until ctx ends.
func (p *partner) run(ctx context.Context) error {
	alive := make(chan struct{})
	go func() {
		defer close(alive)
		_ = p.users.KeepAlive(ctx, nil) // ends with ctx
	}()
	err := p.processor.Run(ctx)
	<-alive
	return errors.Join(err, p.users.Close(), p.inbox.Close(), p.ledger.Close())
}
