package auth_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/types"
)

// The answer to a refresh is the only copy of the next refresh token. Whatever
// is odd about it, a token that is there is stored; without one, nothing is, and
// nobody is judged.
func TestOddTokenAnswers(t *testing.T) {
	t.Parallel()
	const (
		tokens = `"access_token":"a2","refresh_token":"r2"`
		day    = 24 * time.Hour
		long   = 90 * day
	)
	with := func(more string) string { return `{` + tokens + `,` + more + `}` }
	usual := with(`"token_type":"bearer","expires_in":86400,"refresh_token_expires_in":7775998`)
	for name, tt := range map[string]struct {
		status       int
		kind, body   string
		end          string        // how the transfer ends
		expiry       time.Duration // 0 means refused
		refresh      time.Duration
		fault        types.Fault
		reconnect    bool
		refreshToken types.Secret
	}{
		"as documented":            {body: usual, expiry: day, refresh: 7775998 * time.Second},
		"byte order mark":          {body: "\ufeff" + usual, expiry: day, refresh: 7775998 * time.Second},
		"white space around":       {body: "\r\n " + usual + "\r\n\n", expiry: day, refresh: 7775998 * time.Second},
		"called text":              {kind: "text/plain;charset=UTF-8", body: usual, expiry: day, refresh: 7775998 * time.Second},
		"called a form":            {kind: "application/x-www-form-urlencoded", body: usual, expiry: day, refresh: 7775998 * time.Second},
		"called a page":            {kind: "text/html", body: usual, expiry: day, refresh: 7775998 * time.Second},
		"no Content-Type":          {kind: "-", body: usual, expiry: day, refresh: 7775998 * time.Second},
		"201":                      {status: 201, body: usual, expiry: day, refresh: 7775998 * time.Second},
		"no lifetimes":             {body: `{` + tokens + `}`, expiry: time.Hour, refresh: long},
		"a lifetime with fraction": {body: with(`"expires_in":86399.5,"refresh_token_expires_in":7775998.9`), expiry: 86399 * time.Second, refresh: 7775998 * time.Second},
		"a lifetime as float":      {body: with(`"expires_in":86400.0`), expiry: day, refresh: long},
		"with exponent":            {body: with(`"expires_in":8.64e4`), expiry: day, refresh: long},
		"lifetimes as text":        {body: with(`"expires_in":"86400","refresh_token_expires_in":"7775998"`), expiry: day, refresh: 7775998 * time.Second},
		"no number":                {body: with(`"expires_in":"soon","refresh_token_expires_in":[]`), expiry: time.Hour, refresh: long},
		"below zero, and huge":     {body: with(`"expires_in":-1,"refresh_token_expires_in":1e400`), expiry: time.Hour, refresh: long},
		"null everywhere else":     {body: with(`"expires_in":null,"token_type":null,"error":null,"scope":null`), expiry: time.Hour, refresh: long},
		"a type that is no text":   {body: with(`"token_type":{"a":1},"scope":["A"],"jti":7`), expiry: time.Hour, refresh: long},
		"an empty error":           {body: with(`"error":""`), expiry: time.Hour, refresh: long},
		"an error that is no text": {body: with(`"error":false`), expiry: time.Hour, refresh: long},
		"a key twice":              {body: with(`"expires_in":5,"expires_in":86400`), expiry: day, refresh: long},
		"shorter than announced":   {end: "cut", body: usual, expiry: day, refresh: 7775998 * time.Second},
		"without an end":           {end: "never", body: usual, expiry: day, refresh: 7775998 * time.Second},
		"the old refresh token":    {body: `{"access_token":"a2","expires_in":86400}`, expiry: day, refresh: long, refreshToken: "r1"},

		"an error object in a 200":    {body: `{"error":"invalid_grant"}`, fault: types.FaultUser, reconnect: true},
		"another one in a 200":        {body: `{"error":"invalid_client"}`, fault: types.FaultApplication},
		"Garmin's error in a 200":     {body: `{"errorMessage":"x"}`},
		"no access token":             {body: `{"refresh_token":"r2"}`},
		"an access token as number":   {body: `{"access_token":7,"refresh_token":"r2"}`},
		"a list":                      {body: `[` + usual + `]`},
		"null":                        {body: `null`},
		"nothing":                     {body: ``},
		"204":                         {status: 204, body: ``},
		"cut":                         {body: usual[:len(usual)-1]},
		"cut, and it shows":           {end: "cut", body: usual[:len(usual)-1]},
		"refused, and cut":            {status: 400, end: "cut", body: `{"error":"invalid_grant"}`},
		"a page in a 200":             {kind: "text/html", body: `<html>sign in</html>`, fault: types.FaultNetwork},
		"a captive portal":            {status: 511, kind: "text/html", body: `<html>`, fault: types.FaultNetwork},
		"a proxy's password":          {status: 407, body: `{"error":"invalid_grant"}`, fault: types.FaultNetwork},
		"451":                         {status: 451, kind: "text/html", body: `<html>`, fault: types.FaultNetwork},
		"an error with 503":           {status: 503, body: `{"error":"invalid_grant"}`, fault: types.FaultGarmin},
		"byte order mark and a 400":   {status: 400, body: "\ufeff" + `{"error":"invalid_grant"}`, fault: types.FaultUser, reconnect: true},
		"a page that looks like JSON": {status: 400, body: `{"error":"invalid_grant"} <!-- x -->`, fault: ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rt := recorder(func(r *http.Request) (*http.Response, error) {
					status, header := tt.status, http.Header{"Content-Type": {"application/json"}}
					if status == 0 {
						status = 200
					}
					if tt.kind == "-" {
						header.Del("Content-Type")
					} else if tt.kind != "" {
						header.Set("Content-Type", tt.kind)
					}
					body := io.Reader(strings.NewReader(tt.body))
					switch tt.end {
					case "cut":
						body = io.MultiReader(body, cutReader{})
					case "never":
						body = io.MultiReader(body, silent{r.Context()})
					}
					return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(body), Request: r}, nil
				})
				store := auth.NewMemory()
				users := newUsers(t, rt, store)
				defer users.Close()
				_, err := store.Swap(t.Context(), nil, &auth.Token{UserID: "u", AccessToken: "a1", RefreshToken: "r1", Expiry: time.Now(), RefreshExpiry: time.Now().Add(time.Hour)})
				require.NoError(t, err)
				start := time.Now()
				_, err = users.Token(t.Context(), "u")
				stored, storeErr := store.Token(t.Context(), "u")
				require.NoError(t, storeErr)
				if tt.expiry == 0 {
					var e *auth.Error
					require.ErrorAs(t, err, &e)
					require.Equal(t, tt.fault, e.Fault(), "%v", err)
					require.Equal(t, tt.reconnect, stored.Revoked, "%v", err)
					require.EqualValues(t, "r1", stored.RefreshToken)
					return
				}
				require.NoError(t, err)
				if tt.refreshToken == "" {
					tt.refreshToken = "r2"
				}
				require.Equal(t, tt.refreshToken, stored.RefreshToken)
				require.EqualValues(t, "a2", stored.AccessToken)
				require.Equal(t, tt.expiry, stored.Expiry.Sub(start))
				require.Equal(t, tt.refresh, stored.RefreshExpiry.Sub(start))
			})
		})
	}
}

