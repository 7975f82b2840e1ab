// Package secureurl checks URLs to which secrets go.
package secureurl

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// Check parses a URL. It must be https, or http to a loopback address or to the
// host called plain, which is "" if there is none. The errors are to follow the
// name of what holds the URL, and show neither its user information nor its
// query.
func Check(raw, plain string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, errors.New("is no URL")
	case u.Host == "":
		return nil, errors.New("has no host")
	case u.User != nil || u.Fragment != "":
		return nil, fmt.Errorf("%q has user information or a fragment", u.Host)
	case u.Scheme == "http" && !Loopback(u.Hostname()) && u.Hostname() != plain:
		return nil, fmt.Errorf("%q is http: that takes a loopback address, or Options.PlainHTTPHost", "http://"+u.Host+u.Path)
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("%q is not https", u.Scheme+"://"+u.Host+u.Path)
	}
	return u, nil
}

// Loopback reports whether host, without port, is this machine.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Garmin reports whether host, in lower case and without port, is one of
// Garmin's.
func Garmin(host string) bool {
	return host == "garmin.com" || strings.HasSuffix(host, ".garmin.com")
}
