package activitytest

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/garminkit/activityapi/internal/resource"
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

	// RedirectURL is the partner's redirect URL, as set in the developer portal.
	// Consent leads there if the request names no other.
	RedirectURL string

	// StrictRedirect matters if RedirectURL is "": a redirect_uri is then refused
	// unless it leads to this machine. If RedirectURL is set, any other
	// redirect_uri is always refused.
	StrictRedirect bool

	// NoPullTokens means that callback URLs carry no token and pulls need none,
	// as before 2025. Otherwise a pull without a token is refused.
	NoPullTokens bool
	// OptionalPullTokens accepts pulls without a token. A wrong token is refused.
	OptionalPullTokens bool
	// EndExclusive means that a pull does not return records uploaded in the last
	// second of its range. Garmin's document does not say which it is; a client
	// must work with both.
	EndExclusive bool
	// PullsCarryUserID adds userId to each item of a pull. Pushes always have
	// it.
	PullsCarryUserID bool

	// NoLongDetails means that details of activities longer than 24 hours are
	// neither sent nor pulled, as in Garmin's document up to version 1.2.3.
	NoLongDetails bool

	// BackfillDaysPerMinute is the backfill budget of all users together (Activity
	// API, section 8). Zero means 100, that of an evaluation key; a production key has
	// 10,000.
	BackfillDaysPerMinute int
	// BackfillFixedMinutes means that the budget is for each minute of the clock.
	// Otherwise it is for any 60 seconds.
	BackfillFixedMinutes bool
	// BackfillExactDuplicates answers 409 only if both ends of the range equal those
	// of an earlier request. Otherwise one shared second is enough.
	BackfillExactDuplicates bool
	// BackfillDelay is the time between a 202 and its notifications.
	BackfillDelay time.Duration

	// DeliveryItems is the maximum number of items in the body of a notification
	// (Activity API, sections 3 to 5). Zero means 50.
	DeliveryItems int
	// DeliveryTimeout is how long an endpoint may take to answer. Zero means 30
	// seconds.
	DeliveryTimeout time.Duration
	// DeliveryFirstRetry is the wait after the first failure. It doubles with each
	// failure, up to six hours. Zero means 30 seconds.
	DeliveryFirstRetry time.Duration
	// DeliveryTransport posts to endpoints that have a URL. Nil means
	// [http.DefaultTransport].
	DeliveryTransport http.RoundTripper

	// KeepDeliveries and KeepRequests are how many of each are kept for
	// [Server.Deliveries] and [Server.Requests]. The oldest are removed first.
	// Zero means 100,000.
	KeepDeliveries, KeepRequests int
	// KeepBytes bounds the size of the headers and bodies that are kept, for
	// deliveries and for requests separately. Those of the oldest are removed
	// first. Zero means 16 MB; a negative value keeps none.
	KeepBytes int

	// Intercept, if not nil, gets each request before the server does. It
	// returns true if it has answered. It may panic with
	// [http.ErrAbortHandler] to break the connection.
	Intercept func(w http.ResponseWriter, r *http.Request) bool

	// watch, if set, sees each request before it is answered.
	watch atomic.Pointer[func(*http.Request, types.UserID)]

	api     http.Handler
	sending sync.Mutex // one Deliver at a time
	wake    chan struct{}
	ahead   atomic.Int64 // of time.Now, in nanoseconds

	mu        sync.Mutex
	source    *rand.ChaCha8
	rand      *rand.Rand
	lastID    int64
	secret    [32]byte // signs pull tokens
	users     map[types.UserID]*User
	order     []*User           // users as they were added
	bearers   map[string]*token // OAuth 2 access tokens
	refreshes map[string]*token // OAuth 2 refresh tokens, the spent ones too
	codes     map[string]*code  // OAuth 2 authorization codes
	reuses    int
	files     map[string]*download
	fileCount int64
	ledger    ledger
	faults    []*Fault
	quirks    map[Quirk]float64 // the share of the cases of each that is on
	seen      map[string]bool   // what quirkSummaryGone and quirkNotReady remember
	requests  journal[Request, *Request]
	watchers  map[chan struct{}]struct{}
	kept      map[string]kept // by name
	leaving   []func(types.UserID)

	endpoints  map[types.Kind]Endpoint
	waiting    map[types.Kind][]*notice
	retries    []*parcel
	underWay   []*parcel // taken by Deliver and not yet sent
	parcels    int64     // how many bodies there were
	deliveries journal[Delivery, *Delivery]
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
		watchers:     make(map[chan struct{}]struct{}),
		kept:         make(map[string]kept),
	}
	s.empty()
	s.api = s.routes()
	return s
}

