//go:build linux

package main

import (
	"bufio"
	"bytes"
	"debug/elf"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDockerfile does what the Dockerfile says, without an image: its build line
// makes a static binary, which starts with the arguments of its entry point, and
// whose health check passes. The paths are of a directory of the test, and the
// port is any.
func TestDockerfile(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	text, err := os.ReadFile("Dockerfile")
	require.NoError(t, err)
	line := func(pattern string) string {
		m := regexp.MustCompile(`(?m)^` + pattern + `$`).FindSubmatch(text)
		require.NotNil(t, m, pattern)
		return string(m[1])
	}
	list := func(pattern string) (args []string) {
		require.NoError(t, json.Unmarshal([]byte(line(pattern)), &args))
		return args
	}
	require.Contains(t, string(text), "\nFROM scratch\n")
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	require.Contains(t, string(mod), "\ngo "+line(`FROM golang:(\S+) AS build`)+".", "the image's Go is that of go.mod")

	binary := filepath.Join(t.TempDir(), "fakegarmin")
	build := exec.CommandContext(t.Context(), "/bin/sh", "-c", strings.ReplaceAll(line(`RUN (.+ go build .+)`), "/fakegarmin ", binary+" "))
	build.Dir = root
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	program, err := elf.Open(binary)
	require.NoError(t, err)
	defer program.Close()
	for _, p := range program.Progs {
		require.NotEqual(t, elf.PT_INTERP, p.Type, "the binary is not static: scratch has no loader")
	}

	start := list(`ENTRYPOINT (.+)`)
	require.Equal(t, []string{"/fakegarmin", "-listen", ":9000"}, start)
	run := exec.CommandContext(t.Context(), binary, append(start[1:], "-listen", "127.0.0.1:0")...)
	stdout, err := run.StdoutPipe()
	require.NoError(t, err)
	var stderr bytes.Buffer
	run.Stderr = &stderr
	require.NoError(t, run.Start())
	lines := bufio.NewScanner(stdout)
	require.True(t, lines.Scan(), stderr.String())
	address, ok := strings.CutPrefix(lines.Text(), "fake Garmin on ")
	require.True(t, ok, lines.Text())

	check := list(`HEALTHCHECK .*CMD (.+)`)
	require.Equal(t, "/fakegarmin", check[0])
	healthy := func() error {
		args := append([]string{}, check[1:]...)
		for i := range args {
			args[i] = strings.Replace(args[i], "http://127.0.0.1:9000", address, 1)
		}
		return exec.CommandContext(t.Context(), binary, args...).Run()
	}
	require.NoError(t, healthy())
	require.NoError(t, run.Process.Signal(os.Interrupt))
	require.NoError(t, run.Wait(), stderr.String())
	require.Error(t, healthy(), "it has ended")
}
