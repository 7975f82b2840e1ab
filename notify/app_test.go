package notify_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

const (
	secretA = "evaluation-secret-0123456789"
	secretB = "production-secret-0123456789"
)

func pathSecret(t testing.TB, s string) notify.OriginCheck {
	check, err := notify.PathSecret(s, "")
	require.NoError(t, err)
	return check
}

func clientID(t testing.TB, s string) notify.OriginCheck {
	check, err := notify.ClientID(s)
	require.NoError(t, err)
	return check
}

func TestAppRoutes(t *testing.T) {
	t.Parallel()
	bySecret := map[string][]notify.OriginCheck{"evaluation": {pathSecret(t, secretA)}, "production": {pathSecret(t, secretB)}}
	byID := map[string][]notify.OriginCheck{"evaluation": {clientID(t, "id-a")}, "": {clientID(t, "id-b")}}
	both := map[string][]notify.OriginCheck{"a": {pathSecret(t, secretA)}, "b": {pathSecret(t, secretA), clientID(t, "id-b")}}
	boom := func(*http.Request) error { panic("boom") }
	for _, tt := range []struct {
		name     string
		apps     map[string][]notify.OriginCheck
		path, id string
		status   int
		app      string
	}{
		{"by path secret", bySecret, "/g/" + secretA, "", 200, "evaluation"},
		{"by the other", bySecret, "/g/" + secretB, "", 200, "production"},
		{"no secret", bySecret, "/g/", "", 404, ""},
		{"both secrets", bySecret, "/" + secretA + "/" + secretB, "", 404, ""},
		{"by client id", byID, "/", "id-a", 200, "evaluation"},
		{"of the one without a name", byID, "/", "id-b", 200, ""},
		{"another client id", byID, "/", "id-c", 404, ""},
		{"checks of one pass and those of the other too", both, "/" + secretA, "id-b", 404, ""},
		{"checks of one pass", both, "/" + secretA, "id-c", 200, "a"},
		{"a check that panics has refused", map[string][]notify.OriginCheck{"a": {boom}, "b": {pathSecret(t, secretB)}}, "/" + secretB, "", 200, "b"},
		{"one application with a name", map[string][]notify.OriginCheck{"a": {pathSecret(t, secretA)}}, "/" + secretA, "", 200, "a"},
		{"one application, refused", map[string][]notify.OriginCheck{"a": {pathSecret(t, secretA)}}, "/", "", 404, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var store memory
			var receipt notify.Receipt
			h := notify.NewHandler(store.Put, &notify.HandlerOptions{Apps: tt.apps, Observe: func(_ context.Context, r notify.Receipt) { receipt = r }})
			r := httptest.NewRequest(http.MethodPost, tt.path, strings.NewReader("{}"))
			if tt.id != "" {
				r.Header.Set("garmin-client-id", tt.id)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			require.Equal(t, tt.status, w.Code)
			require.Equal(t, tt.app, receipt.App)
			if tt.status != 200 {
				require.Empty(t, store.bodies)
				require.Error(t, receipt.Err)
				require.NotContains(t, receipt.Err.Error(), "secret-0")
				return
			}
			require.EqualValues(t, 2, receipt.Bytes)
			require.Equal(t, []string{notify.AppLine(tt.app) + "{}"}, store.bodies)
		})
	}
}

func TestAppsRefused(t *testing.T) {
	t.Parallel()
	check := []notify.OriginCheck{clientID(t, "x")}
	for _, apps := range []map[string][]notify.OriginCheck{
		{"a@b": check}, {"a b": check}, {"a\"": check}, {"a\n": check}, {"ä": check}, {strings.Repeat("a", 65): check},
		{"a": nil}, {"a": {nil}}, {"a": check, "": nil},
	} {
		require.Error(t, (&notify.HandlerOptions{Apps: apps}).Check(), "%v", apps)
	}
	require.NoError(t, (&notify.HandlerOptions{Apps: map[string][]notify.OriginCheck{strings.Repeat("a", 64): check, "": check}}).Check())
}

// stored gives what a handler stores of a body for an application.
func stored(t testing.TB, app, body string) string {
	t.Helper()
	var store memory
	h := notify.NewHandler(store.Put, &notify.HandlerOptions{Apps: map[string][]notify.OriginCheck{app: {clientID(t, "x")}}})
	// Bytes come one by one: a line need not come at once.
	r := httptest.NewRequest(http.MethodPost, "/", iotest.OneByteReader(strings.NewReader(body)))
	r.Header.Set("garmin-client-id", "x")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	require.Equal(t, 200, w.Code)
	require.Len(t, store.bodies, 1)
	return store.bodies[0]
}

