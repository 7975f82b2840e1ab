package activity_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/types"
)

// The planted secrets. Some have characters that are escaped on their way.
const (
	canaryUserToken   = "CANARY-user=token"
	canaryAccessToken = "CANARY.access.token"
	canaryPullToken   = "CANARY%2Fpull%2btoken"
	canaryFileToken   = "CANARY-file~token"
)

// clean fails if s holds a planted secret, whole or in a part that tells.
func clean(t *testing.T, what, s string) {
	t.Helper()
	if i := strings.Index(s, "CANARY"); i >= 0 {
		t.Errorf("%s: a secret shows: %s", what, s[max(0, i-200):min(len(s), i+60)])
	}
}

// show prints v in every way there is, and the errors it wraps too.
func show(t *testing.T, what string, v any) {
	t.Helper()
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		clean(t, what+" "+format, fmt.Sprintf(format, v))
	}
	if b, err := json.Marshal(v); err == nil {
		clean(t, what+" JSON", string(b))
	} else {
		clean(t, what+" JSON error", err.Error())
	}
	var text, js strings.Builder
	slog.New(slog.NewTextHandler(&text, nil)).Info("m", "v", v)
	slog.New(slog.NewJSONHandler(&js, nil)).Info("m", "v", v)
	clean(t, what+" slog", text.String()+js.String())
	if _, ok := v.(*url.Error); ok {
		t.Errorf("%s: a *url.Error, which prints its URL, can be reached", what)
	}
	switch u := v.(type) {
	case interface{ Unwrap() error }:
		if err := u.Unwrap(); err != nil {
			show(t, what, err)
		}
	case interface{ Unwrap() []error }:
		for _, err := range u.Unwrap() {
			show(t, what, err)
		}
	}
}

// echo returns all that a server or a careless transport can know of a
// request.
func echo(r *http.Request) string {
	q, _ := url.QueryUnescape(r.URL.RawQuery)
	a, _ := url.PathUnescape(r.Header.Get("Authorization"))
	return fmt.Sprintf("%s | %s | %s | %s | token %s | %s | %s", r.URL, r.URL.RawQuery, q, r.URL.Query().Get("token"), r.URL.Query().Get("token"), r.Header.Get("Authorization"), a)
}

