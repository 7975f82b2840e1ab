package activity

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/garminkit/activityapi/internal/secureurl"
	"github.com/garminkit/activityapi/types"
)

// defaultBaseURL is where Garmin serves the Activity API.
const defaultBaseURL = "https://apis.garmin.com/wellness-api/rest"

// Options are the optional settings of [NewPool]. nil means the zero value; each
// field's zero value means the default it names. Options are copied; changing
// them later has no effect.
type Options struct {
	// BaseURL is the root of the API with its path. Empty means
	// "https://apis.garmin.com/wellness-api/rest". A callback URL must begin with
	// it. It must be https, or http to a loopback address, such as that of a fake
	// Garmin in a test.
	BaseURL string
	// PlainHTTPHost is one host besides loopback addresses that BaseURL may use
	// with plain http, such as "fake-garmin" in a container network. Tokens then
	// cross that network unencrypted. It cannot be a host of Garmin's.
	PlainHTTPHost string
	// CallbackHosts are further hosts whose callback URLs are accepted, such as
	// "healthapi.garmin.com", which Garmin used until 2021. The request still
	// goes to BaseURL. The default is none.
	CallbackHosts []string

	// Transport sends the requests. It must verify certificates, follow no
	// redirect and send nothing twice. If it is an [*http.Transport], requests
	// that must not be repeated use a copy of it that makes a new HTTP/1.1
	// connection for each. Close does not close it.
	//
	// The default is a private transport: TLS 1.2 or later, no proxy, and no
	// connection to loopback, link-local or, for Garmin's hosts, private
	// addresses.
	Transport http.RoundTripper
	// Wrap, if not nil, returns a RoundTripper around the one that sends the
	// requests, for instance a tracer. It sees each attempt, after retries and the
	// credential have been added. It must not repeat a request, and must not record
	// URLs, since their queries hold pull tokens. NewPool calls it twice: for the
	// shared connections, and for the requests that each get a connection of their
	// own.
	Wrap func(http.RoundTripper) http.RoundTripper
	// UserAgent is the User-Agent header, "activityapi" if empty.
	UserAgent string
	// Timeout bounds the wait for the header of an answer and then for each
	// further piece of its body. It does not bound the whole call; ctx does. The
	// default is 60 s.
	Timeout time.Duration
	// MaxResponseBytes bounds the body of an answer after decompression. The
	// default is 512 MiB. Lists are streamed, with memory for one item.
	MaxResponseBytes int64
	// MaxItemBytes bounds one item of a list. Memory holds several copies of an item
	// while it is read. A larger item is skipped and counts as unreadable. Items
	// whose samples go to PullOptions.Sample have no bound. The default is 64 MiB;
	// a day recorded each second takes about 27 MiB.
	MaxItemBytes int64

	// MaxRetries bounds the repeats of one call. The default is 3; negative means
	// none.
	MaxRetries int
	// MinBackoff and MaxBackoff bound the wait before a repeat. The wait doubles
	// with each repeat and is shortened by a random part. MaxBackoff also limits
	// the wait that Garmin asks for with Retry-After. The defaults are 500 ms and
	// 30 s.
	MinBackoff, MaxBackoff time.Duration
	// RetryBudget is how much one call that is answered without a transient failure
	// adds to the budget for repeats. Each repeat takes 1 from it. It holds at most
	// 10, and does so at first. All clients of a [Pool] share it, so that repeats do
	// not prolong an outage: once it is used up, each call is sent only once until
	// Garmin answers again. RetryBudget is at most 1; the default is 0.1.
	RetryBudget float64

	// KeepRaw fills the Raw field of all pulled summaries, not only of those with
	// defects.
	KeepRaw bool
	// BadItem, if not nil, is called with each unreadable item of a list, and the
	// list continues without it. If nil, the list continues too, but ends with an
	// error that says where the bad items were. It must be safe for concurrent
	// use.
	BadItem func(kind types.Kind, raw json.RawMessage, err *types.DecodeError)
	// UnknownKey, if not nil, is called with the path of each JSON key that package
	// types has no field for. It must be safe for concurrent use.
	UnknownKey func(path string)

	// Logger gets a record for each attempt (debug), and for each repeat and each
	// list with unreadable values (warn), free of secrets. nil is silent.
	Logger *slog.Logger
}

const (
	defaultTimeout          = 60 * time.Second
	defaultMaxResponseBytes = 512 << 20
	defaultMaxItemBytes     = 64 << 20
	defaultMaxRetries       = 3
	defaultMinBackoff       = 500 * time.Millisecond
	defaultMaxBackoff       = 30 * time.Second
	defaultRetryBudget      = 0.1
)

