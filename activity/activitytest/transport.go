package activitytest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
)

// hosts are the names Garmin's API answers to.
var hosts = [...]string{"apis.garmin.com", "connectapi.garmin.com", "connect.garmin.com", "diauth.garmin.com", "healthapi.garmin.com"}

// RoundTrip answers a request for one of Garmin's hosts, or for the host of
// BaseURL, in memory. Any other host is an error, as if its name did not resolve,
// so that a test notices requests elsewhere.
func (s *Server) RoundTrip(r *http.Request) (*http.Response, error) {
	base, err := url.Parse(s.BaseURL)
	if err != nil || (r.URL.Host != base.Host && !slices.Contains(hosts[:], r.URL.Host)) {
		closeBody(r)
		return nil, fmt.Errorf("activitytest: no such host %q", r.URL.Host)
	}
	return roundTrip(s, r)
}

// roundTrip runs the handler in the caller's goroutine and returns what it
// wrote. The handler sees a server's request; a panic with
// [http.ErrAbortHandler] becomes a broken connection.
func roundTrip(h http.Handler, r *http.Request) (*http.Response, error) {
	defer closeBody(r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	in := r.Clone(r.Context())
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	in.RequestURI = r.URL.RequestURI()
	in.RemoteAddr = "192.0.2.1:1234" // TEST-NET-1
	if in.Body == nil {
		in.Body = http.NoBody
	}
	if in.Header == nil {
		in.Header = http.Header{}
	}
	w := &memoryWriter{header: http.Header{}}
	aborted := serve(h, w, in)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if aborted && !w.flushed() {
		return nil, fmt.Errorf("activitytest: connection cut before the answer: %w", errReset)
	}
	return w.response(r, aborted), nil
}

// serve reports whether h aborted.
func serve(h http.Handler, w http.ResponseWriter, r *http.Request) (aborted bool) {
	defer func() {
		if v := recover(); v == http.ErrAbortHandler {
			aborted = true
		} else if v != nil {
			panic(v)
		}
	}()
	h.ServeHTTP(w, r)
	return false
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		r.Body.Close()
	}
}

// memoryWriter collects an answer. The mutex is for handlers that outlive
// their time-out.
type memoryWriter struct {
	mu     sync.Mutex
	header http.Header
	sent   http.Header // header as of the first write
	status int
	body   bytes.Buffer
}

func (w *memoryWriter) Header() http.Header { return w.header }

func (w *memoryWriter) WriteHeader(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writeHeader(status)
}

func (w *memoryWriter) writeHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status, w.sent = status, w.header.Clone()
	}
}

func (w *memoryWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writeHeader(http.StatusOK)
	return w.body.Write(b)
}

// Flush implements [http.Flusher]. There is nothing to flush to.
func (w *memoryWriter) Flush() { w.WriteHeader(http.StatusOK) }

func (w *memoryWriter) flushed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status != 0
}

func (w *memoryWriter) response(r *http.Request, cut bool) *http.Response {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writeHeader(http.StatusOK)
	length := int64(w.body.Len())
	if cut {
		length = -1
		if n, err := parseSeconds(w.sent.Get("Content-Length")); err == nil {
			length = n
		}
	}
	return &http.Response{
		Status:     fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)),
		StatusCode: w.status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        w.sent,
		Body:          &memoryBody{ctx: r.Context(), r: bytes.NewReader(w.body.Bytes()), cut: cut},
		ContentLength: length,
		Request:       r,
	}
}

// memoryBody fails as a network body does: when the context ends, when it was
// closed, and at its end if the connection was cut.
type memoryBody struct {
	ctx    context.Context
	r      *bytes.Reader
	cut    bool
	closed bool
}

func (b *memoryBody) Read(p []byte) (int, error) {
	if b.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := b.r.Read(p)
	if err == io.EOF && b.cut {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (b *memoryBody) Close() error {
	b.closed = true
	return nil
}
