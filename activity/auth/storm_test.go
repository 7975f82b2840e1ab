package auth_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/types"
)

// stormEnv makes a run of this test binary a process that asks for tokens: it is
// the token file, the fake's address, and the application's id and secret.
const stormEnv = "AUTH_TEST_STORM"

const stormUsers, stormCallers = 3, 20

// storm waits for a line on its input, asks for the tokens of all users many times
// at once, and prints each user's.
func storm(arg string) {
	args := strings.Split(arg, "\n")
	store, err := auth.OpenFile(args[0], nil)
	if err != nil {
		panic(err)
	}
	pool, err := activity.NewPool(&activity.Options{BaseURL: args[1] + "/wellness-api/rest"})
	if err != nil {
		panic(err)
	}
	users, err := auth.NewUsers(auth.App{ClientID: args[2], ClientSecret: types.Secret(args[3])}, store, &auth.Options{
		Pool: pool, BaseURL: args[1],
	})
	if err != nil {
		panic(err)
	}
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return
	}
	var out sync.Mutex
	var wg sync.WaitGroup
	for i := range stormUsers * stormCallers {
		wg.Go(func() {
			t, err := users.Token(context.Background(), userID(i%stormUsers))
			out.Lock()
			defer out.Unlock()
			if err != nil {
				fmt.Println("error", err)
				return
			}
			fmt.Println("token", t.UserID, string(t.AccessToken))
		})
	}
	wg.Wait()
	if err := users.Close(); err != nil {
		fmt.Println("error", err)
	}
}

// TestRefreshStorm: processes that share a token file all want the same expired
// tokens at the same moment. Each is refreshed once, and all get the same.
func TestRefreshStorm(t *testing.T) {
	t.Parallel()
	fake := activitytest.NewServer()
	// Garmin takes its time, so that all are waiting.
	fake.Intercept = func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/oauth/token") {
			time.Sleep(200 * time.Millisecond)
		}
		return false
	}
	garmin := httptest.NewServer(fake)
	defer garmin.Close()
	path := filepath.Join(t.TempDir(), "tokens")
	store := openFile(t, path, nil)
	for i := range stormUsers {
		u := fake.AddUser(&activitytest.UserOptions{ID: userID(i)})
		_, err := store.Swap(t.Context(), nil, &auth.Token{
			UserID: u.ID(), AccessToken: "old", RefreshToken: types.Secret(u.State().RefreshToken),
			Expiry: time.Now().Add(time.Second), RefreshExpiry: time.Now().Add(time.Hour),
		})
		require.NoError(t, err)
	}

	const processes = 5
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got := make([][]string, processes)
	var ready, wg sync.WaitGroup
	start := make(chan struct{})
	ready.Add(processes)
	for i := range processes {
		wg.Go(func() {
			var once sync.Once
			defer once.Do(ready.Done)
			cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^$")
			cmd.Env = append(os.Environ(), stormEnv+"="+strings.Join([]string{path, garmin.URL, fake.ClientID, fake.ClientSecret}, "\n"))
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Error(err)
				return
			}
			out, err := cmd.StdoutPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err != nil {
				t.Error(err)
				return
			}
			lines := bufio.NewScanner(out)
			lines.Scan() // ready
			once.Do(ready.Done)
			<-start
			fmt.Fprintln(in)
			for lines.Scan() {
				got[i] = append(got[i], lines.Text())
			}
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
	ready.Wait()
	close(start)
	wg.Wait()

	want := map[string]bool{}
	for i := range stormUsers {
		tok, err := store.Token(t.Context(), userID(i))
		require.NoError(t, err)
		require.Equal(t, fake.User(userID(i)).State().AccessToken, string(tok.AccessToken))
		want[fmt.Sprint("token ", tok.UserID, " ", string(tok.AccessToken))] = true
	}
	for i := range got {
		require.Len(t, got[i], stormUsers*stormCallers, "process %d", i)
		for _, line := range got[i] {
			// The old one still holds for a second, and may be what is given.
			require.True(t, want[line] || strings.HasSuffix(line, " old"), line)
		}
	}
	refreshes := 0
	for _, r := range fake.Requests(0) {
		if strings.HasSuffix(r.Path, "/oauth/token") {
			refreshes++
		}
	}
	require.Equal(t, stormUsers, refreshes)
	require.Zero(t, fake.State().RefreshReuses)
}
