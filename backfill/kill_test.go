package backfill_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("BACKFILL_TEST_LEDGER"); dir != "" {
		saveUntilKilled(dir)
	}
	goleak.VerifyTestMain(m)
}

// saveUntilKilled is the program that TestKill kills: it saves chunk after
// chunk, from four goroutines, and prints the number of each once it is saved.
func saveUntilKilled(dir string) {
	l, err := backfill.OpenLedger(dir, nil)
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	from := time.Now().UnixNano() % 1_000_000_000
	for g := range 4 {
		go func() {
			for i := g; ; i += 4 {
				c := planned(types.UserID(fmt.Sprint(from, "-", i)), 0, 25)
				if save(l, c) == nil {
					fmt.Println(c.UserID)
				}
			}
		}()
	}
	select {}
}

// What was saved is there after the process was killed, at any moment.
func TestKill(t *testing.T) {
	rounds := 5
	if *long {
		rounds = 200
	}
	dir := t.TempDir()
	saved := map[string]bool{}
	for range rounds {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), "BACKFILL_TEST_LEDGER="+dir)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewScanner(out)
		for left := rand.IntN(300); left >= 0 && lines.Scan(); left-- {
			saved[lines.Text()] = true
		}
		require.NoError(t, cmd.Process.Kill())
		for lines.Scan() { // what it had printed before
			saved[lines.Text()] = true
		}
		_ = cmd.Wait() // killed

		l := openLedger(t, dir)
		have := map[types.UserID]bool{}
		for u, err := range l.Users(t.Context()) {
			require.NoError(t, err)
			have[u] = true
		}
		for u := range saved {
			require.True(t, have[types.UserID(u)], "%s is lost, of %d saved", u, len(saved))
		}
		require.NoError(t, l.Close())
	}
	t.Logf("%d kills, %d chunks saved", rounds, len(saved))
	require.NotEmpty(t, saved)
}
