package activity

import (
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/garminkit/activityapi/internal/redact"
	"github.com/garminkit/activityapi/types"
)

var (
	queryPair  = regexp.MustCompile(`([?&;][A-Za-z0-9_.-]+=)[^&;\s"'<>]+`)
	bearerText = regexp.MustCompile(`(?i)\b(bearer\s+)[A-Za-z0-9._~+/=-]+`)
	namedText  = regexp.MustCompile(`(?i)\b((?:access_?|refresh_?|pull_?|oauth_)?(?:token|secret|signature)["']?\s*[=:]\s*["']?)[^\s"'&,;]+`)
)

// scrub takes out of a text from the network what the call keeps secret,
// however it is escaped, and what looks like it.
func (cl *call) scrub(s string) string {
	if s == "" {
		return s
	}
	for _, secret := range cl.secrets() {
		s = redact.Text(s, secret)
	}
	s = queryPair.ReplaceAllString(s, "${1}"+redact.Mark)
	s = bearerText.ReplaceAllString(s, "${1}"+redact.Mark)
	return namedText.ReplaceAllString(s, "${1}"+redact.Mark)
}

// uncut returns a text from the network without a secret's beginning at its end:
// of an answer no more than a beginning is read, and it may break off.
func (cl *call) uncut(text []byte) []byte {
	s := string(text)
	for _, hidden := range cl.secrets() {
		s = redact.Cut(s, hidden)
	}
	return text[:len(s)]
}

// secrets returns the strings that the call's own request holds, the longest
// first of each.
func (cl *call) secrets() []string {
	var list []string
	add := func(v string) {
		if len(v) >= 4 {
			list = append(list, v)
		}
	}
	add(cl.query)
	for pair := range strings.SplitSeq(cl.query, "&") {
		if key, value, _ := strings.Cut(pair, "="); key == "token" || key == "id" {
			add(value)
		}
	}
	auth, _ := cl.auth.Load().(string)
	add(auth)
	scheme, rest, _ := strings.Cut(auth, " ")
	if scheme != "OAuth" {
		add(rest)
		return list
	}
	for pair := range strings.SplitSeq(rest, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		switch key {
		case "oauth_token", "oauth_signature", "oauth_nonce":
			add(strings.Trim(value, `"`))
		}
	}
	return list
}

// safe returns an error from below the client that can be shown: without a
// *url.Error, which prints its URL, and without a text, its own or that of an
// error it wraps, that holds a secret of the call.
func (cl *call) safe(err error) error {
	var ue *url.Error
	for errors.As(err, &ue) {
		err = ue.Err
	}
	switch {
	case err == nil:
		return errBase
	case !cl.tainted(err):
		return err
	}
	if errno := errnoOf(err); errno != nil {
		return &because{errBase, errno}
	}
	return errBase
}

func (cl *call) tainted(err error) bool {
	if text := err.Error(); cl.scrub(text) != text {
		return true
	}
	switch u := err.(type) {
	case interface{ Unwrap() error }:
		if below := u.Unwrap(); below != nil {
			return cl.tainted(below)
		}
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(u.Unwrap(), cl.tainted)
	}
	return false
}

// shown returns err with a cause that can be shown. The answer might repeat
// what it was asked with.
func (cl *call) shown(err *types.DecodeError) *types.DecodeError {
	text := err.Error()
	if cl.scrub(text) == text {
		return err
	}
	return &types.DecodeError{Offset: err.Offset, Err: errShape}
}
