package activitytest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// post sends a body; cut breaks the connection in the middle of it.
func (s *Server) post(ctx context.Context, e Endpoint, body []byte, cut bool) (sent http.Header, status int, answer Message, err error) {
	var r io.Reader = bytes.NewReader(body)
	if cut {
		r = io.MultiReader(bytes.NewReader(body[:len(body)/2]), brokenReader{})
	}
	sent, res, answer, err := s.exchange(ctx, e, r, int64(len(body))) //nolint:bodyclose // exchange has closed it
	if err != nil {
		return sent, 0, Message{}, err
	}
	answer.Header = res.Header
	return sent, res.StatusCode, answer, nil
}

// Post sends the given body to an endpoint like a notification, even if the
// endpoint is not enabled. An answer counts only if it is complete and in time;
// its body is closed.
func (s *Server) Post(ctx context.Context, e Endpoint, body io.Reader, size int64) (*http.Response, error) {
	_, res, _, err := s.exchange(ctx, e, body, size)
	return res, err
}

// exchange is Post. It also returns the headers that were sent and what it has
// kept of the answer's body.
func (s *Server) exchange(ctx context.Context, e Endpoint, body io.Reader, size int64) (sent http.Header, res *http.Response, answer Message, err error) {
	s.mu.Lock()
	timeout, transport, id := s.DeliveryTimeout, s.DeliveryTransport, s.ClientID
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(timeout, 30*time.Second))
	defer cancel()
	target := cmp.Or(e.URL, "https://partner.example/garmin")
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target, io.NopCloser(body))
	if err != nil {
		return nil, nil, answer, err
	}
	r.ContentLength = size
	r.Header = http.Header{
		"User-Agent":        {"Garmin Health API"},
		"Content-Type":      {"application/json;charset=UTF-8"},
		"Accept":            {"text/plain, application/json, application/*+json, */*"},
		"Accept-Encoding":   {"gzip, x-gzip, deflate"},
		"Garmin-Client-Id":  {id},
		"X-Forwarded-For":   {"204.77.163.244"},
		"X-Forwarded-Proto": {"https"},
	}
	switch {
	case e.Handler != nil:
		transport = handlerTransport{e.Handler}
	case e.Transport != nil:
		transport = e.Transport
	case transport == nil:
		transport = http.DefaultTransport
	}
	sent = r.Header.Clone()
	res, err = transport.RoundTrip(r)
	if err != nil {
		return sent, nil, answer, err
	}
	defer res.Body.Close()
	answer.Body, err = io.ReadAll(io.LimitReader(res.Body, maxKept))
	if err == nil {
		answer.Size, err = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20))
		answer.Size += int64(len(answer.Body))
	}
	if err != nil {
		return sent, nil, Message{}, fmt.Errorf("reading the answer: %w", err)
	}
	return sent, res, answer, nil
}

// brokenReader is the end of a body whose sender has gone.
type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// handlerTransport calls a handler as a server would: in a goroutine of its own
// that may outlive the time-out.
type handlerTransport struct{ h http.Handler }

func (t handlerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	type answer struct {
		res *http.Response
		err error
	}
	done := make(chan answer, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				done <- answer{err: fmt.Errorf("the handler panicked: %v", v)}
			}
		}()
		res, err := roundTrip(t.h, r) //nolint:bodyclose // the caller of RoundTrip closes it
		done <- answer{res, err}
	}()
	select {
	case a := <-done:
		return a.res, a.err
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}
