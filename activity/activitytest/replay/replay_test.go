package replay_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/activitytest/replay"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/recording"
	"github.com/garminkit/activityapi/types"
)

// TestPlay records an hour of pings and pushes at the handler of package notify, and sends it
// from another fake, with its gaps and at once: as many events of each kind for as
// many users come, nothing of the first fake is in them, and what the pings announce
// can be had.
func TestPlay(t *testing.T) {
	for _, atOnce := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var file bytes.Buffer
			rec, err := recording.New(&file, nil)
			require.NoError(t, err)
			first := activitytest.NewServer()
			before := &inbox{}
			handler := rec.Handler(notify.NewHandler(before.Put, nil))
			g := activitytest.NewGenerator(1)
			users := []*activitytest.User{first.AddUser(nil), first.AddUser(nil)}
			begun := time.Now()
			for i, push := range []bool{true, false} {
				first.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: push, Handler: handler})
				time.Sleep(time.Duration(i) * time.Hour)
				for _, u := range users {
					u.Sync(g, activitytype.LapSwimming, time.Now())
					u.Add(g.MoveIQ(time.Now()))
					u.SetPermissions(types.PermissionActivityExport)
				}
				for _, d := range first.Deliver(t.Context()) {
					require.True(t, d.Acknowledged)
				}
			}
			_, err = first.Post(t.Context(), activitytest.Endpoint{Handler: handler}, strings.NewReader("no JSON"), 7)
			require.NoError(t, err)
			lasted := time.Since(begun)
			require.NoError(t, rec.Close())
			for _, u := range users {
				require.NotContains(t, file.String(), string(u.ID()))
				require.NotContains(t, file.String(), u.State().AccessToken)
			}

			second := activitytest.NewServer()
			after := &inbox{}
			second.SetEndpoints(activitytest.Endpoint{Enabled: true, Handler: notify.NewHandler(after.Put, nil)})
			begun = time.Now()
			require.NoError(t, replay.Play(t.Context(), second, bytes.NewReader(file.Bytes()), atOnce))
			if atOnce {
				require.Zero(t, time.Since(begun))
			} else {
				require.Equal(t, lasted, time.Since(begun))
			}
			require.Equal(t, before.counts(t), after.counts(t))
			require.Equal(t, "???????", after.bodies[len(after.bodies)-1])
			require.Len(t, second.Users(), 2)
			pulled, files := 0, 0
			for _, body := range after.bodies {
				for e, err := range new(notify.Decoder).Decode(strings.NewReader(body)) {
					if err != nil {
						break
					}
					switch data := e.Data.(type) {
					case *notify.Ping:
						status, list := get(t, second, string(data.CallbackURL), second.User(e.UserID).State().AccessToken)
						require.Equal(t, http.StatusOK, status)
						var items []json.RawMessage
						require.NoError(t, json.Unmarshal([]byte(list), &items))
						require.NotEmpty(t, items)
						pulled++
					case *notify.FilePing:
						status, content := get(t, second, string(data.File.CallbackURL), second.User(data.File.UserID).State().AccessToken)
						require.Equal(t, http.StatusOK, status)
						require.Equal(t, ".FIT", content[8:12])
						files++
					}
				}
			}
			require.Positive(t, pulled)
			require.Equal(t, 4, files)
		})
	}
}

// TestPlayRefuses what is no recording, and a server without endpoints.
func TestPlayRefuses(t *testing.T) {
	const head = `{"recording":"activityapi","version":1}` + "\n"
	s := activitytest.NewServer()
	require.ErrorContains(t, replay.Play(t.Context(), s, strings.NewReader("{}"), true), "not a recording")
	require.NoError(t, replay.Play(t.Context(), s, strings.NewReader(head+`{"at":0,"method":"GET","path":"/wellness-api/rest/user/id","size":0}`), true))
	one := head + `{"at":0,"method":"POST","size":2,"body":"[]"}`
	require.ErrorContains(t, replay.Play(t.Context(), s, strings.NewReader(one), true), "no endpoint")
	s.SetEndpoints(activitytest.Endpoint{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("no") })})
	require.NoError(t, replay.Play(t.Context(), s, strings.NewReader(one), true), "what it answers is not the replay's affair")
	s.SetEndpoints(activitytest.Endpoint{URL: "http://127.0.0.1:0/"})
	require.Error(t, replay.Play(t.Context(), s, strings.NewReader(one), true))
}

// inbox keeps bodies.
type inbox struct{ bodies []string }

func (s *inbox) Put(_ context.Context, r io.Reader) error {
	b, err := io.ReadAll(r)
	s.bodies = append(s.bodies, string(b))
	return err
}

// counts says how many events of each kind came.
func (s *inbox) counts(t *testing.T) map[string]int {
	t.Helper()
	n := map[string]int{}
	for _, body := range s.bodies {
		for e, err := range new(notify.Decoder).Decode(strings.NewReader(body)) {
			if err != nil {
				n["no JSON"]++
				break
			}
			n[fmt.Sprintf("%T", e)]++
		}
	}
	return n
}

func get(t *testing.T, s *activitytest.Server, url, bearer string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+bearer)
	res, err := s.RoundTrip(r)
	require.NoError(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(b)
}
