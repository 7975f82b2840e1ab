package main

import (
	"context"
	"database/sql"
	"go/format"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/service/solo"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

const (
	public   = "https://partner.example"
	secret   = "a-secret-of-the-path"
	password = "the operator's password"
)

// world is the program, whose Garmin is a fake, both in memory.
type world struct {
	t    *testing.T
	fake *activitytest.Server
	svc  *solo.Program
	web  http.Handler
	db   *sql.DB
}

func (w *world) get(path string, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, public+path, nil)
	if change != nil {
		change(r)
	}
	answer := httptest.NewRecorder()
	w.web.ServeHTTP(answer, r)
	return answer
}

// connect sends ann's browser to Garmin and back.
func (w *world) connect(user *activitytest.User) *httptest.ResponseRecorder {
	ann := func(r *http.Request) { r.Header.Set("X-Account", "ann") }
	there := w.get("/connect", ann)
	require.Equal(w.t, http.StatusSeeOther, there.Code)
	back, err := w.fake.Consent(there.Header().Get("Location"), user)
	require.NoError(w.t, err)
	return w.get(strings.TrimPrefix(back, public), func(r *http.Request) {
		ann(r)
		for _, c := range there.Result().Cookies() {
			r.AddCookie(c)
		}
	})
}

func (w *world) endpoint(push bool) {
	w.fake.SetEndpoints(activitytest.Endpoint{Handler: w.web, URL: public + "/garmin/" + secret, Enabled: true, Push: push})
}

// deliver lets the fake send what it has, and the program work it off.
func (w *world) deliver() {
	w.t.Helper()
	_, err := w.fake.DeliverAll(w.t.Context())
	require.NoError(w.t, err)
	time.Sleep(time.Minute)
	synctest.Wait()
}

func (w *world) count(query string, args ...any) (n int) {
	w.t.Helper()
	require.NoError(w.t, w.db.QueryRowContext(w.t.Context(), query, args...).Scan(&n))
	return n
}

