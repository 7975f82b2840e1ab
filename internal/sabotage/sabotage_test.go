package sabotage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	sabotage = flag.Bool("sabotage", false, "switch each defence off and see its test fail")
	only     = flag.String("only", "", "with -sabotage: only the defences in files whose path has this in it")
	logFile  = flag.String("log", "", "with -sabotage: add each verdict to this file; rows that failed in it already are not run again")
)

// verdict is how a run of a test ended.
type verdict string

const (
	passed   verdict = "passed"
	failed   verdict = "failed"
	notBuilt verdict = "not built"
	notRun   verdict = "not run" // there is no such test, or the process died before it
)

// outcome is a run of "go test".
type outcome struct {
	verdict verdict
	output  string
	ok      bool // the command said so
}

// started is the line of "go test -v" for the test itself.
func started(test string) string {
	name, _, _ := strings.Cut(test, "/")
	return "=== RUN   " + name + "\n"
}

// judge reads what "go test -v" said. A panic or a time-out is a failure of the
// test only if it had begun, and no other test runs beside it.
func judge(test, output string, ok bool) verdict {
	switch {
	case strings.Contains(output, "[build failed]"), strings.Contains(output, "[setup failed]"):
		return notBuilt
	case !strings.Contains(output, started(test)), strings.Contains(output, "testing: warning: no tests to run"):
		return notRun
	case ok:
		return passed
	default:
		return failed
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	run := started("TestA/b")
	for _, tt := range []struct {
		output string
		ok     bool
		want   verdict
	}{
		{run + "--- PASS: TestA (0.00s)\nok\n", true, passed},
		{run + "--- FAIL: TestA (0.00s)\nFAIL\n", false, failed},
		{run + "panic: test timed out after 2m0s\n", false, failed},
		{run + "fatal error: all goroutines are asleep\n", false, failed},
		{"panic: in a variable of the package\n", false, notRun},
		{"testing: warning: no tests to run\nok\n", true, notRun},
		{run + "--- PASS: TestA (0.00s)\ntesting: warning: no tests to run\nok\n", true, notRun},
		{"# p\np.go:1: x declared and not used\nFAIL\tp [build failed]\n", false, notBuilt},
		{"FAIL\tp [setup failed]\n", false, notBuilt},
	} {
		require.Equal(t, tt.want, judge("TestA/b", tt.output, tt.ok), tt.output)
	}
}

// pattern is what -run takes for a row's test.
func (r *row) pattern() string {
	top, rest, sub := strings.Cut(r.test, "/")
	if !sub {
		return "^" + top + "$"
	}
	return "^" + top + "$/" + rest
}

// run runs a row's test with the files of an overlay.
func run(ctx context.Context, r *row, overlay string) outcome {
	dir, pkg := moduleOf(r.pkg)
	args := []string{"test", "-count=1", "-v", "-vet=off", "-timeout=120s", "-run", r.pattern(), "-overlay", overlay}
	return judged(ctx, r, dir, "go", append(append(args, r.flags...), pkg)...)
}

// binaries are the tests of packages with all defences, each built once, in a
// directory.
type binaries struct {
	dir  string
	mu   sync.Mutex
	made map[string]func() outcome
}

// run runs a row's test with all defences.
func (b *binaries) run(ctx context.Context, r *row) outcome {
	race := slices.Contains(r.flags, "-race")
	name := filepath.Join(b.dir, fmt.Sprint(strings.ReplaceAll(r.pkg, "/", "_"), race))
	dir, pkg := moduleOf(r.pkg)
	b.mu.Lock()
	if b.made[name] == nil {
		b.made[name] = sync.OnceValue(func() outcome {
			args := []string{"test", "-c", "-vet=off", "-ldflags=-s -w", fmt.Sprint("-race=", race), "-o", name, pkg}
			return judged(context.WithoutCancel(ctx), r, dir, "go", args...)
		})
	}
	build := b.made[name]
	b.mu.Unlock()
	if built := build(); !built.ok {
		return outcome{verdict: notBuilt, output: built.output}
	}
	args := []string{"-test.v", "-test.paniconexit0", "-test.timeout=120s", "-test.run", r.pattern()}
	for _, flag := range r.flags {
		if flag != "-race" {
			args = append(args, "-test."+strings.TrimPrefix(flag, "-"))
		}
	}
	return judged(ctx, r, filepath.Join(root, r.pkg), name, args...)
}

// judged runs a command for a row's test.
func judged(ctx context.Context, r *row, dir, command string, args ...string) outcome {
	cmd := exec.CommandContext(ctx, command, args...)
	cmd.Dir = dir
	cmd.WaitDelay = 10 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return outcome{judge(r.test, out.String(), err == nil), out.String(), err == nil}
}

// moduleOf is the directory of the module that has a package, some are nested,
// and the package as that module has it.
func moduleOf(pkg string) (dir, in string) {
	for dir, in = filepath.Join(root, pkg), "."; ; dir, in = filepath.Dir(dir), "./"+filepath.Join(filepath.Base(dir), in) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil || filepath.Clean(dir) == filepath.Clean(root) {
			return dir, in
		}
	}
}

func TestModuleOf(t *testing.T) {
	t.Parallel()
	for pkg, want := range map[string][2]string{
		"./notify": {"", "./notify"}, "./notify/spool": {"", "./notify/spool"}, "./postgres": {"postgres", "."},
		"./postgres/internal/limitsim": {"postgres", "./internal/limitsim"}, "./postgres/river": {"postgres/river", "."}, "./examples/partner": {"examples/partner", "."},
	} {
		dir, in := moduleOf(pkg)
		require.Equal(t, filepath.Join(root, want[0]), dir, pkg)
		require.Equal(t, want[1], in, pkg)
	}
}

