//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/join"
	"github.com/garminkit/activityapi/notify/spool"
	"github.com/garminkit/activityapi/types"
)

// restarted names the environment variables of a program that TestRestart starts:
// where the fake is, and what to keep everything in.
const (
	restartedGarmin = "PARTNER_TEST_GARMIN"
	restartedDir    = "PARTNER_TEST_DIR"
)

// beRestarted is the program that TestRestart kills: the partner's, whose Garmin is
// in another process.
func beRestarted(garmin, dir string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	pool, err := activity.NewPool(&activity.Options{BaseURL: garmin + "/wellness-api/rest"})
	if err != nil {
		return err
	}
	fake := activitytest.NewServer()
	c := &config{
		dir: dir, listen: l.Addr().String(), url: "http://" + l.Addr().String(), secret: secret, operator: operator, days: 10_000,
		app: auth.App{ClientID: fake.ClientID, ClientSecret: types.Secret(fake.ClientSecret)},
	}
	p, err := newPartner(ctx, c, slog.New(slog.NewTextHandler(os.Stderr, nil)), &auth.Options{Pool: pool, BaseURL: garmin})
	if err != nil {
		return err
	}
	os.Stdout.WriteString(c.url + "\n")
	return p.svc.Serve(ctx, l, p.web)
}

// startAgain starts the program, and has the fake send to it.
func startAgain(t *testing.T, garmin *activitytest.Server, dir string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), restartedGarmin+"="+garmin.BaseURL, restartedDir+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log := &strings.Builder{}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		if _ = cmd.Process.Kill(); cmd.ProcessState == nil {
			_ = cmd.Wait()
		}
		if t.Failed() {
			t.Log(log.String())
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	address := strings.TrimSpace(line)
	garmin.SetEndpoints(activitytest.Endpoint{URL: address + "/garmin/" + secret, Enabled: true, Push: true})
	return cmd, address
}

