package solo_test

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/service"
	"github.com/garminkit/activityapi/activity/service/solo"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	public = "https://partner.example"
	secret = "a-secret-of-the-path"
)

// accounts is the partner's side, in memory.
type accounts struct {
	mu      sync.Mutex
	names   map[types.UserID]string
	allowed map[types.UserID][]types.Permission
	saved   []types.ID
	files   int
	fail    error                    // of everything
	keep    error                    // of Forget
	bad     func(types.UserID) error // of Account
	closed  bool
}

func newAccounts() *accounts {
	return &accounts{names: map[types.UserID]string{}, allowed: map[types.UserID][]types.Permission{}}
}

func (a *accounts) Connect(_ context.Context, c *auth.Connection) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fail == nil {
		a.names[c.UserID], a.allowed[c.UserID] = c.Session, c.Permissions
	}
	return a.fail
}

func (a *accounts) Account(_ context.Context, user types.UserID) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	name, ok := a.names[user]
	if a.bad != nil {
		if err := a.bad(user); err != nil {
			return "", err
		}
	}
	switch {
	case a.fail != nil:
		return "", a.fail
	case !ok:
		return "", notify.ErrUnknownUser
	}
	return name, nil
}

func (a *accounts) Permit(_ context.Context, user types.UserID, allowed []types.Permission, _ types.Timestamp) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fail == nil {
		a.allowed[user] = allowed
	}
	return a.fail
}

func (a *accounts) Forget(_ context.Context, user types.UserID) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	err := cmp.Or(a.fail, a.keep)
	if err == nil {
		delete(a.names, user)
	}
	return err
}

func (a *accounts) Save(_ context.Context, _ *notify.Delivery, s types.Summary) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.saved = append(a.saved, s.ID())
	return nil
}

func (a *accounts) File(context.Context, *notify.Delivery, *notify.File) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.files++
	return nil
}

func (a *accounts) Close() error { a.closed = true; return nil }

// seen returns what is kept of a user, and of all.
func (a *accounts) seen(user types.UserID) (allowed []types.Permission, saved, files int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.allowed[user]), len(a.saved), a.files
}

func (a *accounts) know(user types.UserID) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.names[user] != ""
}

func (a *accounts) forgetPermissions(user types.UserID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.allowed, user)
}

func (a *accounts) setKeep(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keep = err
}

func (a *accounts) setBad(bad func(types.UserID) error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bad = bad
}

func (a *accounts) setFail(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fail = err
}

// world is a program on a fake Garmin, all in memory but the stores.
type world struct {
	*solo.Program
	t        *testing.T
	fake     *activitytest.Server
	accounts *accounts
	dir      string
	down     atomic.Bool // Garmin answers 503
	stop     func()
}

// options of a program on the fake.
func options(fake *activitytest.Server) *solo.Options {
	return &solo.Options{
		URL: public, PathSecret: secret, Transport: fake,
		App: auth.App{ClientID: fake.ClientID, ClientSecret: types.Secret(fake.ClientSecret)},
		Session: func(r *http.Request) (string, error) {
			if name := r.Header.Get("X-Account"); name != "" {
				return name, nil
			}
			return "", errors.New("nobody")
		},
	}
}

func start(t *testing.T, change func(*solo.Options)) *world {
	w := &world{t: t, fake: activitytest.NewServer(), accounts: newAccounts(), dir: filepath.Join(t.TempDir(), "new")}
	w.fake.BackfillDaysPerMinute = backfill.Production
	w.fake.Intercept = func(answer http.ResponseWriter, _ *http.Request) bool {
		down := w.down.Load()
		if down {
			answer.WriteHeader(http.StatusServiceUnavailable)
		}
		return down
	}
	w.open(change)
	return w
}

// open runs the program, for the first time or again.
func (w *world) open(change func(*solo.Options)) {
	w.t.Helper()
	o := options(w.fake)
	o.Service.Close = append(o.Service.Close, w.accounts)
	if change != nil {
		change(o)
	}
	var err error
	w.Program, err = solo.Open(w.dir, w.accounts, o)
	require.NoError(w.t, err)
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Service.Run(ctx) }()
	w.stop = sync.OnceFunc(func() { cancel(); require.NoError(w.t, <-done) })
	w.t.Cleanup(w.stop)
	w.fake.SetEndpoints(activitytest.Endpoint{Handler: w.Handler, URL: public + "/garmin/" + secret, Enabled: true, Push: true})
}

