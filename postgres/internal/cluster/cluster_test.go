//go:build unix

package cluster

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestKilledServerStartsAgain kills a server, and starts it at once.
func TestKilledServerStartsAgain(t *testing.T) {
	dir, err := os.MkdirTemp("", "cluster") //nolint:usetesting // sockets need a short path, and another user reads it
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	s, err := New(dir, "fsync=off")
	if errors.Is(err, ErrNone) && os.Getenv("CI") != "true" {
		t.Skipf("left out: %v", err)
	}
	require.NoError(t, err)
	require.NoError(t, s.Start())
	defer func() { require.NoError(t, s.Stop()) }()
	for range 3 {
		require.NoError(t, s.Start(), "it runs already")
		require.NoError(t, s.Kill())
		require.NoError(t, s.Start())
	}
}

// childEnv has this program start a server in the directory that it names, and
// wait to be killed.
const childEnv = "ACTIVITYAPI_CLUSTER_CHILD"

func TestMain(m *testing.M) {
	dir := os.Getenv(childEnv)
	if dir == "" {
		os.Exit(m.Run())
	}
	s, err := New(dir, "fsync=off")
	if err == nil {
		err = s.Start()
	}
	pid := 0
	if err == nil {
		pid, err = s.pid()
	}
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	fmt.Println(pid)
	select {}
}

// TestServerEndsWithItsTest kills a test that has a server: neither the server
// nor its files are left.
func TestServerEndsWithItsTest(t *testing.T) {
	if _, err := prepare(t.TempDir(), nil); errors.Is(err, ErrNone) && os.Getenv("CI") != "true" {
		t.Skipf("left out: %v", err)
	}
	self, err := os.Executable()
	require.NoError(t, err)
	dir, err := os.MkdirTemp("", "cluster") //nolint:usetesting // sockets need a short path, and another user reads it
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	defer func() { _ = cmd.Process.Kill() }()
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	require.NoError(t, err, line)
	require.True(t, runs(pid))

	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	require.Eventually(t, func() bool { return !runs(pid) }, time.Minute, 20*time.Millisecond, "the server goes on")
	require.Eventually(t, func() bool {
		left, err := filepath.Glob(filepath.Join(dir, "*"))
		return err == nil && len(left) == 0
	}, time.Minute, 20*time.Millisecond, "files are left")
}

// runs tells whether there is such a process, and it is no zombie: its parent
// may be one that waits for nobody.
func runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err == nil {
		_, rest, _ := strings.Cut(string(stat), ") ")
		return !strings.HasPrefix(rest, "Z")
	}
	return syscall.Kill(pid, 0) == nil // there is no /proc, or no such process
}
