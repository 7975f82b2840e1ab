package admin

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/service/personal"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/drift"
	"github.com/garminkit/activityapi/types"
)

//go:embed page
var files embed.FS

// Options says what to show besides the queue. What belongs to a nil field is not
// shown.
type Options struct {
	// Processor is the processor of this process. Those of other processes are
	// not shown.
	Processor *notify.Processor
	Ledger    backfill.Ledger
	Tokens    auth.TokenStore
	// Drift is the report of [service.Options].
	Drift *drift.Report
	// Erase removes a user's data or counts it, and Export writes it as a zip.
	// Both are methods of [service.Service] and [personal.Stores].
	Erase  func(ctx context.Context, user types.UserID, dryRun bool) (*personal.Receipt, error)
	Export func(ctx context.Context, user types.UserID, w io.Writer) (*personal.Manifest, error)
	// Who returns the operator of a request, for the audit log. Nil means that
	// only the address is logged.
	Who func(r *http.Request) string
}

// maxBody is how long a form may be.
const maxBody = 64 << 10

// pages is the handler.
type pages struct {
	queue  notify.Queue
	audit  *slog.Logger
	opts   Options
	mux    *http.ServeMux
	sheets map[string]*template.Template
	rates  rates
	guard  http.CrossOriginProtection
}

// New returns a handler for q. audit gets a line for every action; it must not be
// nil.
func New(q notify.Queue, audit *slog.Logger, opts *Options) (http.Handler, error) {
	if q == nil || audit == nil {
		return nil, errors.New("admin: New without a queue or an audit log")
	}
	a := &pages{queue: q, audit: audit, mux: http.NewServeMux(), sheets: map[string]*template.Template{}}
	if opts != nil {
		a.opts = *opts
	}
	layout, err := template.New("").Funcs(template.FuncMap{"age": age, "stamp": stamp, "bytes": bytesText}).ParseFS(files, "page/layout.html")
	if err != nil {
		return nil, err
	}
	style, err := fs.ReadFile(files, "page/style.css")
	if err != nil {
		return nil, err
	}
	a.mux.HandleFunc("GET /style.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		_, _ = w.Write(style)
	})
	for _, v := range a.views() {
		page, err := template.Must(layout.Clone()).ParseFS(files, "page/"+cmp.Or(v.page, v.name)+".html")
		if err != nil {
			return nil, err
		}
		a.sheets[v.name] = page
		pattern := v.method + " /" + v.name
		if v.name == "overview" {
			pattern = "GET /{$}"
			a.mux.Handle("GET /overview", a.html(v))
		}
		a.mux.Handle(pattern, a.html(v))
		a.mux.Handle(v.method+" /api/"+v.name, a.json(v))
	}
	a.mux.HandleFunc("POST /export", a.export)
	a.mux.HandleFunc("POST /api/export", a.export)
	a.guard.SetDenyHandler(http.HandlerFunc(a.deny))
	return a, nil
}

// view is one address: the same content as a page and as JSON.
type view struct {
	method, name string
	page         string // the file, if not name
	takes        string // the parameters of an action
	get          func(r *http.Request) (any, error)
}

// read is get, of a request whose parameters can all be read: what
// [http.Request.FormValue] leaves out would make the filter of an action wider, and
// what was meant for one user's letters would be done to all.
func (v *view) read(w http.ResponseWriter, r *http.Request) (any, error) {
	if err := parse(r, v.takes); err != nil {
		return nil, err
	}
	if v.name == "erase" { // which waits for callbacks
		defer unlimited(w)()
	}
	return v.get(r)
}

