package recording

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/garminkit/activityapi/notify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// taker is a store of bodies.
type taker struct {
	mu     sync.Mutex
	bodies []string
}

func (s *taker) Put(_ context.Context, r io.Reader) error {
	b, err := io.ReadAll(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bodies = append(s.bodies, string(b))
	return err
}

func notification(body string, change func(*http.Request)) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/garmin/"+secretToken, strings.NewReader(body))
	r.Header.Set("Garmin-Client-Id", secretUUID)
	r.Header.Set("Content-Type", "application/json; x="+secretWord)
	if change != nil {
		change(r)
	}
	return r
}

func entries(t *testing.T, recording string) (list []*Entry) {
	t.Helper()
	for e, err := range read(strings.NewReader(recording)) {
		require.NoError(t, err)
		list = append(list, e)
	}
	return list
}

// TestHandler: what comes to the handler of package notify is stored as without the recorder,
// and what is recorded has neither path nor headers nor anything else that was
// secret.
func TestHandler(t *testing.T) {
	var out bytes.Buffer
	r, err := New(&out, &Options{MaxBody: 10_000})
	require.NoError(t, err)
	store := &taker{}
	h := r.Handler(notify.NewHandler(store.Put, nil))
	send := func(req *http.Request) int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		return w.Code
	}
	body := `{"activities":[{"userId":"` + secretUser + `","summaryId":"` + secretID + `","activityName":"` + secretName + `"}]}`
	require.Equal(t, 200, send(notification(body, nil)))
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err = io.WriteString(z, body)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	require.Equal(t, 200, send(notification(packed.String(), func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") })))
	require.Equal(t, 200, send(notification("no JSON but "+secretUser, nil)))
	require.Equal(t, 200, send(notification(`"`+strings.Repeat("x", 10_000)+`"`, nil)))
	require.Equal(t, 405, send(notification("", func(r *http.Request) { r.Method = http.MethodGet })))
	require.NoError(t, r.Close())
	require.NoError(t, r.Close())
	require.Equal(t, 200, send(notification(body, nil)), "it goes on without being recorded")
	require.Equal(t, body, store.bodies[0])
	require.Len(t, store.bodies, 5)

	noneLeft(t, out.String(), secrets)
	list := entries(t, out.String())
	require.Len(t, list, 5)
	for i, e := range list {
		require.Equal(t, []int{200, 200, 200, 200, 405}[i], e.Status)
		require.Empty(t, e.Path)
		require.Equal(t, i < 2, e.Body != nil, i)
		require.GreaterOrEqual(t, e.At, time.Duration(0))
	}
	require.EqualValues(t, len(body), list[0].Size)
	require.Equal(t, list[0].Body, list[1].Body, "one disguise for all")
	require.EqualValues(t, 10_002, list[3].Size)
}

// TestAPIRequests: before the fake, the paths and parameters of Garmin's API stay.
func TestAPIRequests(t *testing.T) {
	var out bytes.Buffer
	r, err := New(&out, nil)
	require.NoError(t, err)
	h := r.Handler(http.NotFoundHandler())
	for _, target := range []string{
		"/wellness-api/rest/activities?uploadStartTimeInSeconds=1767340800&uploadEndTimeInSeconds=1767340860&token=" + secretToken,
		"/wellness-api/rest/backfill/moveiq?summaryStartTimeInSeconds=1767340800&summaryEndTimeInSeconds=1767340860",
		"/oauth2Confirm?client_id=" + secretUUID + "&state=" + secretToken + "&redirect_uri=https%3A%2F%2F" + secretWord + ".example",
		"/" + secretUser + "?token=" + secretToken,
	} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, target, nil))
	}
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("X"+secretWord, "/", nil))
	require.NoError(t, r.Close())
	noneLeft(t, out.String(), secrets)
	list := entries(t, out.String())
	require.Len(t, list, 5)
	require.Equal(t, "/wellness-api/rest/activities", list[0].Path)
	require.Regexp(t, `^uploadStartTimeInSeconds=\d{10}&uploadEndTimeInSeconds=\d{10}&token=x{23}$`, list[0].Query)
	require.Regexp(t, `^summaryStartTimeInSeconds=\d{10}&summaryEndTimeInSeconds=\d{10}$`, list[1].Query)
	require.Regexp(t, `^client_id=.{36}&state=x{23}&redirect_uri=`, list[2].Query)
	require.Empty(t, list[3].Path+list[3].Query)
	require.Equal(t, "GET", list[3].Method)
	require.Empty(t, list[4].Method)
}

// slow is a disk that hangs.
type slow chan struct{}

func (s slow) Write(p []byte) (int, error) {
	<-s
	return len(p), nil
}

