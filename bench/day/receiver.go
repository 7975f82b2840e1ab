//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/oauth2"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/service"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/spool"
	"github.com/garminkit/activityapi/postgres"
	"github.com/garminkit/activityapi/types"
)

// receiverEnv tells a process that it is a receiver, and how.
const receiverEnv = "DAY_RECEIVER"

type receiverConfig struct {
	Database, Garmin, Dir string
	Downloads             int    // at a time
	Profile               string // file for the CPU profile, or ""
}

// delivery is a callback: when its notification was stored, and how long it
// waited. Both are in microseconds, and the first since the process began. File
// tells that a file was downloaded before it.
type delivery struct {
	Stored, Waited int64
	File           bool
}

// tally is what a receiver has seen. It prints it when it ends.
type tally struct {
	mu         sync.Mutex
	Begun      time.Time
	Deliveries []delivery
	Letters    int64
	QueueBytes int64 // the most that the queue took
}

func (t *tally) add(d *notify.Delivery, file bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Deliveries = append(t.Deliveries, delivery{d.Received.Sub(t.Begun).Microseconds(), time.Since(d.Received).Microseconds(), file})
}

func (t *tally) observe(o notify.Outcome) {
	if o.Result == notify.ResultBuried {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.Letters++
	}
}

// receive is one process of the partner's. It prints its address first, and what
// it has seen when ctx ends.
func receive(ctx context.Context, text string) (err error) {
	var c receiverConfig
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	// As docs/operation.md advises for few processors and a disk that is waited for.
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(2 * runtime.GOMAXPROCS(0))
	}
	if c.Profile != "" {
		f, err := os.Create(c.Profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	queue, err := openQueue(ctx, c)
	if err != nil {
		return err
	}
	garmin, err := activity.NewPool(&activity.Options{BaseURL: c.Garmin + "/wellness-api/rest"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, garmin.Close()) }()
	client, err := garmin.Client(activity.OAuth2(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "day"})))
	if err != nil {
		return err
	}
	t := &tally{Begun: time.Now()}
	users := func(_ context.Context, id types.UserID) ([]notify.User, error) {
		return []notify.User{{ID: string(id), Client: client}}, nil
	}
	files := filepath.Join(c.Dir, "files")
	if err := os.MkdirAll(files, 0o700); err != nil {
		return err
	}
	svc, err := service.New(queue, users, notify.Callbacks{
		Save: func(_ context.Context, d *notify.Delivery, _ types.Summary) error { t.add(d, false); return nil },
		File: func(_ context.Context, d *notify.Delivery, f *notify.File) error {
			t.add(d, true)
			return os.Remove(f.Path) // a partner moves it to where files are kept
		},
		Deregistration: func(_ context.Context, d *notify.Delivery, _ *notify.Deregistration) error {
			t.add(d, false)
			return nil
		},
		PermissionChange: func(_ context.Context, d *notify.Delivery, _ *notify.PermissionChange) error {
			t.add(d, false)
			return nil
		},
	}, &service.Options{
		Processor:  &notify.ProcessorOptions{Files: &notify.Files{Dir: files}, FileWorkers: c.Downloads, Observe: t.observe},
		ReadyDelay: -1,
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("POST /garmin", svc.Intake())
	mux.HandleFunc("GET /left", func(w http.ResponseWriter, r *http.Request) {
		st, err := queue.Stats(r.Context())
		if err != nil {
			http.Error(w, "no figures", http.StatusInternalServerError)
			return
		}
		t.mu.Lock()
		t.QueueBytes = max(t.QueueBytes, st.Bytes)
		t.mu.Unlock()
		left := st.Bodies
		for _, n := range st.Items {
			left += n
		}
		fmt.Fprintln(w, left)
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + l.Addr().String())
	if err := svc.Serve(ctx, l, mux); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(t)
}

func openQueue(ctx context.Context, c receiverConfig) (notify.Queue, error) {
	if c.Database == "" {
		return spool.Open(filepath.Join(c.Dir, "inbox"), nil)
	}
	pool, err := pgxpool.New(ctx, c.Database)
	if err != nil {
		return nil, err
	}
	db, err := postgres.Open(ctx, pool, nil)
	if err != nil {
		return nil, err
	}
	return db.Queue(), nil
}