// parse reads the parameters. An action has those that it takes and no others: one
// with its name misspelt would be left out too.
func parse(r *http.Request, takes string) error {
	err := r.ParseForm()
	if err == nil {
		err = r.ParseMultipartForm(maxBody) //nolint:gosec // ServeHTTP bounds the body
	}
	if errors.Is(err, http.ErrNotMultipart) {
		if err = nil; r.Method == http.MethodPost && len(r.PostForm) == 0 && r.ContentLength != 0 {
			return badRequest("the body is not a form")
		}
	}
	if err != nil {
		return badRequest("the parameters cannot be read")
	}
	if r.Method != http.MethodPost {
		return nil
	}
	for name := range r.Form {
		if !slices.Contains(strings.Fields(takes), name) {
			return badRequest(fmt.Sprintf("there is no parameter %.40q: there are %s", name, takes))
		}
	}
	return nil
}

func (a *pages) views() []view {
	const acts = "id key user reason after before from seconds dry_run"
	return []view{
		{"GET", "overview", "", "", a.overview},
		{"GET", "parked", "", "", a.parked},
		{"GET", "letters", "", "", a.letters},
		{"GET", "letter", "", "", a.letter},
		{"POST", "reveal", "letter", "id", a.reveal},
		{"POST", "redrive", "act", acts, func(r *http.Request) (any, error) { return a.act(r, "redrive", a.queue.Redrive) }},
		{"POST", "discard", "act", acts, func(r *http.Request) (any, error) { return a.act(r, "discard", a.queue.Discard) }},
		{"GET", "history", "", "", a.history},
		{"GET", "tokens", "", "", a.tokens},
		{"GET", "user", "", "", a.user},
		{"POST", "erase", "", "user dry_run", a.erase},
		{"GET", "drift", "", "", a.drift},
	}
}

// ServeHTTP serves the pages and the API.
func (a *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	a.guard.Handler(a.mux).ServeHTTP(w, r)
}

// deny refuses what a browser sent from another site.
func (a *pages) deny(w http.ResponseWriter, r *http.Request) {
	a.audit.WarnContext(r.Context(), "admin: refused a request from another site",
		"path", r.URL.Path, "who", a.who(r), "from", r.RemoteAddr, "site", r.Header.Get("Sec-Fetch-Site"))
	http.Error(w, "a request from another site", http.StatusForbidden)
}

func (a *pages) who(r *http.Request) string {
	if a.opts.Who == nil {
		return ""
	}
	return a.opts.Who(r)
}

func (a *pages) json(v view) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		data, err := v.read(w, r)
		if err != nil {
			w.WriteHeader(statusOf(err))
			data = map[string]string{"error": err.Error()}
		}
		_ = json.NewEncoder(w).Encode(data)
	})
}

func (a *pages) html(v view) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		data, err := v.read(w, r)
		var b strings.Builder
		name := "page"
		if err != nil {
			w.WriteHeader(statusOf(err))
			name, data = "error", err.Error()
		}
		shown := struct {
			View string
			Data any
		}{v.name, data}
		if err := a.sheets[v.name].ExecuteTemplate(&b, name, shown); err != nil {
			a.audit.ErrorContext(r.Context(), "admin: a page cannot be written", "page", v.name, "err", err)
			http.Error(w, "the page cannot be written", http.StatusInternalServerError)
			return
		}
		_, _ = w.Write([]byte(b.String()))
	})
}

// badRequest is an error of who asks.
type badRequest string

func (e badRequest) Error() string { return string(e) }

func statusOf(err error) int {
	var bad badRequest
	switch {
	case errors.As(err, &bad):
		return http.StatusBadRequest
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, auth.ErrNotConnected):
		return http.StatusNotFound
	case errors.Is(err, errAbsent):
		return http.StatusNotImplemented
	}
	return http.StatusInternalServerError
}

var errAbsent = errors.New("admin: Options does not have this part")

// stamp, age and bytesText are for the pages.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

func age(seconds float64) string {
	if seconds <= 0 {
		return "-"
	}
	return (time.Duration(seconds) * time.Second).String()
}

func bytesText(n int64) string {
	if n < 10_000 {
		return fmt.Sprintf("%d B", n)
	}
	if n < 10_000_000 {
		return fmt.Sprintf("%d KB", n/1000)
	}
	return fmt.Sprintf("%d MB", n/1_000_000)
}
