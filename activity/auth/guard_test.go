package auth_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/internal/scheme"
	"github.com/garminkit/activityapi/types"
)

// Canaries: none of them may be seen anywhere.
const (
	canarySecret  = "canary-1-client-secret"
	canaryAccess  = "canary-3-access-token"
	canaryRefresh = "canary-4-refresh-token"
	canaryScheme  = "canary-5-token-secret"
	canaryCode    = "canary-6-code"
	canaryAnswer  = "canary-7-in-an-answer"
)

// calls makes each call to Garmin's OAuth servers, by rt, to Garmin or to base.
func calls(t testing.TB, rt http.RoundTripper, base string, logger *slog.Logger) map[string]func(context.Context) error {
	t.Helper()
	store := auth.NewMemory()
	users, err := auth.NewUsers(
		auth.App{ClientID: "id", ClientSecret: canarySecret}, store,
		&auth.Options{Transport: rt, BaseURL: base, Logger: logger})
	require.NoError(t, err)
	t.Cleanup(func() { users.Close() })
	two, err := auth.NewConnector(users, callbackURL, nil, nil)
	require.NoError(t, err)
	_, err = store.Swap(t.Context(), nil, &auth.Token{UserID: "two", AccessToken: canaryAccess, RefreshToken: canaryRefresh})
	require.NoError(t, err)
	return map[string]func(context.Context) error{
		"refresh token": func(ctx context.Context) error { _, err := users.Token(ctx, "two"); return err },
		"exchange code": func(ctx context.Context) error {
			consent, sealed, err := two.Begin(ctx, "")
			require.NoError(t, err)
			u, err := url.Parse(consent)
			require.NoError(t, err)
			_, err = two.Finish(ctx, sealed, "", url.Values{"code": {canaryCode}, "state": {u.Query().Get("state")}})
			return err
		},
	}
}

// Traps 2, 21 and 27 of the libraries: no redirect is followed, with which
// the secrets would go elsewhere.
func TestRedirectsAreRefused(t *testing.T) {
	t.Parallel()
	var hits atomic.Int64
	attacker := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { hits.Add(1) }))
	defer attacker.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		garmin := httptest.NewUnstartedServer(http.RedirectHandler(attacker.URL+"/?x="+canaryAnswer, status))
		garmin.EnableHTTP2 = status%2 == 0
		garmin.StartTLS()
		at := garmin.URL + "/x"
		for name, call := range calls(t, garmin.Client().Transport, at, nil) {
			err := call(t.Context())
			require.ErrorContains(t, err, "redirect refused", "%s %d", name, status)
			require.NotContains(t, err.Error(), "canary")
		}
		garmin.Close()
	}
	require.Zero(t, hits.Load(), "the attacker saw requests")
}

// Trap 27: an answer without end, and one of 32 MiB, is not read whole, and is
// in no error.
func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 400, 500} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			for name := range calls(t, nil, "", nil) {
				body := &endless{}
				rt := recorder(func(r *http.Request) (*http.Response, error) {
					return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(body), Request: r}, nil
				})
				err := calls(t, rt, "", nil)[name](t.Context())
				require.Error(t, err, name)
				require.LessOrEqual(t, body.n, 256<<10, name)
				require.Less(t, len(err.Error()), 300, name)
				require.NotContains(t, err.Error(), "canary", name)
			}
		})
	}
}

type endless struct{ n int }

func (e *endless) Read(p []byte) (int, error) {
	e.n += len(p)
	return copy(p, bytes.Repeat([]byte(canaryAnswer+"&"), len(p)/len(canaryAnswer)+1)), nil
}

// Traps 13 and 27: a server that does not answer, or stops in the middle, is
// left after the time-out, and at once when the context ends.
func TestSilentServer(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"no answer", "no body"} {
		for name := range calls(t, nil, "", nil) {
			t.Run(mode+"/"+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					rt := recorder(func(r *http.Request) (*http.Response, error) {
						if mode == "no answer" {
							<-r.Context().Done()
							return nil, r.Context().Err()
						}
						return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(silent{r.Context()}), Request: r}, nil
					})
					call := calls(t, rt, "", nil)[name]
					start := time.Now()
					require.ErrorIs(t, call(t.Context()), context.DeadlineExceeded)
					require.Equal(t, 15*time.Second, time.Since(start))

					time.Sleep(time.Minute) // in which Users does not ask again
					ctx, cancel := context.WithCancel(t.Context())
					time.AfterFunc(time.Second, cancel)
					start = time.Now()
					require.ErrorIs(t, call(ctx), context.Canceled)
					require.Equal(t, time.Second, time.Since(start))
				})
			})
		}
	}
}

