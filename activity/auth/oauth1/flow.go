package oauth1

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	dghubble "github.com/dghubble/oauth1"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/types"
)

// Begin implements [auth.Scheme]. The pending token is Garmin's request token.
func (s *scheme) Begin(ctx context.Context, redirectURL string, base http.RoundTripper) (consentURL string, pending *auth.Token, err error) {
	token, secret, err := s.config(ctx, redirectURL, base).RequestToken()
	if err != nil {
		return "", nil, failed(err, auth.ErrInvalidClient)
	}
	// Garmin reads the callback from here.
	consentURL = s.endpoints.consent + "?" + url.Values{"oauth_token": {token}, "oauth_callback": {redirectURL}}.Encode()
	return consentURL, &auth.Token{AccessToken: types.Secret(token), TokenSecret: types.Secret(secret)}, nil
}

// State implements [auth.Scheme].
func (s *scheme) State() string { return "oauth_token" }

// Finish implements [auth.Scheme].
func (s *scheme) Finish(ctx context.Context, pending *auth.Token, callback url.Values, base http.RoundTripper) (*auth.Token, error) {
	verifiers := callback["oauth_verifier"]
	switch {
	case len(verifiers) > 1:
		return nil, auth.ErrState
	case len(verifiers) == 0, verifiers[0] == "", verifiers[0] == "NULL":
		return nil, auth.ErrDenied
	}
	token, secret, err := s.config(ctx, "", base).AccessToken(string(pending.AccessToken), string(pending.TokenSecret), verifiers[0])
	if err != nil {
		return nil, failed(err, auth.ErrState)
	}
	return &auth.Token{AccessToken: types.Secret(token), TokenSecret: types.Secret(secret)}, nil
}

// Exchange implements [auth.Scheme].
func (s *scheme) Exchange(ctx context.Context, t *auth.Token, base http.RoundTripper) (*http.Response, error) {
	var form url.Values
	if s.form != nil {
		form = s.form(t)
	}
	for k, v := range form {
		if len(v) != 1 || strings.HasPrefix(k, "oauth_") && k != "oauth_token" && k != "oauth_token_secret" {
			// The library would sign another text than it sends.
			return nil, errors.New("oauth1: a form field that cannot be signed")
		}
	}
	var body io.Reader
	if len(form) > 0 {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.endpoints.exchange, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := s.Sign(t, req, &carrier{ctx: ctx, base: base})
	if err != nil {
		// 401 may mean the application as well as the user.
		return nil, failed(&url.Error{Err: err}, nil)
	}
	return resp, nil
}

// config returns the configuration of one call. It must not be shared: the
// library writes to it.
func (s *scheme) config(ctx context.Context, redirectURL string, base http.RoundTripper) *dghubble.Config {
	return &dghubble.Config{
		ConsumerKey:    s.key,
		ConsumerSecret: string(s.secret),
		CallbackURL:    redirectURL,
		Endpoint:       dghubble.Endpoint{RequestTokenURL: s.endpoints.request, AccessTokenURL: s.endpoints.access},
		Noncer:         dghubble.HexNoncer{},
		HTTPClient:     &http.Client{Transport: &carrier{ctx: ctx, base: base, confirm: true}},
	}
}

// carrier stands between the library and base. The library makes requests
// without a context, puts the body of a refusal into its error, and insists on
// oauth_callback_confirmed, which Garmin's answers lack.
type carrier struct {
	ctx     context.Context
	base    http.RoundTripper
	confirm bool // add oauth_callback_confirmed
}

// RoundTrip implements http.RoundTripper. A refusal is an error.
func (c *carrier) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := c.base.RoundTrip(req.WithContext(c.ctx))
	if err != nil {
		return nil, err
	}
	good := resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusCreated
	if good && !c.confirm {
		return resp, nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body) // base bounds it
	switch {
	case err != nil:
		return nil, err
	case !good:
		return nil, &refusal{resp.StatusCode, namesToken(body)}
	}
	body = append(bytes.TrimSpace(body), "&oauth_callback_confirmed=true"...)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// refusal is an answer that refuses a call, without its text.
type refusal struct {
	status int
	token  bool // It says that the token is not known.
}

func (r *refusal) Error() string { return fmt.Sprintf("refused with status %d", r.status) }

// namesToken reports whether an answer is Garmin's and about the user's token.
func namesToken(body []byte) bool {
	var answer struct {
		Message string `json:"errorMessage"`
	}
	return json.Unmarshal(body, &answer) == nil && strings.Contains(answer.Message, "UserAccessToken")
}

var errAnswer = errors.New("oauth1: unreadable answer")

// failed makes an error that can be shown of one of the library. unauthorized is
// what 401 means where Garmin does not say more.
func failed(err, unauthorized error) error {
	var r *refusal
	var u *url.Error
	switch {
	case errors.As(err, &r):
		switch {
		case r.token && (r.status == http.StatusUnauthorized || r.status == http.StatusForbidden):
			return auth.ErrReconnect
		case r.status == http.StatusUnauthorized && unauthorized != nil:
			return unauthorized
		}
		return r
	case errors.As(err, &u):
		return u.Err
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return errAnswer
}
