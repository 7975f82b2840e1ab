package main

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/join"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

const (
	public   = "https://partner.example"
	secret   = "a-secret-of-the-path"
	operator = "an-operators-password"
)

// testConfig is what the program would be started with.
func testConfig(t *testing.T, fake *activitytest.Server) *config {
	return &config{
		dir: t.TempDir(), listen: "127.0.0.1:8080", url: public, secret: secret, operator: operator, days: backfill.Production,
		app: auth.App{ClientID: fake.ClientID, ClientSecret: types.Secret(fake.ClientSecret)},
	}
}

// world is an application whose Garmin is a fake, both in memory.
type world struct {
	*partner
	t        *testing.T
	garmin   *activitytest.Server
	user     *activitytest.User      // of Garmin, who is ann
	browsers map[string]*http.Cookie // sessions, by name
	log      *strings.Builder
}

// start returns a world with ann, who has connected, and bob, who has not. prepare,
// if not nil, sees the Garmin user before.
func start(t *testing.T, prepare func(*activitytest.User)) *world {
	t.Helper()
	fake := activitytest.NewServer()
	fake.BackfillDaysPerMinute = backfill.Production
	pool, err := activity.NewPool(&activity.Options{Transport: fake})
	require.NoError(t, err)
	w := &world{t: t, garmin: fake, browsers: map[string]*http.Cookie{}, log: &strings.Builder{}}
	w.partner, err = newPartner(t.Context(), testConfig(t, fake), slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})), &auth.Options{Pool: pool, Transport: fake})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.svc.Run(ctx) }()
	t.Cleanup(func() { stop(); require.NoError(t, <-done) })
	fake.SetEndpoints(activitytest.Endpoint{Handler: w.web, URL: public + "/garmin/" + secret, Enabled: true, Push: true})

	w.account("ann")
	w.account("bob")
	w.user = fake.AddUser(&activitytest.UserOptions{NotConnected: true, HistoryFrom: time.Now().AddDate(-1, 0, -1)})
	if prepare != nil {
		prepare(w.user)
	}
	w.connect("ann", w.user)
	return w
}

// account makes an account whose browser is logged in.
func (w *world) account(name string) {
	w.t.Helper()
	_, err := w.db.ExecContext(w.t.Context(), `INSERT INTO account (id, name, password, created) VALUES ($1, $1, '', 0)`, name)
	require.NoError(w.t, err)
	ctx, err := w.sessions.Load(w.t.Context(), "")
	require.NoError(w.t, err)
	w.sessions.Put(ctx, "account", name)
	token, _, err := w.sessions.Commit(ctx)
	require.NoError(w.t, err)
	w.browsers[name] = &http.Cookie{Name: w.sessions.Cookie.Name, Value: token}
}

// ask sends a request of the browser of somebody, or of nobody.
func (w *world) ask(name, method, address string, change func(*http.Request)) *httptest.ResponseRecorder {
	return w.send(name, httptest.NewRequest(method, address, nil), change)
}

// post sends a form.
func (w *world) post(name, path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", public+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return w.send(name, r, nil)
}

func (w *world) send(name string, r *http.Request, change func(*http.Request)) *httptest.ResponseRecorder {
	if c := w.browsers[name]; c != nil {
		r.AddCookie(c)
	}
	if change != nil {
		change(r)
	}
	answer := httptest.NewRecorder()
	w.web.ServeHTTP(answer, r)
	return answer
}

// connect sends a browser to Garmin and back.
func (w *world) connect(name string, user *activitytest.User) *httptest.ResponseRecorder {
	w.t.Helper()
	there := w.ask(name, "GET", public+"/connect", nil)
	require.Equal(w.t, http.StatusSeeOther, there.Code)
	back, err := w.garmin.Consent(there.Header().Get("Location"), user)
	require.NoError(w.t, err)
	answer := w.ask(name, "GET", back, func(r *http.Request) {
		for _, c := range there.Result().Cookies() {
			r.AddCookie(c)
		}
	})
	return answer
}

