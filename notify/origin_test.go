package notify_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
)

const (
	current  = "current-secret-0123456789"
	previous = "previous-secret-012345678"
)

func TestOriginRefusesBadSettings(t *testing.T) {
	t.Parallel()
	tests := map[string]func() (notify.OriginCheck, error){
		"empty secret":        func() (notify.OriginCheck, error) { return notify.PathSecret("", previous) },
		"short secret":        func() (notify.OriginCheck, error) { return notify.PathSecret("short", "") },
		"short previous":      func() (notify.OriginCheck, error) { return notify.PathSecret(current, "short") },
		"secret with slash":   func() (notify.OriginCheck, error) { return notify.PathSecret("0123456789/0123456789", "") },
		"secret with percent": func() (notify.OriginCheck, error) { return notify.PathSecret("0123456789%410123456789", "") },
		"empty client id":     func() (notify.OriginCheck, error) { return notify.ClientID("") },
	}
	for name, construct := range tests {
		check, err := construct()
		require.Error(t, err, name)
		require.Nil(t, check, name)
		require.NotContains(t, err.Error(), "0123456789", name)
		// Who drops the error gets no open door.
		opts := notify.HandlerOptions{Origin: []notify.OriginCheck{check}}
		require.Error(t, opts.Check(), name)
		require.Panics(t, func() { notify.NewHandler(new(memory).Put, &opts) }, name)
	}
}

func TestPathSecretCharacters(t *testing.T) {
	t.Parallel()
	const good = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	for n := range 256 {
		c := string([]byte{byte(n)})
		_, err := notify.PathSecret("0123456789abcde"+c, "")
		require.Equal(t, strings.Contains(good, c), err == nil, "current with %q", c)
		_, err = notify.PathSecret(current, "0123456789abcde"+c)
		require.Equal(t, strings.Contains(good, c), err == nil, "previous with %q", c)
	}
	_, err := notify.PathSecret("0123456789abcde", "")
	require.Error(t, err, "15 characters")
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	must := func(c notify.OriginCheck, err error) notify.OriginCheck {
		require.NoError(t, err)
		return c
	}
	rotating, single := must(notify.PathSecret(current, previous)), must(notify.PathSecret(current, ""))
	id := must(notify.ClientID("the-client-id"))
	errOwn := errors.New("own check")
	own := func(r *http.Request) error {
		if r.Header.Get("X-Own") != "yes" {
			return errOwn
		}
		return nil
	}
	tests := []struct {
		name    string
		checks  []notify.OriginCheck
		path    string
		headers string
		want    bool
	}{
		{name: "none", want: true},
		{name: "current secret", checks: []notify.OriginCheck{rotating}, path: "/garmin/" + current, want: true},
		{name: "secret in the middle", checks: []notify.OriginCheck{rotating}, path: "/garmin/" + current + "/activities", want: true},
		{name: "previous secret", checks: []notify.OriginCheck{rotating}, path: "/garmin/" + previous, want: true},
		{name: "previous secret is over", checks: []notify.OriginCheck{single}, path: "/garmin/" + previous},
		{name: "no secret", checks: []notify.OriginCheck{single}, path: "/garmin/"},
		{name: "a part of the secret", checks: []notify.OriginCheck{single}, path: "/garmin/" + current[:20]},
		{name: "more than the secret", checks: []notify.OriginCheck{single}, path: "/garmin/" + current + "x"},
		{name: "secret in the query", checks: []notify.OriginCheck{single}, path: "/garmin?" + current + "=" + current},
		{name: "secret in other case", checks: []notify.OriginCheck{single}, path: "/garmin/" + strings.ToUpper(current)},
		{name: "client id", checks: []notify.OriginCheck{id}, headers: "garmin-client-id: the-client-id", want: true},
		{name: "wrong client id", checks: []notify.OriginCheck{id}, headers: "garmin-client-id: another"},
		{name: "no client id", checks: []notify.OriginCheck{id}},
		{name: "empty client id", checks: []notify.OriginCheck{id}, headers: "garmin-client-id: "},
		{name: "client id twice", checks: []notify.OriginCheck{id}, headers: "garmin-client-id: the-client-id\ngarmin-client-id: x"},
		{name: "both", checks: []notify.OriginCheck{single, id}, path: "/" + current, headers: "garmin-client-id: the-client-id", want: true},
		{name: "one of both", checks: []notify.OriginCheck{single, id}, path: "/" + current},
		{name: "the other of both", checks: []notify.OriginCheck{single, id}, headers: "garmin-client-id: the-client-id"},
		{name: "own function", checks: []notify.OriginCheck{own}, headers: "X-Own: yes", want: true},
		{name: "own function says no", checks: []notify.OriginCheck{own}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := tt.path
			if path == "" {
				path = "/garmin"
			}
			body := &countingReader{Reader: strings.NewReader("{}")}
			r := httptest.NewRequest("POST", path, body)
			for line := range strings.SplitSeq(tt.headers, "\n") {
				if name, value, ok := strings.Cut(line, ": "); ok {
					r.Header.Add(name, value)
				}
			}
			store, w := &memory{}, httptest.NewRecorder()
			notify.NewHandler(store.Put, &notify.HandlerOptions{Origin: tt.checks}).ServeHTTP(w, r)
			if tt.want {
				require.Equal(t, 200, w.Code)
				return
			}
			require.Equal(t, 404, w.Code)
			require.Zero(t, body.reads, "the body was read")
			require.Empty(t, store.bodies)
		})
	}
}

func TestOriginStatus(t *testing.T) {
	t.Parallel()
	no := func(*http.Request) error { return errors.New("no") }
	w := httptest.NewRecorder()
	h := notify.NewHandler(new(memory).Put, &notify.HandlerOptions{Origin: []notify.OriginCheck{no}, OriginStatus: 503})
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	require.Equal(t, 503, w.Code)
	require.Empty(t, w.Header().Get("Allow"))
}

func TestOptionsCheck(t *testing.T) {
	t.Parallel()
	var none *notify.HandlerOptions
	require.NoError(t, none.Check())
	for name, opts := range map[string]notify.HandlerOptions{
		"large body":       {MaxBody: 2 << 30},
		"one at a time":    {MaxBody: 10, MaxInFlight: 10},
		"longest deadline": {Deadline: 28 * time.Second},
		"lowest status":    {OriginStatus: 400},
		"highest status":   {OriginStatus: 599},
	} {
		require.NoError(t, opts.Check(), name)
	}
	for name, opts := range map[string]notify.HandlerOptions{
		"negative body":     {MaxBody: -1},
		"less in flight":    {MaxBody: 10, MaxInFlight: 9},
		"negative flight":   {MaxInFlight: -1},
		"negative deadline": {Deadline: -1},
		"late deadline":     {Deadline: 28*time.Second + 1},
		"status 200":        {OriginStatus: 200},
		"status 399":        {OriginStatus: 399},
		"status 600":        {OriginStatus: 600},
	} {
		require.Error(t, opts.Check(), name)
		require.Panics(t, func() { notify.NewHandler(new(memory).Put, &opts) }, name)
	}
	require.Panics(t, func() { notify.NewHandler(nil, nil) })
}

// TestOriginIsCopied: a handler keeps the checks it was made with.
func TestOriginIsCopied(t *testing.T) {
	t.Parallel()
	checks := []notify.OriginCheck{func(*http.Request) error { return errors.New("no") }}
	h := notify.NewHandler(new(memory).Put, &notify.HandlerOptions{Origin: checks})
	checks[0] = func(*http.Request) error { return nil }
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader("x")))
	require.Equal(t, 404, w.Code)
}
