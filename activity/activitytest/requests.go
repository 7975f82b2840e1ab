package activitytest

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/garminkit/activityapi/types"
)

// maxRequests bounds the request log; the oldest entries go first.
const maxRequests = 100_000

// Request is an entry of the server's log. It holds no secret.
type Request struct {
	Time   time.Time
	Method string
	Host   string
	Path   string
	// QueryKeys are the sorted names of the query parameters.
	QueryKeys []string
	// Auth is the scheme of the Authorization header: "Bearer", another word,
	// or "" if there was none.
	Auth string
	// UserID is the user who was authenticated, or "".
	UserID types.UserID
	// Status is that of the answer, or 0 if the connection was cut before.
	Status int
}

// Requests returns the log of requests, oldest first: the latest 100,000.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// ClearRequests empties the log.
func (s *Server) ClearRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

func (s *Server) logRequest(r *http.Request, w *statusWriter, start time.Time) {
	e := Request{
		Time: start, Method: r.Method, Host: r.Host, Path: r.URL.Path,
		UserID: w.user, Status: w.status,
	}
	for key := range r.URL.Query() {
		e.QueryKeys = append(e.QueryKeys, key)
	}
	slices.Sort(e.QueryKeys)
	if scheme, _, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok {
		e.Auth = scheme
	} else if scheme != "" {
		e.Auth = "other" // It may be a token.
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) >= maxRequests {
		s.requests = slices.Delete(s.requests, 0, maxRequests/10)
	}
	s.requests = append(s.requests, e)
}
