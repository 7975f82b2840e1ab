package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/freeport"
)

// TestScripts are sessions with the program: see testdata/script. Beside the
// commands of package testscript they have these.
//
//	status N PROGRAM… runs a program, which must end with status N
//	database VAR      a PostgreSQL with the tables at $VAR; without one the script is
//	                  skipped, or fails if CI=true
//	port VAR          puts a free address of this machine into $VAR
//	up URL            waits until it answers 200
//	partner VAR CODE  an endpoint that answers CODE to everything, at $VAR
//	garmin VAR        a fake Garmin at $VAR, with client id "key" and secret "right"
//	tokens FILE ID=S… a token file with a token in state S for each user
//	letters DIR N     a spool with N dead letters, of users u0 to u9
//	leave ID          a user of the fake disconnects
//	asked ID          waits until Garmin was asked for a user's history of the last year
//	mix FILE ID ID    exchanges the tokens of two users
//	moved FILE        waits until it has a token of OAuth 2
//	working VAR DIR   as service, without a log-in, for tail: looked waits until it
//	                  was looked at, bury N makes letters, refuse ID and take a user
//	firstid VAR       puts the first word of what was printed last into $VAR
//	service VAR DIR [FILE]  the admin API of a spool that is in use, at $VAR, and of a token file
//	drifted           that service has met what it does not know
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Values["world"] = &world{t: e.T()}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status":   cmdStatus,
			"database": cmdDatabase,
			"port":     cmdPort,
			"up":       cmdUp,
			"partner":  cmdPartner,
			"garmin":   cmdGarmin,
			"tokens":   cmdTokens,
			"letters":  cmdLetters,
			"leave":    cmdLeave,
			"working":  cmdWorking,
			"looked":   cmdLooked,
			"bury":     cmdBury,
			"refuse":   cmdRefuse,
			"take":     cmdTake,
			"mix":      cmdMix,
			"moved":    cmdMoved,
			"asked":    cmdAsked,
			"firstid":  cmdFirst,
			"service":  cmdService,
			"drifted":  cmdDrifted,
		},
	})
}

func cmdStatus(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var e *exec.ExitError
		if !errors.As(err, &e) {
			ts.Check(err)
		}
		got = e.ExitCode()
	}
	if got != want {
		ts.Fatalf("%v ended with status %d, want %d", args[1:], got, want)
	}
}

func cmdPort(ts *testscript.TestScript, _ bool, args []string) {
	address, err := freeport.Address(context.Background())
	ts.Check(err)
	ts.Setenv(args[0], address)
}

func cmdUp(ts *testscript.TestScript, _ bool, args []string) {
	for range 1000 {
		if resp, err := http.Get(args[0]); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	ts.Fatalf("nothing answers at %s", args[0])
}

func cmdPartner(ts *testscript.TestScript, _ bool, args []string) {
	code, err := strconv.Atoi(args[1])
	ts.Check(err)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(code)
	}))
	ts.Defer(s.Close)
	ts.Setenv(args[0], s.URL)
}

// TestStart: the program starts at once. The time of the processor is looked at,
// which other programs do not lengthen, and the best of a few.
func TestStart(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	best := time.Hour
	for range 5 {
		cmd := exec.CommandContext(t.Context(), self, "-version")
		cmd.Env = []string{asProgram + "=1"}
		out, err := cmd.Output()
		require.NoError(t, err)
		require.Contains(t, string(out), "garminctl")
		best = min(best, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
	}
	t.Logf("garminctl -version takes %s of a processor", best)
	require.Less(t, best, 100*time.Millisecond)
}
