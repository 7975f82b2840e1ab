package notify

import (
	"net/http"
	"time"
)

// NewServer returns a server for h with the limits that an open port needs:
// 5 s for the headers, 60 s for an idle connection, 64 KiB of headers. It sets
// no timeout for bodies, as the [Handler] has one of its own and 100 MB take
// their time. The caller may change any field before serving.
func NewServer(addr string, h http.Handler) *http.Server {
	return &http.Server{
		Addr:              addr,
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    64 << 10,
	}
}
