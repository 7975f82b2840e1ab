package oauth1

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	dghubble "github.com/dghubble/oauth1"

	"github.com/garminkit/activityapi/types"
)

// Credential is the activity.Credential of a user who connected with OAuth 1.0a,
// for a program without package auth. Each attempt is signed anew with HMAC-SHA1.
// All fields are required.
type Credential struct {
	ConsumerKey    string
	ConsumerSecret types.Secret
	// Token and TokenSecret are the user's access token.
	Token       types.Secret
	TokenSecret types.Secret
}

// Transport implements activity.Credential.
func (c Credential) Transport(base http.RoundTripper) (http.RoundTripper, error) {
	if c.ConsumerKey == "" || c.ConsumerSecret == "" || c.Token == "" || c.TokenSecret == "" {
		return nil, errors.New("oauth1: Credential with an empty field")
	}
	// One Config for each transport, with its Noncer set: the library fills in
	// a missing one at first use, which races if the Config is shared.
	config := &dghubble.Config{
		ConsumerKey:    c.ConsumerKey,
		ConsumerSecret: string(c.ConsumerSecret),
		Noncer:         dghubble.HexNoncer{},
	}
	ctx := context.WithValue(context.Background(), dghubble.HTTPClient, &http.Client{Transport: base})
	signer := dghubble.NewClient(ctx, config, dghubble.NewToken(string(c.Token), string(c.TokenSecret)))
	return signer.Transport, nil
}

// Format implements [fmt.Formatter].
func (c Credential) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "oauth1.Credential(%s, [REDACTED])", c.ConsumerKey)
}

// LogValue implements [slog.LogValuer].
func (c Credential) LogValue() slog.Value {
	return slog.GroupValue(slog.String("consumerKey", c.ConsumerKey), slog.String("token", "[REDACTED]"))
}

// MarshalJSON writes only the consumer key.
func (c Credential) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"consumerKey": c.ConsumerKey, "token": "[REDACTED]"})
}
