package oauth1_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
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

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/auth/oauth1"
	"github.com/garminkit/activityapi/activity/auth/oauth1/oauth1test"
	"github.com/garminkit/activityapi/types"
)

const canary = "canary"

// calls makes each call to the OAuth 1.0a servers by rt, which is theirs from the
// second leg on.
func calls(t testing.TB, rt http.RoundTripper, opts *oauth1.Options, logger *slog.Logger) map[string]func(context.Context) error {
	t.Helper()
	fake := activitytest.NewServer()
	fake.ClientID, fake.ClientSecret = "id", canary
	oauth1test.Add(fake)
	store := auth.NewMemory()
	_, err := store.Swap(t.Context(), nil, &auth.Token{UserID: "one", AccessToken: canary, TokenSecret: canary})
	require.NoError(t, err)
	key := bytes.Repeat([]byte("k"), 32)
	connector := func(rt http.RoundTripper, opts *oauth1.Options) (*auth.Users, *auth.Connector) {
		users, err := auth.NewUsers(auth.App{ClientID: "id"}, store, &auth.Options{Transport: rt, Logger: logger, Scheme: newScheme(t, fake, opts)})
		require.NoError(t, err)
		t.Cleanup(func() { users.Close() })
		c, err := auth.NewConnector(users, callbackURL, nil, &auth.ConnectorOptions{Scheme: true, Key: key})
		require.NoError(t, err)
		return users, c
	}
	users, c := connector(rt, opts)
	_, first := connector(fake, nil)
	return map[string]func(context.Context) error{
		"exchange": func(ctx context.Context) error { _, err := users.Refresh(ctx, "one"); return err },
		"begin":    func(ctx context.Context) error { _, _, err := c.Begin(ctx, ""); return err },
		"finish": func(ctx context.Context) error {
			consent, sealed, err := first.Begin(ctx, "")
			require.NoError(t, err)
			u, err := url.Parse(consent)
			require.NoError(t, err)
			_, err = c.Finish(ctx, sealed, "", url.Values{"oauth_token": {u.Query().Get("oauth_token")}, "oauth_verifier": {canary}})
			return err
		},
	}
}

// Traps 2, 21 and 27 of the libraries: no redirect is followed, with which
// the secrets would go elsewhere.
func TestRedirectsAreRefused(t *testing.T) {
	t.Parallel()
	var hits atomic.Int64
	attacker := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer attacker.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		garmin := httptest.NewUnstartedServer(http.RedirectHandler(attacker.URL+"/?x="+canary, status))
		garmin.EnableHTTP2 = status%2 == 0
		garmin.StartTLS()
		for name, call := range calls(t, garmin.Client().Transport, &oauth1.Options{BaseURL: garmin.URL}, nil) {
			err := call(t.Context())
			require.ErrorContains(t, err, "redirect refused", "%s %d", name, status)
			require.NotContains(t, err.Error(), canary)
		}
		garmin.Close()
	}
	require.Zero(t, hits.Load(), "the attacker saw requests")
}

type endless struct{ n int }

func (e *endless) Read(p []byte) (int, error) {
	e.n += len(p)
	return copy(p, bytes.Repeat([]byte(canary+"&"), len(p)/len(canary)+1)), nil
}

// Trap 27: an answer without end is not read whole, and is in no error.
func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 400, 500} {
		for _, name := range []string{"exchange", "begin", "finish"} {
			body := &endless{}
			err := calls(t, roundTripper(func(r *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(body), Request: r}, nil
			}), nil, nil)[name](t.Context())
			require.Error(t, err, name)
			require.LessOrEqual(t, body.n, 256<<10, name)
			require.NotContains(t, err.Error(), canary, name)
		}
	}
}

