package activitytest

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/garminkit/activityapi/types"
)

// Server is a fake Garmin. It is safe for concurrent use once its exported
// fields are set; set them before the first request, not after.
//
// As an [http.RoundTripper] it answers for Garmin's hosts in memory. As an
// [http.Handler] it can be put behind a listener, such as an
// [net/http/httptest.Server]; then set BaseURL to the listener's address.
type Server struct {
	// BaseURL is what callback URLs begin with. NewServer sets
	// "https://apis.garmin.com".
	BaseURL string
	// ClientID and ClientSecret are those of the partner. NewServer sets them.
	ClientID, ClientSecret string

	// RedirectURL is that of the partner, as preset in the developer portal.
	// Consent leads there if the request names no other.
	RedirectURL string

	// PullTokens says how to treat pull tokens. The zero value is Garmin's
	// practice in 2026: callback URLs carry one, and a pull without one is
	// refused.
	PullTokens PullTokenRule
	// EndExclusive excludes records uploaded in the last second of a pull's
	// range. Garmin's document does not say; a client must work both ways.
	EndExclusive bool
	// PullsCarryUserID adds userId to each item of a pull. Pushes always have
	// it.
	PullsCarryUserID bool

	// NoLongDetails means that details of activities longer than 24 hours are
	// neither sent nor pulled, as in Garmin's document up to version 1.2.3.
	NoLongDetails bool

	// Backfill holds the rules of the backfill endpoints.
	Backfill BackfillRules
	// Delivery holds the rules of notifications.
	Delivery DeliveryRules

	// Intercept, if not nil, is called with each request before the server
	// handles it. It returns true if it has answered. It may panic with
	// [http.ErrAbortHandler] to cut the connection.
	Intercept func(w http.ResponseWriter, r *http.Request) bool

	// watch, if set, sees each request before it is answered.
	watch atomic.Pointer[func(*http.Request, *User)]

	api     http.Handler
	sending sync.Mutex // one Deliver at a time
	wake    chan struct{}

	mu         sync.Mutex
	rand       *rand.Rand
	lastID     int64
	secret     [32]byte // signs pull tokens
	users      map[types.UserID]*User
	order      []*User           // users as they were added
	bearers    map[string]*token // OAuth 2 access tokens
	refreshes  map[string]*token // OAuth 2 refresh tokens, the spent ones too
	codes      map[string]*code  // OAuth 2 authorization codes
	reuses     int
	files      map[string]*download
	ledger     ledger
	faults     []*fault
	quirks     map[Quirk]bool
	quirkShare float64
	seen       map[string]bool // what quirkSummaryGone and quirkNotReady remember
	requests   []Request

	endpoints  map[types.Kind]Endpoint
	waiting    map[types.Kind][]*notice
	retries    []*parcel
	underWay   []*parcel // taken by Deliver and not yet sent
	deliveries []Delivery
	expired    int // items that were on hold for too long
}

// NewServer returns a fake Garmin without users. All summary types are enabled
// and pushed, but have no endpoint yet. Generated values, such as ids and tokens,
// are the same in every run.
func NewServer() *Server {
	s := &Server{
		BaseURL:      "https://apis.garmin.com",
		ClientID:     "0b5f1c2e-fake-4a77-9d0e-client000001",
		ClientSecret: "fake-client-secret",
		wake:         make(chan struct{}, 1),
		rand:         rand.New(rand.NewChaCha8([32]byte([]byte("a fake garmin, the same each run")))),
		lastID:       18_000_000_000,
		users:        make(map[types.UserID]*User),
		bearers:      make(map[string]*token),
		refreshes:    make(map[string]*token),
		codes:        make(map[string]*code),
		files:        make(map[string]*download),
		seen:         make(map[string]bool),
		endpoints:    make(map[types.Kind]Endpoint),
		waiting:      make(map[types.Kind][]*notice),
	}
	for i := range s.secret {
		s.secret[i] = byte(s.rand.Uint32())
	}
	for _, key := range ListKeys() {
		s.endpoints[key] = Endpoint{Enabled: true, Push: key != types.KindActivityFiles}
	}
	s.api = s.routes()
	return s
}

// ServeHTTP answers as Garmin would, for any host.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Garmin reads what it is sent; a test's request body is small.
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	rec := &statusWriter{ResponseWriter: w}
	defer s.logRequest(r, rec, time.Now())

	if s.Intercept != nil && s.Intercept(rec, r) {
		return
	}
	if f := s.takeFault(r); f != nil {
		f.serve(rec, r, s.api)
		return
	}
	if watch := s.watch.Load(); watch != nil {
		(*watch)(r, s.claimed(r))
	}
	if s.oddAnswer(rec, r) {
		return
	}
	s.api.ServeHTTP(rec, r)
}

// Watch calls f with each request before it is answered, and with the user of its
// access token, or nil. f may delay the request. There is one f at a time; stop
// ends it.
func (s *Server) Watch(f func(r *http.Request, u *User)) (stop func()) {
	s.watch.Store(&f)
	return func() { s.watch.CompareAndSwap(&f, nil) }
}

// Use puts a handler in front of the server, after its faults and its log. The
// handler returned by wrap gets each request, and passes on those that it does
// not answer; see [Signed]. Call Use before the first request.
func (s *Server) Use(wrap func(api http.Handler) http.Handler) { s.api = wrap(s.api) }

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	const rest = "/wellness-api/rest/"
	for _, kind := range types.Kinds() {
		if kind != types.KindActivityFiles {
			mux.Handle("GET "+rest+kind.Resource(), s.userCall(s.servePull(kind)))
		}
	}
	mux.HandleFunc("GET "+rest+"activityFile", s.serveFile)
	for _, kind := range backfillKinds() {
		mux.Handle("GET "+rest+"backfill/"+kind.Resource(), s.userCall(s.serveBackfill(kind)))
	}
	for _, root := range []string{rest, "/partner-gateway/rest/"} {
		mux.Handle("GET "+root+"user/id", s.userCall(s.serveUserID))
		mux.Handle("GET "+root+"user/permissions", s.userCall(s.servePermissions))
		mux.Handle("DELETE "+root+"user/registration", s.userCall(s.serveDeregister))
	}
	mux.HandleFunc("GET /oauth2Confirm", s.serveConsentPage)
	mux.HandleFunc("POST /oauth2Confirm", s.serveConsent)
	mux.HandleFunc("POST /di-oauth2-service/oauth/token", s.serveToken)
	return mux
}

// userCall authenticates the request and hands it on with its user.
func (s *Server) userCall(h func(w http.ResponseWriter, r *http.Request, u *User)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, err := s.authenticate(r)
		if err != nil {
			err.write(w)
			return
		}
		if rec, ok := w.(*statusWriter); ok {
			rec.user = u.id
		}
		h(w, r, u)
	})
}

// apiError is an answer of Garmin's that is not a success.
type apiError struct {
	status int
	text   string
}

func (e *apiError) write(w http.ResponseWriter) { writeError(w, e.status, e.text) }

// writeError answers in the form of Appendix B.
func writeError(w http.ResponseWriter, status int, text string) {
	writeJSON(w, status, struct {
		ErrorMessage string `json:"errorMessage"`
	}{text})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // v is always one of ours
	}
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	w.WriteHeader(status)
	w.Write(b)
}

// statusWriter remembers the status for the request log.
type statusWriter struct {
	http.ResponseWriter
	status int
	user   types.UserID
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

func (w *statusWriter) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{w}, r)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
