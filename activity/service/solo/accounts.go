package solo

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"time"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// Accounts is your side of the program, usually a database. A call that returns
// an error is repeated, so calling a method twice must do no harm. Methods must
// be safe for concurrent use.
type Accounts interface {
	// Connect records that the account c.Session has connected as the Garmin user
	// c.UserID, for the first time or again. The token is already stored.
	Connect(ctx context.Context, c *auth.Connection) error
	// Account returns the account for a Garmin user id, or an error that wraps
	// [notify.ErrUnknownUser].
	Account(ctx context.Context, user types.UserID) (string, error)
	// Permit stores what a user allows since the time at, unless permissions with
	// a later time are already stored.
	Permit(ctx context.Context, user types.UserID, allowed []types.Permission, at types.Timestamp) error
	// Forget deletes a user who has left, and the user's data. It is called last,
	// after the program has removed what it keeps itself. If any step fails, all
	// are repeated.
	Forget(ctx context.Context, user types.UserID) error
	// Save stores a summary; see [notify.Delivery.Replaces] for which version to
	// keep.
	Save(ctx context.Context, d *notify.Delivery, s types.Summary) error
	// File is called when a downloaded file is in its place.
	File(ctx context.Context, d *notify.Delivery, f *notify.File) error
}

// resolve finds the account and the client of a user.
func (s *Program) resolve(ctx context.Context, user types.UserID) ([]notify.User, error) {
	if s.leaving.has(user) {
		return nil, notify.ErrUnknownUser
	}
	account, err := s.accounts.Account(ctx, user)
	if err != nil {
		return nil, err
	}
	client, err := s.Users.Client(ctx, user)
	switch {
	case errors.Is(err, auth.ErrNotConnected):
		return []notify.User{{ID: account}}, nil // who is about to be forgotten
	case err != nil:
		return nil, err
	}
	return []notify.User{{ID: account, Client: client}}, nil
}

func (s *Program) save(ctx context.Context, d *notify.Delivery, sum types.Summary) error {
	if err := s.accounts.Save(ctx, d, sum); err != nil {
		return err
	}
	return backfill.Arrival(ctx, s.Ledger, d.UserID, sum)
}

// connected answers a browser that comes back from Garmin's consent page.
func (s *Program) connected(w http.ResponseWriter, r *http.Request, c *auth.Connection, err error) {
	if err == nil {
		err = s.leaving.back(r.Context(), c.UserID)
	}
	if err == nil {
		// Who was just erased has no token any more.
		_, err = s.Users.Client(r.Context(), c.UserID)
	}
	if err == nil {
		err = s.accounts.Connect(r.Context(), c)
	}
	if err == nil {
		// Who connects again is given all history anew.
		err = s.Ledger.Forget(r.Context(), c.UserID)
	}
	switch {
	case err == nil:
		s.Service.FetchHistory()
		http.Redirect(w, r, "/", http.StatusSeeOther)
	case errors.Is(err, auth.ErrDenied):
		http.Error(w, "You have not connected your Garmin account. You can do so at any time.", http.StatusForbidden)
	case errors.Is(err, auth.ErrState):
		http.Error(w, "That took too long, or began in another browser. Please connect again.", http.StatusBadRequest)
	default:
		s.log.ErrorContext(r.Context(), "solo: not connected", "err", err)
		http.Error(w, "That did not work. Please try again.", http.StatusBadGateway)
	}
}

// permitted keeps what a user allows, and fetches history if that is new.
func (s *Program) permitted(ctx context.Context, d *notify.Delivery, e *notify.PermissionChange) error {
	allowed := e.Permissions
	if allowed == nil { // Garmin left it out
		client, err := s.Users.Client(ctx, d.UserID)
		if err == nil {
			allowed, err = client.Permissions(ctx)
		}
		if err != nil {
			return err
		}
	}
	if err := s.accounts.Permit(ctx, d.UserID, allowed, e.ChangeTimeInSeconds); err != nil {
		return err
	}
	if slices.Contains(allowed, types.PermissionHistoricalDataExport) {
		s.Service.FetchHistory()
	}
	return nil
}

// left lets a user go. Anybody can send a deregistration, so Garmin is asked.
func (s *Program) left(ctx context.Context, d *notify.Delivery, _ *notify.Deregistration) error {
	gone, err := s.Users.Disconnected(ctx, d.UserID)
	if err != nil {
		return err // Garmin cannot be asked now; it comes again
	}
	if !gone {
		return notify.Permanent(errors.New("the user is still connected"))
	}
	if err := s.leaving.begin(d.UserID); err != nil {
		return err
	}
	// Erase waits for the attempts at the user's items. This is one.
	s.leaving.later(d.UserID)
	return nil
}

// eraseAll removes all that is kept of a user, here and at the partner.
func (s *Program) eraseAll(ctx context.Context, user types.UserID) error {
	receipt, err := s.Service.Erase(ctx, user, false)
	if err != nil {
		return err
	}
	for _, store := range receipt.Stores {
		for _, l := range store.Left {
			// Others' items that name the user stay for good.
			if l.What != "items" && l.What != "letter items" {
				return fmt.Errorf("solo: %s: %s left: %s", store.Name, l.What, l.Why)
			}
		}
	}
	return nil
}

// wanted yields all who are connected, with the time before the connection: that of
// which the ledger knows already, or from now back. Who cannot be read is left to the
// next pass, since an error would end this one for all; it comes last if that is so of
// everybody.
func (s *Program) wanted(ctx context.Context) iter.Seq2[*backfill.User, error] {
	return func(yield func(*backfill.User, error) bool) {
		var failed error
		read := false
		for t, err := range s.tokens.Tokens(ctx) {
			if err != nil {
				yield(nil, err)
				return
			}
			user, err := s.want(ctx, t)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				s.log.ErrorContext(ctx, "solo: a user's history is left to the next pass", "user", t.UserID, "err", err)
				failed = err
				continue
			}
			read = true
			if user != nil && !yield(user, nil) {
				return
			}
		}
		if failed != nil && !read {
			yield(nil, failed)
		}
	}
}

// want returns whose history is wanted, or nil for who is about to leave.
func (s *Program) want(ctx context.Context, t *auth.Token) (*backfill.User, error) {
	if t.Revoked {
		return nil, nil
	}
	if _, err := s.accounts.Account(ctx, t.UserID); errors.Is(err, notify.ErrUnknownUser) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	client, err := s.Users.Client(ctx, t.UserID)
	if errors.Is(err, auth.ErrNotConnected) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var end time.Time
	for c, err := range s.Ledger.Chunks(ctx, t.UserID) {
		if err != nil {
			return nil, err
		}
		if c.Window.End.After(end) {
			end = c.Window.End
		}
	}
	if end.IsZero() {
		end = time.Now().Truncate(time.Second)
	}
	return &backfill.User{ID: t.UserID, Requester: client, Window: types.Window{Start: end.Add(-s.depth), End: end}}, nil
}
