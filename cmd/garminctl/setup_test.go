package main

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"flag"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/service/admin"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/spool"
	"github.com/garminkit/activityapi/types"
)

const (
	goodPathSecret   = "0123456789abcdef0123456789abcdef"
	goodClientSecret = "client-secret-that-is-right"
	evalSecret       = "client-secret-of-the-other-key"
	wrongSecret      = "client-secret-that-is-wrong"
)

// setup is a service that is well, a piece at a time to be spoiled.
type setup struct {
	t       *testing.T
	fake    *activitytest.Server
	garmin  *httptest.Server
	skew    atomic.Int64 // of Garmin's clock, in nanoseconds
	partner *httptest.Server
	mux     *http.ServeMux // the partner's
	inbox   notify.Queue
	views   *http.ServeMux // of the admin API
	panel   *httptest.Server
	dir     string
	tokens  auth.TokenStore
	env     map[string]string
	args    []string
}

// newSetup starts Garmin, a partner's endpoint and its admin API.
func newSetup(t *testing.T) *setup {
	t.Helper()
	s := &setup{t: t, env: map[string]string{}, fake: activitytest.NewServer(), mux: http.NewServeMux(), dir: t.TempDir()}
	s.fake.ClientID, s.fake.ClientSecret = "production-key", goodClientSecret
	s.fake.AddUser(&activitytest.UserOptions{ID: "ann"})
	s.fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, URL: "https://me.example.com/garmin"})
	s.fake.Intercept = func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Date", time.Now().Add(time.Duration(s.skew.Load())).UTC().Format(http.TimeFormat))
		return false
	}
	s.garmin = httptest.NewUnstartedServer(s.fake)
	s.fake.BaseURL = "http://" + s.garmin.Listener.Addr().String()
	s.garmin.Start()
	t.Cleanup(s.garmin.Close)

	var err error
	s.inbox, err = spool.Open(s.path("spool"), nil)
	require.NoError(t, err)
	t.Cleanup(func() { s.inbox.Close() })
	origin, err := notify.PathSecret(goodPathSecret, "")
	require.NoError(t, err)
	s.mux.Handle("/garmin/", notify.NewHandler(s.inbox.Put, &notify.HandlerOptions{Origin: []notify.OriginCheck{origin}}))
	s.partner = httptest.NewTLSServer(s.mux)
	t.Cleanup(s.partner.Close)
	roots := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.partner.Certificate().Raw})
	require.NoError(t, os.WriteFile(s.path("roots"), roots, 0o600))

	s.tokens, err = auth.OpenFile(s.path("tokens"), nil)
	require.NoError(t, err)
	t.Cleanup(func() { s.tokens.Close() })
	for _, u := range s.fake.Users() {
		s.token(&auth.Token{
			UserID: u.ID(), AccessToken: types.Secret(u.State().AccessToken), RefreshToken: types.Secret(u.State().RefreshToken),
			Expiry: time.Now().Add(24 * time.Hour), RefreshExpiry: time.Now().AddDate(0, 0, 90),
		})
	}
	h, err := admin.New(s.inbox, slog.New(slog.DiscardHandler), &admin.Options{Tokens: s.tokens})
	require.NoError(t, err)
	s.views = http.NewServeMux()
	s.views.Handle("/admin/", http.StripPrefix("/admin", h))
	s.panel = httptest.NewServer(s.views)
	t.Cleanup(s.panel.Close)

	s.env["GARMIN_CLIENT_ID"] = "production-key"
	s.env[clientSecret] = goodClientSecret
	s.env[pathSecret] = goodPathSecret
	s.args = []string{
		"doctor", "-garmin", s.garmin.URL, "-endpoint", s.partner.URL + "/garmin", "-roots", s.path("roots"),
		"-spool", s.path("spool"), "-tokens", s.path("tokens"), "-admin", s.panel.URL + "/admin", "-user", "ann",
	}
	return s
}

func (s *setup) path(name string) string { return filepath.Join(s.dir, name) }

func (s *setup) token(t *auth.Token) {
	_, err := s.tokens.Swap(s.t.Context(), nil, t)
	require.NoError(s.t, err)
}

// replace changes the value of a flag.
func (s *setup) replace(flag, value string) {
	for i, a := range s.args {
		if a == flag {
			s.args[i+1] = value
			return
		}
	}
	s.args = append(s.args, flag, value)
}

// answer has the admin API give this for a view.
func (s *setup) answer(view string, v any) {
	s.views.HandleFunc("/admin/api/"+view, func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(v) })
}

// drop takes a flag out, with its value.
func (s *setup) drop(flag string) {
	i := slices.Index(s.args, flag)
	s.args = slices.Delete(s.args, i, i+2)
}

// result is what a command has come to.
type result struct {
	status         int
	stdout, stderr string
}

// ctl runs the program with an environment of its own.
func ctl(t *testing.T, env map[string]string, args ...string) result {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = []string{asProgram + "=1", "HOME=" + t.TempDir()}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		require.NoError(t, err)
	}
	r := result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	for _, secret := range []string{goodPathSecret, goodClientSecret, evalSecret, wrongSecret} {
		require.NotContains(t, r.stdout+r.stderr, secret)
	}
	return r
}

// asProgram is set where the test binary is to be garminctl.
const asProgram = "GARMINCTL_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	_ = flag.Set("test.parallel", "8") // the tests wait more than they work
	testscript.Main(m, map[string]func(){"garminctl": main})
}

// diagnose runs doctor.
func (s *setup) diagnose() (*diagnosis, result) {
	r := ctl(s.t, s.env, append(s.args, "-json")...)
	d := &diagnosis{}
	require.NoError(s.t, json.Unmarshal([]byte(r.stdout), d), "%s%s", r.stdout, r.stderr)
	return d, r
}
