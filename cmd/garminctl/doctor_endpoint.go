package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// http returns a client that follows no redirects, because Garmin does not either.
func (c *doctorCommand) http(roots *x509.CertPool) (client *http.Client, stop func()) {
	t := &http.Transport{
		Proxy:               nil, // what Garmin does not use must not help us
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout: c.Timeout,
	}
	return &http.Client{
		Transport:     t,
		Timeout:       c.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, t.CloseIdleConnections
}

// endpoint checks the connection to the partner's endpoint, and its answers.
func (c *doctorCommand) endpoint(ctx context.Context, d *diagnosis, path types.Secret) {
	if c.Endpoint == "" {
		d.skip("endpoint", "no -endpoint")
		return
	}
	u, err := url.Parse(withSecret(c.Endpoint, path))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		d.add("endpoint", fault, "-endpoint is no URL", "give it as it is registered with Garmin: https://me.example.com/garmin")
		return
	}
	c.pathSecret(d, path)
	if !c.names(ctx, d, u) {
		return
	}
	roots, err := c.roots()
	if err != nil {
		d.add("tls", fault, "the file of -roots holds no certificate", "give one in PEM")
		return
	}
	if c.tls(ctx, d, u, roots) {
		c.answers(ctx, d, u, path, roots)
	}
}

// pathSecret checks the secret in the endpoint's path.
func (c *doctorCommand) pathSecret(d *diagnosis, path types.Secret) {
	const check = "secret"
	if path == "" {
		if strings.Contains(c.Endpoint, placeholder) {
			d.add(check, fault, "the endpoint has {secret}, and GARMIN_PATH_SECRET is missing", "set GARMIN_PATH_SECRET, or GARMIN_PATH_SECRET_FILE")
			return
		}
		d.add(check, fault, "the path secret is missing: Garmin signs nothing, so whoever finds the address can post what he likes",
			"make one with openssl rand -hex 16, set GARMIN_PATH_SECRET in the service, see notify.PathSecret, and register the address with it")
		return
	}
	if _, err := notify.PathSecret(string(path), ""); err != nil {
		d.add(check, fault, "the path secret cannot be one: "+err.Error(), "make one with openssl rand -hex 16")
		return
	}
	d.ok(check, "there is a path secret of %d characters", len(path))
}

// names resolves the host.
func (c *doctorCommand) names(ctx context.Context, d *diagnosis, u *url.URL) bool {
	const check = "dns"
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil || len(found) == 0 {
		d.add(check, fault, u.Hostname()+" has no address", "add an A or AAAA record for it; look with dig +short "+u.Hostname())
		return false
	}
	for _, a := range found {
		if a := a.Unmap(); a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsUnspecified() {
			d.add(check, warning, fmt.Sprintf("%s leads to %s, which Garmin cannot reach", u.Hostname(), a),
				"give it a public address, unless public DNS has one and only this machine sees another")
			return true
		}
	}
	d.ok(check, "%s leads to %s", u.Hostname(), found[0].Unmap())
	return true
}

func (c *doctorCommand) roots() (*x509.CertPool, error) {
	if c.Roots == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(c.Roots)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate")
	}
	return pool, nil
}

// endSoon is how long before its expiry a certificate causes a warning.
const endSoon = 14 * 24 * time.Hour

