package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/service/admin"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/internal/adminapi"
	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/drift"
	"github.com/garminkit/activityapi/notify/spool"
	"github.com/garminkit/activityapi/types"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// planted are secrets that must be nowhere.
var planted = []string{"ACCESS-CANARY", "REFRESH-CANARY", "PULL-CANARY", "PUSHED-CANARY"}

// engines are the queues that the tests run on.
var engines = map[string]func(t *testing.T) notify.Queue{
	"memory": func(*testing.T) notify.Queue { return memqueue.NewMemory() },
	"shared": func(*testing.T) notify.Queue { return memqueue.NewShared(nil).Open() },
	"spool": func(t *testing.T) notify.Queue {
		s, err := spool.Open(t.TempDir(), nil)
		require.NoError(t, err)
		return s
	},
}

// rig is an admin over a queue with letters.
type rig struct {
	t     *testing.T
	queue notify.Queue
	admin http.Handler
	log   logs
	items int // that were made
}

// logs is the audit log.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newRig(t *testing.T, q notify.Queue, opts *admin.Options) *rig {
	t.Helper()
	r := &rig{t: t, queue: q}
	t.Cleanup(func() { require.NoError(t, q.Close()) })
	var err error
	r.admin, err = admin.New(q, slog.New(slog.NewJSONHandler(&r.log, nil)), opts)
	require.NoError(t, err)
	return r
}

// item is a pushed activity with much that is not to be seen.
func item(user string, n int) string {
	return fmt.Sprintf(`{"userId":%q,"userAccessToken":"PUSHED-CANARY","summaryId":"s%d","activityId":%d,"activityType":"RUNNING","startTimeInSeconds":1700000000,"startTimeOffsetInSeconds":0,"durationInSeconds":3601,"startingLatitudeInDegree":51.053,"activityName":"Anns secret run"}`, user, n, n)
}

// bury makes a letter of each of n items, of the users u0 to u3.
func (r *rig) bury(n int, reason string) {
	r.t.Helper()
	for i := range n {
		r.items++
		require.NoError(r.t, r.queue.Put(r.t.Context(), strings.NewReader(fmt.Sprintf(`{"activities":[%s]}`, item(fmt.Sprint("u", i%4), r.items)))))
	}
	r.work(func() error { return notify.Permanent(errors.New(reason)) })
}