// TestRestart ends the program in the middle of history and of deliveries, by
// SIGKILL and by signal, and starts it again: in the end nothing is missing, and
// nothing is there twice. A file can be fetched once: what the kill interrupts is a
// dead letter, with what has come of it.
func TestRestart(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a program four times")
	}
	garmin := activitytest.NewServer()
	// What is asked for tells how far it has come.
	var history, files atomic.Int64
	reached := make(chan string, 3)
	garmin.Intercept = func(_ http.ResponseWriter, r *http.Request) bool {
		switch {
		case strings.Contains(r.URL.Path, "/backfill/"):
			if history.Add(1) == 5 {
				reached <- "history"
			}
		case strings.Contains(r.URL.Path, "/activityFile"):
			if n := files.Add(1); n == 5 || n == 12 {
				reached <- "delivery"
			}
		}
		return false
	}
	web := httptest.NewServer(garmin)
	t.Cleanup(web.Close)
	garmin.BaseURL = web.URL
	garmin.BackfillDaysPerMinute = 10_000
	garmin.DeliveryItems, garmin.DeliveryFirstRetry = 5, 50*time.Millisecond
	now := time.Now()
	user := garmin.AddUser(&activitytest.UserOptions{NotConnected: true, HistoryFrom: now.AddDate(-1, 0, -1)})
	fill(user, 1, 30)
	dir := t.TempDir()

	wait := func(what string) {
		t.Helper()
		select {
		case got := <-reached:
			require.Equal(t, what, got)
		case <-time.After(2 * time.Minute):
			require.Fail(t, "it does not go on", "%s: %d asked for, %d files", what, history.Load(), files.Load())
		}
	}

	// Consent, as a browser goes there and back.
	program, address := startAgain(t, garmin, dir)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	visit := func(method, address string, form url.Values) *http.Response {
		t.Helper()
		r, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer, err := browser.Do(r)
		require.NoError(t, err)
		answer.Body.Close()
		return answer
	}
	require.Equal(t, http.StatusSeeOther, visit("POST", address+"/signup", url.Values{"name": {"eve"}, "password": {"correct horse battery"}}).StatusCode)
	there := visit("GET", address+"/connect", nil)
	back, err := garmin.Consent(there.Header.Get("Location"), user)
	require.NoError(t, err)
	require.Equal(t, "/history", visit("GET", back, nil).Header.Get("Location"))

	// SIGKILL while history is asked for, and nothing was delivered yet.
	wait("history")
	require.NoError(t, program.Process.Kill())
	require.Error(t, program.Wait())

	ctx, stop := context.WithCancel(t.Context())
	delivering := make(chan error, 1)
	go func() { delivering <- garmin.Run(ctx) }()
	t.Cleanup(func() { stop(); <-delivering })

	// One while files are fetched.
	program, _ = startAgain(t, garmin, dir)
	wait("delivery")
	require.NoError(t, program.Process.Kill())
	require.Error(t, program.Wait())

	// A signal in the same place: what is being fetched is fetched to its end.
	program, _ = startAgain(t, garmin, dir)
	wait("delivery")
	require.NoError(t, program.Process.Signal(syscall.SIGTERM))
	require.NoError(t, program.Wait(), "it ends in good order")

	program, address = startAgain(t, garmin, dir)
	db, err := openDatabase(t.Context(), filepath.Join(dir, "partner.db"), "")
	require.NoError(t, err)
	defer db.Close()
	eve, _, err := db.account(t.Context(), "name", "eve")
	require.NoError(t, err)
	require.NotNil(t, eve)
	var state health
	for deadline := now.Add(3 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "it has not ended: %+v", state)
		n, err := db.count(t.Context(), eve.ID, hasFile)
		require.NoError(t, err)
		state = healthOf(t, address)
		if n+int(state.Letters) == user.State().Records[types.KindActivityFiles] && garmin.State().Pending == 0 && state.Waiting == 0 {
			break
		}
	}
	require.NoError(t, program.Process.Signal(syscall.SIGTERM))
	require.NoError(t, program.Wait())

	for kind, has := range map[types.Kind]func(*join.Record) bool{types.KindActivities: hasSummary, types.KindActivityDetails: hasDetails} {
		n, err := db.count(t.Context(), eve.ID, has)
		require.NoError(t, err)
		require.Equal(t, user.State().Records[kind], n, kind)
	}
	all, err := db.allWorkouts(t.Context(), eve.ID)
	require.NoError(t, err)
	require.Len(t, all, user.State().Records[types.KindActivities])
	detected, err := db.detections(t.Context(), eve.ID, "", "9999")
	require.NoError(t, err)
	require.Len(t, detected, user.State().Records[types.KindMoveIQ])
	require.Zero(t, garmin.State().BackfillViolations)

	letters := 0
	inbox, err := spool.Open(filepath.Join(dir, "inbox"), nil)
	require.NoError(t, err)
	for l, err := range inbox.Letters(t.Context(), nil) {
		require.NoError(t, err)
		require.Equal(t, string(types.KindActivityFiles), l.Key)
		require.Contains(t, l.Reason, "used up")
		letters++
	}
	require.NoError(t, inbox.Close())

	// Each file is on the disk once, and known, so that it can be deleted.
	known, err := db.files(t.Context(), eve.ID)
	require.NoError(t, err)
	require.Len(t, known, user.State().Records[types.KindActivityFiles]-letters)
	var found []string
	require.NoError(t, filepath.WalkDir(filepath.Join(dir, "files"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".fit" {
			name, _ := filepath.Rel(filepath.Join(dir, "files"), path)
			found = append(found, filepath.ToSlash(name))
		}
		return err
	}))
	require.ElementsMatch(t, known, found)
}

// healthOf is what the program says of itself.
func healthOf(t *testing.T, address string) (h health) {
	t.Helper()
	answer, err := http.Get(address + "/ready")
	require.NoError(t, err)
	defer answer.Body.Close()
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&h))
	return h
}