// tls checks the certificate. It returns false if no connection was made.
func (c *doctorCommand) tls(ctx context.Context, d *diagnosis, u *url.URL, roots *x509.CertPool) bool {
	const check = "tls"
	if u.Scheme == "http" {
		d.add(check, fault, "the endpoint is http: data and path secret pass in clear, and Garmin wants https", "put a certificate before it and register https://"+u.Host)
		return true
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	dialer := &tls.Dialer{Config: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		seen, do := unreachable(err, true)
		d.add(check, fault, u.Host+" "+seen, do)
		return false
	}
	defer conn.Close()
	tlsConn, _ := conn.(*tls.Conn)
	state := tlsConn.ConnectionState()
	end := state.PeerCertificates[0].NotAfter
	switch left := time.Until(end); {
	case left < endSoon:
		d.add(check, warning, fmt.Sprintf("the certificate ends on %s", end.UTC().Format(time.DateOnly)), "renew it, and look at why that is not done by itself")
	case port != "443":
		d.add(check, warning, "port "+port+": Garmin calls the standard port", "let a proxy on 443 hand on to it")
	default:
		d.ok(check, "%s, and a certificate until %s", tls.VersionName(state.Version), end.UTC().Format(time.DateOnly))
	}
	return true
}

// answers posts an empty object, which has no items, to the endpoint and to an address
// with a wrong secret.
func (c *doctorCommand) answers(ctx context.Context, d *diagnosis, u *url.URL, path types.Secret, roots *x509.CertPool) {
	const check = "endpoint"
	status, where, took, err := c.post(ctx, u.String(), roots)
	if err != nil {
		seen, do := unreachable(err, true)
		d.add(check, fault, u.Host+" "+seen, do)
		return
	}
	program := "look at what stands before the program, and at its log"
	switch {
	case status == http.StatusOK && took > 5*time.Second:
		d.add(check, warning, fmt.Sprintf("200 after %s; Garmin waits 30 s, also when much comes", took.Round(time.Millisecond)), "look at the disk: the answer waits for a sync")
	case status == http.StatusOK:
		d.ok(check, "200 after %s", took.Round(time.Millisecond))
	case status >= 300 && status < 400:
		d.add(check, fault, fmt.Sprintf("the endpoint is behind a redirect (%d) to %s, which Garmin does not follow", status, where),
			"register the address that it leads to, path and all, and mind a slash at its end and www")
	case status == http.StatusNotFound:
		d.add(check, fault, "404: nothing is at this path, or the running program has another path secret", "compare -endpoint and GARMIN_PATH_SECRET with what the service was started with")
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		d.add(check, fault, fmt.Sprintf("%d: somebody wants a log-in, or refuses this machine", status), "let POSTs of Garmin through without one; "+program)
	case status == http.StatusServiceUnavailable:
		d.add(check, fault, "503: the intake takes nothing now", "ask its /ready, which says why: a full disk, a queue that does not answer, a stop")
	case status/100 == 2:
		d.add(check, fault, fmt.Sprintf("%d: only 200 counts for Garmin", status), "answer 200; "+program)
	default:
		d.add(check, fault, fmt.Sprintf("%d to an empty object", status), program)
	}
	if path == "" || status != http.StatusOK {
		return
	}
	guess := rand.Text()
	if status, _, _, err := c.post(ctx, withSecret(c.Endpoint, types.Secret(guess)), roots); err == nil && status == http.StatusOK {
		d.add("secret", fault, "the endpoint takes a wrong path secret too", "give notify.PathSecret to HandlerOptions.Origin: the program does not look at it")
	}
}

// post returns the status of the answer, and the host that a redirect leads to.
func (c *doctorCommand) post(ctx context.Context, to string, roots *x509.CertPool) (status int, where string, took time.Duration, err error) {
	client, stop := c.http(roots)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader("{}"))
	if err != nil {
		return 0, "", 0, err
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("User-Agent", "garminctl")
	if c.ClientID != "" {
		req.Header.Set("Garmin-Client-Id", c.ClientID)
	}
	start := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", 0, err
	}
	resp.Body.Close()
	if l, err := resp.Location(); err == nil {
		where = l.Scheme + "://" + l.Host // its path may hold the secret
	}
	return resp.StatusCode, where, time.Since(start), nil
}

// unreachable describes why no answer came, and what to do. ours is true for the
// partner's endpoint. The error's text is not shown, because it may contain an address.
func unreachable(err error, ours bool) (seen, do string) {
	var (
		unknown  x509.UnknownAuthorityError
		name     x509.HostnameError
		invalid  x509.CertificateInvalidError
		notFound *net.DNSError
		timeout  net.Error
	)
	if a, ok := errors.AsType[*auth.Error](err); ok && a.StatusCode != 0 {
		return fmt.Sprintf("answered %d", a.StatusCode), "try again later; if it stays so, something stands before Garmin"
	}
	if a, ok := errors.AsType[*activity.Error](err); ok && a.StatusCode != 0 {
		return fmt.Sprintf("answered %d", a.StatusCode), "try again later; if it stays so, something stands before Garmin"
	}
	network := "look at the network: a firewall, a proxy or the outward rules of the container"
	switch {
	case errors.As(err, &unknown):
		if !ours {
			return "has a certificate of an unknown authority", "install the system's certificates (package ca-certificates); or a proxy opens TLS: let these hosts through untouched"
		}
		return "has a certificate that is self-signed or of an unknown authority; Garmin refuses it",
			"take one from a public authority, such as Let's Encrypt, and serve its intermediate certificates too"
	case errors.As(err, &name):
		return "has a certificate for another name", "take one for this host"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "has a certificate that is not valid now", "renew it; if it is new, look at this machine's clock"
	case errors.As(err, &invalid):
		return "has a certificate that is not valid", "take another one from a public authority"
	case errors.As(err, &notFound):
		return "is not found in DNS", "look at this machine's resolver: /etc/resolv.conf"
	case errors.Is(err, syscall.ECONNREFUSED):
		if ours {
			return "refuses the connection: nothing listens there", "start the service, and look at the proxy before it"
		}
		return "refuses the connection", network
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "does not answer in time", network
	}
	return "is not reached", network
}
