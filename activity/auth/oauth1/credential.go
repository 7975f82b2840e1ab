package oauth1

import (
	"context"
	"errors"
	"net/http"

	dghubble "github.com/dghubble/oauth1"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/types"
)

// Credential returns the credential of a user who connected with OAuth 1.0a, for a
// program without package auth. Each attempt is signed anew with HMAC-SHA1. It
// uses only AccessToken and TokenSecret of t, and both are required.
func Credential(consumerKey string, consumerSecret types.Secret, t *auth.Token) activity.Credential {
	return func(base http.RoundTripper) (http.RoundTripper, error) {
		if consumerKey == "" || consumerSecret == "" || t.AccessToken == "" || t.TokenSecret == "" {
			return nil, errors.New("oauth1: a credential with an empty part")
		}
		// One Config for each transport, with its Noncer set: the library fills in
		// a missing one at first use, which races if the Config is shared.
		config := &dghubble.Config{
			ConsumerKey:    consumerKey,
			ConsumerSecret: string(consumerSecret),
			Noncer:         dghubble.HexNoncer{},
		}
		ctx := context.WithValue(context.Background(), dghubble.HTTPClient, &http.Client{Transport: base})
		signer := dghubble.NewClient(ctx, config, dghubble.NewToken(string(t.AccessToken), string(t.TokenSecret)))
		return signer.Transport, nil
	}
}
