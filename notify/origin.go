package notify

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// OriginCheck returns nil if a request may come from Garmin, or an error that
// says which check failed. The error goes to the Logger and into Receipt.Err, so
// it must not contain a secret. A check looks at the headers and the address,
// never at the body, and must be safe for concurrent use. Garmin signs nothing,
// so each check alone is weak: combine several in HandlerOptions.Origin.
//
// [PathSecret] and [ClientID] return an error for an empty value, so that an
// unset environment variable stops the program at its start instead of opening
// the endpoint.
type OriginCheck func(r *http.Request) error

var (
	errPathSecret = errors.New("path secret: no segment of the path is the secret")
	errNoClientID = errors.New("client id: no garmin-client-id")
	errClientIDs  = errors.New("client id: garmin-client-id is given more than once")
	errClientID   = errors.New("client id: garmin-client-id has another value")
)

// minSecret is the minimum length of a path secret in characters.
const minSecret = 16

// PathSecret returns a check that requires one segment of the request's path to
// be a secret. Register https://partner.example/garmin/<secret> with Garmin; its
// portal drops query parameters. previous is accepted too, while you change the
// secret; "" means none. The comparison takes the same time for any wrong guess.
//
// A secret has at least 16 characters of A–Z, a–z, 0–9 and "-._~"; any other is
// an error. Keep it out of access logs. No error, log line or hook of this
// package holds it.
func PathSecret(current, previous string) (OriginCheck, error) {
	if err := checkSecret(current); err != nil {
		return nil, fmt.Errorf("notify: PathSecret: current %w", err)
	}
	want := [][sha256.Size]byte{sha256.Sum256([]byte(current))}
	if previous != "" {
		if err := checkSecret(previous); err != nil {
			return nil, fmt.Errorf("notify: PathSecret: previous %w", err)
		}
		want = append(want, sha256.Sum256([]byte(previous)))
	}
	return func(r *http.Request) error {
		ok := 0
		for segment := range strings.SplitSeq(r.URL.Path, "/") {
			if len(segment) < minSecret {
				continue // a path of slashes would be much to hash
			}
			have := sha256.Sum256([]byte(segment))
			for i := range want {
				ok |= subtle.ConstantTimeCompare(have[:], want[i][:])
			}
		}
		if ok != 1 {
			return errPathSecret
		}
		return nil
	}, nil
}

func checkSecret(s string) error {
	if len(s) < minSecret {
		return fmt.Errorf("has %d characters, want at least %d", len(s), minSecret)
	}
	for _, c := range []byte(s) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0) {
			return errors.New("has a character that a URL path would escape")
		}
	}
	return nil
}

// ClientID returns a check that requires exactly one header garmin-client-id
// with this value. The id is public, since it is part of every consent URL: the
// check stops misdirected requests, not attackers.
func ClientID(id string) (OriginCheck, error) {
	if id == "" {
		return nil, errors.New("notify: ClientID: id is empty")
	}
	for _, c := range []byte(id) {
		if c <= ' ' || c > '~' {
			return nil, fmt.Errorf("notify: ClientID: id %q has a space or another character that no client id has", id)
		}
	}
	want := sha256.Sum256([]byte(id))
	return func(r *http.Request) error {
		values := r.Header.Values("Garmin-Client-Id")
		if len(values) == 0 {
			return errNoClientID
		}
		if len(values) > 1 {
			return errClientIDs
		}
		have := sha256.Sum256([]byte(values[0]))
		if subtle.ConstantTimeCompare(have[:], want[:]) != 1 {
			return errClientID
		}
		return nil
	}, nil
}
