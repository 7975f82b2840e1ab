package main

import (
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/internal/freeport"
	"github.com/garminkit/activityapi/types"
)

// journal is an output that a test can wait for.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{}
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	defer func() {
		select {
		case j.more <- struct{}{}:
		default:
		}
	}()
	return j.text.Write(b)
}

// await waits until the output holds want.
func (j *journal) await(t *testing.T, want string) {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		j.mu.Lock()
		text := j.text.String()
		j.mu.Unlock()
		if strings.Contains(text, want) {
			return
		}
		select {
		case <-j.more:
		case <-deadline:
			t.Fatalf("waited for %q, have:\n%s", want, text)
		}
	}
}

// roads leads requests for Garmin's hosts to the fake.
type roads struct{ fake *activitytest.Server }

func (r roads) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.HasSuffix(req.URL.Hostname(), "garmin.com") {
		return r.fake.RoundTrip(req)
	}
	return http.DefaultTransport.RoundTrip(req)
}

// TestLive goes the way of a real user, with a fake Garmin behind Garmin's
// names: connect in a browser, sync, leave.
func TestLive(t *testing.T) {
	t.Parallel()
	fake := activitytest.NewServer()
	pool, err := activity.NewPool(&activity.Options{Transport: fake})
	require.NoError(t, err)
	testLive(t, fake, "", &auth.Options{Transport: fake, Pool: pool})
	require.NoError(t, pool.Close())
}

// TestLiveWithAFake goes it with a fake at an address of its own.
func TestLiveWithAFake(t *testing.T) {
	t.Parallel()
	fake := activitytest.NewServer()
	at := httptest.NewServer(fake)
	defer at.Close()
	fake.BaseURL = at.URL
	testLive(t, fake, at.URL+"/", nil)
	for _, bad := range []string{"fake", "http://", "ftp://fake", "http://%zz"} {
		_, err := fakeGarmin(bad)
		require.Error(t, err, bad)
	}
	opts, err := fakeGarmin("http://fake-garmin:9000") // in a network of containers
	require.NoError(t, err)
	require.NoError(t, opts.Pool.Close())
}

func testLive(t *testing.T, fake *activitytest.Server, garmin string, opts *auth.Options) {
	user := fake.AddUser(nil)
	listen, err := freeport.Address(t.Context())
	require.NoError(t, err)
	address := "http://" + listen

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out := &journal{more: make(chan struct{}, 1)}
	done := make(chan error, 1)
	app := auth.App{ClientID: fake.ClientID, ClientSecret: types.Secret(fake.ClientSecret)}
	dir := filepath.Join(t.TempDir(), "data")
	go func() {
		done <- live(ctx, out, app, garmin, opts, listen, address, dir)
	}()
	out.await(t, address+"/garmin/")
	secret, err := pathSecret(filepath.Join(dir, "path-secret"))
	require.NoError(t, err)
	require.Len(t, secret, len(rand.Text()))

	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Transport: roads{fake}, Jar: jar}
	text := func(res *http.Response, err error) string {
		require.NoError(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return string(body)
	}
	require.Eventually(t, func() bool {
		res, err := browser.Get(address)
		return err == nil && strings.Contains(text(res, err), `href="/connect"`)
	}, time.Minute, 10*time.Millisecond)
	res, err := browser.Get(address + "/connect")
	require.NoError(t, err)
	consent := res.Request.URL.String()
	text(res, err)
	page := text(browser.PostForm(consent, url.Values{"answer": {"agree"}, "user": {string(user.ID())}, "permission": {"ACTIVITY_EXPORT"}}))
	require.Contains(t, page, "Connected as "+string(user.ID())+", with [ACTIVITY_EXPORT]")

	for _, path := range []string{"/garmin", "/garmin/", "/garmin/" + secret[1:]} {
		res, err := browser.Post(address+path, "application/json", strings.NewReader(`{"activities":[]}`))
		text(res, err)
		require.Equal(t, http.StatusNotFound, res.StatusCode, path)
	}
	fake.SetEndpoints(activitytest.Endpoint{URL: address + "/garmin/" + secret, Enabled: true})
	user.Add(&types.Activity{SummaryID: "5001", ActivityType: activitytype.Yoga, StartTimeInSeconds: 1767340800, DurationInSeconds: 1800})
	for _, d := range fake.Deliver(ctx) {
		require.True(t, d.Acknowledged, "%s: %d %v", d.Key, d.Status, d.Err)
	}
	out.await(t, string(user.ID())+" stored activities 5001: Yoga")
	user.Deregister()
	fake.Deliver(ctx)
	out.await(t, string(user.ID())+" left")

	stop()
	require.NoError(t, <-done)
	require.NotContains(t, out.text.String(), fake.ClientSecret)
}
