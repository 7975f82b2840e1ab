package activity

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/garminkit/activityapi/internal/resource"
	"github.com/garminkit/activityapi/types"
)

const (
	callbackLimit = 8 << 10
	// standardPath is where the API stands on Garmin's own hosts.
	standardPath = "/wellness-api/rest"
)

// callback takes a callback URL apart that came from the network, where
// anybody may have written it, and returns its raw query. It must be, byte for
// byte, scheme, host and path of the resource that belongs to kind, and then a
// query of known parameters. The request is then built on our own base URL:
// the URL itself is not dialled.
//
// A host alone would not do: on Garmin's own, /backfill and /user have side
// effects.
func (p *Pool) callback(kind types.Kind, raw types.Secret) (query string, err error) {
	s := string(raw)
	refuse := func(why string) (string, error) { return "", unsent{&because{ErrCallback, errors.New(why)}} }
	switch {
	case !kind.Known():
		return refuse("unknown kind of summary")
	case s == "":
		return refuse("it is empty")
	case len(s) > callbackLimit:
		return refuse("it is too long")
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f {
			return refuse("a character that no URL may hold")
		}
	}
	where, query, ok := strings.Cut(s, "?")
	if !ok {
		return refuse("no query")
	}
	if !p.isResource(where, resource.Of(kind)) {
		return refuse(p.difference(where, resource.Of(kind)))
	}
	if why := checkQuery(kind, query); why != "" {
		return refuse(why)
	}
	return query, nil
}

// isResource reports whether s is the URL of the resource at the base URL or
// at one of the hosts that were opted in.
func (p *Pool) isResource(s, resource string) bool {
	if s == p.base.String()+"/"+resource {
		return true
	}
	for _, host := range p.opts.CallbackHosts {
		if s == "https://"+host+standardPath+"/"+resource {
			return true
		}
	}
	return false
}

// difference says in which part a URL without query differs from that of the
// resource, with what is there. User information and odd text are not shown.
func (p *Pool) difference(where, resource string) string {
	part := func(name, have, want string) string {
		if len(have) > 100 || strings.Trim(have, plainText) != "" {
			return fmt.Sprintf("its %s is another than %q", name, want)
		}
		return fmt.Sprintf("its %s is %q, not %q", name, have, want)
	}
	scheme, rest, ok := strings.Cut(where, "://")
	if !ok {
		return "it does not begin with a scheme and a host"
	}
	authority, path, _ := strings.Cut(rest, "/")
	host, port, _ := strings.Cut(authority, ":")
	want := url.URL{Scheme: "https", Host: host, Path: standardPath}
	if !slices.Contains(p.opts.CallbackHosts, host) {
		want = *p.base
	}
	switch {
	case scheme != want.Scheme:
		return part("scheme", scheme, want.Scheme)
	case strings.ContainsAny(authority, "@[]"):
		return part("host", "@", want.Hostname())
	case host != want.Hostname():
		return part("host", host, want.Hostname()) + "; see Options.BaseURL and CallbackHosts"
	case port != want.Port() || strings.HasSuffix(authority, ":"):
		return part("port", port, want.Port())
	}
	return part("path", "/"+path, want.Path+"/"+resource)
}

// plainText are the characters that a refused value is shown with.
const plainText = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/"

// checkQuery returns what is wrong with a raw query, or "". The query is sent
// as it stands, so it must mean the same to every parser and signer: no
// semicolons, no broken escapes, no key twice, no key that is escaped.
func checkQuery(kind types.Kind, raw string) string {
	var seen [3]bool
	for pair := range strings.SplitSeq(raw, "&") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || value == "" {
			return "a parameter without value"
		}
		n := parameter(kind, key)
		switch {
		case n < 0:
			return "an unknown parameter"
		case seen[n]:
			return "a repeated parameter"
		case !plainValue(value):
			return "a value that is not well escaped"
		case n > 0 && kind != types.KindActivityFiles && strings.Trim(value, "0123456789") != "":
			return "a time that is no number"
		}
		seen[n] = true
	}
	return ""
}

// parameter returns a number for each parameter known for kind, 0 for the
// token, or -1.
func parameter(kind types.Kind, key string) int {
	switch {
	case key == "token":
		return 0
	case kind == types.KindActivityFiles && key == "id":
		return 1
	case kind != types.KindActivityFiles && key == "uploadStartTimeInSeconds":
		return 1
	case kind != types.KindActivityFiles && key == "uploadEndTimeInSeconds":
		return 2
	}
	return -1
}

// plainValue reports whether s is made of the characters that RFC 3986 allows
// in a query, without ';' and '&', and of whole escapes, none of which stands
// for a control character.
func plainValue(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("-._~!$'()*+,=:@/?", c) >= 0:
		case c == '%':
			if i+2 >= len(s) {
				return false
			}
			hi, lo := unhex(s[i+1]), unhex(s[i+2])
			if hi < 0 || lo < 0 || hi<<4|lo < ' ' || hi<<4|lo == 0x7f {
				return false
			}
			i += 2
		default:
			return false
		}
	}
	return true
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