func (w *world) get(path string, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, public+path, nil)
	if change != nil {
		change(r)
	}
	answer := httptest.NewRecorder()
	w.Handler.ServeHTTP(answer, r)
	return answer
}

func ann(r *http.Request) { r.Header.Set("X-Account", "ann") }

// connect sends ann's browser to Garmin and back, but for a parameter of the way
// back that is lost.
func (w *world) connect(user *activitytest.User, lost string) *httptest.ResponseRecorder {
	there := w.get("/connect", ann)
	require.Equal(w.t, http.StatusSeeOther, there.Code)
	back, err := w.fake.Consent(there.Header().Get("Location"), user)
	require.NoError(w.t, err)
	address, err := url.Parse(back)
	require.NoError(w.t, err)
	query := address.Query()
	query.Del(lost)
	return w.get(address.Path+"?"+query.Encode(), func(r *http.Request) {
		ann(r)
		for _, c := range there.Result().Cookies() {
			r.AddCookie(c)
		}
	})
}

func (w *world) allowed(user *activitytest.User) []types.Permission {
	allowed, _, _ := w.accounts.seen(user.ID())
	return allowed
}

func (w *world) saved() int {
	_, saved, _ := w.accounts.seen("")
	return saved
}

func (w *world) downloaded() int {
	_, _, files := w.accounts.seen("")
	return files
}

func (w *world) settle() {
	_, err := w.fake.DeliverAll(w.t.Context())
	require.NoError(w.t, err)
	time.Sleep(time.Minute)
	synctest.Wait()
}

// TestLife: connect, history, push, file, permissions, leaving, stop.
func TestLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		user := w.fake.AddUser(&activitytest.UserOptions{NotConnected: true, HistoryFrom: time.Now().AddDate(-1, 0, -2)})
		user.FillHistory(activitytest.NewGenerator(1), types.Window{Start: time.Now().AddDate(0, 0, -90), End: time.Now()})
		require.Equal(t, http.StatusBadGateway, w.get("/connect", nil).Code, "nobody is logged in")
		require.Equal(t, http.StatusSeeOther, w.connect(user, "").Code)
		w.settle()
		w.settle()
		require.Zero(t, w.fake.State().BackfillViolations)
		require.GreaterOrEqual(t, w.saved(), user.State().Records[types.KindActivities])
		asked := len(user.State().Backfilled[types.KindActivities])
		require.Positive(t, asked)
		time.Sleep(13 * time.Hour) // two more passes
		require.Len(t, user.State().Backfilled[types.KindActivities], asked)

		user.Sync(activitytest.NewGenerator(2), activitytype.Running, time.Now().Add(-time.Hour))
		w.settle()
		require.Positive(t, w.downloaded())
		user.SetPermissions(types.PermissionActivityExport)
		w.settle()
		require.Equal(t, []types.Permission{types.PermissionActivityExport}, w.allowed(user))

		user.Deregister()
		w.accounts.setFail(errors.New("the database is down"))
		w.settle()
		require.True(t, w.accounts.know(user.ID()), "it is not forgotten by half")
		w.accounts.setFail(nil)
		time.Sleep(time.Hour)
		require.False(t, w.accounts.know(user.ID()))
		_, err := w.Users.Client(t.Context(), user.ID())
		require.ErrorIs(t, err, auth.ErrNotConnected)
		for c, err := range w.Ledger.Chunks(t.Context(), user.ID()) {
			require.NoError(t, err)
			require.Fail(t, "the ledger knows", "%v", c)
		}
		files, err := filepath.Glob(filepath.Join(w.dir, "files", "[^.]*", "*"))
		require.NoError(t, err)
		require.Empty(t, files)
		require.Equal(t, http.StatusNotFound, w.get("/admin/", ann).Code, "no operator, no pages")
		require.Equal(t, http.StatusOK, w.get("/ready", nil).Code)
		require.Equal(t, http.StatusOK, w.get("/live", nil).Code)
		w.stop()
		require.True(t, w.accounts.closed)
		require.Equal(t, http.StatusServiceUnavailable, w.get("/ready", nil).Code)
	})
}

