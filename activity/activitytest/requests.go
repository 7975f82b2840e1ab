package activitytest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/garminkit/activityapi/types"
)

// Request is a request that the server got, and its answer. Credentials in it are
// replaced by "…".
type Request struct {
	// ID counts the requests from 1.
	ID     int64     `json:"id"`
	Time   time.Time `json:"time"`
	Method string    `json:"method"`
	Host   string    `json:"host"`
	Path   string    `json:"path"`
	// Query is the query as it came, without its tokens. QueryKeys are the names
	// of its parameters, sorted.
	Query     string   `json:"query"`
	QueryKeys []string `json:"queryKeys"`
	// Auth is the scheme of the Authorization header: "Bearer", another word,
	// or "" if there was none.
	Auth string `json:"auth"`
	// UserID is the user who was authenticated, or "".
	UserID types.UserID `json:"userId"`
	// Status is what was answered; 0 if the connection was cut before.
	Status int           `json:"status"`
	Took   time.Duration `json:"took"`
	// By says what answered instead of the API: "Intercept", "fault" or "quirk".
	// It is "" if the API did.
	By string `json:"by"`
	// Sent is what the partner sent, Answer what it got. Headers and bodies of
	// old requests are removed; see [Server.KeepBytes].
	Sent   Message `json:"sent"`
	Answer Message `json:"answer"`
}

func (e *Request) load() int { return e.Sent.load() + e.Answer.load() }

func (e *Request) drop() {
	e.Sent.drop()
	e.Answer.drop()
}

// Requests returns the requests whose ID is greater than after, oldest first. 0
// returns all that are kept; see [Server.KeepRequests]. State.Requests is the
// latest ID.
func (s *Server) Requests(after int64) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests.after(after)
}

func (s *Server) logRequest(r *http.Request, w *statusWriter) {
	e := Request{
		Time: w.at, Method: r.Method, Host: r.Host, Path: r.URL.Path, UserID: w.user, Status: w.status,
		Took: time.Since(w.start), By: w.by, Query: hideValues(r.URL.RawQuery),
		Sent:   Message{Header: hideHeader(r.Header), Body: w.sent.kept, Size: w.sent.size},
		Answer: Message{Header: w.Header().Clone(), Body: w.kept, Size: w.size},
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
	switch {
	case strings.Contains(r.URL.Path, "oauth"), strings.Contains(r.URL.Path, "token"):
		e.Sent.Body, e.Answer.Body = hideBody(e.Sent.Body), hideBody(e.Answer.Body)
	}
	if at := e.Answer.Header.Get("Location"); at != "" {
		before, query, _ := strings.Cut(at, "?")
		e.Answer.Header.Set("Location", before+"?"+hideValues(query))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e.ID = s.requests.nextID()
	s.requests.add(e, s.KeepRequests, s.keepBytes())
	s.touch()
}

// bodyReader remembers the beginning of what it reads.
type bodyReader struct {
	io.ReadCloser
	kept []byte
	size int64
}

func (b *bodyReader) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.kept = keep(b.kept, p[:n])
	b.size += int64(n)
	return n, err
}

// keep appends to what is kept of a body.
func keep(kept, b []byte) []byte {
	return append(kept, b[:min(len(b), maxKept-len(kept))]...)
}

const hidden = "…"

// secrets are the names of what the log leaves out, of queries, forms and JSON.
var secrets = [...]string{
	"token", "code", "code_verifier", "client_secret", "refresh_token", "access_token", "state", "oauth_token",
	"oauth_token_secret", "oauth_verifier", "jti",
}

// hideValues takes the secrets out of a query or a form, and leaves the rest as it
// is.
func hideValues(query string) string {
	parts := strings.Split(query, "&")
	for i, part := range parts {
		if key, _, ok := strings.Cut(part, "="); ok {
			if name, err := url.QueryUnescape(key); err != nil || slices.Contains(secrets[:], name) {
				parts[i] = key + "=" + hidden
			}
		}
	}
	return strings.Join(parts, "&")
}

// hideBody takes the secrets out of a form or a JSON object. It leaves nothing of
// what is neither.
func hideBody(b []byte) []byte {
	var o object
	switch err := json.Unmarshal(b, &o); {
	case len(b) == 0:
		return b
	case err == nil:
		for _, name := range secrets {
			if _, ok := o[name]; ok {
				o.set(name, hidden)
			}
		}
		return marshal(o)
	case bytes.ContainsAny(b, "<{[\n"):
		return []byte(hidden)
	}
	return []byte(hideValues(string(b)))
}

// hideHeader copies headers without credentials.
func hideHeader(h http.Header) http.Header {
	h = h.Clone()
	for _, key := range []string{"Authorization", "Proxy-Authorization", "Cookie"} {
		if v := h.Get(key); v != "" {
			scheme, _, ok := strings.Cut(v, " ")
			if !ok {
				scheme = ""
			}
			h.Set(key, strings.TrimSpace(scheme+" "+hidden))
		}
	}
	return h
}
