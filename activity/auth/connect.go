package auth

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"github.com/garminkit/activityapi/internal/backoff"
	"github.com/garminkit/activityapi/internal/secureurl"
	"github.com/garminkit/activityapi/types"
)

// Connection describes a user who has connected.
type Connection struct {
	// UserID is Garmin's id of the user, with the name of the application if that
	// has one. It stays the same when the user connects again.
	UserID types.UserID
	// Permissions are what the user allows, which may be nothing.
	Permissions []types.Permission
	// Session is what was passed to Begin, or what ConnectorOptions.Session
	// returned. It identifies the connected user for the application.
	Session string
}

// ConnectorOptions configures a Connector. A nil *ConnectorOptions means the
// defaults.
type ConnectorOptions struct {
	// App is the name of the application to connect to, if Users has several.
	// Empty means the application without a name, or that of NewUsers if all have
	// names.
	App string
	// Scheme makes users connect by Options.Scheme instead of OAuth 2. Set it for
	// an application that Garmin has not migrated to OAuth 2.
	Scheme bool
	// Key seals what a browser carries between Begin and Finish. It must have at
	// least 32 random bytes, and be the same in all processes that serve the
	// callback. Nil means a random key: connections that are not finished when
	// the process ends must then start again.
	Key []byte
	// Lifetime is how long a user may take to consent. Zero means 10 minutes.
	Lifetime time.Duration
	// Once reports whether id is new: it returns true only for the first call
	// with that id, and need not remember the id after until. It ensures that
	// each connection is finished once. Nil means that each process remembers
	// ids in its own memory. Several processes that serve the same callback can
	// share it, for instance in a database, but need not: Garmin accepts each
	// code only once anyway.
	Once func(ctx context.Context, id string, until time.Time) (bool, error)
	// Session returns a text that identifies who makes a request to Start or
	// Callback, such as the application's own user id. A callback from a
	// different session is refused. An error of Session refuses the request. Nil
	// means that the handlers do not check sessions.
	Session func(*http.Request) (string, error)
}

// Connector takes users to Garmin's consent page and back. Start and Callback
// are HTTP handlers that do so for a browser. Begin and Finish do the same
// without HTTP, for an application that talks to its users in another way,
// such as a mobile app. A Connector is immutable and safe for concurrent use.
type Connector struct {
	opaque
	users       *Users
	server      *server
	redirectURL *url.URL
	done        func(http.ResponseWriter, *http.Request, *Connection, error)
	opts        ConnectorOptions
	aead        cipher.AEAD
}

// NewConnector returns a Connector. redirectURL is the address, registered with
// Garmin, to which Garmin sends the browser back. It must lead to Callback, and
// be https, or http to a loopback address or Options.PlainHTTPHost.
//
// done writes the response to a browser that comes back from Garmin. It gets
// either the connection, whose token is already stored, or an error. The error
// wraps [ErrDenied] if the user refused, and [ErrState] if the callback belongs
// to no open connection. done must be safe for concurrent use. It may be nil if
// Start and Callback are not used.
func NewConnector(users *Users, redirectURL string, done func(http.ResponseWriter, *http.Request, *Connection, error), opts *ConnectorOptions) (*Connector, error) {
	if users == nil {
		return nil, errors.New("auth: Connector without Users")
	}
	u, err := secureurl.Check(redirectURL, users.server.plain)
	if err != nil {
		return nil, fmt.Errorf("auth: redirect URL %w", err)
	}
	c := &Connector{users: users, redirectURL: u, done: done}
	if opts != nil {
		c.opts = *opts
	}
	c.server = users.servers[c.opts.App]
	if c.server == nil && c.opts.App == "" {
		c.server = users.server
	}
	switch {
	case c.server == nil:
		return nil, fmt.Errorf("auth: ConnectorOptions.App %.100q is none of the applications of Users", c.opts.App)
	case c.opts.Scheme && c.server.scheme == nil:
		return nil, errors.New("auth: Connector for a Scheme, and Options has none")
	case !c.opts.Scheme && c.server.app.ClientSecret == "":
		return nil, errors.New("auth: Connector for OAuth 2, and App has no ClientSecret")
	case c.opts.Lifetime < 0:
		return nil, errors.New("auth: ConnectorOptions.Lifetime is negative")
	case c.opts.Key == nil:
		c.opts.Key = make([]byte, 32)
		rand.Read(c.opts.Key)
	case len(c.opts.Key) < 32:
		return nil, errors.New("auth: ConnectorOptions.Key is shorter than 32 bytes")
	}
	if c.opts.Lifetime == 0 {
		c.opts.Lifetime = 10 * time.Minute
	}
	if c.opts.Once == nil {
		c.opts.Once = new(onceMemory).once
	}
	// Another use of the same key must not make what this one takes.
	use := "garmin connector"
	if c.server.app.Name != "" {
		use += " " + c.server.app.Name
	}
	key, err := hkdf.Key(sha256.New, c.opts.Key, nil, use, 32)
	if err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	c.opts.Key = nil
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	if c.aead, err = cipher.NewGCM(block); err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	return c, nil
}