// TestConnectRefused: what goes wrong at a connection is said, and leaves nobody.
func TestConnectRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, func(o *solo.Options) { o.History = -1 })
		user := w.fake.AddUser(&activitytest.UserOptions{NotConnected: true})
		require.Equal(t, http.StatusBadRequest, w.get("/connected?code=x&state=y", ann).Code)
		require.Equal(t, http.StatusForbidden, w.connect(user, "code").Code)
		w.accounts.setFail(errors.New("the database is down"))
		require.Equal(t, http.StatusBadGateway, w.connect(user, "").Code)
		require.False(t, w.accounts.know(user.ID()))
		w.accounts.setFail(nil)
		require.Equal(t, http.StatusSeeOther, w.connect(user, "").Code)
		w.settle()
		require.Empty(t, user.State().Backfilled[types.KindActivities])
	})
}

// TestDisconnect: by the program, also when Garmin knows already or cannot be
// reached.
func TestDisconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		user := w.fake.AddUser(&activitytest.UserOptions{NotConnected: true})
		require.Equal(t, http.StatusSeeOther, w.connect(user, "").Code)
		w.down.Store(true)
		require.Error(t, w.Disconnect(t.Context(), user.ID()))
		require.True(t, w.accounts.know(user.ID()))
		w.down.Store(false)
		require.NoError(t, w.Disconnect(t.Context(), user.ID()))
		require.False(t, w.accounts.know(user.ID()))
		require.NoError(t, w.Disconnect(t.Context(), user.ID()))
	})
}

// TestStrangers: a forged deregistration becomes a letter, and goes with its user.
// Permissions that Garmin leaves out are asked for.
func TestStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		user := w.fake.AddUser(&activitytest.UserOptions{NotConnected: true})
		require.Equal(t, http.StatusSeeOther, w.connect(user, "").Code)
		post := func(body string) {
			r := httptest.NewRequest(http.MethodPost, public+"/garmin/"+secret, strings.NewReader(body))
			answer := httptest.NewRecorder()
			w.Handler.ServeHTTP(answer, r)
			require.Equal(t, http.StatusOK, answer.Code)
			w.settle()
		}
		post(`{"deregistrations":[{"userId":"` + string(user.ID()) + `"}]}`)
		require.True(t, w.accounts.know(user.ID()))
		letters := func() (n int) {
			for _, err := range w.Queue.Letters(t.Context(), nil) {
				require.NoError(t, err)
				n++
			}
			return n
		}
		require.Equal(t, 1, letters())
		w.accounts.forgetPermissions(user.ID())
		post(`{"userPermissionsChange":[{"userId":"` + string(user.ID()) + `","summaryId":"p1","changeTimeInSeconds":1}]}`)
		require.ElementsMatch(t, user.State().Permissions, w.allowed(user))
		post(`{"activities":[{"userId":"stranger","summaryId":"1","startTimeInSeconds":1700000000,"durationInSeconds":60}]}`)
		w.settle()
		require.Equal(t, 2, letters(), "nobody's data")
		require.NoError(t, w.Disconnect(t.Context(), user.ID()))
		require.Equal(t, 1, letters())
	})
}

// TestDatabaseDown: what came while the database was down, or Garmin, is there when
// it is not.
func TestDatabaseDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		user := w.fake.AddUser(&activitytest.UserOptions{NotConnected: true})
		require.Equal(t, http.StatusSeeOther, w.connect(user, "").Code)
		w.settle()
		w.accounts.setFail(errors.New("the database is down"))
		user.Sync(activitytest.NewGenerator(2), activitytype.Running, time.Now().Add(-time.Hour))
		user.SetPermissions(types.PermissionActivityExport, types.PermissionHistoricalDataExport)
		w.Service.FetchHistory()
		w.settle()
		require.Zero(t, w.saved())
		w.accounts.setFail(nil)
		time.Sleep(time.Hour)
		require.Positive(t, w.saved())
		require.Len(t, w.allowed(user), 2)

		user.Deregister()
		w.down.Store(true)
		w.settle()
		require.True(t, w.accounts.know(user.ID()), "nobody said that it is true")
		w.down.Store(false)
		time.Sleep(time.Hour)
		require.False(t, w.accounts.know(user.ID()))
	})
}

// stub counts where telemetry is asked.
type stub struct {
	mu    sync.Mutex
	asked map[string]int
}

func (s *stub) hear(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked[what]++
}

