package main

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
)

// planted is part of every secret of a configuration, and shown nowhere.
const planted = "PLANTED"

// environment is a right one, but for what is changed.
func environment(change map[string]string) func(string) string {
	return func(key string) string {
		if v, ok := change[key]; ok {
			return v
		}
		return map[string]string{
			"GARMIN_KEY": "key", "GARMIN_SECRET": "garmin-" + planted, "GARMIN_PATH_SECRET": "a-secret-of-the-path-" + planted, "OPERATOR_PASSWORD": "operator " + planted,
		}[key]
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	c, err := readConfig(nil, environment(nil))
	require.NoError(t, err)
	require.True(t, netip.MustParseAddrPort(c.listen).Addr().IsLoopback(), "it listens on this machine alone")
	require.Equal(t, "operator "+planted, c.operator)
	for _, good := range []string{"https://me.example.com", "https://me.example.com:8443", "http://localhost:8080", "http://127.0.0.1:1", "http://[::1]:1"} {
		_, err := readConfig([]string{"-url", good}, environment(nil))
		require.NoError(t, err, good)
	}
}

// What is configured wrongly is said at the start, under the name of the setting
// and without a secret.
func TestMisconfiguration(t *testing.T) {
	t.Parallel()
	used, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { used.Close() })
	taken := testConfig(t, activitytest.NewServer())
	p, err := newPartner(t.Context(), taken, slog.New(slog.DiscardHandler), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.close()) })
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, []byte(strings.Repeat("no database ", 1000)), 0o600))
	garbage := t.TempDir()
	require.NoError(t, os.Rename(file, filepath.Join(garbage, "partner.db")))
	require.NoError(t, os.WriteFile(file, nil, 0o600))

	type change = map[string]string
	for _, tt := range []struct {
		env  change
		args []string
		want []string
	}{
		{change{"GARMIN_KEY": ""}, nil, []string{"GARMIN_KEY"}},
		{change{"GARMIN_KEY": "key\n"}, nil, []string{"GARMIN_KEY"}},
		{change{"GARMIN_SECRET": ""}, nil, []string{"GARMIN_SECRET"}},
		{change{"GARMIN_SECRET": " " + planted}, nil, []string{"GARMIN_SECRET"}},
		{change{"GARMIN_PATH_SECRET": ""}, nil, []string{"GARMIN_PATH_SECRET", "openssl"}},
		{change{"GARMIN_PATH_SECRET": planted}, nil, []string{"GARMIN_PATH_SECRET", "at least 16"}},
		{change{"GARMIN_PATH_SECRET": planted + "/0123456789abcdef"}, nil, []string{"GARMIN_PATH_SECRET"}},
		{change{"OPERATOR_PASSWORD": ""}, nil, []string{"OPERATOR_PASSWORD"}},
		{change{"OPERATOR_PASSWORD": planted}, nil, []string{"OPERATOR_PASSWORD", "at least 12"}},
		{nil, []string{"-days", "0"}, []string{"-days"}},
		{nil, []string{"-days", "many"}, []string{"-days"}},
		{nil, []string{"-dayz", "1"}, []string{"-dayz"}},
		{nil, []string{"serve"}, []string{"serve"}},
		{nil, []string{"-url", ""}, []string{"-url"}},
		{nil, []string{"-url", "me.example.com"}, []string{"-url"}},
		{nil, []string{"-url", "ftp://me.example.com"}, []string{"-url"}},
		{nil, []string{"-url", "https://"}, []string{"-url"}},
		{nil, []string{"-url", "https://:443"}, []string{"-url"}},
		{nil, []string{"-url", "https://me.example.com/"}, []string{"-url"}},
		{nil, []string{"-url", "https://me.example.com?x"}, []string{"-url"}},
		{nil, []string{"-url", "https://me.example.com#x"}, []string{"-url"}},
		{nil, []string{"-url", "https://u:" + planted + "@me.example.com"}, []string{"-url"}},
		{nil, []string{"-url", "http://me.example.com"}, []string{"-url", "https"}},
		{nil, []string{"-url", "http://localhost.example.com"}, []string{"-url", "https"}},
		{nil, []string{"-url", "http://10.0.0.1"}, []string{"-url", "https"}},
		{nil, []string{"-listen", used.Addr().String()}, []string{"-listen", "in use"}},
		{nil, []string{"-listen", "8080"}, []string{"-listen"}},
		{nil, []string{"-listen", "127.0.0.1:port"}, []string{"-listen"}},
		{nil, []string{"-dir", file}, []string{"-dir", file}},
		{nil, []string{"-dir", filepath.Join(file, "below")}, []string{"-dir", file}},
		{nil, []string{"-dir", taken.dir}, []string{"-dir", "in use"}},
		{nil, []string{"-dir", garbage}, []string{"-dir", "partner.db"}},
		{change{"DATABASE_URL": "postgres://me:" + planted + "@/me?host=/nowhere"}, nil, []string{"DATABASE_URL", "/nowhere"}},
		{change{"DATABASE_URL": "postgres://me:" + planted + "@127.0.0.1:1/me"}, nil, []string{"DATABASE_URL", "127.0.0.1"}},
		{change{"DATABASE_URL": "postgres://me:" + planted + "@host:port/me"}, nil, []string{"DATABASE_URL"}},
		{change{"DATABASE_URL": "password=" + planted + " port=x"}, nil, []string{"DATABASE_URL"}},
		{change{"DATABASE_URL": planted}, nil, []string{"DATABASE_URL"}},
		{change{"GARMIN_KEY": "", "GARMIN_SECRET": "", "OPERATOR_PASSWORD": ""}, []string{"-days", "0", "-url", "x"}, []string{"GARMIN_KEY", "GARMIN_SECRET", "OPERATOR_PASSWORD", "-days", "-url"}},
	} {
		c, err := readConfig(append([]string{"-listen", "127.0.0.1:0", "-dir", t.TempDir()}, tt.args...), environment(tt.env))
		var log bytes.Buffer
		if err == nil {
			err = run(t.Context(), c, io.Discard, slog.New(slog.NewTextHandler(&log, nil)))
		}
		require.Error(t, err, "%v %v", tt.env, tt.args)
		for _, want := range tt.want {
			require.ErrorContains(t, err, want, "%v %v", tt.env, tt.args)
		}
		require.NotContains(t, err.Error()+log.String(), planted, "%v %v", tt.env, tt.args)
	}
}

// Garmin sends to https alone: what is good enough to try things out is shown to
// the operator as what it is.
func TestLocalAddressIsATrouble(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]bool{"http://localhost:8080": true, public: false} {
		c := testConfig(t, activitytest.NewServer())
		c.url = url
		p, err := newPartner(t.Context(), c, slog.New(slog.DiscardHandler), nil)
		require.NoError(t, err)
		all, _ := p.troubles.list()
		require.Equal(t, want, len(all) == 1 && all[0].Kind == "-url", url)
		require.NoError(t, p.close())
	}
}

// -help explains, and is no failure.
func TestHelp(t *testing.T) {
	t.Parallel()
	_, err := readConfig([]string{"-help"}, environment(nil))
	require.ErrorContains(t, err, "help")
}