type silent struct{ ctx context.Context }

func (s silent) Read([]byte) (int, error) { <-s.ctx.Done(); return 0, s.ctx.Err() }

// Answers of all kinds, and what they mean.
func TestAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testAnswers)
}

func testAnswers(t *testing.T) {
	for _, test := range []struct {
		status int
		body   string
		is     error
		fault  types.Fault
	}{
		{400, `{"error":"invalid_grant","error_description":"` + canaryAnswer + `"}`, auth.ErrReconnect, types.FaultUser},
		{401, `{"error":"invalid_token","error_description":"Invalid refresh token (expired): ` + canaryAnswer + `"}`, auth.ErrReconnect, types.FaultUser},
		{403, `{"error":"invalid_grant"}`, auth.ErrReconnect, types.FaultUser},
		{200, `{"error":"invalid_grant"}`, auth.ErrReconnect, types.FaultUser},
		{401, `{"error":"invalid_client"}`, auth.ErrInvalidClient, types.FaultApplication},
		{400, `{"error":"invalid_client"}`, auth.ErrInvalidClient, types.FaultApplication},
		{401, `{"error":"invalid_client","error_description":"Bad client credentials"}`, auth.ErrInvalidClient, types.FaultApplication},
		{400, `{"error":"unauthorized_client"}`, auth.ErrInvalidClient, types.FaultApplication},
		{401, `{"error":"unauthorized"}`, auth.ErrInvalidClient, types.FaultApplication},
		{401, `{"error":"` + canaryAnswer + `"}`, auth.ErrInvalidClient, types.FaultApplication},
		{400, `{"error":"unsupported_grant_type"}`, nil, types.FaultApplication},
		{400, `{"error":"invalid_scope"}`, nil, types.FaultApplication},
		{400, `{"error":"` + canaryAnswer + `"}`, nil, ""},
		{400, `{"error":"invalid_request"}`, nil, ""},
		{401, `{"message":"Forbidden"}`, nil, ""},
		{401, ``, nil, ""},
		{403, ``, nil, ""},
		{404, ``, nil, ""},
		// A wall, whatever it says.
		{400, `<html>` + canaryAnswer, nil, types.FaultNetwork},
		{401, `<html>` + canaryAnswer, nil, types.FaultNetwork},
		{403, `<html>` + canaryAnswer, nil, types.FaultNetwork},
		{404, `<html>` + canaryAnswer, nil, types.FaultNetwork},
		{405, `<html>` + canaryAnswer, nil, types.FaultNetwork},
		{421, `<html>` + canaryAnswer, nil, types.FaultNetwork},
		{200, `<html>` + canaryAnswer, nil, types.FaultNetwork},
		{400, canaryAnswer, nil, types.FaultNetwork},
		{403, canaryAnswer, nil, types.FaultNetwork},
		{400, `<html>{"error":"invalid_grant"}`, nil, types.FaultNetwork},
		{407, ``, nil, types.FaultNetwork},
		{511, ``, nil, types.FaultNetwork},
		{302, ``, nil, types.FaultNetwork},
		{429, `{"error":"invalid_grant"}`, nil, types.FaultGarmin},
		{500, `{"error":"invalid_grant"}`, nil, types.FaultGarmin},
		{503, `{"error":"invalid_client"}`, nil, types.FaultGarmin},
		{502, `<html>` + canaryAnswer, nil, types.FaultGarmin},
		{400, `{"error":"temporarily_unavailable"}`, nil, types.FaultGarmin},
		{200, ``, nil, ""},
		{200, `{}`, nil, ""},
		{200, `[]`, nil, ""},
		{200, `{"access_token":"` + canaryAnswer, nil, ""},
		{200, `{"access_token":"a"}x`, nil, ""},
	} {
		for _, contentType := range []string{"application/json", "text/html", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded", ""} {
			n := 0
			rt := recorder(func(r *http.Request) (*http.Response, error) {
				n++
				w := httptest.NewRecorder()
				w.Header().Set("Content-Type", contentType)
				w.WriteHeader(test.status)
				io.WriteString(w, test.body)
				return w.Result(), nil
			})
			err := calls(t, rt, "", nil)["refresh token"](t.Context())
			name := fmt.Sprintf("%d %s %s", test.status, test.body, contentType)
			require.Error(t, err, name)
			for _, is := range []error{auth.ErrReconnect, auth.ErrInvalidClient, auth.ErrDenied, auth.ErrState} {
				require.Equal(t, is == test.is, errors.Is(err, is), "%s: %v", name, err)
			}
			var e *auth.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, test.status, e.StatusCode, name)
			require.Equal(t, types.UserID("two"), e.UserID)
			require.Equal(t, test.fault, e.Fault(), name)
			require.Equal(t, 1, n, "%s: attempts", name)
			noCanary(t, name, err)
		}
	}
}

