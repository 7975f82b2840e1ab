package activity

import (
	"context"
	"errors"
	"net/http"
	"time"

	"golang.org/x/oauth2"

	"github.com/garminkit/activityapi/internal/retryafter"
	"github.com/garminkit/activityapi/types"
)

// Credential proves to Garmin that a request is made for one user. It comes from
// [OAuth2] or from another implementation, such as that of package auth. Most
// programs only pass it on; the rest of this comment is for those that implement
// one.
//
// A Credential returns a RoundTripper that adds the proof to a copy of each request
// and passes the copy to base, which accepts only requests to the API itself. The
// RoundTripper must be safe for concurrent use. [Pool.Client] calls a Credential
// twice, with two bases.
//
// If the RoundTripper itself fails, the call is not repeated. Its error must hold no
// secret, and the caller of the client finds it with errors.Is and errors.As. If the
// error has the methods Fault() types.Fault and RetryAfter() time.Duration, those of
// [Error] return their results. Otherwise an error that wraps [ErrUnauthorized] is
// the user's fault, and the cause of any other is unknown.
//
// Package fmt prints a Credential as an address, so that no secret is shown.
type Credential func(base http.RoundTripper) (http.RoundTripper, error)

// OAuth2 returns the credential of a user who connected with OAuth 2: every request
// carries the access token of source. It is for programs that keep tokens
// themselves. Package auth keeps and refreshes tokens, and makes clients that need
// no source.
//
// The source must be safe for concurrent use. If the context of a call ends while
// the source works, the call returns and the source continues in the background.
func OAuth2(source oauth2.TokenSource) Credential {
	return func(base http.RoundTripper) (http.RoundTripper, error) {
		if source == nil {
			return nil, errors.New("OAuth2: the token source is nil")
		}
		return &bearer{source, base}, nil
	}
}

type bearer struct {
	source oauth2.TokenSource
	base   http.RoundTripper
}

func (b *bearer) RoundTrip(req *http.Request) (*http.Response, error) {
	token, err := b.token(req.Context())
	if err != nil {
		return nil, err
	}
	// The contract of RoundTripper forbids to change the caller's request.
	req = req.Clone(req.Context())
	token.SetAuthHeader(req)
	return b.base.RoundTrip(req)
}

// token asks the source, which knows no context, but waits no longer than ctx.
func (b *bearer) token(ctx context.Context) (*oauth2.Token, error) {
	type result struct {
		token *oauth2.Token
		err   error
	}
	done := make(chan result, 1)
	go func() {
		t, err := b.source.Token()
		done <- result{t, err}
	}()
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case r := <-done:
		if r.err == nil && (r.token == nil || r.token.AccessToken == "") {
			return nil, errors.New("the token source returned no access token")
		}
		return r.token, r.err
	}
}

// credentialError makes an error of the credential fit to be shown. What
// package oauth2 says about a refused refresh holds the answer's body; of it
// only the code is kept.
func credentialError(cl *call, err error) error {
	if re, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		e := refreshErrorOf(re)
		if e.fault == types.FaultUser {
			return &because{ErrUnauthorized, e}
		}
		return e
	}
	return &because{errCredential, cl.safe(err)}
}

var errCredential = errors.New("credential")

// refreshError is what package oauth2 says about a refused refresh, without
// the answer's text.
type refreshError struct {
	status int
	code   string // of RFC 6749, if it is a known one
	fault  types.Fault
	wait   time.Duration
}

// refreshErrorOf judges an answer of the token server. Its codes count only in
// a JSON object, which a gateway's page is not.
func refreshErrorOf(re *oauth2.RetrieveError) *refreshError {
	e := &refreshError{}
	if re.Response != nil {
		e.status, e.wait = re.Response.StatusCode, retryafter.Of(re.Response.Header)
	}
	author := authorOf(re.Body, re.ErrorCode != "")
	switch re.ErrorCode {
	case "invalid_grant", "invalid_client", "unauthorized_client", "invalid_request", "unsupported_grant_type", "invalid_scope":
		if author == garmin {
			e.code = re.ErrorCode
		}
	}
	switch {
	case passing(e.status), e.status >= 500:
		e.fault = types.FaultGarmin
	case author == another:
		e.fault = types.FaultNetwork
	case e.code == "invalid_grant":
		e.fault = types.FaultUser
	case e.code != "" && e.code != "invalid_request":
		e.fault = types.FaultApplication
	}
	return e
}

func (e *refreshError) Error() string {
	s := "the token was not refreshed"
	if e.fault == types.FaultUser {
		s = "the refresh token was refused"
	}
	if e.code != "" {
		s += ": " + e.code
	}
	return s
}

func (e *refreshError) Fault() types.Fault        { return e.fault }
func (e *refreshError) RetryAfter() time.Duration { return e.wait }