// TestSecretsStayHidden plants six secrets, breaks every call in every way,
// and looks for them in errors, logs, formatted values and stacks (row T18).
func TestSecretsStayHidden(t *testing.T) {
	t.Parallel()
	quote := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	answer := func(status int, body func(*http.Request) string) roundTripper {
		return func(r *http.Request) (*http.Response, error) {
			h := http.Header{"Location": {r.URL.String() + "%zz"}, "X-Echo": {echo(r)}}
			return response(status, body(r), h), nil
		}
	}
	fail := func(err func(*http.Request) error) roundTripper {
		return func(r *http.Request) (*http.Response, error) { return nil, err(r) }
	}
	transports := map[string]roundTripper{
		"url.Error": fail(func(r *http.Request) error { return &url.Error{Op: "Get", URL: r.URL.String(), Err: io.EOF} }),
		"wrapped url.Error": fail(func(r *http.Request) error {
			return fmt.Errorf("trace: %w", &url.Error{Op: "Get", URL: r.URL.String(), Err: io.EOF})
		}),
		"nested url.Error": fail(func(r *http.Request) error {
			return &url.Error{Op: "Get", URL: r.URL.String(), Err: fmt.Errorf("x %w", &url.Error{Op: "Get", URL: r.URL.String(), Err: errors.New(echo(r))})}
		}),
		"joined": fail(func(r *http.Request) error {
			return errors.Join(io.EOF, &url.Error{Op: "Get", URL: r.URL.String(), Err: io.EOF})
		}),
		"plain text":   fail(func(r *http.Request) error { return errors.New(echo(r)) }),
		"hidden below": fail(func(r *http.Request) error { return &veiled{errors.New(echo(r))} }),
		"message":      answer(400, func(r *http.Request) string { return `{"errorMessage":` + quote(echo(r)) + `}` }),
		"trace id":     answer(400, func(r *http.Request) string { return `{"message":"m","errorId":` + quote(echo(r)) + `}` }),
		"short trace id": answer(400, func(r *http.Request) string {
			return `{"message":"m","errorId":` + quote(r.Header.Get("Authorization")) + `}`
		}),
		"loose message": answer(409, func(r *http.Request) string { return `{errorMessage: ` + echo(r) + `}` }),
		"permission":    answer(412, func(r *http.Request) string { return `{"errorMessage":"required CANARY "}` }),
		"page":          answer(404, func(r *http.Request) string { return "<html>" + echo(r) }),
		"unauthorized":  answer(401, echo),
		"server error":  answer(503, echo),
		"redirect":      answer(302, echo),
		"page as 200":   answer(200, func(r *http.Request) string { return "<html>" + echo(r) }),
		"text as 202":   answer(202, echo),
		"text as 204":   answer(204, echo),
		"bad item": answer(200, func(r *http.Request) string {
			return `[{"steps":` + quote(echo(r)) + `},{"steps":` + quote(r.URL.Query().Get("token")) + `}]`
		}),
		"bad key": answer(200, func(r *http.Request) string { return `[{` + quote(echo(r)) + `:1,"steps":tru}]` }),
		"body fails": func(r *http.Request) (*http.Response, error) {
			res := response(200, "", nil)
			res.Body, res.ContentLength = failing{&url.Error{Op: "Read", URL: r.URL.String(), Err: errors.New(echo(r))}}, -1
			return res, nil
		},
	}
	delete(transports, "permission") // Its text is made up, not the call's.
	creds := map[string]activity.Credential{
		"signed": header(func() string {
			return `OAuth oauth_consumer_key="key", oauth_token="` + canaryUserToken + `", oauth_signature="CANARY%3D"`
		}),
		"OAuth2": bearer(canaryAccessToken),
		"refused": activity.OAuth2(source(func() (*oauth2.Token, error) {
			return nil, &oauth2.RetrieveError{Response: &http.Response{Status: "400 CANARY"}, Body: []byte("CANARY"), ErrorCode: "CANARY", ErrorDescription: "CANARY"}
		})),
		"unreachable": activity.OAuth2(source(func() (*oauth2.Token, error) {
			return nil, fmt.Errorf("oauth2: %w", &url.Error{Op: "Post", URL: "https://token.example/?client_secret=CANARY", Err: io.EOF})
		})),
	}
	pull := types.Secret(base + "/activities?uploadStartTimeInSeconds=1&uploadEndTimeInSeconds=2&token=" + canaryPullToken)
	file := types.Secret(base + "/activityFile?id=1&token=" + canaryFileToken)
	show(t, "a source that hides nothing", activity.OAuth2(openSource{canaryAccessToken}))
	failures := 0
	for credName, cred := range creds {
		show(t, credName, cred)
		for name, tr := range transports {
			var logs strings.Builder
			c, err := poolClient(cred, &activity.Options{
				Transport: tr, MinBackoff: time.Microsecond, MaxBackoff: time.Microsecond, MaxRetries: 1,
				Logger: slog.New(slog.NewJSONHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true})),
			})
			require.NoError(t, err)
			show(t, "client", c)
			show(t, "client", struct{ C *activity.Client }{c})
			calls := map[string]func() error{
				"Follow": func() error {
					_, err := collect(c.Follow(context.Background(), types.KindActivities, pull))
					return err
				},
				"Follow of another kind": func() error { _, err := collect(c.Follow(context.Background(), types.KindMoveIQ, pull)); return err },
				"Follow of a bad URL": func() error {
					_, err := collect(c.Follow(context.Background(), types.KindActivities, pull+"%zz"))
					return err
				},
				"Pull": func() error {
					_, err := collect(c.Activities(context.Background(), lastHour(), &activity.PullOptions{Token: canaryPullToken}))
					return err
				},
				"Download": func() error {
					f, err := c.Download(context.Background(), file)
					if err != nil {
						return err
					}
					defer f.Close()
					show(t, "file", f)
					_, err = io.ReadAll(f)
					return err
				},
			}
			for _, m := range methods {
				calls["plain "+m.op] = func() error { return m.call(context.Background(), c) }
			}
			for op, call := range calls {
				what := credName + ", " + name + ", " + op
				func() {
					defer func() {
						if v := recover(); v != nil {
							t.Errorf("%s: panic", what)
							clean(t, what, fmt.Sprint(v)+string(debug.Stack()))
						}
					}()
					if err := call(); err != nil {
						failures++
						show(t, what, err)
					}
				}()
			}
			clean(t, "log of "+name, logs.String())
			require.Contains(t, logs.String(), "activity: attempt")
		}
	}
	require.Greater(t, failures, 1000, "the calls are to fail")
}