// work runs a processor until nothing waits.
func (r *rig) work(save func() error) {
	r.t.Helper()
	p, err := notify.NewProcessor(r.queue, everybody, notify.Callbacks{
		Save:             func(context.Context, *notify.Delivery, types.Summary) error { return save() },
		Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
		PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
	}, nil)
	require.NoError(r.t, err)
	ctx, stop := context.WithCancel(r.t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	require.Eventually(r.t, func() bool {
		st, err := r.queue.Stats(ctx)
		require.NoError(r.t, err)
		left := st.Bodies
		for _, n := range st.Items {
			left += n
		}
		return left == 0
	}, time.Minute, 2*time.Millisecond)
	stop()
	require.NoError(r.t, <-done)
}

// everybody is a user.
func everybody(_ context.Context, id types.UserID) ([]notify.User, error) {
	return []notify.User{{ID: string(id)}}, nil
}

func (r *rig) count() int {
	st, err := r.queue.Stats(r.t.Context())
	require.NoError(r.t, err)
	return int(st.Letters)
}

func (r *rig) do(method, path string, form url.Values, header http.Header) *httptest.ResponseRecorder {
	var req *http.Request
	if method == http.MethodGet {
		req = httptest.NewRequest(method, path+"?"+form.Encode(), nil)
	} else {
		req = httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for k, v := range header {
		req.Header[k] = v
	}
	w := httptest.NewRecorder()
	r.admin.ServeHTTP(w, req)
	for _, s := range planted {
		require.NotContains(r.t, w.Body.String(), s, path)
		require.NotContains(r.t, r.log.String(), s, "the audit log")
	}
	return w
}

// api asks the API; args are names and values.
func api[T any](r *rig, method, path string, args ...string) (out T) {
	r.t.Helper()
	form := url.Values{}
	for i := 0; i < len(args); i += 2 {
		form.Set(args[i], args[i+1])
	}
	w := r.do(method, "/api/"+path, form, nil)
	require.Equal(r.t, http.StatusOK, w.Code, "%s %s: %s", path, args, w.Body)
	d := json.NewDecoder(w.Body)
	d.DisallowUnknownFields()
	require.NoError(r.t, d.Decode(&out))
	return out
}

// TestUsersInPieces: a long list comes in pieces, and what asks for a piece that is none
// is told so.
func TestUsersInPieces(t *testing.T) {
	t.Parallel()
	const users = 150
	store, ledger := auth.NewMemory(), backfill.NewLedger()
	window := types.Window{Start: time.Unix(1_700_000_000, 0), End: time.Unix(1_700_086_400, 0)}
	for i := range users {
		id := types.UserID(fmt.Sprintf("u%03d", i))
		_, err := store.Swap(t.Context(), nil, &auth.Token{
			UserID: id, AccessToken: "a", RefreshToken: "r", Expiry: time.Now().Add(time.Hour), RefreshExpiry: time.Now().Add(48 * time.Hour),
		})
		require.NoError(t, err)
		claim, err := ledger.Claim(t.Context(), id)
		require.NoError(t, err)
		require.NoError(t, claim.Save(t.Context(), &backfill.Chunk{UserID: id, Kind: types.KindMoveIQ, Window: window, State: backfill.StatePlanned}))
		claim.Release()
	}
	r := newRig(t, memqueue.NewMemory(), &admin.Options{Ledger: ledger, Tokens: store})
	tokens := api[adminapi.Tokens](r, "GET", "tokens")
	require.Len(t, tokens.Tokens, 100)
	require.True(t, tokens.More)

	seen := map[types.UserID]bool{}
	for from, pieces := "", 0; ; pieces++ {
		h := api[adminapi.History](r, "GET", "history", "from", from)
		for _, id := range h.Users {
			require.False(t, seen[id], "%s twice", id)
			seen[id] = true
		}
		if from = h.Next; from == "" {
			require.Equal(t, 1, pieces)
			break
		}
	}
	require.Len(t, seen, users)

	for _, path := range []string{"/api/tokens?days=-1", "/api/tokens?days=x", "/api/tokens?days=1001", "/api/user"} {
		require.Equal(t, http.StatusBadRequest, r.do("GET", path, nil, nil).Code, path)
	}
	bare := newRig(t, memqueue.NewMemory(), nil)
	for _, path := range []string{"/api/tokens", "/api/history"} {
		require.Equal(t, http.StatusNotImplemented, bare.do("GET", path, nil, nil).Code, path)
	}
}

// TestViews: each page and its JSON show what is there, and nothing secret.
func TestViews(t *testing.T) {
	t.Parallel()
	store := auth.NewMemory()
	now := time.Now()
	_, err := store.Swap(t.Context(), nil, &auth.Token{
		UserID: "u1", AccessToken: "ACCESS-CANARY", RefreshToken: "REFRESH-CANARY", Expiry: now.Add(time.Hour), RefreshExpiry: now.Add(48 * time.Hour),
	})
	require.NoError(t, err)
	ledger := backfill.NewLedger()
	claim, err := ledger.Claim(t.Context(), "u1")
	require.NoError(t, err)
	window := types.Window{Start: time.Date(2026, 1, 20, 0, 0, 0, 0, time.UTC), End: time.Date(2026, 2, 10, 0, 0, 0, 0, time.UTC)}
	require.NoError(t, claim.Save(t.Context(), &backfill.Chunk{UserID: "u1", Kind: types.KindMoveIQ, Window: window, State: backfill.StatePlanned}))
	claim.Release()

	queue := memqueue.NewMemory()
	processor, err := notify.NewProcessor(queue, everybody, notify.Callbacks{
		Save:             func(context.Context, *notify.Delivery, types.Summary) error { return nil },
		Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
		PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
	}, nil)
	require.NoError(t, err)
	report := drift.New()
	report.UnknownKey("activities[3].<b>new</b>")
	r := newRig(t, queue, &admin.Options{Processor: processor, Ledger: ledger, Tokens: store, Drift: report})
	r.bury(3, "column missing")
	require.NoError(t, queue.Put(t.Context(), strings.NewReader(`{"activities":[`+item("u1", 9)+`]}`)))
	letter := api[adminapi.Letters](r, "GET", "letters").Letters[0]

	o := api[adminapi.Overview](r, "GET", "overview")
	require.EqualValues(t, 3, o.Letters)
	require.EqualValues(t, 1, o.Classes[notify.ClassPush].Items)
	require.Equal(t, []types.UserID{"u1"}, api[adminapi.History](r, "GET", "history").Users)
	require.Len(t, api[adminapi.Tokens](r, "GET", "tokens").Tokens, 1)
	require.Empty(t, api[adminapi.Tokens](r, "GET", "tokens", "days", "1").Tokens)
	u := api[adminapi.User](r, "GET", "user", "id", "u1")
	require.Equal(t, 2, u.Token.OAuth)
	require.Equal(t, map[string]int{"planned": 21}, u.History[0].Days)
	require.Len(t, u.History[0].Months, 2)
	require.Nil(t, api[adminapi.User](r, "GET", "user", "id", "nobody").Token)
	require.Zero(t, api[adminapi.Parked](r, "GET", "parked").Total)

	for _, tt := range []struct {
		method, path string
		form         url.Values
		has          []string
	}{
		{"GET", "/", nil, []string{"<h1>overview", "push"}},
		{"GET", "/overview", nil, []string{"<h1>overview"}},
		{"GET", "/letters", nil, []string{"column missing", "u2"}},
		{"GET", "/letter", url.Values{"id": {letter.ID}}, []string{"RUNNING", "[text of 15]", "[number]"}},
		{"POST", "/reveal", url.Values{"id": {letter.ID}}, []string{"RUNNING", "Anns secret run", "51.053", "[hidden]"}},
		{"GET", "/parked", nil, []string{"0 users"}},
		{"GET", "/history", nil, []string{"user?id=u1"}},
		{"GET", "/tokens", nil, []string{"u1"}},
		{"GET", "/drift", nil, []string{"1  unknown key  activities[].?b?new??b?", "github.com/garminkit/activityapi "}},
		{"GET", "/user", url.Values{"id": {"u1"}}, []string{"OAuth 2", "2026-02", `class="day planned"`}},
		{"POST", "/redrive", url.Values{"key": {"activities"}}, []string{"3 letters match", "Nothing was done"}},
		{"GET", "/style.css", nil, []string{"body"}},
	} {
		w := r.do(tt.method, tt.path, tt.form, nil)
		require.Equal(t, http.StatusOK, w.Code, tt.path)
		for _, has := range tt.has {
			require.Contains(t, w.Body.String(), has, tt.path)
		}
		require.NotContains(t, w.Body.String(), "<script")
		require.NotContains(t, w.Body.String(), "style=")
		require.NotContains(t, w.Body.String(), "http", "%s leads elsewhere", tt.path)
		require.NotContains(t, w.Body.String(), "<b>", tt.path)
		h := w.Header()
		require.Equal(t, "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'", h.Get("Content-Security-Policy"))
		require.Equal(t, "no-store", h.Get("Cache-Control"))
		require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
	}
}

// TestErrors: what is wrong with a request is said, as a page and as JSON.
func TestErrors(t *testing.T) {
	t.Parallel()
	r := newRig(t, memqueue.NewMemory(), nil)
	for _, tt := range []struct {
		method, path string
		form         url.Values
		code         int
	}{
		{"GET", "letter", url.Values{"id": {"no"}}, 404},
		{"GET", "letter", nil, 404},
		{"POST", "reveal", url.Values{"id": {"no"}}, 404},
		{"POST", "redrive", url.Values{"id": {"no"}}, 404},
		{"POST", "discard", url.Values{"dry_run": {"false"}}, 400},
		{"POST", "discard", url.Values{"dry_run": {"perhaps"}}, 400},
		{"POST", "discard", url.Values{"id": {"no"}, "dry_run": {"perhaps"}}, 400},
		{"POST", "discard", url.Values{"id": {"no"}, "dry_run": {"true"}}, 404},
		{"GET", "letters", url.Values{"after": {"yesterday"}}, 400},
		{"GET", "letters", url.Values{"before": {"tomorrow"}}, 400},
		{"GET", "letters", url.Values{"from": {"here"}}, 400},
		{"GET", "letters", url.Values{"seconds": {"21"}}, 400},
		{"GET", "tokens", nil, 501},
		{"GET", "history", nil, 501},
		{"GET", "parked", nil, 501},
		{"GET", "drift", nil, 501},
		{"GET", "user", nil, 400},
		{"GET", "redrive", nil, 405},
		{"GET", "reveal", nil, 405},
		{"POST", "letters", nil, 405},
		{"GET", "nothing", nil, 404},
	} {
		for _, prefix := range []string{"/", "/api/"} {
			w := r.do(tt.method, prefix+tt.path, tt.form, nil)
			require.Equal(t, tt.code, w.Code, "%s %s%s %v", tt.method, prefix, tt.path, tt.form)
		}
	}
	_, err := admin.New(nil, slog.New(slog.DiscardHandler), nil)
	require.Error(t, err)
	_, err = admin.New(memqueue.NewMemory(), nil, nil)
	require.Error(t, err, "no action without an audit log")
}

// TestCrossSite: what another site makes a browser send changes nothing, and is
// told of.
func TestCrossSite(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		header http.Header
		ok     bool
	}{
		{"another site", http.Header{"Sec-Fetch-Site": {"cross-site"}}, false},
		{"another host of the site", http.Header{"Sec-Fetch-Site": {"same-site"}}, false},
		{"an old browser", http.Header{"Origin": {"https://evil.example"}}, false},
		{"a sandbox", http.Header{"Origin": {"null"}}, false},
		{"the page", http.Header{"Sec-Fetch-Site": {"same-origin"}}, true},
		{"the page in an old browser", http.Header{"Origin": {"http://example.com"}}, true},
		{"a program", nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, path := range []string{"/discard", "/api/discard", "/api/redrive", "/reveal"} {
				r := newRig(t, memqueue.NewMemory(), &admin.Options{Who: func(*http.Request) string { return "olga" }})
				r.bury(1, "no")
				id := api[adminapi.Letters](r, "GET", "letters").Letters[0].ID
				w := r.do("POST", path, url.Values{"id": {id}}, tt.header)
				if tt.ok {
					require.Equal(t, http.StatusOK, w.Code)
					continue
				}
				require.Equal(t, http.StatusForbidden, w.Code)
				require.Equal(t, 1, r.count())
				require.Contains(t, r.log.String(), "another site")
				require.Contains(t, r.log.String(), "olga")
			}
		})
	}
}