// count returns how many workouts of somebody have a part of a kind.
func (w *world) count(name string, has func(*join.Record) bool) int {
	w.t.Helper()
	n, err := w.db.count(w.t.Context(), name, has)
	require.NoError(w.t, err)
	return n
}

func hasSummary(r *join.Record) bool { return r.Summary != nil }
func hasDetails(r *join.Record) bool { return r.Details != nil }
func hasFile(r *join.Record) bool    { return r.File != nil }

// connected tells whether a Garmin user is one of ours.
func (w *world) isConnected(id types.UserID) bool {
	w.t.Helper()
	_, err := w.db.owner(w.t.Context(), id)
	if !errors.Is(err, sql.ErrNoRows) {
		require.NoError(w.t, err)
	}
	return err == nil
}

// settle lets the processor work off what it has.
func settle() {
	time.Sleep(time.Minute)
	synctest.Wait()
}

func TestPushAndPing(t *testing.T) {
	for name, push := range map[string]bool{"push": true, "ping": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := start(t, nil)
				fake, ann := p.garmin, p.user
				fake.SetEndpoints(activitytest.Endpoint{Handler: p.web, URL: public + "/garmin/" + secret, Enabled: true, Push: push})
				ann.Sync(activitytest.NewGenerator(1), activitytype.Running, time.Now().Add(-time.Hour))
				fake.Deliver(t.Context())
				settle()
				require.Equal(t, 1, p.count("ann", hasSummary))
				require.Equal(t, 1, p.count("ann", hasDetails))
				require.Equal(t, 1, p.count("ann", hasFile))
				require.Zero(t, p.count("bob", hasSummary))
			})
		})
	}
}

func TestHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		connected := time.Now()
		p := start(t, func(ann *activitytest.User) {
			ann.FillHistory(activitytest.NewGenerator(1), types.Window{Start: connected.AddDate(-1, 0, 0), End: connected})
		})
		fake, ann := p.garmin, p.user
		settle()
		require.Zero(t, fake.State().BackfillViolations)
		_, err := fake.DeliverAll(t.Context())
		require.NoError(t, err)
		settle()
		require.Equal(t, ann.State().Records[types.KindActivities], p.count("ann", hasSummary))
		all, err := p.db.detections(t.Context(), "ann", "", "9999")
		require.NoError(t, err)
		require.Len(t, all, ann.State().Records[types.KindMoveIQ])

		time.Sleep(24 * time.Hour)
		report, err := backfill.NewReport(t.Context(), p.ledger, ann.ID())
		require.NoError(t, err)
		require.NotEmpty(t, report.Days)
		for k, days := range report.Days {
			for _, d := range days {
				require.Equal(t, classOf(&d) == classDelivered, d.Arrived > 0, k)
				require.Contains(t, []class{classDelivered, classQuiet}, classOf(&d), k)
			}
		}
	})
}

// A user who disconnects and connects again gets the history anew, though
// nobody was told of the first departure yet.
func TestHistoryAfterReconnect(t *testing.T) {
	for _, told := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			connected := time.Now()
			p := start(t, func(ann *activitytest.User) {
				ann.FillHistory(activitytest.NewGenerator(1), types.Window{Start: connected.AddDate(0, -2, 0), End: connected})
			})
			fake, ann := p.garmin, p.user
			settle()
			before := len(ann.State().Backfilled[types.KindActivities])
			require.Positive(t, before)
			_, err := fake.DeliverAll(t.Context())
			require.NoError(t, err)
			settle()

			time.Sleep(5 * time.Hour)
			ann.Deregister()
			if told {
				fake.Deliver(t.Context())
				settle()
			}
			p.connect("ann", ann)
			settle()
			require.Len(t, ann.State().Backfilled[types.KindActivities], before, "the new connection's history was not asked for")
		})
	}
}