// TestEveryStatusOfTheTokenServer: each status from 100 to 599 and above, with
// each author. Only a code of RFC 6749 in a JSON object judges, and only where the
// status can be a judgement.
func TestEveryStatusOfTheTokenServer(t *testing.T) {
	t.Parallel()
	bodies := map[string]string{
		"user":        `{"error":"invalid_grant"}`,
		"application": `{"error":"invalid_client"}`,
		"code":        `{"error":"new_code"}`,
		"Garmin":      `{"errorMessage":"no"}`,
		"page":        "<!DOCTYPE html><title>no</title>",
		"text":        "no",
		"nobody":      "",
	}
	verdict := func(status int, author string) types.Fault {
		switch {
		case status < 200, status >= 300 && status < 400, status == 407, status == 511, status >= 600:
			return types.FaultNetwork
		case status >= 500, status == 408, status == 425, status == 429:
			return types.FaultGarmin
		case author == "page", author == "text":
			return types.FaultNetwork
		case author == "user":
			return types.FaultUser
		case author == "application", author == "code" && status == 401:
			return types.FaultApplication
		}
		return ""
	}
	statuses := []int{600, 999}
	for s := 100; s < 600; s++ {
		statuses = append(statuses, s)
	}
	for author, body := range bodies {
		t.Run(author, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				for _, status := range statuses {
					rt := recorder(func(r *http.Request) (*http.Response, error) {
						return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
					})
					store := auth.NewMemory()
					users := newUsers(t, rt, store)
					_, err := store.Swap(t.Context(), nil, &auth.Token{UserID: "u", AccessToken: "a1", RefreshToken: "r1", Expiry: time.Now(), RefreshExpiry: time.Now().Add(time.Hour)})
					require.NoError(t, err)
					_, err = users.Token(t.Context(), "u")
					e, ok := errors.AsType[*auth.Error](err)
					require.True(t, ok, "%d: %v", status, err)
					want := verdict(status, author)
					require.Equal(t, want, e.Fault(), "%d: %v", status, err)
					stored, err := store.Token(t.Context(), "u")
					require.NoError(t, err)
					require.Equal(t, want == types.FaultUser, stored.Revoked, status)
					require.NoError(t, users.Close())
				}
			})
		})
	}
}