// The library reads codes from forms, too. Garmin sends none: whoever writes
// one is not its token server.
func TestCodesInForms(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"error=invalid_grant", "error=invalid_client", "<p>&error=invalid_grant"} {
		rt := recorder(func(r *http.Request) (*http.Response, error) {
			w := httptest.NewRecorder()
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, body)
			return w.Result(), nil
		})
		err := calls(t, rt, "", nil)["refresh token"](t.Context())
		require.NotErrorIs(t, err, auth.ErrReconnect)
		require.NotErrorIs(t, err, auth.ErrInvalidClient)
	}
}

// A failure is one whatever the body says.
func TestStatusCounts(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 400, 401, 500} { // x/oauth2 takes any 2xx
		rt := recorder(func(r *http.Request) (*http.Response, error) {
			w := httptest.NewRecorder()
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			io.WriteString(w, `{"access_token":"a","refresh_token":"b"}`)
			return w.Result(), nil
		})
		for name, call := range calls(t, rt, "", nil) {
			var e *auth.Error
			require.ErrorAs(t, call(t.Context()), &e, "%s %d", name, status)
			require.Equal(t, status, e.StatusCode, name)
		}
	}
}

// Trap 8 for the OAuth servers.
func TestRetryAfterIsClamped(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{
		"":                               0,
		"7":                              7 * time.Second,
		"-7":                             0,
		"86400":                          time.Hour,
		"99999999999999999999":           time.Hour,
		"Mon, 01 Jan 2001 00:00:00 GMT":  0,
		"Fri, 01 Jan 2100 00:00:00 GMT":  time.Hour,
		"Friday, 01-Jan-99 00:00:00 GMT": 0,
		"soon":                           0,
	} {
		rt := recorder(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 503, Header: http.Header{"Retry-After": {header}}, Body: http.NoBody, Request: r}, nil
		})
		err := calls(t, rt, "", nil)["refresh token"](t.Context())
		var e *auth.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, want, e.Wait, header)
	}
}

// A date counts from the answer's own, so that a wrong clock here does no harm.
func TestRetryAfterByTheirClock(t *testing.T) {
	t.Parallel()
	theirs := time.Now().Add(-3 * time.Hour).UTC()
	rt := recorder(func(r *http.Request) (*http.Response, error) {
		h := http.Header{"Retry-After": {theirs.Add(9 * time.Second).Format(http.TimeFormat)}, "Date": {theirs.Format(http.TimeFormat)}}
		return &http.Response{StatusCode: 503, Header: h, Body: http.NoBody, Request: r}, nil
	})
	err := calls(t, rt, "", nil)["refresh token"](t.Context())
	var e *auth.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, 9*time.Second, e.Wait)
}