// TestNewcomer: all that the program is for, from its start to its stop.
func TestNewcomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		connected := time.Now()
		dir := t.TempDir()
		fake := activitytest.NewServer()
		fake.BackfillDaysPerMinute = backfill.Production
		env := map[string]string{
			"GARMIN_KEY": fake.ClientID, "GARMIN_SECRET": fake.ClientSecret, "GARMIN_PATH_SECRET": secret, "OPERATOR_PASSWORD": password,
		}
		svc, web, err := open(t.Context(), dir, public, func(key string) string { return env[key] }, fake)
		require.NoError(t, err)
		db, err := sql.Open("sqlite", filepath.Join(dir, "app.db"))
		require.NoError(t, err)
		defer db.Close()
		w := &world{t: t, fake: fake, svc: svc, web: web, db: db}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- svc.Service.Run(ctx) }()
		defer stop()
		synctest.Wait()
		require.Equal(t, http.StatusOK, w.get("/ready", nil).Code)
		require.Equal(t, http.StatusOK, w.get("/live", nil).Code)

		// A user connects, and a year of history comes.
		w.endpoint(true)
		ann := fake.AddUser(&activitytest.UserOptions{NotConnected: true, HistoryFrom: connected.AddDate(-1, 0, -1)})
		ann.FillHistory(activitytest.NewGenerator(1), types.Window{Start: connected.AddDate(0, 0, -364), End: connected})
		require.NotEqual(t, http.StatusSeeOther, w.get("/connect", nil).Code, "nobody is logged in")
		require.Equal(t, http.StatusSeeOther, w.connect(ann).Code)
		require.Equal(t, 1, w.count(`SELECT count(*) FROM user WHERE account = 'ann' AND id = ?`, ann.ID()))
		time.Sleep(time.Minute)
		synctest.Wait()
		w.deliver()
		require.Zero(t, fake.State().BackfillViolations)
		require.Equal(t, ann.State().Records[types.KindActivities], w.count(`SELECT count(*) FROM summary WHERE kind = 'activities'`))
		require.Greater(t, ann.State().Records[types.KindActivities], 50)
		asked := len(ann.State().Backfilled[types.KindActivities])
		time.Sleep(7 * time.Hour) // another pass asks for nothing
		require.Len(t, ann.State().Backfilled[types.KindActivities], asked)

		// Both ways, and the file with its points.
		for i, push := range []bool{true, false} {
			w.endpoint(push)
			before, files := w.count(`SELECT count(*) FROM summary`), w.count(`SELECT count(*) FROM track`)
			ann.Sync(activitytest.NewGenerator(uint64(i+7)), activitytype.Running, time.Now().Add(-time.Hour))
			w.deliver()
			require.Equal(t, before+2, w.count(`SELECT count(*) FROM summary`), "an activity and its details, push %v", push)
			require.Equal(t, files+1, w.count(`SELECT count(*) FROM track WHERE points LIKE '%Heart%'`))
		}

		files, err := filepath.Glob(filepath.Join(dir, "files", "[^.]*", "*"))
		require.NoError(t, err)
		require.Len(t, files, w.count(`SELECT count(*) FROM track`))

		// Permissions, and a stranger who says that ann has left.
		ann.SetPermissions(types.PermissionActivityExport)
		w.deliver()
		require.Equal(t, 1, w.count(`SELECT count(*) FROM user WHERE permissions = '["ACTIVITY_EXPORT"]' AND changed > 0`))
		forged := httptest.NewRequest(http.MethodPost, public+"/garmin/"+secret, strings.NewReader(`{"deregistrations":[{"userId":"`+string(ann.ID())+`"}]}`))
		answer := httptest.NewRecorder()
		w.web.ServeHTTP(answer, forged)
		require.Equal(t, http.StatusOK, answer.Code)
		w.deliver()
		require.Equal(t, 1, w.count(`SELECT count(*) FROM user`))
		require.Equal(t, http.StatusNotFound, w.get("/garmin/another-secret-of-a-path", nil).Code)

		// What an operator sees, and a stranger does not.
		metrics := w.get("/metrics", nil)
		require.Equal(t, http.StatusOK, metrics.Code)
		require.Contains(t, metrics.Body.String(), "messaging_")
		for _, canary := range []string{string(ann.ID()), secret, fake.ClientSecret} {
			require.NotContains(t, metrics.Body.String(), canary)
		}
		require.Equal(t, http.StatusUnauthorized, w.get("/admin/", nil).Code)
		pages := w.get("/admin/letters", func(r *http.Request) { r.SetBasicAuth("op", password) })
		require.Equal(t, http.StatusOK, pages.Code)
		require.Contains(t, pages.Body.String(), "still connected")

		// Ann leaves, by Garmin or from the program's own pages: nothing stays.
		ann.Deregister()
		w.deliver()
		for _, table := range []string{"user", "summary", "track"} {
			require.Zero(t, w.count(`SELECT count(*) FROM `+table), table)
		}
		files, err = filepath.Glob(filepath.Join(dir, "files", "[^.]*"))
		require.NoError(t, err)
		require.Empty(t, files)
		_, err = svc.Users.Client(t.Context(), ann.ID())
		require.ErrorIs(t, err, auth.ErrNotConnected)
		bob := fake.AddUser(&activitytest.UserOptions{NotConnected: true})
		require.Equal(t, http.StatusSeeOther, w.connect(bob).Code)
		require.NoError(t, svc.Disconnect(t.Context(), bob.ID()))
		require.NoError(t, svc.Disconnect(t.Context(), bob.ID()))
		require.Zero(t, w.count(`SELECT count(*) FROM user`))
		w.deliver()

		// It stops in order.
		stop()
		time.Sleep(time.Second)
		require.Equal(t, http.StatusServiceUnavailable, w.get("/ready", nil).Code)
		require.NoError(t, <-done)
	})
}

// TestOpenRefuses: an unset variable is an error at the start.
func TestOpenRefuses(t *testing.T) {
	_, _, err := open(t.Context(), t.TempDir(), public, func(string) string { return "" }, nil)
	require.Error(t, err)
}

// TestLines: the program is main.go, in the shape that gofmt gives it, and no
// longer than 150 lines without blank ones and comments.
func TestLines(t *testing.T) {
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	require.Equal(t, []string{"main.go", "newcomer_test.go"}, names)
	data, err := os.ReadFile("main.go")
	require.NoError(t, err)
	formatted, err := format.Source(data)
	require.NoError(t, err)
	require.Equal(t, string(formatted), string(data))
	lines := 0
	for line := range strings.Lines(string(data)) {
		require.LessOrEqual(t, len(line), 141, line) // with its end
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			lines++
		}
	}
	t.Logf("main.go has %d lines of code", lines)
	require.LessOrEqual(t, lines, 150)
}
