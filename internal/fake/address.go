package fake

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"strconv"
)

var errURL = errors.New("-url must be like https://fake:9000, without a path")

// baseURL returns the address under which others know the fake: the one that was
// given, or that of the listener.
func baseURL(ctx context.Context, given string, secure bool, listener net.Addr) (string, error) {
	if given != "" {
		u, err := url.Parse(given)
		switch {
		case err != nil, u.Host == "", u.User != nil, u.RawQuery != "", u.Fragment != "", u.Path != "" && u.Path != "/",
			u.Scheme != "http" && u.Scheme != "https":
			return "", errURL
		case secure && u.Scheme != "https":
			return "", errors.New("-tls and a -url of http do not go together")
		}
		return u.Scheme + "://" + u.Host, nil
	}
	host, port, err := net.SplitHostPort(listener.String())
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = nameOfMachine(ctx)
	}
	return scheme(secure) + net.JoinHostPort(host, port), nil
}

func scheme(secure bool) string {
	if secure {
		return "https://"
	}
	return "http://"
}

// nameOfMachine is the name by which this machine can be reached, as other
// containers of its network reach it, or else localhost.
func nameOfMachine(ctx context.Context) string {
	name, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	if _, err := net.DefaultResolver.LookupHost(ctx, name); err != nil {
		return "localhost"
	}
	return name
}

// loopback is the address under which this program reaches its own listener.
func loopback(secure bool, listener net.Addr) string {
	a, ok := listener.(*net.TCPAddr)
	if !ok || !a.IP.IsUnspecified() {
		return scheme(secure) + listener.String()
	}
	return scheme(secure) + net.JoinHostPort("localhost", strconv.Itoa(a.Port))
}

// hostOf returns the host of a base URL, without port.
func hostOf(baseURL string) string {
	u, err := url.Parse(baseURL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// hosts are all names of the fake that a certificate is made for.
func hosts(baseURL string, listener net.Addr) []string {
	list := []string{"localhost", "127.0.0.1", "::1", hostOf(baseURL)}
	if name, err := os.Hostname(); err == nil {
		list = append(list, name)
	}
	if a, ok := listener.(*net.TCPAddr); ok && !a.IP.IsUnspecified() {
		list = append(list, a.IP.String())
	}
	return list
}
