package control

import (
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/garminkit/activityapi/internal/secureurl"
)

// guard keeps web pages of the developer's browser away from h. A page of
// another site may send requests to this machine, though it cannot read the
// answers: it is told by its origin. A page whose name was made to lead here
// could read them too: it is told by the Host header, which has that name.
func guard(h http.Handler, hosts []string) http.Handler {
	same := http.NewCrossOriginProtection()
	same.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusForbidden, failure{"the request comes from another web page"})
	}))
	h = same.Handler(h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := hostname(r.Host)
		if !secureurl.Loopback(host) && !slices.ContainsFunc(hosts, func(name string) bool { return strings.EqualFold(name, host) }) {
			writeJSON(w, http.StatusForbidden, failure{"the request is for a host that Options.Hosts does not name"})
			return
		}
		h.ServeHTTP(w, r)
	})
}

// hostname returns a Host header in lower case and without port.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}