// TestCutSecretsStayHidden: of an answer only a beginning is read, and it may break
// off. What it repeats of the request may then end inside of a secret.
func TestCutSecretsStayHidden(t *testing.T) {
	t.Parallel()
	const begins = "eyJhbGciOi"
	secret := begins + strings.Repeat("JSUzI1NiJ9.eyJzdWIi", 130) // 2.5 KB, as Garmin's are
	fill := func(n int) string { return strings.Repeat("x ", n/2) }
	type answer struct {
		status int
		body   string
	}
	answers := map[string]answer{
		"page":                  {200, "<html>" + fill(100) + secret},
		"escaped":               {200, "<html>" + fill(100) + "&#" + fmt.Sprint(begins[0]) + ";" + secret[1:]},
		"object":                {200, `{"a":"` + fill(600) + `","errorMessage":"` + secret + `"}`},
		"page that breaks off":  {404, "<html>" + secret[:100]},
		"error that breaks off": {401, `{"errorMessage":"no user has ` + secret[:100]},
	}
	for n := 64<<10 - 300; n < 64<<10; n += 50 {
		answers[fmt.Sprint("long error ", n)] = answer{400, `{"a":"` + fill(n) + `","errorMessage":"` + secret + `"}`}
	}
	for name, a := range answers {
		c, err := poolClient(bearer(secret), &activity.Options{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			res := response(a.status, a.body, nil)
			res.Body, res.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader(a.body), failing{io.ErrUnexpectedEOF})), -1
			return res, nil
		})})
		require.NoError(t, err)
		_, err = collect(c.Activities(t.Context(), lastHour(), nil))
		var e *activity.Error
		require.ErrorAs(t, err, &e, name)
		require.NotContains(t, fmt.Sprintf("%v %#v", e, e), begins[1:5], name)
	}
}

// openSource is a token source of the partner's that prints its token.
type openSource struct{ Access string }

func (openSource) Token() (*oauth2.Token, error) { return nil, errors.New("not asked") }

// TestOthersSecretsStayHidden: a text from the network may hold what is no
// secret of this call.
func TestOthersSecretsStayHidden(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"see https://apis.garmin.com/x?id=CANARY",
		"no such user for Bearer CANARY",
		"no such user for bearer  CANARY.a-b_c~d+e/f==",
		"refresh_token: CANARY is unknown",
		"oauth_signature='CANARY'",
		"accessToken=CANARY",
		"'token':'CANARY'",
	} {
		for _, body := range []string{`{"errorMessage":"` + text + `"}`, "<html>" + text} {
			c, _ := answering(t, 404, body, nil, activity.Options{})
			_, err := c.UserID(context.Background())
			show(t, text, err)
			clean(t, text, asError(t, err).Body)
		}
	}
}

// TestCredentialsChangeACopy: the request belongs to the caller, as the
// contract of http.RoundTripper says, and a proof left in it may be shown.
func TestCredentialsChangeACopy(t *testing.T) {
	t.Parallel()
	for name, cred := range map[string]activity.Credential{
		"OAuth2": bearer(canaryAccessToken),
	} {
		w := &wire{}
		tr, err := cred(w)
		require.NoError(t, err)
		req, err := http.NewRequest("GET", base+"/user/id", nil)
		require.NoError(t, err)
		_, err = tr.RoundTrip(req)
		require.NoError(t, err)
		require.NotEmpty(t, w.requests[0].Header.Get("Authorization"), name)
		require.Empty(t, req.Header, name)
	}
}

// TestNothingIsPrinted runs the test above in a process of its own and looks
// at all that it writes: what the libraries print on their own goes to standard
// error, query and all, if they are let.
func TestNothingIsPrinted(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0], "-test.run=^(TestSecretsStayHidden|TestPanicsHideSecrets)$", "-test.v")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err)
	require.Contains(t, string(out), "PASS")
	clean(t, "output", string(out))
}

// TestPanicsHideSecrets: the stack of a panic in the partner's code, below a
// call that knows all secrets, does not show them.
func TestPanicsHideSecrets(t *testing.T) {
	t.Parallel()
	for _, cred := range []activity.Credential{
		bearer(canaryAccessToken),
	} {
		c, err := poolClient(cred, &activity.Options{
			Transport:  roundTripper(func(*http.Request) (*http.Response, error) { return response(200, `[{"steps":"x"}]`, nil), nil }),
			UnknownKey: func(string) { panic("partner's code") },
			BadItem:    func(types.Kind, json.RawMessage, *types.DecodeError) { panic("partner's code") },
		})
		require.NoError(t, err)
		func() {
			defer func() {
				v := recover()
				require.NotNil(t, v)
				clean(t, "panic", fmt.Sprintf("%v %+v %#v %s", v, v, v, debug.Stack()))
			}()
			collect(c.Follow(context.Background(), types.KindActivities, base+"/activities?token="+canaryPullToken))
		}()
	}
	// Misuse.
	for _, misuse := range []func() error{
		func() error { _, err := poolClient(nil, nil); return err },
		func() error { _, err := poolClient(activity.OAuth2(nil), nil); return err },
		func() error {
			_, err := poolClient(bearer("x"), &activity.Options{BaseURL: "https://user:CANARY@host/?x=CANARY"})
			return err
		},
		func() error {
			_, err := poolClient(bearer("x"), &activity.Options{BaseURL: "https://host/%zzCANARY"})
			return err
		},
	} {
		err := misuse()
		require.Error(t, err)
		show(t, "misuse", err)
	}
}

// veiled is an error whose text is harmless and whose cause is not.
type veiled struct{ cause error }

func (*veiled) Error() string   { return "transport failed" }
func (v *veiled) Unwrap() error { return v.cause }

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
func (failing) Close() error               { return nil }