// withDefaults returns a checked copy of o.
func (o *Options) withDefaults() (Options, error) {
	var v Options
	if o != nil {
		v = *o
	}
	v.CallbackHosts = slices.Clone(v.CallbackHosts)
	if v.BaseURL == "" {
		v.BaseURL = defaultBaseURL
	}
	if v.UserAgent == "" {
		v.UserAgent = "activityapi"
	}
	if v.Timeout == 0 {
		v.Timeout = defaultTimeout
	}
	if v.MaxResponseBytes == 0 {
		v.MaxResponseBytes = defaultMaxResponseBytes
	}
	if v.MaxItemBytes == 0 {
		v.MaxItemBytes = defaultMaxItemBytes
	}
	switch {
	case v.MaxRetries == 0:
		v.MaxRetries = defaultMaxRetries
	case v.MaxRetries < 0:
		v.MaxRetries = 0
	}
	if v.MinBackoff == 0 {
		v.MinBackoff = defaultMinBackoff
	}
	if v.MaxBackoff == 0 {
		v.MaxBackoff = max(defaultMaxBackoff, v.MinBackoff)
	}
	if v.RetryBudget == 0 {
		v.RetryBudget = defaultRetryBudget
	}
	switch {
	case v.Timeout < 0 || v.MaxResponseBytes < 0 || v.MaxItemBytes < 0 || v.MinBackoff < 0 || v.MaxBackoff < 0:
		return v, errors.New("activity: Options has a negative limit")
	case v.MinBackoff > v.MaxBackoff:
		return v, errors.New("activity: Options.MinBackoff is above MaxBackoff")
	case !(v.RetryBudget > 0 && v.RetryBudget <= 1):
		return v, errors.New("activity: Options.RetryBudget is not within 0 and 1")
	case strings.ContainsFunc(v.UserAgent, func(r rune) bool { return r < ' ' || r > '~' }):
		return v, errors.New("activity: Options.UserAgent has a character that no header may hold")
	}
	if h := v.PlainHTTPHost; h != "" && (!hostName.MatchString(h) && !plainName.MatchString(h) || secureurl.Garmin(h)) {
		return v, fmt.Errorf("activity: Options.PlainHTTPHost: %q is not a host name in lower case, or is Garmin's", h)
	}
	for _, h := range v.CallbackHosts {
		if !hostName.MatchString(h) {
			return v, fmt.Errorf("activity: Options.CallbackHosts: %q is not a host name in lower case", h)
		}
	}
	return v, nil
}

var (
	plainName = regexp.MustCompile(`^[a-z0-9-]+$`)
	hostName  = regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)+$`)
	basePath  = regexp.MustCompile(`^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$`)
)

// parseBase checks a base URL and returns it without a slash at its end and
// without the scheme's own port. plain is a host to which http may lead.
func parseBase(raw, plain string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("activity: Options.BaseURL is not a URL")
	}
	// What is shown holds neither user information nor a query.
	shown := (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
	bad := func(why string) (*url.URL, error) {
		return nil, fmt.Errorf("activity: Options.BaseURL %q %s", shown, why)
	}
	host := strings.ToLower(u.Hostname())
	switch {
	case u.Opaque != "" || host == "":
		return nil, errors.New("activity: Options.BaseURL has no host")
	case strings.HasSuffix(host, ".") || !ascii(host):
		// Callback URLs name it in another way, and each would be refused.
		return bad("has a host that no callback URL names: write it in ASCII, without a dot at its end")
	case !portFits(u.Port()):
		return bad("has a port that does not exist")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return bad("has more than scheme, host and path")
	case u.Scheme == "http" && !secureurl.Loopback(host) && host != plain:
		return bad("is http: that takes a loopback address, or Options.PlainHTTPHost")
	case u.Scheme != "https" && u.Scheme != "http":
		return bad("is not https")
	}
	path := strings.TrimRight(u.Path, "/")
	switch {
	case u.RawPath != "" || !basePath.MatchString(path):
		return bad("has a path that is not plain")
	case path == "":
		return bad("has no path: Garmin's is " + standardPath)
	case secureurl.Garmin(host) && path != standardPath:
		return bad("has another path than Garmin's, " + standardPath)
	}
	port := u.Port()
	switch {
	case u.Scheme == "https" && port == "443", u.Scheme == "http" && port == "80":
		port = ""
	case port == "80" || port == "443":
		// OAuth 1.0a signatures leave out these ports whatever the scheme, so
		// the server would see another text than was signed.
		return bad("has the other scheme's port")
	}
	clean := &url.URL{Scheme: u.Scheme, Host: host, Path: path}
	if strings.Contains(host, ":") {
		clean.Host = "[" + clean.Host + "]"
	}
	if port != "" {
		clean.Host += ":" + port
	}
	return clean, nil
}

func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > '~' }) < 0
}

// portFits reports whether a port, if there is one, can be dialled and is written
// as everybody does.
func portFits(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && n > 0 && port[0] != '0'
}
