package main

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
)

// newSessions returns sessions that are kept in the database, by the hash of
// what the browser has.
func newSessions(db *database, public *url.URL, log *slog.Logger) *scs.SessionManager {
	s := &scs.SessionManager{ // scs.New would start a goroutine for a store that we do not use
		Store:            &sessionStore{db},
		Codec:            scs.GobCodec{},
		HashTokenInStore: true,
		Lifetime:         30 * 24 * time.Hour,
		// Lax: it comes back with the browser from Garmin.
		Cookie: scs.SessionCookie{Name: "session", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Persist: true},
	}
	if public.Scheme == "https" {
		s.Cookie.Name = "__Host-session"
		s.Cookie.Secure = true
	}
	s.ErrorFunc = func(w http.ResponseWriter, _ *http.Request, err error) {
		log.Error("a session cannot be read or kept", "err", err)
		http.Error(w, "That did not work. Please try again.", http.StatusInternalServerError)
	}
	return s
}

// sessionStore is a store of package scs.
type sessionStore struct{ db *database }

var _ scs.CtxStore = (*sessionStore)(nil)

func (s *sessionStore) FindCtx(ctx context.Context, token string) (data []byte, found bool, err error) {
	err = s.db.row(ctx, `SELECT data FROM session WHERE token = $1 AND expiry > $2`, token, time.Now().Unix()).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	return data, err == nil, err
}

// CommitCtx stores a session, and removes those that have ended.
func (s *sessionStore) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	_, err := s.db.change(ctx, `INSERT INTO session (token, data, expiry) VALUES ($1, $2, $3)
		ON CONFLICT (token) DO UPDATE SET data = excluded.data, expiry = excluded.expiry`, token, data, expiry.Unix())
	if err == nil {
		_, err = s.db.change(ctx, `DELETE FROM session WHERE expiry <= $1`, time.Now().Unix())
	}
	return err
}

func (s *sessionStore) DeleteCtx(ctx context.Context, token string) error {
	_, err := s.db.change(ctx, `DELETE FROM session WHERE token = $1`, token)
	return err
}

// The methods without ctx are part of the interface, and not called.

func (s *sessionStore) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

func (s *sessionStore) Commit(token string, data []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, data, expiry)
}

func (s *sessionStore) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }

// accountKey is that of an account in a request's context.
type accountKey struct{}

// accountOf returns whose browser a request comes from, or nil.
func accountOf(r *http.Request) *account {
	a, _ := r.Context().Value(accountKey{}).(*account)
	return a
}

// accountID tells a connector who connects.
func (p *partner) accountID(r *http.Request) (string, error) {
	if a := accountOf(r); a != nil {
		return a.ID, nil
	}
	return "", errors.New("log in first")
}

// known puts the account of the session into the context. A session may outlive
// its account.
func (p *partner) known(next http.Handler) http.Handler {
	return p.sessions.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := p.sessions.GetString(r.Context(), "account")
		if id == "" {
			next.ServeHTTP(w, r)
			return
		}
		a, _, err := p.db.account(r.Context(), "id", id)
		if err != nil {
			p.sessions.ErrorFunc(w, r, err)
			return
		}
		if a != nil {
			r = r.WithContext(context.WithValue(r.Context(), accountKey{}, a))
		}
		next.ServeHTTP(w, r)
	}))
}

// private demands a login.
func (p *partner) private(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case accountOf(r) != nil:
			next(w, r)
		case r.Method == http.MethodGet:
			http.Redirect(w, r, "/login", http.StatusSeeOther)
		default:
			p.fail(w, r, http.StatusUnauthorized, "Log in first.", nil)
		}
	}
}

// begin makes the browser that of an account, under another token than before.
func (p *partner) begin(w http.ResponseWriter, r *http.Request, a *account) {
	if err := p.sessions.RenewToken(r.Context()); err != nil {
		p.fail(w, r, http.StatusInternalServerError, "That did not work. Please try again.", err)
		return
	}
	p.sessions.Put(r.Context(), "account", a.ID)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (p *partner) login(w http.ResponseWriter, r *http.Request) {
	a, err := p.logins.check(r.Context(), p.db, r.PostFormValue("name"), r.PostFormValue("password"))
	switch {
	case errors.Is(err, errLogin), errors.Is(err, errSlow):
		p.page(w, r, http.StatusUnauthorized, "login", loginPage{Error: sentence(err), Name: r.PostFormValue("name"), Fake: p.fake.names()})
	case err != nil:
		p.fail(w, r, http.StatusInternalServerError, "That did not work. Please try again.", err)
	default:
		p.begin(w, r, a)
	}
}

func (p *partner) signUp(w http.ResponseWriter, r *http.Request) {
	a, err := p.db.createAccount(r.Context(), r.PostFormValue("name"), r.PostFormValue("password"))
	switch {
	case errors.Is(err, errName), errors.Is(err, errNameTaken), errors.Is(err, errPassword):
		p.page(w, r, http.StatusUnprocessableEntity, "login", loginPage{Error: sentence(err), Name: r.PostFormValue("name"), Fake: p.fake.names()})
	case err != nil:
		p.fail(w, r, http.StatusInternalServerError, "That did not work. Please try again.", err)
	default:
		p.begin(w, r, a)
	}
}

func (p *partner) logout(w http.ResponseWriter, r *http.Request) {
	if err := p.sessions.Destroy(r.Context()); err != nil {
		p.fail(w, r, http.StatusInternalServerError, "That did not work. Please try again.", err)
		return
	}
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// sentence is an error's text for people.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// loginPage is what the page of that name shows.
type loginPage struct {
	Error string
	Name  string
	Fake  []string // who can log in with one press of a button
}