// overlay writes the row's files to dir, and the list of them that "go test"
// reads in their place.
func overlay(t *testing.T, r *row, dir string) string {
	t.Helper()
	files, err := r.changed()
	require.NoError(t, err)
	replace := map[string]string{}
	for name, text := range files {
		there, err := filepath.Abs(filepath.Join(root, name))
		require.NoError(t, err)
		here := filepath.Join(dir, fmt.Sprintf("%d%s", len(replace), filepath.Ext(name)))
		require.NoError(t, os.WriteFile(here, []byte(text), 0o600))
		replace[there] = here
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(t, err)
	name := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(name, list, 0o600))
	return name
}

// TestSabotage switches each defence off. The test of a row must pass with the
// defence and fail without it.
func TestSabotage(t *testing.T) {
	if !*sabotage {
		t.Skip("the long form: -sabotage")
	}
	var (
		mu     sync.Mutex
		whole  = map[string]func() outcome{} // runs with all defences, by test and flags
		builds = binaries{dir: t.TempDir(), made: map[string]func() outcome{}}
		report bytes.Buffer
		places = make(chan struct{}, 2) // a run has goroutines and processes of its own
		table  = tabwriter.NewWriter(&report, 0, 8, 2, ' ', 0)
	)
	t.Cleanup(func() {
		table.Flush()
		t.Logf("\n%s", report.String())
	})
	done := readLog(t, *logFile)
	for _, r := range allRows(t) {
		if !slices.ContainsFunc(r.edits, func(e edit) bool { return strings.Contains(e.file, *only) }) || done[r.defence] {
			continue
		}
		t.Run(r.defence, func(t *testing.T) {
			t.Parallel()
			places <- struct{}{}
			defer func() { <-places }()
			begin := time.Now()
			mu.Lock()
			key := fmt.Sprint(r.pkg, r.test, r.flags)
			if whole[key] == nil {
				whole[key] = sync.OnceValue(func() outcome { return builds.run(context.WithoutCancel(t.Context()), &r) })
			}
			with := whole[key]
			mu.Unlock()
			if with := with(); with.verdict != passed {
				writeLog(t, *logFile, &r, "with its defence: "+with.verdict, begin, with.output)
				t.Errorf("with its defence, %s %s %s:\n%s", r.pkg, r.test, with.verdict, with.output)
				return
			}
			without := run(t.Context(), &r, overlay(t, &r, t.TempDir()))
			took := time.Since(begin).Seconds()
			t.Logf("%s in %.0f s: %s", without.verdict, took, firstFailure(without.output))
			mu.Lock()
			fmt.Fprintf(table, "%s\t%s %s\t%s\t%.0fs\t%s\n", r.defence, r.pkg, r.test, without.verdict, took, firstFailure(without.output))
			mu.Unlock()
			writeLog(t, *logFile, &r, without.verdict, begin, without.output)
			if without.verdict != failed {
				t.Errorf("without its defence, %s %s %s:\n%s", r.pkg, r.test, without.verdict, without.output)
			}
		})
	}
}

// readLog returns the defences whose tests failed without them in an earlier
// run, by the lines of writeLog. The run of all takes hours and is done in parts.
func readLog(t *testing.T, name string) map[string]bool {
	t.Helper()
	done := map[string]bool{}
	if name == "" {
		return done
	}
	data, err := os.ReadFile(name)
	if !os.IsNotExist(err) {
		require.NoError(t, err)
	}
	for line := range strings.Lines(string(data)) {
		if cells := strings.Split(line, "\t"); len(cells) > 1 && cells[0] == string(failed) {
			done[cells[1]] = true
		}
	}
	return done
}

// writeLog adds a row's verdict to the log: verdict, defence, package, test,
// seconds and what failed first, between tabs.
func writeLog(t *testing.T, name string, r *row, verdict verdict, begin time.Time, output string) {
	t.Helper()
	if name == "" {
		return
	}
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	require.NoError(t, err)
	_, err = fmt.Fprintf(file, "%s\t%s\t%s\t%s\t%.0f\t%s\n", verdict, r.defence, r.pkg, r.test, time.Since(begin).Seconds(), firstFailure(output))
	require.NoError(t, errors.Join(err, file.Close()))
}

// TestLog holds that what is written is found again, and only what failed.
func TestLog(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "log")
	require.Empty(t, readLog(t, name))
	for _, v := range []verdict{failed, passed, notBuilt, "with its defence: " + failed} {
		writeLog(t, name, &row{defence: "without: " + string(v), pkg: "./p", test: "TestA"}, v, time.Now(), "--- FAIL: TestA (0.00s)\n")
	}
	require.Equal(t, map[string]bool{"without: failed": true}, readLog(t, name))
}

// firstFailure names the innermost test that failed first, or the panic.
func firstFailure(output string) string {
	name := ""
	for _, m := range regexp.MustCompile(`(?m)^ *--- FAIL: (\S+)|^(?:panic|fatal error): (.*)$`).FindAllStringSubmatch(output, -1) {
		if m[2] != "" {
			return m[2]
		}
		if !strings.HasPrefix(m[1], name) {
			break
		}
		name = m[1]
	}
	return name
}