// TestNothingIsDelayed: a disk that hangs holds up no answer; what there is no room
// for is counted.
func TestNothingIsDelayed(t *testing.T) {
	disk := make(slow)
	r, err := New(disk, nil)
	require.NoError(t, err)
	h := r.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	r.maxQueued = 64 << 10
	body := strings.Repeat(" ", 15<<10) + "1"
	for range 6 { // 90 kB
		h.ServeHTTP(httptest.NewRecorder(), notification(body, nil))
	}
	r.mu.Lock()
	require.Equal(t, 2, r.lost)
	r.mu.Unlock()
	close(disk)
	require.NoError(t, r.Close())
}

// failing is a disk that is full.
type failing struct{ after int }

var errFull = errors.New("full")

func (f *failing) Write(p []byte) (int, error) {
	if f.after--; f.after < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestDiskIsFull(t *testing.T) {
	r, err := New(&failing{after: 2}, nil)
	require.NoError(t, err)
	h := r.Handler(http.NotFoundHandler())
	for range 5 {
		h.ServeHTTP(httptest.NewRecorder(), notification("{}", nil))
	}
	require.ErrorIs(t, r.Close(), errFull)
}

func TestLimits(t *testing.T) {
	var out bytes.Buffer
	r, err := New(&out, &Options{MaxTotal: 1})
	require.NoError(t, err)
	r.Handler(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), notification("{}", nil))
	require.NoError(t, r.Close())
	list := entries(t, out.String())
	require.Len(t, list, 1)
	require.Equal(t, 1, list[0].Lost)
	_, err = New(&out, &Options{MaxBody: -1})
	require.Error(t, err)
	_, err = New(&out, &Options{MaxTotal: -1})
	require.Error(t, err)
}

// TestPanics: a handler that panics does so still, and is recorded.
func TestPanics(t *testing.T) {
	var out bytes.Buffer
	r, err := New(&out, nil)
	require.NoError(t, err)
	h := r.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	require.PanicsWithValue(t, http.ErrAbortHandler, func() { h.ServeHTTP(httptest.NewRecorder(), notification("{}", nil)) })
	require.NoError(t, r.Close())
	require.Zero(t, entries(t, out.String())[0].Status)
}

func TestReadRefuses(t *testing.T) {
	for _, text := range []string{"", "{}", `{"recording":"other","version":1}`, `{"recording":"activityapi","version":2}`, "no JSON",
		`{"recording":"activityapi","version":1}` + "\n{}\n{"} {
		var last error
		for e, err := range read(strings.NewReader(text)) {
			require.NoError(t, last)
			require.Equal(t, err == nil, e != nil)
			last = err
		}
		require.ErrorIs(t, last, errFormat, text)
		require.ErrorIs(t, Play(t.Context(), strings.NewReader(text), true, func(*Entry) error { return nil }), errFormat)
	}
}

// sample is a recording of three bodies, the second of which ended last.
func sample() string {
	lines := []string{`{"recording":"activityapi","version":1}`}
	for _, e := range []Entry{
		{At: time.Second, Method: "POST", Status: 200, Size: 2, Body: []byte(`{}`)},
		{At: time.Hour, Method: "POST", Status: 200, Size: 7, Body: []byte("[1,\n\"2\"]")},
		{At: 61 * time.Second, Method: "POST", Status: 503, Size: 9},
		{Lost: 3},
	} {
		b, _ := json.Marshal(lineOf(&e))
		lines = append(lines, string(b))
	}
	return strings.Join(lines, "\n") + "\n"
}

// TestPlay keeps the gaps, or not.
func TestPlay(t *testing.T) {
	for _, atOnce := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			var got []string
			send := func(e *Entry) error {
				got = append(got, fmt.Sprintf("%s %q", time.Since(start), e.Body))
				return nil
			}
			require.NoError(t, Play(t.Context(), strings.NewReader(sample()), atOnce, send))
			want := []string{`0s "{}"`, `1m0s ""`, `59m59s "[1,\n\"2\"]"`}
			if atOnce {
				want = []string{`0s "{}"`, `0s ""`, `0s "[1,\n\"2\"]"`}
			}
			require.Equal(t, want, got)

			stopped := errors.New("stopped")
			require.ErrorIs(t, Play(t.Context(), strings.NewReader(sample()), atOnce, func(*Entry) error { return stopped }), stopped)
			ctx, cancel := context.WithCancel(t.Context())
			require.ErrorIs(t, Play(ctx, strings.NewReader(sample()), atOnce, func(*Entry) error { cancel(); return nil }), context.Canceled)
		})
	}
}