func (s *stub) Intake(route string, next http.Handler) http.Handler { s.hear(route); return next }
func (s *stub) Handler(o *notify.HandlerOptions) *notify.HandlerOptions {
	s.hear("handler")
	return o
}
func (s *stub) Processor(o *notify.ProcessorOptions) *notify.ProcessorOptions {
	s.hear("processor")
	return o
}
func (s *stub) Wrap(c notify.Callbacks) notify.Callbacks { s.hear("callbacks"); return c }
func (s *stub) Transport(base http.RoundTripper) http.RoundTripper {
	s.hear("transport")
	return base
}

// TestSettings: telemetry, the operator's pages, and settings of the parts.
func TestSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tel := &stub{asked: map[string]int{}}
		receipts := 0
		w := start(t, func(o *solo.Options) {
			o.Telemetry = tel
			o.Operator = func(pages http.Handler) http.Handler { return pages }
			o.Service = service.Options{
				Handler:   &notify.HandlerOptions{Observe: func(context.Context, notify.Receipt) { receipts++ }},
				Processor: &notify.ProcessorOptions{Workers: 2},
				Close:     o.Service.Close,
			}
		})
		require.Equal(t, http.StatusOK, w.get("/admin/", nil).Code)
		require.Equal(t, http.StatusNotFound, w.get("/garmin/", nil).Code)
		require.Equal(t, 1, receipts)
		for _, what := range []string{"/garmin/{secret}", "handler", "processor", "callbacks", "transport"} {
			require.Positive(t, tel.asked[what], what)
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	fake := activitytest.NewServer()
	for name, change := range map[string]func(*solo.Options){
		"no URL":           func(o *solo.Options) { o.URL = "" },
		"odd URL":          func(o *solo.Options) { o.URL = "http://partner.example" },
		"no session":       func(o *solo.Options) { o.Session = nil },
		"no path secret":   func(o *solo.Options) { o.PathSecret = "" },
		"no key":           func(o *solo.Options) { o.App.ClientID = "" },
		"negative budget":  func(o *solo.Options) { o.DaysPerMinute = -1 },
		"odd StopTimeout":  func(o *solo.Options) { o.Service.StopTimeout = 1 },
		"nothing is given": func(o *solo.Options) { *o = solo.Options{} },
	} {
		dir := t.TempDir()
		o := options(fake)
		change(o)
		_, err := solo.Open(dir, newAccounts(), o)
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), fake.ClientSecret)
		require.NotContains(t, err.Error(), secret)
		// What was opened is closed.
		if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
			again := options(fake)
			again.Service.ReadyDelay = -1
			s, err := solo.Open(dir, newAccounts(), again)
			require.NoError(t, err, name)
			ctx, stop := context.WithCancel(t.Context())
			stop()
			require.NoError(t, s.Service.Run(ctx))
		}
	}
	_, err := solo.Open(t.TempDir(), nil, options(fake))
	require.Error(t, err)
	_, err = solo.Open(t.TempDir(), newAccounts(), nil)
	require.Error(t, err)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = solo.Open(file, newAccounts(), options(fake))
	require.Error(t, err)
	for _, store := range []string{"inbox", "history", "tokens"} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, store), []byte("x"), 0o600))
		_, err := solo.Open(dir, newAccounts(), options(fake))
		require.Error(t, err, store)
	}
}

// TestHistoryOfOthers: an account that cannot be read keeps the history of nobody
// else.
func TestHistoryOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		w := start(t, func(o *solo.Options) { o.Service.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		var users []*activitytest.User
		for range 3 {
			users = append(users, w.fake.AddUser(&activitytest.UserOptions{NotConnected: true}))
		}
		w.accounts.setBad(func(user types.UserID) error {
			if slices.ContainsFunc(users[1:], func(u *activitytest.User) bool { return u.ID() == user }) {
				return nil
			}
			return errors.New("a row that cannot be read")
		})
		for _, u := range users {
			require.Equal(t, http.StatusSeeOther, w.connect(u, "").Code)
		}
		time.Sleep(time.Hour)
		require.Empty(t, users[0].State().Backfilled)
		for _, u := range users[1:] {
			require.NotEmpty(t, u.State().Backfilled, u.ID())
		}
		w.accounts.setBad(nil)
		time.Sleep(7 * time.Hour)
		require.NotEmpty(t, users[0].State().Backfilled)
		w.stop()
		require.Contains(t, log.String(), "a row that cannot be read")
	})
}
