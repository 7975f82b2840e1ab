package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/garminkit/activityapi/types"
)

// Start sends the browser to Garmin's consent page. It sets a sealed cookie that
// the callback must bring back, so that a connection begun in one browser cannot
// be finished in another. If it fails, it calls done of [NewConnector].
func (c *Connector) Start(w http.ResponseWriter, r *http.Request) {
	header(w)
	session, err := c.session(r)
	if err != nil {
		c.answer(w, r, nil, err)
		return
	}
	consent, sealed, err := c.Begin(r.Context(), session)
	if err != nil {
		c.answer(w, r, nil, err)
		return
	}
	u, err := url.Parse(consent)
	if err != nil {
		c.answer(w, r, nil, &Error{Op: "begin connection", Err: cause(err)})
		return
	}
	cookie := c.cookie(u.Query().Get(c.state()))
	if len(cookie.Name)+len(sealed) > maxCookie {
		c.answer(w, r, nil, &Error{Op: "begin connection", Err: errCookie})
		return
	}
	cookie.Value = string(sealed)
	cookie.MaxAge = int(c.opts.Lifetime / time.Second)
	http.SetCookie(w, cookie)
	http.Redirect(w, r, consent, http.StatusSeeOther) //nolint:gosec // to Garmin, or to Options.BaseURL
}

// Callback finishes the connection when Garmin sends the browser back, and calls
// done of [NewConnector].
func (c *Connector) Callback(w http.ResponseWriter, r *http.Request) {
	header(w)
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	conn, err := c.callback(w, r)
	c.answer(w, r, conn, err)
}

func (c *Connector) callback(w http.ResponseWriter, r *http.Request) (*Connection, error) {
	const op = "callback"
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(r.URL.RawQuery) > maxCallback {
		return nil, &Error{Op: op, Err: ErrState}
	}
	session, err := c.session(r)
	if err != nil {
		return nil, err
	}
	state, err := single(query, c.state())
	if err != nil {
		return nil, &Error{Op: op, Err: ErrState}
	}
	if state == "" && query.Get("error") == "access_denied" {
		// Whether Garmin's refusal brings the state back is not documented.
		// There is nothing that it could end.
		return nil, &Error{Op: op, Err: ErrDenied}
	}
	cookie := c.cookie(state)
	got, err := r.Cookie(cookie.Name)
	if err != nil {
		return nil, &Error{Op: op, Err: ErrState}
	}
	cookie.MaxAge = -1
	http.SetCookie(w, cookie)
	return c.Finish(r.Context(), types.Secret(got.Value), session, query)
}

// maxCookie is how long name and value of a cookie may be (RFC 6265bis). A
// browser drops a longer one without a word.
const maxCookie = 4096

var errCookie = errors.New("the session's name is too long for a cookie")

// maxCallback bounds the query of a callback.
const maxCallback = 8 << 10

func (c *Connector) answer(w http.ResponseWriter, r *http.Request, conn *Connection, err error) {
	if c.done == nil {
		http.Error(w, "auth: Connector without done", http.StatusInternalServerError)
		return
	}
	c.done(w, r, conn, err)
}

func (c *Connector) session(r *http.Request) (string, error) {
	if c.opts.Session == nil {
		return "", nil
	}
	s, err := c.opts.Session(r)
	if err != nil {
		return "", &Error{Op: "session", Err: err}
	}
	return s, nil
}

// header keeps the page and what its address says to this browser.
func header(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
}

// cookie returns the cookie of one connection under way. Each has its own, so
// that a user may begin twice.
func (c *Connector) cookie(state string) *http.Cookie {
	cookie := &http.Cookie{
		Name:     "garmin-" + onceID(state)[:16],
		Path:     "/",
		HttpOnly: true,
		Secure:   c.redirectURL.Scheme == "https",
		SameSite: http.SameSiteLaxMode, // Garmin's redirect is cross-site
	}
	if cookie.Secure {
		// Browsers then let nobody but this host set it.
		cookie.Name = "__Host-" + cookie.Name
	}
	return cookie
}

// onceID names a connection without giving its state away.
func onceID(state string) string {
	sum := sha256.Sum256([]byte(state))
	return hex.EncodeToString(sum[:])
}

// onceMemory remembers ids until they are of no use any more.
type onceMemory struct {
	mu    sync.Mutex
	until map[string]time.Time
	sweep time.Time
}

func (m *onceMemory) once(_ context.Context, id string, until time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if m.until == nil {
		m.until = make(map[string]time.Time)
	}
	if now.After(m.sweep) {
		for id, t := range m.until {
			if now.After(t) {
				delete(m.until, id)
			}
		}
		m.sweep = now.Add(time.Minute)
	}
	if _, ok := m.until[id]; ok {
		return false, nil
	}
	// By the monotonic clock: one that was set must not make it forget.
	m.until[id] = now.Add(time.Until(until) + time.Minute)
	return true, nil
}

var errForeign = errors.New("the store returned another user's token")