// split gives the pieces of a stored body, and their bytes.
func split(t testing.TB, stored string, one bool) (pieces []notify.Piece, items []string) {
	t.Helper()
	r := io.Reader(strings.NewReader(stored))
	if one {
		r = iotest.OneByteReader(r)
	}
	for p, err := range new(notify.Splitter).Split(r) {
		require.NoError(t, err)
		pieces, items = append(pieces, p), append(items, stored[p.Offset:p.Offset+p.Size])
	}
	return pieces, items
}

// FuzzApp: whatever a stranger sends to one application is of that one, and its
// items are those of the body alone.
func FuzzApp(f *testing.F) {
	activity := `{"activities":[{"userId":"u","summaryId":"1"},{"userId":"u@evaluation","summaryId":"2"},{}, {"x":1}]}`
	for _, app := range []string{"", "evaluation", "-._"} {
		f.Add(app, activity)
		f.Add(app, "")
		f.Add(app, `"evaluation"`)
		f.Add(app, "\"evaluation\"\n")
		f.Add(app, "\"evaluation\"\n"+activity)
		f.Add(app, "\"\"\n\"evaluation\"\n"+activity)
		f.Add(app, "\"evaluation@production\"\n"+activity)
		f.Add(app, `"`+strings.Repeat("a", 100)+"\"\n"+activity)
		f.Add(app, activity[:40])
		f.Add(app, `{"":000`)
	}
	f.Fuzz(func(t *testing.T, app, body string) {
		if (&notify.HandlerOptions{Apps: map[string][]notify.OriginCheck{app: {clientID(t, "x")}}}).Check() != nil {
			t.Skip()
		}
		kept := stored(t, app, body)
		require.True(t, strings.HasSuffix(kept, body))
		shift := int64(len(kept) - len(body))
		pieces, items := split(t, kept, false)
		again, _ := split(t, kept, true)
		require.Equal(t, pieces, again)
		// The body alone, without anything that is taken for a line.
		alone, want := split(t, " "+body, false)
		require.Len(t, pieces, len(alone))
		for i, p := range pieces {
			require.Equal(t, app, p.UserID.App())
			if items[i] == kept { // it could not be read to its end
				require.Empty(t, p.Key)
				require.Equal(t, types.UserID("").In(app), p.UserID)
				continue
			}
			require.Equal(t, want[i], items[i])
			a := alone[i]
			a.Offset += shift - 1
			a.UserID = p.UserID
			require.Equal(t, a, p)
		}
	})
}