// pending is a connection under way, as the browser carries it.
type pending struct {
	// State comes back with the callback.
	State string `json:"s"`
	// Secret is the PKCE verifier, or that of the Scheme.
	Secret string `json:"k"`
	Scheme bool   `json:"1,omitempty"`
	// Session is bytes: as a JSON string, two that are not UTF-8 would become
	// one.
	Session []byte `json:"u,omitempty"`
	Until   int64  `json:"t"`
}

// Begin starts the connection of a user. It returns the address of Garmin's
// consent page, and a sealed text that this user's browser or device must keep
// until Finish, and that nobody else may have. session may be any text that
// identifies the user to the application.
func (c *Connector) Begin(ctx context.Context, session string) (consentURL string, sealed types.Secret, err error) {
	s := c.server
	p := pending{
		Scheme:  c.opts.Scheme,
		Session: []byte(session),
		Until:   time.Now().Add(c.opts.Lifetime).Unix(),
	}
	if c.opts.Scheme {
		token, err := called(ctx, s, "begin connection", func(ctx context.Context, base http.RoundTripper) (t *Token, err error) {
			consentURL, t, err = s.scheme.Begin(ctx, c.redirectURL.String(), base)
			return t, err
		})
		if err != nil {
			return "", "", err
		}
		p.State, p.Secret = string(token.AccessToken), string(token.TokenSecret)
	} else {
		p.State, p.Secret = rand.Text(), oauth2.GenerateVerifier()
		consentURL = s.authorizeURL(c.redirectURL.String(), p.State, types.Secret(p.Secret))
	}
	text, err := json.Marshal(p) //nolint:gosec // it is sealed below
	if err != nil {
		return "", "", fmt.Errorf("auth: begin: %w", err)
	}
	return consentURL, types.Secret(base64.RawURLEncoding.EncodeToString(seal(c.aead, text))), nil
}

// open reads a sealed text and checks that it belongs to this session and is
// not too old.
func (c *Connector) open(sealed types.Secret, session string) (*pending, error) {
	b, err := base64.RawURLEncoding.DecodeString(string(sealed))
	if err != nil {
		return nil, ErrState
	}
	text, err := unseal(c.aead, b)
	if err != nil {
		return nil, ErrState
	}
	var p pending
	if json.Unmarshal(text, &p) != nil {
		return nil, ErrState
	}
	// A clock that was set back must not make it last longer.
	left := time.Until(time.Unix(p.Until, 0))
	if p.Scheme != c.opts.Scheme || left <= 0 || left > c.opts.Lifetime+time.Minute ||
		subtle.ConstantTimeCompare(p.Session, []byte(session)) != 1 {
		return nil, ErrState
	}
	return &p, nil
}

