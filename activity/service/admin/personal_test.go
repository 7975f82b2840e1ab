package admin_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/service/admin"
	"github.com/garminkit/activityapi/activity/service/personal"
	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/types"
)

func failingExport(_ context.Context, _ types.UserID, w io.Writer) (*personal.Manifest, error) {
	_, _ = w.Write([]byte("PK"))
	return nil, errors.New("the disk")
}

// TestPersonal: a user is counted first and then erased and exported, each with a
// line in the audit log and refused to other sites.
func TestPersonal(t *testing.T) {
	t.Parallel()
	q := memqueue.NewMemory()
	defer q.Close()
	require.NoError(t, q.Put(t.Context(), strings.NewReader(`{"activities":[{"userId":"u<1>","summaryId":"1"},{"userId":"b","summaryId":"2"}]}`)))
	var log bytes.Buffer
	stores := &personal.Stores{Queue: q}
	a, err := admin.New(q, slog.New(slog.NewTextHandler(&log, nil)), &admin.Options{Erase: stores.Erase, Export: stores.Export})
	require.NoError(t, err)
	post := func(h http.Handler, path string, form url.Values, site string) (int, string, http.Header) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", site)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code, w.Body.String(), w.Header()
	}
	user := url.Values{"user": {"u<1>"}}
	really := url.Values{"user": {"u<1>"}, "dry_run": {"false"}}
	for _, path := range []string{"/erase", "/api/erase", "/export", "/api/export"} {
		code, _, _ := post(a, path, really, "cross-site")
		require.Equal(t, http.StatusForbidden, code, path)
		code, _, _ = post(a, path, nil, "same-origin")
		require.Equal(t, http.StatusBadRequest, code, path)
	}
	require.Equal(t, 2, q.Len())
	log.Reset()

	code, text, _ := post(a, "/erase", user, "same-origin")
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, text, "1 items")
	require.Contains(t, text, "u&lt;1&gt;")
	require.Empty(t, log.String(), "nothing was done")
	require.Equal(t, 2, q.Len())

	code, text, head := post(a, "/export", user, "same-origin")
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, "application/zip", head.Get("Content-Type"))
	z, err := zip.NewReader(strings.NewReader(text), int64(len(text)))
	require.NoError(t, err)
	require.Len(t, z.File, 2)
	require.Contains(t, log.String(), "action=export")
	require.Panics(t, func() {
		b, err := admin.New(q, slog.New(slog.DiscardHandler), &admin.Options{Export: failingExport})
		require.NoError(t, err)
		post(b, "/export", user, "same-origin")
	}, "an export that was cut short does not look whole")

	code, text, _ = post(a, "/api/erase", really, "same-origin")
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, text, `"removed":{"items":1}`)
	require.Contains(t, log.String(), "action=erase")
	require.Contains(t, log.String(), "complete=true")
	require.Equal(t, 1, q.Len())

	none, err := admin.New(q, slog.New(slog.DiscardHandler), nil)
	require.NoError(t, err)
	for _, path := range []string{"/api/erase", "/api/export"} {
		code, _, _ = post(none, path, user, "same-origin")
		require.Equal(t, http.StatusNotImplemented, code)
	}
}