// TestAppsNeverCross: the same person under two applications, in all that the
// processor does.
func TestAppsNeverCross(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const shared = "https://apis.garmin.com/wellness-api/rest/activityFile?id=7"
		apps := []string{"", "evaluation", "production"}
		r := newRig(t, nil)
		var mu sync.Mutex
		downloads := map[types.UserID]int{}
		owners := map[types.UserID][]types.UserID{}
		keys := map[string]types.UserID{}
		own := func(d *notify.Delivery, owner types.UserID) {
			mu.Lock()
			defer mu.Unlock()
			owners[d.UserID] = append(owners[d.UserID], owner)
			for _, key := range []string{d.Key, d.Record} {
				if other, ok := keys[key]; ok && other != d.UserID {
					t.Errorf("%s and %s share %s", other, d.UserID, key)
				}
				keys[key] = d.UserID
			}
		}
		r.users = func(_ context.Context, id types.UserID) ([]notify.User, error) {
			return []notify.User{{ID: "ann", Client: garmin{
				follow: func(context.Context, types.Kind, types.Secret) iter.Seq2[types.Summary, error] {
					// Garmin says its own id.
					return yields(nil, &types.Activity{UserID: "u", SummaryID: "pulled"})
				},
				download: func(context.Context, types.Secret) (io.ReadCloser, error) {
					mu.Lock()
					defer mu.Unlock()
					downloads[id]++
					return body(fit(1000 + len(id)))
				},
			}}}, nil
		}
		r.calls.Save = func(_ context.Context, d *notify.Delivery, s types.Summary) error {
			switch s := s.(type) {
			case *types.Activity:
				own(d, s.UserID)
			case *types.ActivityDetails:
				own(d, s.UserID)
				own(d, s.Summary.UserID)
			default:
				return fmt.Errorf("a %T", s)
			}
			return nil
		}
		r.calls.File = func(_ context.Context, d *notify.Delivery, f *notify.File) error {
			own(d, f.Announced.UserID)
			return nil
		}
		r.calls.Deregistration = func(_ context.Context, d *notify.Delivery, _ *notify.Deregistration) error {
			own(d, d.UserID)
			return nil
		}
		r.calls.PermissionChange = func(_ context.Context, d *notify.Delivery, _ *notify.PermissionChange) error {
			own(d, d.UserID)
			return nil
		}
		r.opts.Files = &notify.Files{Dir: t.TempDir()}
		r.start()
		for _, app := range apps {
			for _, b := range []string{
				push("u", "1"), ping("u", "https://apis.garmin.com/wellness-api/rest/activities?x=1"), fitPing("u", "1-file", shared),
				`{"deregistrations":[{"userId":"u"}]}`,
				`{"userPermissionsChange":[{"userId":"u","summaryId":"p","permissions":[],"changeTimeInSeconds":1}]}`,
				`{"activityDetails":[{"userId":"u","summaryId":"1-detail","summary":{"userId":"u","startTimeInSeconds":1700000000,"durationInSeconds":60}}]}`,
				// A stranger who has this application's secret names another's user.
				push("u@evaluation", "2"),
			} {
				r.put(stored(t, app, b))
			}
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		r.finish()
		require.Empty(t, r.letters())
		for _, app := range apps {
			id := types.UserID("u").In(app)
			require.Equal(t, slices.Repeat([]types.UserID{id}, 7), owners[id], "%q", app)
			forged := types.UserID("u@evaluation").In(app)
			require.Equal(t, []types.UserID{forged}, owners[forged])
			require.Equal(t, 1, downloads[id], "each application downloads its own")
		}
		require.Len(t, owners, 2*len(apps))
		files := 0
		for _, name := range r.visible() {
			if strings.HasSuffix(name, ".fit") {
				files++
			}
		}
		require.Equal(t, len(apps), files)
	})
}

// TestAppOutage: what is wrong with one application's key holds up no other.
func TestAppOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		bad := true
		r := newRig(t, nil)
		var seen []types.UserID
		r.users = func(_ context.Context, id types.UserID) ([]notify.User, error) {
			return []notify.User{{ID: "x", Client: garmin{follow: func(context.Context, types.Kind, types.Secret) iter.Seq2[types.Summary, error] {
				mu.Lock()
				defer mu.Unlock()
				if bad && id.App() == "evaluation" {
					return yields(faultError{types.FaultApplication})
				}
				seen = append(seen, id)
				return yields(nil)
			}}}}, nil
		}
		r.start()
		send := func(n int) {
			for _, app := range []string{"evaluation", "", "production"} {
				for i := range n {
					r.put(stored(t, app, ping("u", fmt.Sprint("https://x/", n, app, i))))
				}
			}
		}
		send(1)
		time.Sleep(time.Minute)
		send(5)
		time.Sleep(time.Minute)
		mu.Lock()
		require.Len(t, seen, 12, "the others go on")
		bad = false
		mu.Unlock()
		require.Equal(t, 1, r.count(notify.ResultOutage))
		time.Sleep(time.Hour)
		mu.Lock()
		require.Len(t, seen, 18)
		mu.Unlock()
		require.Equal(t, 1, r.count(notify.ResultResumed))
		for _, o := range r.outcomes {
			if o.Result == notify.ResultOutage || o.Result == notify.ResultResumed {
				require.Equal(t, "evaluation", o.UserID.App())
			}
		}
		r.finish()
	})
}

// TestWorkerKeepsApp: who has a queue of his own keeps the user with the bytes.
func TestWorkerKeepsApp(t *testing.T) {
	t.Parallel()
	var got types.UserID
	calls := newRig(t, nil).calls
	calls.File = nil
	w, err := notify.NewProcessor(nil, func(_ context.Context, id types.UserID) ([]notify.User, error) {
		got = id
		return []notify.User{{ID: "x"}}, nil
	}, calls, nil)
	require.NoError(t, err)
	pieces, items := split(t, stored(t, "evaluation", push("u", "1")), false)
	require.NoError(t, w.Attempt(t.Context(), &notify.Item{Piece: notify.Piece{Key: pieces[0].Key, UserID: pieces[0].UserID}, Raw: []byte(items[0])}))
	require.Equal(t, types.UserID("u@evaluation"), got)
	require.NoError(t, w.Close())
}