func TestPermissionsAndLeaving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, nil)
		fake, ann := p.garmin, p.user
		time.Sleep(time.Second)
		ann.SetPermissions(types.PermissionActivityExport)
		fake.Deliver(t.Context())
		settle()
		all, err := p.db.connections(t.Context(), "ann")
		require.NoError(t, err)
		require.Equal(t, []types.Permission{types.PermissionActivityExport}, all[0].Permissions)

		forged := httptest.NewRequest("POST", public+"/garmin/"+secret, strings.NewReader(`{"deregistrations":[{"userId":"`+string(ann.ID())+`"}]}`))
		w := httptest.NewRecorder()
		p.web.ServeHTTP(w, forged)
		require.Equal(t, http.StatusOK, w.Code)
		settle()
		require.True(t, p.isConnected(ann.ID()))

		ann.Deregister()
		fake.Deliver(t.Context())
		settle()
		require.False(t, p.isConnected(ann.ID()))
		_, err = p.users.Client(t.Context(), ann.ID())
		require.ErrorIs(t, err, auth.ErrNotConnected)
	})
}

// Permissions that come late, or are not said, change nothing wrongly.
func TestPermissions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, nil)
		d := &notify.Delivery{UserID: p.user.ID(), User: notify.User{ID: "ann"}}
		late := &notify.PermissionChange{Permissions: []types.Permission{}, ChangeTimeInSeconds: types.NewTimestamp(time.Now().Add(-time.Hour))}
		require.NoError(t, p.permitted(t.Context(), d, late))
		unsaid := &notify.PermissionChange{ChangeTimeInSeconds: types.NewTimestamp(time.Now().Add(time.Hour))}
		require.NoError(t, p.permitted(t.Context(), d, unsaid))
		all, err := p.db.connections(t.Context(), "ann")
		require.NoError(t, err)
		require.ElementsMatch(t, p.user.State().Permissions, all[0].Permissions)
	})
}

// Forgetting a user fails in the middle: it is done again, and leaves no token.
func TestLeavingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, nil)
		fake, ann := p.garmin, p.user
		require.NoError(t, p.users.Forget(t.Context(), ann.ID())) // and no further
		ann.Deregister()
		fake.Deliver(t.Context())
		settle()
		require.False(t, p.isConnected(ann.ID()))
	})
}

// The tokens go first: a user who is not in the database can never be found
// again to delete them.
func TestTokensGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, nil)
		ann := p.user
		store := p.users
		broken := &brokenStore{auth.NewMemory()}
		var err error
		p.users, err = auth.NewUsers(auth.App{ClientID: "id", ClientSecret: "secret"}, broken, nil)
		require.NoError(t, err)
		require.ErrorIs(t, p.forget(t.Context(), ann.ID()), errBroken)
		require.True(t, p.isConnected(ann.ID()))
		require.NoError(t, p.users.Close())
		p.users = store
		require.NoError(t, p.forget(t.Context(), ann.ID()))
		require.NoError(t, p.forget(t.Context(), ann.ID()), "a repeat")
		require.False(t, p.isConnected(ann.ID()))
	})
}

var errBroken = errors.New("the store is broken")

type brokenStore struct{ auth.TokenStore }

func (*brokenStore) Token(context.Context, types.UserID) (*auth.Token, error) { return nil, errBroken }

// Who disconnects here is gone at Garmin, too, and no token is left. Workouts
// stay.
func TestDisconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, nil)
		fake, ann := p.garmin, p.user
		ann.Sync(activitytest.NewGenerator(1), activitytype.Running, time.Now().Add(-time.Hour))
		fake.Deliver(t.Context())
		settle()
		require.Equal(t, http.StatusSeeOther, p.post("bob", "/disconnect", nil).Code)
		require.True(t, ann.State().Connected, "another's connection")

		fake.SetFaults(activitytest.Fault{Times: 100, Path: "/wellness-api/rest/user/registration", Status: http.StatusNotFound, Body: "<html>a wall</html>"})
		require.Equal(t, http.StatusBadGateway, p.post("ann", "/disconnect", nil).Code)
		require.True(t, p.isConnected(ann.ID()))
		_, err := p.users.Client(t.Context(), ann.ID())
		require.NoError(t, err, "Garmin does not know yet")

		fake.SetFaults()
		require.Equal(t, http.StatusSeeOther, p.post("ann", "/disconnect", nil).Code)
		require.False(t, ann.State().Connected)
		require.False(t, p.isConnected(ann.ID()))
		_, err = p.users.Client(t.Context(), ann.ID())
		require.ErrorIs(t, err, auth.ErrNotConnected)
		require.Equal(t, http.StatusSeeOther, p.post("ann", "/disconnect", nil).Code, "a repeat")
		require.Equal(t, 1, p.count("ann", hasSummary))
	})
}