// T18: no secret in errors and logs, however they are printed.
func TestNoSecretInErrors(t *testing.T) {
	t.Parallel()
	for what, rt := range map[string]recorder{
		"refusal": func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 400, Header: http.Header{}, Request: r, Body: io.NopCloser(strings.NewReader(canaryAnswer))}, nil
		},
		"echo": func(r *http.Request) (*http.Response, error) {
			b := readBody(t, r)
			h := http.Header{"Content-Type": {"application/json"}}
			return &http.Response{StatusCode: 400, Header: h, Request: r, Body: io.NopCloser(strings.NewReader(
				`{"error":"invalid_request","error_description":"` + b + r.Header.Get("Authorization") + `","error_uri":"canary"}`))}, nil
		},
		"cut": func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Request: r, Body: io.NopCloser(io.MultiReader(
				strings.NewReader("oauth_token="+canaryAnswer), cutReader{}))}, nil
		},
		"unreadable": func(r *http.Request) (*http.Response, error) {
			h := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
			return &http.Response{StatusCode: 200, Header: h, Request: r, Body: io.NopCloser(strings.NewReader("%zz" + canaryAnswer))}, nil
		},
		"no connection": func(r *http.Request) (*http.Response, error) {
			return nil, &url.Error{Op: "Post", URL: r.URL.String() + "?token=" + canaryAnswer, Err: io.ErrUnexpectedEOF}
		},
	} {
		for name := range calls(t, nil, "", nil) {
			var out bytes.Buffer
			logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
			err := calls(t, rt, "", logger)[name](t.Context())
			require.Error(t, err, "%s %s", what, name)
			noCanary(t, what+" "+name, err)
			require.NotContains(t, out.String(), "canary", "%s %s", what, name)
		}
	}
}

type cutReader struct{}

