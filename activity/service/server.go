package service

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// newServer returns a server for a port that is open to the world. The handler
// of notifications sets deadlines of its own.
func newServer(h http.Handler, o *Options) *http.Server {
	return &http.Server{
		Handler:           h,
		TLSConfig:         o.TLSConfig,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		// Longer than load balancers keep a connection, most of them for 60
		// seconds: who closes must be the one who sends, or a request may meet
		// a connection that is being closed.
		IdleTimeout:    2 * time.Minute,
		MaxHeaderBytes: 64 << 10,
		ErrorLog:       slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn),
	}
}

// serve accepts connections until the server is shut down.
func (s *Service) serve(server *http.Server, l net.Listener) error {
	var err error
	if s.opts.TLSConfig != nil {
		err = server.ServeTLS(l, "", "")
	} else {
		err = server.Serve(l)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// shutDown answers what was begun and closes the rest. A request that takes
// longer than until the deadline has no answer, and comes again.
func shutDown(server *http.Server, deadline time.Time) error {
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	if err := server.Shutdown(ctx); err == nil || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return server.Close()
}
