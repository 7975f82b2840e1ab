//go:build unix

package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/service/admin"
	"github.com/garminkit/activityapi/internal/adminapi"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
	"github.com/garminkit/activityapi/types"
)

// TestAdmin: the operator's pages work on this queue as on any other.
func TestAdmin(t *testing.T) {
	t.Parallel()
	q := steady(t, pgtest.Schema(t))
	defer func() { require.NoError(t, q.Close()) }()
	for i := range 130 {
		require.NoError(t, q.Put(t.Context(), strings.NewReader(fmt.Sprintf(
			`{"activities":[{"userId":"u%d","summaryId":"s%d","activityId":%d,"startTimeInSeconds":1700000000,"durationInSeconds":60}]}`, i%2, i, i))))
	}
	users := func(_ context.Context, id types.UserID) ([]notify.User, error) {
		return []notify.User{{ID: string(id)}}, nil
	}
	p, err := notify.NewProcessor(q, users, notify.Callbacks{
		Save: func(context.Context, *notify.Delivery, types.Summary) error {
			return notify.Permanent(errors.New("column missing"))
		},
		Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
		PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
	}, nil)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	letters := func() int64 {
		st, err := q.Stats(t.Context())
		require.NoError(t, err)
		return st.Letters
	}
	require.Eventually(t, func() bool { return letters() == 130 }, time.Minute, 20*time.Millisecond)
	stop()
	require.NoError(t, <-done)

	panel, err := admin.New(q, slog.New(slog.DiscardHandler), &admin.Options{Processor: p})
	require.NoError(t, err)
	ask := func(method, path string, form url.Values, out any) {
		t.Helper()
		r := httptest.NewRequest(method, "/api/"+path+"?"+form.Encode(), nil)
		w := httptest.NewRecorder()
		panel.ServeHTTP(w, r)
		require.Equal(t, http.StatusOK, w.Code, w.Body)
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), out))
	}
	seen := map[string]bool{}
	for from := ""; ; {
		var piece adminapi.Letters
		ask("GET", "letters", url.Values{"from": {from}}, &piece)
		for _, l := range piece.Letters {
			require.False(t, seen[l.ID], "shown twice")
			seen[l.ID] = true
		}
		if from = piece.Next; from == "" {
			break
		}
	}
	require.Len(t, seen, 130)
	var act adminapi.Action
	ask("POST", "discard", url.Values{"user": {"u1"}, "seconds": {"20"}}, &act)
	require.Equal(t, 65, act.Matched)
	require.EqualValues(t, 130, letters())
	before := act.Filter.Before.Format(time.RFC3339Nano)
	ask("POST", "discard", url.Values{"user": {"u1"}, "before": {before}, "dry_run": {"false"}, "seconds": {"20"}}, &act)
	require.Equal(t, 65, act.Done)
	ask("POST", "redrive", url.Values{"before": {before}, "dry_run": {"false"}, "seconds": {"20"}}, &act)
	require.Equal(t, 65, act.Done)
	require.Zero(t, letters())
	var o adminapi.Overview
	ask("GET", "overview", nil, &o)
	require.EqualValues(t, 65, o.Classes[notify.ClassPush].Items)
}
