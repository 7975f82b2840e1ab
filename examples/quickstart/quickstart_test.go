package main

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/types"
)

// check holds what every output must have.
func check(t *testing.T, out string) {
	t.Helper()
	require.Regexp(t, `(?m); 0 lost$`, out)
	require.NotRegexp(t, `token=|Bearer`, out, "a secret is shown")
}

// programEnv tells this program to be the quickstart, which saves linking that.
const programEnv = "QUICKSTART_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programEnv) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestQuickstart(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), programEnv+"=1", "GARMIN_KEY=")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	out := string(stdout)
	require.NoError(t, err, "%s%s", out, &stderr)
	require.Empty(t, stderr.String())
	check(t, out)
	for _, want := range []string{
		"POST activities: 9 items of 3 users",
		"POST manuallyUpdatedActivities", "POST activityDetails", "POST moveIQActivities", "POST activityFiles",
		"Ben  stored activities 6002: Multisport in 2h30m0s",
		"a type we do not know, kept",
		"set aside activities: quarantined: activities[7]",
		"Ann  had activities 5001 already",
		`Ann  updated activities 5001: "Morning trail with Eva", Trail Running`,
		`Ann  updated manuallyUpdatedActivities 5001: "Morning trail with Eva", Hiking`,
		"Ben  now grants ACTIVITY_EXPORT",
		"Cho  left (Garmin refuses the token now",
		"Dee  stored activities 8001",
		"/8001-file_8001.fit: 4016 bytes",
	} {
		require.Contains(t, out, want)
	}
	// The balance, by list key: announced, stored, updated, repeated, set
	// aside, lost.
	for key, want := range map[string]string{
		"activities":                "21 10 1 8 2 0",
		"manuallyUpdatedActivities": "3 2 1 0 0 0",
		"activityDetails":           "2 2 0 0 0 0",
		"moveIQActivities":          "2 2 0 0 0 0",
		"activityFiles":             "1 1 0 0 0 0",
		"deregistrations":           "1 1 0 0 0 0",
		"userPermissionsChange":     "1 1 0 0 0 0",
		"all":                       "31 19 2 8 2 0",
	} {
		require.Contains(t, squeeze(out), "\n"+key+" "+want+"\n")
	}
}

var spaces = regexp.MustCompile(` +`)

// squeeze strips the alignment of tables.
func squeeze(s string) string {
	lines := strings.Split(spaces.ReplaceAllString(s, " "), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "\n")
}

// replayed runs the demonstration with a body from disk.
func replayed(t *testing.T, path string) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, demo(t.Context(), &out, t.TempDir(), path), "%s", &out)
	check(t, out.String())
	return out.String()
}

func TestReplay(t *testing.T) {
	t.Parallel()
	write := func(name, body string) string {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, []byte(body), 0o600))
		return path
	}
	const first = `{"userId": "zoe", "summaryId": "1", "activityType": "RUNNING", "startTimeInSeconds": 1767340800, "durationInSeconds": 60}`
	t.Run("several keys", func(t *testing.T) {
		t.Parallel()
		out := replayed(t, write("body.json", `{"activities": [`+first+`, {}, `+first+`], "moveIQActivities": [{"userId": "zoe", "summaryId": "2", "startTimeInSeconds": 1767340800.0}], "deregistrations": [{"userId": "zed"}]}`))
		require.Contains(t, out, "zoe  stored activities 1")
		require.Contains(t, out, "zoe  had activities 1 already")
		require.Contains(t, out, "zoe  stored moveIQActivities 2")
		require.Contains(t, squeeze(out), "\nall 35 22 2 9 2 0\n")
	})
	t.Run("cut short", func(t *testing.T) {
		t.Parallel()
		out := replayed(t, write("cut.json", `{"activities": [`+first+`, {"userId": "zo`))
		require.Contains(t, out, "unexpected EOF")
		require.Contains(t, out, "3 dead letters")
	})
	t.Run("data after its user has left", func(t *testing.T) {
		t.Parallel()
		out := replayed(t, write("left.json", `{"deregistrations": [{"userId": "zoe"}], "activities": [`+first+`]}`))
		require.Contains(t, out, "zoe  left")
		require.Contains(t, out, "set aside activities: unknown user")
	})
	t.Run("foreign callback", func(t *testing.T) {
		t.Parallel()
		out := replayed(t, write("ping.json", `{"activities": [{"userId": "zoe", "callbackURL": "https://evil.example/activities?token=abc"}]}`))
		require.Contains(t, out, "3 dead letters")
	})
}

// TestLossIsSeen takes something out of the partner's tables: the balance must
// not close then.
func TestLossIsSeen(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(*demonstration){
		"summary": func(d *demonstration) {
			key := anyKey(d.wants)
			maps.DeleteFunc(d.partner.rows, func(_ string, r row) bool { return r.thing == key })
		},
		"edit": func(d *demonstration) { d.wants[anyKey(d.wants)] = &types.Activity{SummaryID: "other"} },
		"file": func(d *demonstration) {
			maps.DeleteFunc(d.partner.rows, func(_ string, r row) bool { return r.file != nil })
		},
		"quarantine": func(d *demonstration) { d.broken[thing{types.KindActivities, "nobody", "nothing"}] = true },
		"item":       func(d *demonstration) { d.sent++ },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			d, stop, err := newDemonstration(&out, t.TempDir())
			require.NoError(t, err)
			require.NoError(t, d.story(t.Context()))
			take(d)
			require.EqualError(t, d.account(t.Context()), "1 lost")
			require.Contains(t, out.String(), "; 1 lost")
			require.NoError(t, stop())
		})
	}
}

func anyKey(m map[thing]types.Summary) thing {
	for key := range m {
		return key
	}
	panic("empty")
}

// TestSharedBodies replays the recorded bodies, where they are to be had.
func TestSharedBodies(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("ACTIVITYAPI_SHARED")
	if dir == "" {
		t.Skip("ACTIVITYAPI_SHARED is not set")
	}
	bodies, err := filepath.Glob(filepath.Join(dir, "payloads", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, bodies)
	for _, body := range bodies {
		out := replayed(t, body)
		_, replay, ok := strings.Cut(out, ", from disk\n")
		require.True(t, ok)
		require.NotContains(t, replay, "set aside activities", body)
		require.Contains(t, replay, "2 dead letters", body)
	}
}
