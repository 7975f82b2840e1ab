package main

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"net/http"
	"os"
	"path/filepath"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// connected answers a browser that comes back from Garmin's consent page.
func (p *partner) connected(w http.ResponseWriter, r *http.Request, c *auth.Connection, err error) {
	if err == nil {
		err = p.connect(r.Context(), c)
	}
	switch {
	case errors.Is(err, auth.ErrDenied):
		p.say(w, r, "You have not connected your Garmin account. You can do so at any time.")
	case errors.Is(err, auth.ErrState):
		p.fail(w, r, http.StatusBadRequest, "That took too long, or began in another browser. Please connect again.", err)
	case errors.Is(err, errTaken):
		p.fail(w, r, http.StatusConflict, "This Garmin account belongs to another user here.", err)
	case err != nil:
		p.troubles.connecting(err)
		p.fail(w, r, http.StatusBadGateway, "That did not work. Please try again.", err)
	default:
		http.Redirect(w, r, "/history", http.StatusSeeOther)
	}
}

// connect notes a new connection, and asks for its history.
func (p *partner) connect(ctx context.Context, c *auth.Connection) error {
	// The token is stored. The user's row comes first, so that the token can
	// be found again whatever fails now.
	if err := p.db.connect(ctx, c.Session, c.UserID, c.Permissions); err != nil {
		return err
	}
	// Who connects again is given all history anew.
	if err := p.ledger.Forget(ctx, c.UserID); err != nil {
		return err
	}
	p.svc.FetchHistory()
	p.troubles.connecting(nil)
	return nil
}

// wantHistory yields whose history is wanted: the year before each connected. The
// service asks for what the ledger does not have yet.
func (p *partner) wantHistory(ctx context.Context) iter.Seq2[*backfill.User, error] {
	return func(yield func(*backfill.User, error) bool) {
		all, err := p.db.connections(ctx, "")
		if err != nil {
			yield(nil, err)
			return
		}
		for _, c := range all {
			client, err := p.users.Client(ctx, c.GarminID)
			if errors.Is(err, auth.ErrNotConnected) || err == nil && !c.History() {
				continue
			}
			user := &backfill.User{ID: c.GarminID, Requester: client, Window: types.Window{Start: c.Since.AddDate(-1, 0, 0), End: c.Since}}
			if !yield(user, err) || err != nil {
				return
			}
		}
	}
}

// disconnect ends the connections of whoever is logged in, at Garmin first.
// Workouts stay.
func (p *partner) disconnect(w http.ResponseWriter, r *http.Request) {
	if err := p.leaveAll(r.Context(), accountOf(r).ID); err != nil {
		p.fail(w, r, http.StatusBadGateway, "That did not work. Please try again.", err)
		return
	}
	http.Redirect(w, r, "/account", http.StatusSeeOther)
}

func (p *partner) leaveAll(ctx context.Context, account string) error {
	all, err := p.db.connections(ctx, account)
	for _, c := range all {
		err = errors.Join(err, p.leave(ctx, c.GarminID))
	}
	return err
}

// leave tells Garmin that a user leaves, and forgets the user once Garmin knows.
// It can be repeated.
func (p *partner) leave(ctx context.Context, garminID types.UserID) error {
	client, err := p.users.Client(ctx, garminID)
	if err == nil {
		err = client.Deregister(ctx)
	}
	if err != nil {
		if gone, e := p.users.Disconnected(ctx, garminID); e != nil || !gone {
			return err
		}
	}
	return p.forget(ctx, garminID)
}

// left forgets a user. Anybody can send a deregistration, so Garmin is asked.
func (p *partner) left(ctx context.Context, d *notify.Delivery, _ *notify.Deregistration) error {
	gone, err := p.users.Disconnected(ctx, d.UserID)
	if err != nil {
		return err // Garmin cannot be asked now; it comes again
	}
	if !gone {
		return notify.Permanent(errors.New("the user is still connected"))
	}
	return p.forget(ctx, d.UserID)
}

// forget deletes what we have of a user's connection: first the tokens, and our
// own row last, by which the notification finds the user when it comes again
// after a failure.
func (p *partner) forget(ctx context.Context, garminID types.UserID) error {
	if err := p.users.Forget(ctx, garminID); err != nil {
		return err
	}
	if err := p.ledger.Forget(ctx, garminID); err != nil {
		return err
	}
	return p.db.disconnect(ctx, garminID)
}

// deleteAccount deletes all that we have of a user, after Garmin knows that the
// user has left. It can be repeated: the row of the account goes last, and all
// rows with it.
func (p *partner) deleteAccount(ctx context.Context, account string) error {
	all, err := p.db.connections(ctx, account)
	if err != nil {
		return err
	}
	if err := p.leaveAll(ctx, account); err != nil {
		return err
	}
	for _, c := range all {
		if err := p.discardLetters(ctx, c.GarminID); err != nil {
			return err
		}
	}
	files, err := p.db.files(ctx, account)
	if err != nil {
		return err
	}
	for _, name := range files {
		if err := os.Remove(filepath.Join(p.files, filepath.FromSlash(name))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return p.db.deleteAccount(ctx, account)
}

// discardLetters removes what waits for a person to look at. What is still in the
// queue has no user any more, and becomes a letter that ends by itself.
func (p *partner) discardLetters(ctx context.Context, garminID types.UserID) error {
	var ids []string
	for l, err := range p.inbox.Letters(ctx, &notify.LetterFilter{UserID: garminID}) {
		if err != nil {
			return err
		}
		ids = append(ids, l.ID)
	}
	for _, id := range ids {
		if err := p.inbox.Discard(ctx, id); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
