package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
)

// TestFakeElsewhere: with -garmin a user connects at a fake that is another program,
// and nothing goes to Garmin.
func TestFakeElsewhere(t *testing.T) {
	t.Parallel()
	fake := activitytest.NewServer()
	at := httptest.NewServer(fake)
	defer at.Close()
	fake.BaseURL = at.URL
	user := fake.AddUser(&activitytest.UserOptions{NotConnected: true})
	c, err := readConfig([]string{"-garmin", at.URL + "/", "-dir", t.TempDir()}, environment(map[string]string{
		"GARMIN_KEY": fake.ClientID, "GARMIN_SECRET": fake.ClientSecret,
	}))
	require.NoError(t, err)
	log := slog.New(slog.DiscardHandler)
	opts, err := elsewhere(c.garmin, log)
	require.NoError(t, err)
	p, err := newPartner(t.Context(), c, log, opts)
	require.NoError(t, err)
	a, err := p.db.createAccount(t.Context(), "ann", "a long password")
	require.NoError(t, err)
	address, sealed, err := p.conn.Begin(t.Context(), a.ID)
	require.NoError(t, err)
	back, err := fake.Consent(address, user)
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, back, nil)
	require.NoError(t, err)
	connection, err := p.conn.Finish(t.Context(), sealed, a.ID, r.URL.Query())
	require.NoError(t, err)
	require.Equal(t, user.ID(), connection.UserID)
	require.NoError(t, p.close())
	require.NoError(t, opts.Pool.Close())

	_, err = readConfig([]string{"-fake", "-garmin", at.URL}, environment(nil))
	require.Error(t, err)
	for _, bad := range []string{"fake:9000", "http://", "http://fake/api", "ftp://fake", "http://%zz", "http://a:b@fake"} {
		_, err := readConfig([]string{"-garmin", bad}, environment(nil))
		require.ErrorContains(t, err, "-garmin", bad)
		_, err = elsewhere(bad, log)
		require.Error(t, err, bad)
	}
}