// ServeHTTP answers as Garmin would, for any host.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := &statusWriter{ResponseWriter: w, start: time.Now(), at: s.now()}
	rec.sent = &bodyReader{ReadCloser: http.MaxBytesReader(w, r.Body, 1<<20)}
	// Garmin reads what it is sent; a test's request body is small.
	r.Body = rec.sent
	defer s.logRequest(r, rec)

	if s.Intercept != nil && s.Intercept(rec, r) {
		rec.by = "Intercept"
		return
	}
	if f := s.takeFault(r); f != nil {
		rec.by = "fault"
		f.serve(rec, r, s.api)
		return
	}
	if watch := s.watch.Load(); watch != nil {
		(*watch)(r, s.claimed(r))
	}
	if s.oddAnswer(rec, r) {
		rec.by = "quirk"
		return
	}
	s.api.ServeHTTP(rec, r)
}

// Use puts a handler in front of the server, after its faults and its log. The
// handler returned by wrap gets each request, and passes on those that it does
// not answer. Call Use before the first request.
func (s *Server) Use(wrap func(api http.Handler) http.Handler) { s.api = wrap(s.api) }

// apiRoute is one call of the API.
type apiRoute struct {
	pattern string
	serve   http.Handler
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.apiRoutes() {
		mux.Handle(r.pattern, r.serve)
	}
	return mux
}

func (s *Server) apiRoutes() []apiRoute {
	const rest = "/wellness-api/rest/"
	var list []apiRoute
	for _, kind := range types.Kinds() {
		if kind != types.KindActivityFiles {
			list = append(list, apiRoute{"GET " + rest + resource.Of(kind), s.userCall(s.servePull(kind))})
		}
	}
	list = append(list, apiRoute{"GET " + rest + "activityFile", http.HandlerFunc(s.serveFile)})
	for _, kind := range backfillKinds() {
		list = append(list, apiRoute{"GET " + rest + "backfill/" + resource.Of(kind), s.userCall(s.serveBackfill(kind))})
	}
	for _, root := range []string{rest, "/partner-gateway/rest/"} {
		list = append(list,
			apiRoute{"GET " + root + "user/id", s.userCall(s.serveUserID)},
			apiRoute{"GET " + root + "user/permissions", s.userCall(s.servePermissions)},
			apiRoute{"DELETE " + root + "user/registration", s.userCall(s.serveDeregister)})
	}
	return append(list,
		apiRoute{"GET /oauth2Confirm", http.HandlerFunc(s.serveConsentPage)},
		apiRoute{"POST /oauth2Confirm", http.HandlerFunc(s.serveConsent)},
		apiRoute{"POST /di-oauth2-service/oauth/token", http.HandlerFunc(s.serveToken)})
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

// statusWriter remembers the exchange for the request log.
type statusWriter struct {
	http.ResponseWriter
	start, at time.Time
	sent      *bodyReader
	by        string
	status    int
	user      types.UserID
	kept      []byte
	size      int64
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
	w.kept = keep(w.kept, b)
	n, err := w.ResponseWriter.Write(b)
	w.size += int64(n)
	return n, err
}

func (w *statusWriter) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{w}, r)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
