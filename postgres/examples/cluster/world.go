//go:build unix

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/types"
)

// world is Garmin with its users. It knows what must arrive.
type world struct {
	fake     *activitytest.Server
	server   *http.Server
	url      string
	users    []*activitytest.User
	uploads  int // that were made, numbered from 1
	files    int
	finished atomic.Bool

	mu    sync.Mutex
	asked map[string]int // how often a file was asked for
}

func newWorld(users int) (*world, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &world{fake: activitytest.NewServer(), url: "http://" + l.Addr().String(), asked: map[string]int{}}
	w.fake.BaseURL = w.url
	w.fake.DeliveryItems, w.fake.DeliveryTimeout, w.fake.DeliveryFirstRetry = 10, 5*time.Second, 300*time.Millisecond
	for i := range users {
		id := types.UserID(fmt.Sprintf("%032x", i+1))
		w.users = append(w.users, w.fake.AddUser(&activitytest.UserOptions{ID: id, AccessToken: tokenOf(id)}))
	}
	w.server = &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wellness-api/rest/activityFile" {
			w.mu.Lock()
			w.asked[r.URL.Query().Get("id")]++
			w.mu.Unlock()
		}
		w.fake.ServeHTTP(rw, r)
	}), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = w.server.Serve(l) }()
	return w, nil
}

func (w *world) close() { _ = w.server.Close() }

// sendTo is where notifications go.
func (w *world) sendTo(h http.Handler) {
	w.fake.SetEndpoints(activitytest.Endpoint{Handler: h, Enabled: true, Push: true})
}

// live lets people upload until ctx ends. Each twentieth upload is a file.
func (w *world) live(ctx context.Context, rate int) {
	start := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(start.Add(time.Duration(w.uploads) * time.Second / time.Duration(rate)))):
		}
		w.uploads++
		u := w.users[rand.IntN(len(w.users))]
		id := types.ID(fmt.Sprintf("%09d", w.uploads))
		if w.uploads%20 == 0 {
			w.files++
			u.AddFile(types.ActivityFile{SummaryID: id, FileType: "GPX", StartTimeInSeconds: types.Timestamp(time.Now().Unix())},
				[]byte(`<gpx version="1.1"><trk><name>`+string(id)+`</name></trk></gpx>`))
			continue
		}
		u.Add(&types.Activity{SummaryID: id, ActivityName: "Run", StartTimeInSeconds: types.Timestamp(time.Now().Unix()), DurationInSeconds: 60})
	}
}

// finish lets deliver end when all is delivered.
func (w *world) finish() { w.finished.Store(true) }

func (w *world) deliver(ctx context.Context) {
	for ctx.Err() == nil && (!w.finished.Load() || w.fake.State().Pending > 0) {
		if len(w.fake.Deliver(ctx)) == 0 {
			time.Sleep(5 * time.Millisecond)
		}
	}
}