// Whatever fails after consent, the user who has a token has a row.
func TestConnectedButTheLedgerFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, nil)
		whole := p.ledger
		broken, err := backfill.OpenLedger(t.TempDir(), nil)
		require.NoError(t, err)
		require.NoError(t, broken.Close())
		p.ledger = broken
		user := p.garmin.AddUser(&activitytest.UserOptions{NotConnected: true})
		require.Equal(t, http.StatusBadGateway, p.connect("bob", user).Code)
		require.True(t, p.isConnected(user.ID()))
		p.ledger = whole
	})
}

// A Garmin account that somebody has connected does not pass to another.
func TestAnotherUsersGarminAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, nil)
		require.Equal(t, http.StatusConflict, p.connect("bob", p.user).Code)
		account, err := p.db.owner(t.Context(), p.user.ID())
		require.NoError(t, err)
		require.Equal(t, "ann", account)
	})
}

// Who deletes the account leaves nothing behind: no token, row, session or file.
func TestDeleteEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, nil)
		fake, ann := p.garmin, p.user
		for i := range 2 {
			ann.Sync(activitytest.NewGenerator(uint64(i)), activitytype.MultiSport, time.Now().Add(-time.Hour))
		}
		fake.Deliver(t.Context())
		settle()
		files, err := filepath.Glob(filepath.Join(p.files, "*", "*.fit"))
		require.NoError(t, err)
		require.NotEmpty(t, files)

		require.Equal(t, http.StatusUnprocessableEntity, p.post("ann", "/delete", url.Values{"name": {"bob"}}).Code)
		require.True(t, p.isConnected(ann.ID()), "the wrong name")
		fake.SetFaults(activitytest.Fault{Times: 100, Path: "/wellness-api/rest/user/registration", Status: http.StatusServiceUnavailable})
		require.Equal(t, http.StatusBadGateway, p.post("ann", "/delete", url.Values{"name": {"ann"}}).Code)
		require.Equal(t, len(files), p.count("ann", hasFile), "Garmin does not know yet")
		fake.SetFaults()

		require.Equal(t, http.StatusSeeOther, p.post("ann", "/delete", url.Values{"name": {"ann"}}).Code)
		require.False(t, ann.State().Connected)
		for _, table := range []string{"connection", "joined", "workout", "detected", "file"} {
			var n int
			require.NoError(t, p.db.QueryRowContext(t.Context(), `SELECT count(*) FROM `+table).Scan(&n))
			require.Zero(t, n, table)
		}
		files, err = filepath.Glob(filepath.Join(p.files, "*", "*.fit"))
		require.NoError(t, err)
		require.Empty(t, files)
		require.Equal(t, "/login", p.ask("ann", "GET", public+"/", nil).Header().Get("Location"), "the session")
		require.Equal(t, http.StatusOK, p.ask("bob", "GET", public+"/", nil).Code)

		// What comes after finds nobody.
		ann.Connect()
		ann.Sync(activitytest.NewGenerator(9), activitytype.Running, time.Now().Add(-time.Hour))
		fake.Deliver(t.Context())
		settle()
		var n int
		require.NoError(t, p.db.QueryRowContext(t.Context(), `SELECT count(*) FROM joined`).Scan(&n))
		require.Zero(t, n)
	})
}
