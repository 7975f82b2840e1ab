package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/internal/secureurl"
	"github.com/garminkit/activityapi/types"
)

// margin is how long before its end a token is refreshed, as Garmin advises.
const margin = 600 * time.Second

// Options configures Users. A nil *Options means the defaults.
type Options struct {
	// Pool makes the clients of users, which share its connections and limits.
	// Nil means a default pool, which Close closes.
	Pool *activity.Pool
	// BaseURL replaces the addresses of Garmin's OAuth servers, for instance by
	// that of a fake. It is https, or http to a loopback address or
	// PlainHTTPHost. Empty means Garmin's own.
	BaseURL string
	// PlainHTTPHost is one host besides loopback addresses that BaseURL, and
	// the redirect URL of a Connector, may use with plain http, such as
	// "fake-garmin" in a container network. Secrets then cross that network
	// unencrypted. It cannot be a host of Garmin's.
	PlainHTTPHost string
	// Transport sends the calls to the OAuth servers. It must verify certificates
	// and send nothing twice. Nil means a private transport with TLS 1.2 or later
	// and no proxy.
	Transport http.RoundTripper
	// Wrap, if not nil, returns a RoundTripper around Transport or around the
	// private one, for instance a tracer. It must not send a request twice.
	Wrap func(http.RoundTripper) http.RoundTripper
	// Timeout bounds each call to an OAuth server. Zero means 15 s. A refresh takes
	// no more than a minute, since other processes wait no longer for it.
	Timeout time.Duration
	// Scheme is for users who connected with OAuth 1.0a; see package oauth1. Nil
	// means that there are none.
	Scheme Scheme
	// Apps are further applications whose users are in the same store, for instance
	// one for evaluation beside the one for production, or one for each tenant.
	// Their names must differ. Scheme does not apply to them.
	Apps []App
	// Logger is told of refreshes and their failures. Nil is silent.
	Logger *slog.Logger
}

// Users manages the connections of all users: it returns valid access tokens, and
// refreshes those that are not.
//
// A refresh token is good for one refresh. Users ensures that only one goroutine
// in one process refreshes a token at a time, that the new token is stored before
// it is used, even if the call that asked for it has ended, and that a second
// process uses the token that the first one stored.
//
// Users holds no tokens itself, except those that the store failed to take. It is
// safe for concurrent use.
type Users struct {
	opaque
	server  *server
	servers map[string]*server // server too, by the name of its application
	store   TokenStore
	pool    *activity.Pool
	logger  *slog.Logger
	close   []func() error

	refreshed, failed, reconnect atomic.Int64 // see Counts

	mu sync.Mutex
	// flights has the refreshes under way by user, and those that failed a
	// moment ago.
	flights map[types.UserID]*flight
	// unstored has the tokens that Garmin gave and the store did not take.
	unstored map[types.UserID]*rotation
	// doubts has the users whose token looked good and was refused.
	doubts map[types.UserID]*doubt
	swept  time.Time // when old doubts were last removed
}

// Counts are figures of this process, for metrics.
type Counts struct {
	// Refreshed counts the successful refreshes, Failed those that may succeed
	// later, and Reconnect those that Garmin refused: the user must connect
	// again.
	Refreshed, Failed, Reconnect int64
}

// Counts returns the figures since NewUsers.
func (u *Users) Counts() Counts {
	return Counts{u.refreshed.Load(), u.failed.Load(), u.reconnect.Load()}
}

// flight is a refresh. The fields are set when done is closed.
type flight struct {
	done  chan struct{}
	token *Token
	err   error
}

func (f *flight) over() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

// After a call that failed at Garmin nobody asks again for the same user for as
// long as Retry-After says, within these bounds.
const (
	minPause = 5 * time.Second
	maxPause = time.Minute
)

// NewUsers returns the users of app whose tokens are in store.
func NewUsers(app App, store TokenStore, opts *Options) (*Users, error) {
	if opts == nil {
		opts = &Options{}
	}
	if err := app.check(opts.Scheme != nil); err != nil {
		return nil, err
	}
	if store == nil {
		return nil, errors.New("auth: Users without TokenStore")
	}
	if opts.Timeout < 0 {
		return nil, errors.New("auth: Options.Timeout is negative")
	}
	if h := opts.PlainHTTPHost; secureurl.Garmin(h) {
		return nil, fmt.Errorf("auth: Options.PlainHTTPHost: %q is Garmin's", h)
	}
	endpoints, err := endpointsAt(opts.BaseURL, opts.PlainHTTPHost)
	if err != nil {
		return nil, err
	}
	u := &Users{
		server: &server{
			app:       app,
			endpoints: endpoints,
			plain:     opts.PlainHTTPHost,
			base:      opts.Transport,
			timeout:   cmp.Or(opts.Timeout, 15*time.Second),
		},
		store:    store,
		pool:     opts.Pool,
		logger:   opts.Logger,
		flights:  make(map[types.UserID]*flight),
		unstored: make(map[types.UserID]*rotation),
		doubts:   make(map[types.UserID]*doubt),
	}
	if opts.Scheme != nil {
		u.server.scheme = opts.Scheme()
	}
	if u.server.base == nil {
		t := newTransport()
		u.server.base = t
		u.close = append(u.close, func() error { t.CloseIdleConnections(); return nil })
	}
	if wrap := opts.Wrap; wrap != nil {
		if u.server.base = wrap(u.server.base); u.server.base == nil {
			return nil, errors.New("auth: Options.Wrap returned nil")
		}
	}
	if u.pool == nil {
		if u.pool, err = activity.NewPool(nil); err != nil {
			return nil, err
		}
		u.close = append(u.close, u.pool.Close)
	}
	u.servers = map[string]*server{app.Name: u.server}
	for _, app := range opts.Apps {
		if err := app.check(false); err != nil {
			return nil, err
		}
		if u.servers[app.Name] != nil {
			return nil, fmt.Errorf("auth: two applications have the name %q", app.Name)
		}
		further := *u.server
		further.app, further.scheme = app, nil
		u.servers[app.Name] = &further
	}
	if u.logger == nil {
		u.logger = slog.New(slog.DiscardHandler)
	}
	return u, nil
}

