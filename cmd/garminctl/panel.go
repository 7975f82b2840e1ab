package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/garminkit/activityapi/activity/service/admin"
	"github.com/garminkit/activityapi/internal/secureurl"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// stores selects the stores: those of a running service, through its admin API, or the
// directories of a stopped one.
type stores struct {
	Admin string   `env:"GARMIN_ADMIN" placeholder:"URL" help:"Admin API of the running service, such as https://me.example.com/admin."`
	Spool string   `env:"GARMIN_SPOOL" placeholder:"DIR" help:"Spool of a stopped service."`
	DB    database `embed:""`
}

// panel is a client of the admin API. For a stopped service, the API runs in this process
// over the service's stores, so both cases behave the same.
type panel struct {
	base   string
	header types.Secret
	client *http.Client
	close  func() error
}

// maxPanelAnswer limits an answer. A letter is shown up to a megabyte.
const maxPanelAnswer = 32 << 20

// openPanel returns the panel of a running service.
func openPanel(base string) (*panel, error) {
	header, err := secret(adminHeader)
	if err != nil {
		return nil, err
	}
	if header != "" {
		if _, err := secureurl.Check(base, ""); err != nil {
			return nil, usagef("-admin, with %s set, %v", adminHeader, err)
		}
	}
	if u, err := url.Parse(base); err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return nil, usagef("-admin is no URL without user and query")
	}
	refuse := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &panel{strings.TrimRight(base, "/"), header, &http.Client{CheckRedirect: refuse}, func() error { return nil }}, nil
}

// open returns the panel that the flags select.
func (s *stores) open(ctx context.Context, out *output) (*panel, error) {
	given := 0
	for _, yes := range []bool{s.Admin != "", s.Spool != "", s.DB.Database} {
		if yes {
			given++
		}
	}
	switch {
	case given != 1:
		return nil, usagef("give one of -admin or GARMIN_ADMIN of a running service, -spool or GARMIN_SPOOL of a stopped one, and -database; %d are given", given)
	case s.Admin != "":
		return openPanel(s.Admin)
	case s.DB.Database:
		db, done, err := s.DB.open(ctx)
		if err != nil {
			return nil, err
		}
		return localPanel(db.Queue(), nil, out, done)
	}
	inbox, err := openSpool(s.Spool)
	if err != nil {
		return nil, err
	}
	return localPanel(inbox, nil, out, inbox.Close)
}

// noQueue is the queue of a panel that does not use one.
type noQueue struct{ notify.Queue }

// localPanel returns a panel over stores that this process opens and done closes. Its
// audit log goes to standard error.
func localPanel(q notify.Queue, opts *admin.Options, out *output, done func() error) (*panel, error) {
	h, err := admin.New(q, slog.New(slog.NewTextHandler(out.stderr, nil)), opts)
	if err != nil {
		return nil, errors.Join(err, done())
	}
	return &panel{base: "http://stopped", client: &http.Client{Transport: inProcess{h}}, close: done}, nil
}

// inProcess is a transport that calls a handler.
type inProcess struct{ h http.Handler }

// RoundTrip implements http.RoundTripper.
func (p inProcess) RoundTrip(r *http.Request) (_ *http.Response, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = errors.New("the answer was cut short")
		}
	}()
	w := &recorder{status: http.StatusOK, header: http.Header{}}
	r = r.Clone(r.Context())
	if r.Body == nil {
		r.Body = http.NoBody
	}
	r.RemoteAddr = "garminctl"
	p.h.ServeHTTP(w, r)
	return &http.Response{StatusCode: w.status, Header: w.header, Body: io.NopCloser(&w.body), Request: r}, nil
}

// recorder keeps an answer.
type recorder struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header         { return w.header }
func (w *recorder) WriteHeader(status int)      { w.status = status }
func (w *recorder) Write(b []byte) (int, error) { return w.body.Write(b) }

// refusal is an error of the admin API.
type refusal struct {
	status int
	text   string
}

func (e *refusal) Error() string { return e.text }

// get requests a view and decodes the answer into v, if v is not nil.
func (p *panel) get(ctx context.Context, view string, q url.Values, v any) error {
	return p.do(ctx, http.MethodGet, view+"?"+q.Encode(), nil, v)
}

func (p *panel) post(ctx context.Context, view string, form url.Values, v any) error {
	return p.do(ctx, http.MethodPost, view, strings.NewReader(form.Encode()), v)
}

func (p *panel) do(ctx context.Context, method, path string, body io.Reader, v any) error {
	req, err := http.NewRequestWithContext(ctx, method, p.base+"/api/"+path, body)
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if p.header != "" {
		req.Header.Set("Authorization", string(p.header))
	}
	resp, err := p.client.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err
		}
		return fmt.Errorf("the admin API is not reached: %w", err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxPanelAnswer))
	if err != nil {
		return fmt.Errorf("the admin API: %w", err)
	}
	switch s := resp.StatusCode; {
	case s == http.StatusOK:
		if v == nil {
			v = &json.RawMessage{}
		}
		if err := json.Unmarshal(data, v); err != nil {
			return errors.New("the admin API answers no JSON: does -admin lead to package admin's handler?")
		}
		return nil
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		return fmt.Errorf("the admin API answers %d: its log-in wants another %s", s, adminHeader)
	case s >= 300 && s < 400:
		return fmt.Errorf("the admin API redirects (%d), as to a log-in page: set %s", s, adminHeader)
	}
	var e struct{ Error string }
	if json.Unmarshal(data, &e) != nil || e.Error == "" {
		return fmt.Errorf("the admin API answers %d: does -admin lead to package admin's handler?", resp.StatusCode)
	}
	return &refusal{resp.StatusCode, e.Error}
}

// download posts a form and writes the answer to w.
func (p *panel) download(ctx context.Context, view string, form url.Values, w io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base+"/api/"+view, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if p.header != "" {
		req.Header.Set("Authorization", string(p.header))
	}
	resp, err := p.client.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err
		}
		return fmt.Errorf("the admin API is not reached: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/zip" {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return &refusal{resp.StatusCode, fmt.Sprintf("the admin API answers %d: %s", resp.StatusCode, strings.TrimSpace(string(text)))}
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("the admin API: the export was cut short: %w", err)
	}
	return nil
}

// readZipped reads one file of a zip.
func readZipped(r io.ReaderAt, size int64, name string) ([]byte, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, err
	}
	f, err := z.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}
