package notify

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/types"
)

// TestRedact: of no event does a secret stand in an error, whole or in part.
func TestRedact(t *testing.T) {
	t.Parallel()
	const (
		token = types.Secret("user-access-token")
		url   = types.Secret("https://apis.garmin.com/wellness-api/rest/activities?id=12345&token=sixsix")
	)
	cause := errors.New("cause")
	for name, data := range map[string]Data{
		"ping":           &Ping{CallbackURL: url, UserAccessToken: token},
		"file":           &FilePing{File: types.ActivityFile{CallbackURL: url}, UserAccessToken: token},
		"push":           &Push{UserAccessToken: token},
		"deregistration": &Deregistration{UserAccessToken: token},
		"permissions":    &PermissionChange{UserAccessToken: token},
	} {
		ev := &Event{Data: data}
		secrets := []string{string(token)}
		if name == "ping" || name == "file" {
			secrets = append(secrets, string(url), "id=12345&token=sixsix", "sixsix")
		}
		for _, secret := range secrets {
			err := withoutSecrets(&secretError{"before " + secret + " after", cause}, ev)
			require.NotContains(t, err.Error(), secret, name)
			require.True(t, strings.HasPrefix(err.Error(), "before "), name)
			require.True(t, strings.HasSuffix(err.Error(), " after"), name)
			require.ErrorIs(t, err, cause, name)
			_, ok := errors.AsType[*secretError](err)
			require.True(t, ok, name)
		}
		for _, odd := range []string{"six%73ix", "%73ixsix", "six&#115;ix", `six\u0073ix`} {
			if err := withoutSecrets(&secretError{"before " + odd, cause}, ev); name == "ping" || name == "file" {
				require.Equal(t, "before [REDACTED]", err.Error(), name)
			}
		}
		require.Same(t, cause, withoutSecrets(cause, ev), "nothing to hide")
		short := errors.New("12345 is no secret")
		require.Same(t, short, withoutSecrets(short, ev), name)
	}
	require.Same(t, cause, withoutSecrets(cause, nil))
}

// secretError has a secret in its text.
type secretError struct {
	text string
	err  error
}

func (e *secretError) Error() string { return e.text }
func (e *secretError) Unwrap() error { return e.err }
