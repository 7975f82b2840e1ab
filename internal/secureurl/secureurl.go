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
// host called plain, which is "" if there is none and never one of Garmin's. The errors are to follow the
// name of what holds the URL, and show neither its user information nor its
// query.
func Check(raw, plain string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, errors.New("is no URL")
	case u.Hostname() == "": // A port alone would be plain, if that is "".
		return nil, errors.New("has no host")
	case u.User != nil || u.Fragment != "":
		return nil, fmt.Errorf("%q has user information or a fragment", u.Host)
	case u.Scheme == "http" && Garmin(u.Hostname()):
		return nil, fmt.Errorf("%q is http, and Garmin's", "http://"+u.Host+u.Path)
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

// Garmin reports whether host, without port, is one of Garmin's, however it is
// written.
func Garmin(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return host == "garmin.com" || strings.HasSuffix(host, ".garmin.com")
}