// errNoApp says that Users does not have the application of a user.
var errNoApp = errors.New("the user's application is not known")

// of returns the server of the user's application.
func (u *Users) of(op string, userID types.UserID) (*server, error) {
	if s := u.servers[userID.App()]; s != nil {
		return s, nil
	}
	return nil, wrap(op, userID, errNoApp)
}

// Close waits for running refreshes, and tries once more to store the tokens that
// the store did not take. That takes seconds, and at most three minutes. Call it
// before the process ends: a new token that is not stored is lost. The error
// names the users concerned; they have to connect again.
func (u *Users) Close() error {
	for f := u.underWay(); f != nil; f = u.underWay() {
		<-f.done
	}
	u.mu.Lock()
	users := slices.Sorted(maps.Keys(u.unstored))
	u.mu.Unlock()
	stored := make([]error, len(users))
	var wg sync.WaitGroup
	for i, userID := range users {
		wg.Go(func() {
			if _, err := u.join(context.Background(), userID, true, nil); !errors.Is(err, ErrNotConnected) {
				stored[i] = err // or forgotten meanwhile
			}
		})
	}
	wg.Wait()
	err := errors.Join(stored...)
	for _, c := range u.close {
		err = errors.Join(err, c())
	}
	return err
}

// underWay returns a refresh that is not over, or nil.
func (u *Users) underWay() *flight {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, f := range u.flights {
		if !f.over() {
			return f
		}
	}
	return nil
}

// Token returns a token of the user that is valid for a request now. It refreshes
// a token that expires within 600 s. If that fails for a temporary reason and the
// token is still valid, it returns that token.
//
// The error wraps [ErrNotConnected] or [ErrReconnect] if the user has to act,
// and [ErrInvalidClient] if the operator has to. Token makes at most one attempt
// to refresh. It makes none for a user who has to connect again. After an
// attempt that failed at Garmin it makes none for five seconds, or for as long
// as Retry-After says, up to a minute.
func (u *Users) Token(ctx context.Context, userID types.UserID) (*Token, error) {
	t, err := u.store.Token(ctx, userID)
	if err != nil {
		return nil, &Error{Op: "token", UserID: userID, Err: err}
	}
	switch {
	case t.Revoked:
		return nil, &Error{Op: "token", UserID: userID, Err: ErrReconnect}
	case t.fresh(margin):
		return t, nil
	}
	next, err := u.join(ctx, userID, false, nil)
	if err == nil {
		return next, nil
	}
	if !errors.Is(err, ErrReconnect) && !errors.Is(err, ErrNotConnected) && t.fresh(0) {
		if ctx.Err() == nil {
			u.logger.WarnContext(ctx, "token not refreshed, old one still holds", "user", userID, "err", err)
			return t, nil
		}
	}
	return nil, err
}

// Refresh refreshes the user's token even if it is still valid, and returns the
// new one. A token of Options.Scheme is exchanged for an OAuth 2 token without
// asking the user for consent again. Garmin must have migrated the application
// first.
func (u *Users) Refresh(ctx context.Context, userID types.UserID) (*Token, error) {
	if _, err := u.store.Token(ctx, userID); err != nil {
		return nil, wrap("refresh token", userID, err)
	}
	return u.join(ctx, userID, true, nil)
}

// join refreshes the user's token, together with all who ask for that at the
// same time. It returns when ctx ends; the refresh goes on for the others, and
// for the store. With force it does so although the token looks good; with
// refused, although that one does.
func (u *Users) join(ctx context.Context, userID types.UserID, force bool, refused *Token) (*Token, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if _, err := u.of("refresh token", userID); err != nil {
		return nil, err
	}
	u.mu.Lock()
	f, ok := u.flights[userID]
	if !ok || force && f.over() {
		f = &flight{done: make(chan struct{})}
		u.flights[userID] = f
		go func() {
			f.token, f.err = u.refresh(context.WithoutCancel(ctx), userID, force, refused)
			u.land(userID, f)
		}()
	}
	u.mu.Unlock()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-f.done:
		if f.err != nil {
			return nil, f.err
		}
		return f.token.clone(), nil
	}
}

// land ends a flight. If Garmin is in trouble, the flight is kept for a while
// with its error, so that an outage is not multiplied by all who ask.
func (u *Users) land(userID types.UserID, f *flight) {
	remove := func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		if u.flights[userID] == f {
			delete(u.flights, userID)
		}
	}
	var e *Error
	if errors.As(f.err, &e) && e.remote && !errors.Is(e, ErrReconnect) {
		time.AfterFunc(min(max(e.Wait, minPause), maxPause), remove)
	} else {
		remove()
	}
	close(f.done)
}

// wrap makes an Error of a store's error.
func wrap(op string, userID types.UserID, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, UserID: userID, Err: err}
}