func (cutReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// noCanary prints v in every way there is.
func noCanary(t testing.TB, name string, v any) {
	t.Helper()
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Error("x", "v", v)
	slog.New(slog.NewTextHandler(&out, nil)).Error("x", "v", v)
	j, _ := json.Marshal(v)
	for err, ok := v.(error); ok && err != nil; err = errors.Unwrap(err) {
		fmt.Fprintf(&out, "%v %+v %#v %q", err, err, err, err)
	}
	all := fmt.Sprintf("%v %+v %#v %s %q %x %d", v, v, v, v, v, v, v) + string(j) + out.String()
	require.NotContains(t, all, "canary", name)
	require.NotContains(t, all, fmt.Sprintf("%x", "canary"), name)
}

// T18: nothing that holds a secret prints it.
func TestNoSecretInTypes(t *testing.T) {
	t.Parallel()
	app := auth.App{ClientID: "id", ClientSecret: canarySecret}
	store := auth.NewMemory()
	file := openFile(t, tokenPath(t), nil)
	tok := &auth.Token{UserID: "u", AccessToken: canaryAccess, RefreshToken: canaryRefresh, TokenSecret: canaryScheme}
	for _, s := range []auth.TokenStore{store, file} {
		_, err := s.Swap(t.Context(), nil, tok)
		require.NoError(t, err)
	}
	users, err := auth.NewUsers(app, store, nil)
	require.NoError(t, err)
	defer users.Close()
	connector, err := auth.NewConnector(users, callbackURL, nil, &auth.ConnectorOptions{Key: []byte("canary-canary-canary-canary-canary")})
	require.NoError(t, err)
	_, sealed, err := connector.Begin(t.Context(), "canary")
	require.NoError(t, err)
	client, err := users.Client(t.Context(), "u")
	require.NoError(t, err)
	for name, v := range map[string]any{
		"App": app, "*App": &app, "Token": *tok, "*Token": tok, "tokens": []*auth.Token{tok}, "map": map[string]auth.Token{"u": *tok},
		"MemoryStore": store, "FileStore": file, "Users": users, "Connector": connector, "sealed": sealed, "Client": client,
		"struct": struct {
			App   auth.App
			Token *auth.Token
		}{app, tok},
	} {
		noCanary(t, name, v)
	}
	require.NotContains(t, string(sealed), "canary")

	// And yet a store can keep it.
	b, err := tok.MarshalBinary()
	require.NoError(t, err)
	var got auth.Token
	require.NoError(t, got.UnmarshalBinary(b))
	require.Equal(t, *tok, got)
	j, err := json.Marshal(tok)
	require.NoError(t, err)
	require.Error(t, json.Unmarshal(j, &got), "a token that lost its secrets is taken for one")
	err = got.UnmarshalBinary([]byte(`{"user_id":"` + canaryAnswer + `","expiry":"` + canaryAnswer + `"}`))
	require.Error(t, err)
	noCanary(t, "UnmarshalBinary", err)
}

// F46.
func TestConstructorsRefuse(t *testing.T) {
	t.Parallel()
	store := auth.NewMemory()
	for name, test := range map[string]struct {
		app   auth.App
		store auth.TokenStore
		opts  *auth.Options
	}{
		"no client id":     {auth.App{ClientSecret: "s"}, store, nil},
		"no secret":        {auth.App{ClientID: "id"}, store, nil},
		"no store":         {auth.App{ClientID: "id", ClientSecret: "s"}, nil, nil},
		"http":             {app, store, &auth.Options{BaseURL: "http://diauth.garmin.com"}},
		"no host":          {app, store, &auth.Options{BaseURL: "https:///x"}},
		"user info":        {app, store, &auth.Options{BaseURL: "https://a:b@garmin.com/"}},
		"query":            {app, store, &auth.Options{BaseURL: "https://garmin.com/?a=b"}},
		"no URL":           {app, store, &auth.Options{BaseURL: "https://%zz"}},
		"negative timeout": {app, store, &auth.Options{Timeout: -1}},
	} {
		_, err := auth.NewUsers(test.app, test.store, test.opts)
		require.Error(t, err, name)
	}
	users := newUsers(t, &tokenServer{}, store)
	for name, test := range map[string]struct {
		users    *auth.Users
		redirect string
		opts     *auth.ConnectorOptions
	}{
		"no users":          {nil, callbackURL, nil},
		"no redirect URL":   {users, "", nil},
		"http":              {users, "http://partner.example/callback", nil},
		"fragment":          {users, callbackURL + "#x", nil},
		"no scheme":         {users, callbackURL, &auth.ConnectorOptions{Scheme: true}},
		"short key":         {users, callbackURL, &auth.ConnectorOptions{Key: []byte("short")}},
		"negative lifetime": {users, callbackURL, &auth.ConnectorOptions{Lifetime: -1}},
	} {
		_, err := auth.NewConnector(test.users, test.redirect, nil, test.opts)
		require.Error(t, err, name)
	}
	_, err := auth.NewConnector(users, "http://localhost:8080/callback", nil, nil)
	require.NoError(t, err)
	// An application that Garmin has not migrated has no secret for OAuth 2.
	old, err := auth.NewUsers(auth.App{ClientID: "id"}, store, &auth.Options{Scheme: func() scheme.Scheme[auth.Token] { return struct{ scheme.Scheme[auth.Token] }{} }})
	require.NoError(t, err)
	defer old.Close()
	_, err = auth.NewConnector(old, callbackURL, nil, &auth.ConnectorOptions{Scheme: true})
	require.NoError(t, err)
	_, err = auth.NewConnector(old, callbackURL, nil, nil)
	require.EqualError(t, err, "auth: Connector for OAuth 2, and App has no ClientSecret")
	// Plain http to a host that is not this machine takes an option that names it.
	plain, err := auth.NewUsers(app, store, &auth.Options{PlainHTTPHost: "fake", Transport: &tokenServer{}, BaseURL: "http://fake:8080"})
	require.NoError(t, err)
	defer plain.Close()
	_, err = auth.NewConnector(plain, "http://fake/callback", nil, nil)
	require.NoError(t, err)
	_, err = auth.NewConnector(plain, "http://other/callback?token=canary", nil, nil)
	require.EqualError(t, err, `auth: redirect URL "http://other/callback" is http: that takes a loopback address, or Options.PlainHTTPHost`)
	for host, base := range map[string]string{"fake": "http://other", "diauth.garmin.com": "http://diauth.garmin.com", "": "http://fake"} {
		_, err = auth.NewUsers(app, store, &auth.Options{PlainHTTPHost: host, BaseURL: base})
		require.Error(t, err, base)
	}
}

// Nothing goes by http.DefaultClient or http.DefaultTransport, which others
// may have changed.
func TestOwnTransport(t *testing.T) {
	transport, client := http.DefaultTransport, *http.DefaultClient
	defer func() { http.DefaultTransport, *http.DefaultClient = transport, client }()
	trap := recorder(func(r *http.Request) (*http.Response, error) {
		t.Errorf("request to %s by the default transport", r.URL.Host)
		return nil, errors.New("trap")
	})
	http.DefaultTransport, http.DefaultClient.Transport = trap, trap

	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	at := server.URL + "/x"
	for name, call := range calls(t, nil, at, nil) {
		require.ErrorContains(t, call(t.Context()), "certificate", name)
	}

	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.Config.ErrorLog = log.New(io.Discard, "", 0)
	old.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	old.StartTLS()
	defer old.Close()
	at = old.URL + "/x"
	for name, call := range calls(t, nil, at, nil) {
		require.ErrorContains(t, call(t.Context()), "protocol version", name)
	}
}