// Finish completes the connection of a user. sealed is what Begin returned for
// the browser or device that the callback comes from, session is what was passed
// to Begin, and query is that of the callback. Each connection can be finished
// once.
//
// When Finish returns a Connection, the user's id and permissions are known and
// the token is stored, in place of any earlier one of the same user. Otherwise
// nothing is stored, and the user has to start again. Right after consent, Garmin
// may not know the user yet: Finish asks several times, for up to 15 seconds.
func (c *Connector) Finish(ctx context.Context, sealed types.Secret, session string, query url.Values) (*Connection, error) {
	const op = "finish connection"
	p, err := c.open(sealed, session)
	if err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	state, err := single(query, c.state())
	if err != nil || subtle.ConstantTimeCompare([]byte(state), []byte(p.State)) != 1 {
		return nil, &Error{Op: op, Err: ErrState}
	}
	first, err := c.opts.Once(ctx, onceID(p.State), time.Unix(p.Until, 0))
	if err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	if !first {
		return nil, &Error{Op: op, Err: ErrState}
	}
	t, err := c.redeem(ctx, p, query)
	if err != nil {
		return nil, err
	}
	conn, err := c.users.greet(ctx, c.server, t)
	if err != nil {
		return nil, err
	}
	conn.Session = string(p.Session)
	return conn, nil
}

// redeem turns the answer of the consent page into a token.
func (c *Connector) redeem(ctx context.Context, p *pending, query url.Values) (*Token, error) {
	const op = "finish connection"
	s := c.server
	if p.Scheme {
		return called(ctx, s, op, func(ctx context.Context, base http.RoundTripper) (*Token, error) {
			return s.scheme.Finish(ctx, &Token{AccessToken: types.Secret(p.State), TokenSecret: types.Secret(p.Secret)}, query, base)
		})
	}
	code, err := single(query, "code")
	if err != nil {
		return nil, &Error{Op: op, Err: ErrState}
	}
	if refusal := query.Get("error"); refusal != "" || code == "" {
		// How Garmin tells of a refusal is not documented: without a code it
		// is one, unless the error says otherwise.
		e := &Error{Op: op, Err: ErrDenied}
		if _, known := oauthCodes[refusal]; known && refusal != "access_denied" {
			e.Code, e.Err = refusal, oauthCodes[refusal]
		}
		return nil, e
	}
	return s.exchangeCode(ctx, c.redirectURL.String(), types.Secret(code), types.Secret(p.Secret))
}

// state is the name of the parameter that says which connection it is.
func (c *Connector) state() string {
	if c.opts.Scheme {
		return c.server.scheme.State()
	}
	return "state"
}

// single returns the only value of a parameter, or "" if there is none.
func single(q url.Values, key string) (string, error) {
	switch v := q[key]; len(v) {
	case 0:
		return "", nil
	case 1:
		return v[0], nil
	}
	return "", errors.New("repeated parameter")
}

// greet fetches who the user of a new token is and what is allowed, and stores
// the token.
func (u *Users) greet(ctx context.Context, s *server, t *Token) (*Connection, error) {
	const op = "finish connection"
	client, err := u.pool.Client(s.newcomer(t))
	if err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	asking, cancel := context.WithTimeout(ctx, greetTimeout)
	defer cancel()
	conn := &Connection{}
	if conn.UserID, err = patiently(asking, client.UserID); err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	conn.UserID = conn.UserID.In(s.app.Name)
	if conn.Permissions, err = patiently(asking, client.Permissions); err != nil {
		return nil, &Error{Op: op, UserID: conn.UserID, Err: err}
	}
	t.UserID = conn.UserID
	ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	for {
		old, err := u.store.Token(ctx, t.UserID)
		if err == nil || errors.Is(err, ErrNotConnected) {
			_, err = u.store.Swap(ctx, old, t)
		}
		switch {
		case err == nil:
			u.accepted(t.UserID) // Garmin has just answered to it.
			u.logger.InfoContext(ctx, "user connected", "user", t.UserID, "again", old != nil)
			return conn, nil
		case !errors.Is(err, ErrConflict):
			return nil, &Error{Op: op, UserID: t.UserID, Err: err}
		}
	}
}

// greetTimeout bounds the questions after consent. A person is waiting.
const greetTimeout = 15 * time.Second

// patiently asks until there is an answer or ctx ends.
func patiently[T any](ctx context.Context, ask func(context.Context) (T, error)) (T, error) {
	for tries := 1; ; tries++ {
		v, err := ask(ctx)
		if err == nil {
			return v, nil
		}
		if ctx.Err() != nil || backoff.Sleep(ctx, backoff.Wait(tries, 250*time.Millisecond, greetTimeout)) != nil {
			return v, err
		}
	}
}
