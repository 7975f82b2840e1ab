package activity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/dghubble/oauth1"
	"golang.org/x/oauth2"

	"github.com/garminkit/activityapi/types"
)

// Credential proves to Garmin that a request is made for one user: an
// [OAuth2], an [OAuth1], or an implementation of the caller's.
type Credential interface {
	// Transport returns a RoundTripper that adds the proof to a copy of each
	// request and hands it to base, which only takes requests to the API
	// itself. It must be safe for concurrent use. It is called twice for each
	// client.
	//
	// An error of the RoundTripper that does not come from base is not
	// repeated and must hold no secret. The caller of the client finds it with
	// errors.Is and errors.As. If it has the method Unauthorized() bool and
	// that returns true, or wraps [ErrUnauthorized], then the user must
	// connect again; the method Retry() (time.Duration, bool) answers for
	// [Error.Retry].
	Transport(base http.RoundTripper) (http.RoundTripper, error)
}

// OAuth2 is the credential of a user who connected with OAuth 2: every request
// carries the source's access token. Package auth makes clients that need no
// source: they refresh the token and survive its rotation.
//
// A call whose context ends does not wait for Source, which goes on in the
// background.
type OAuth2 struct {
	// Source is required. It must be safe for concurrent use.
	Source oauth2.TokenSource
}

// Transport implements [Credential].
func (o OAuth2) Transport(base http.RoundTripper) (http.RoundTripper, error) {
	if o.Source == nil {
		return nil, errors.New("OAuth2 without Source")
	}
	return &bearer{o.Source, base}, nil
}

// Format implements [fmt.Formatter]; the source may hold a token.
func (o OAuth2) Format(f fmt.State, _ rune) { io.WriteString(f, "activity.OAuth2([REDACTED])") }

// LogValue implements [slog.LogValuer].
func (o OAuth2) LogValue() slog.Value { return slog.StringValue("[REDACTED]") }

// MarshalJSON writes a placeholder.
func (o OAuth2) MarshalJSON() ([]byte, error) { return []byte(`"[REDACTED]"`), nil }

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
			return nil, errors.New("the token source gave no access token")
		}
		return r.token, r.err
	}
}

// OAuth1 is the credential of a user who connected with OAuth 1.0a, which
// Garmin retires on 2026-12-31. Each attempt is signed afresh with HMAC-SHA1.
// All fields are required.
type OAuth1 struct {
	ConsumerKey    string
	ConsumerSecret types.Secret
	// Token and TokenSecret are the user's access token.
	Token       types.Secret
	TokenSecret types.Secret
}

// Transport implements [Credential].
func (o OAuth1) Transport(base http.RoundTripper) (http.RoundTripper, error) {
	if o.ConsumerKey == "" || o.ConsumerSecret == "" || o.Token == "" || o.TokenSecret == "" {
		return nil, errors.New("OAuth1 with an empty field")
	}
	// One Config for each transport, with its Noncer set: the library fills in
	// a missing one at first use, which races if the Config is shared.
	config := &oauth1.Config{
		ConsumerKey:    o.ConsumerKey,
		ConsumerSecret: string(o.ConsumerSecret),
		Noncer:         oauth1.HexNoncer{},
	}
	ctx := context.WithValue(context.Background(), oauth1.HTTPClient, &http.Client{Transport: base})
	signer := oauth1.NewClient(ctx, config, oauth1.NewToken(string(o.Token), string(o.TokenSecret)))
	return signer.Transport, nil
}

// Format implements [fmt.Formatter].
func (o OAuth1) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "activity.OAuth1(%s, [REDACTED])", o.ConsumerKey)
}

// LogValue implements [slog.LogValuer].
func (o OAuth1) LogValue() slog.Value {
	return slog.GroupValue(slog.String("consumerKey", o.ConsumerKey), slog.String("token", "[REDACTED]"))
}

// MarshalJSON writes the consumer key alone.
func (o OAuth1) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"consumerKey": o.ConsumerKey, "token": "[REDACTED]"})
}

// credentialError makes an error of the credential fit to be shown. What
// package oauth2 says about a refused refresh holds the answer's body; of it
// only the code is kept.
func credentialError(cl *call, err error) error {
	if re, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		switch re.ErrorCode {
		case "invalid_grant":
			return &because{ErrUnauthorized, errors.New("the refresh token was refused: invalid_grant")}
		case "invalid_client", "unauthorized_client", "invalid_request", "unsupported_grant_type", "invalid_scope":
			return errors.New("the token was not refreshed: " + re.ErrorCode)
		}
		return errors.New("the token was not refreshed")
	}
	return &because{errCredential, cl.safe(err)}
}

var errCredential = errors.New("credential")
