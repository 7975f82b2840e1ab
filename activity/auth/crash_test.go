package auth_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/types"
)

// crashEnv makes a run of this test binary a process that swaps tokens in the
// file of that name until it is killed.
const crashEnv = "AUTH_TEST_CRASH_FILE"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashEnv); path != "" {
		swapForever(path)
		return
	}
	if arg := os.Getenv(stormEnv); arg != "" {
		storm(arg)
		return
	}
	goleak.VerifyTestMain(m)
}

const crashUsers = 4

// swapForever counts up in the tokens of a few users. After each swap that
// succeeded it prints user, count and version.
func swapForever(path string) {
	ctx := context.Background()
	s, err := auth.OpenFile(path, nil)
	if err != nil {
		panic(err)
	}
	var out sync.Mutex
	var wg sync.WaitGroup
	for i := range crashUsers {
		wg.Go(func() {
			user := fmt.Sprint("user", i)
			for {
				old, err := s.Token(ctx, types.UserID(user))
				if err != nil {
					panic(err)
				}
				n, _ := strconv.Atoi(string(old.AccessToken))
				next := bigToken(types.UserID(user), 0)
				next.AccessToken = types.Secret(strconv.Itoa(n + 1))
				got, err := s.Swap(ctx, old, next)
				if errors.Is(err, auth.ErrConflict) {
					continue
				}
				if err != nil {
					panic(err)
				}
				out.Lock()
				fmt.Println(user, n+1, got.Version)
				out.Unlock()
			}
		})
	}
	wg.Wait()
}

// Processes that swap the same tokens are killed at random. What Swap
// confirmed must be there, once: counts go up by one, whoever counts.
//
// AUTH_KILL_ROUNDS sets the number of rounds; each kills two processes.
func TestFileStoreSurvivesKill(t *testing.T) {
	t.Parallel()
	rounds := 3
	if n, err := strconv.Atoi(os.Getenv("AUTH_KILL_ROUNDS")); err == nil {
		rounds = n
	}
	path := tokenPath(t)
	s := openFile(t, path, nil)
	for i := range crashUsers {
		put(t, s, nil, types.UserID(fmt.Sprint("user", i)), "0")
	}
	var mu sync.Mutex
	acked := make(map[types.UserID]map[int]int64) // by user and count: the version
	versions := make(map[int64]string)
	total := 0
	for range rounds {
		var wg sync.WaitGroup
		for range 2 {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), crashEnv+"="+path)
			stdout, err := cmd.StdoutPipe()
			require.NoError(t, err)
			stderr, err := cmd.StderrPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			delay := 50*time.Millisecond + rand.N(150*time.Millisecond)
			wg.Go(func() {
				lines := bufio.NewScanner(stdout)
				started := false
				for lines.Scan() {
					if !started {
						started = true
						time.AfterFunc(delay, func() { cmd.Process.Kill() })
					}
					var user types.UserID
					var n int
					var version int64
					if c, _ := fmt.Sscan(lines.Text(), &user, &n, &version); c != 3 {
						continue // cut off by the kill
					}
					mu.Lock()
					if acked[user] == nil {
						acked[user] = make(map[int]int64)
					}
					if v, ok := acked[user][n]; ok {
						t.Errorf("%s counted %d twice, in versions %d and %d", user, n, v, version)
					}
					if who, ok := versions[version]; ok {
						t.Errorf("version %d given to %s and to %s", version, who, user)
					}
					acked[user][n], versions[version] = version, string(user)
					total++
					mu.Unlock()
				}
				if text, _ := io.ReadAll(stderr); len(text) > 0 {
					t.Errorf("process failed before it was killed: %s", text)
				}
				cmd.Wait()
			})
		}
		wg.Wait()
		// Opened anew, as after a restart.
		again := openFile(t, path, nil)
		require.Zero(t, again.Damaged())
		for user, counts := range acked {
			last := 0
			for n := range counts {
				last = max(last, n)
			}
			tok, err := again.Token(t.Context(), user)
			require.NoError(t, err)
			n, err := strconv.Atoi(string(tok.AccessToken))
			require.NoError(t, err)
			// Each killed process may have stored one more than it could say.
			require.GreaterOrEqual(t, n, last, "%s: a confirmed swap is lost", user)
			require.LessOrEqual(t, n, len(counts)+2*rounds, "%s: counts without a swap", user)
		}
	}
	t.Logf("%d confirmed swaps, %d kills", total, 2*rounds)
	require.NotZero(t, total)
}