// Traps 13 and 27: a server that does not answer, or stops in the middle, is
// left after the time-out, and at once when the context ends.
func TestSilentServer(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"no answer", "no body"} {
		for _, name := range []string{"exchange", "begin", "finish"} {
			t.Run(mode+"/"+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					call := calls(t, roundTripper(func(r *http.Request) (*http.Response, error) {
						if mode == "no answer" {
							<-r.Context().Done()
							return nil, r.Context().Err()
						}
						return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(silent{r.Context()}), Request: r}, nil
					}), nil, nil)[name]
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

// TestAnswers says what each answer means for each call.
func TestAnswers(t *testing.T) {
	t.Parallel()
	const good = "oauth_token=a&oauth_token_secret=b"
	for _, test := range []struct {
		status int
		body   string
		is     map[string]error
		fault  types.Fault // of what is nothing else
	}{
		{204, good, nil, ""},
		{400, good, nil, ""},
		{401, "", map[string]error{"begin": auth.ErrInvalidClient, "finish": auth.ErrState}, ""},
		{401, `{"errorMessage":"Invalid signature"}`, map[string]error{"begin": auth.ErrInvalidClient, "finish": auth.ErrState}, ""},
		{401, `{"errorMessage":"Unknown UserAccessToken"}`, map[string]error{"begin": auth.ErrReconnect, "finish": auth.ErrReconnect, "exchange": auth.ErrReconnect}, ""},
		{403, `{"errorMessage":"Unknown UserAccessToken"}`, map[string]error{"begin": auth.ErrReconnect, "finish": auth.ErrReconnect, "exchange": auth.ErrReconnect}, ""},
		{403, `{"errorMessage":"no"}`, nil, ""},
		{401, "<html>canary Unknown UserAccessToken", nil, types.FaultNetwork},
		{403, "<html>canary Unknown UserAccessToken", nil, types.FaultNetwork},
		{429, "", nil, types.FaultGarmin},
		{500, good, nil, types.FaultGarmin},
		{503, `{"errorMessage":"Unknown UserAccessToken"}`, nil, types.FaultGarmin},
		{200, "canary", nil, ""},
		{200, "%zzcanary", nil, ""},
		{200, `{"access_token":"canary"}`, nil, ""},
	} {
		for _, name := range []string{"exchange", "begin", "finish"} {
			n := 0
			err := calls(t, roundTripper(func(r *http.Request) (*http.Response, error) {
				n++
				return answer(r, test.status, test.body), nil
			}), nil, nil)[name](t.Context())
			what := fmt.Sprint(name, " ", test.status, " ", test.body)
			for _, is := range []error{auth.ErrReconnect, auth.ErrInvalidClient, auth.ErrDenied, auth.ErrState} {
				require.Equal(t, is == test.is[name], errors.Is(err, is), "%s: %v is %v", what, err, is)
			}
			var e *auth.Error
			require.ErrorAs(t, err, &e, what)
			require.Equal(t, test.status, e.StatusCode, what)
			require.Equal(t, 1, n, what)
			require.NotContains(t, err.Error(), canary, what)
			if test.fault != "" {
				require.Equal(t, test.fault, e.Fault(), what)
			}
		}
	}
}

// T18: no secret in errors and logs.
func TestNoSecretInErrors(t *testing.T) {
	t.Parallel()
	for what, rt := range map[string]roundTripper{
		"echo": func(r *http.Request) (*http.Response, error) {
			return answer(r, 400, r.Header.Get("Authorization")), nil
		},
		"cut": func(r *http.Request) (*http.Response, error) {
			resp := answer(r, 200, "")
			resp.Body = io.NopCloser(io.MultiReader(strings.NewReader("oauth_token="+canary), cutReader{}))
			return resp, nil
		},
		"no connection": func(r *http.Request) (*http.Response, error) {
			return nil, &url.Error{Op: "Post", URL: r.URL.String() + "?token=" + canary, Err: io.ErrUnexpectedEOF}
		},
	} {
		for _, name := range []string{"exchange", "begin", "finish"} {
			var out bytes.Buffer
			logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
			err := calls(t, rt, nil, logger)[name](t.Context())
			require.Error(t, err)
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err)+out.String(), canary, "%s %s", what, name)
		}
	}
}

type cutReader struct{}

func (cutReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
