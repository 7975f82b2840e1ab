package main

import (
	"bufio"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/auth/oauth1/oauth1test"
	"github.com/garminkit/activityapi/activity/service/admin"
	"github.com/garminkit/activityapi/activity/service/personal"
	"github.com/garminkit/activityapi/internal/adminapi"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/drift"
	"github.com/garminkit/activityapi/notify/spool"
	"github.com/garminkit/activityapi/postgres"
	"github.com/garminkit/activityapi/types"
)

// world is what is around one script.
type world struct {
	fake  *activitytest.Server
	old   *oauth1test.Garmin
	t     testscript.T
	drift *drift.Report // of cmdService
	// The rest is of cmdWorking.
	inbox   notify.Queue
	looks   atomic.Int64
	refused atomic.Pointer[types.UserID]
}

func worldOf(ts *testscript.TestScript) *world {
	w, _ := ts.Value("world").(*world)
	return w
}

// cmdGarmin starts a fake Garmin.
func cmdGarmin(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	w.fake = activitytest.NewServer()
	w.fake.ClientID, w.fake.ClientSecret = "key", "right"
	w.fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, URL: "https://me.example.com/garmin"})
	w.old = oauth1test.Add(w.fake)
	s := httptest.NewUnstartedServer(w.fake)
	w.fake.BaseURL = "http://" + s.Listener.Addr().String()
	s.Start()
	ts.Defer(s.Close)
	ts.Setenv(args[0], s.URL)
}

// cmdDatabase starts a server by the command trial of module postgres.
func cmdDatabase(ts *testscript.TestScript, _ bool, args []string) {
	program := ts.MkAbs("trial")
	build := exec.Command("go", "build", "-C", filepath.Join("..", "..", "postgres"), "-o", program, "./cmd/trial")
	build.Env = os.Environ()
	if out, err := build.CombinedOutput(); err != nil {
		ts.Fatalf("%s", out)
	}
	cmd := exec.Command(program)
	in, err := cmd.StdinPipe()
	ts.Check(err)
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() {
		in.Close()
		_ = cmd.Wait()
	})
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil && os.Getenv("CI") != "true" {
		worldOf(ts).t.Skip("there is no PostgreSQL")
	}
	ts.Check(err)
	ts.Setenv(args[0], strings.TrimSpace(url))
}

// cmdTokens makes a token file, with users of the fake.
func cmdTokens(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	store, done := tokenStore(ts, args[0])
	now := time.Now()
	for _, a := range args[1:] {
		id, state, _ := strings.Cut(a, "=")
		t := &auth.Token{UserID: types.UserID(id), AccessToken: "hushhush", RefreshToken: "hushhush", Expiry: now.Add(24 * time.Hour), RefreshExpiry: now.AddDate(0, 0, 80)}
		if w.fake != nil {
			u := w.fake.AddUser(&activitytest.UserOptions{ID: t.UserID, FirstConnected: now.AddDate(-1, 0, 0), HistoryFrom: now.AddDate(-2, 0, 0)})
			t.AccessToken, t.RefreshToken = types.Secret(u.State().AccessToken), types.Secret(u.State().RefreshToken)
		}
		switch state {
		case tokenEnding:
			t.RefreshExpiry = now.AddDate(0, 0, 3)
		case tokenEnded:
			t.RefreshExpiry = now.AddDate(0, 0, -3)
		case tokenRevoked:
			t.Revoked = true
		case tokenOAuth1, "left":
			t = &auth.Token{UserID: t.UserID, AccessToken: "hushhush", TokenSecret: "hushhush"}
			if w.fake != nil {
				u := w.fake.User(t.UserID)
				token, secret := w.old.Connect(u)
				t.AccessToken, t.TokenSecret = types.Secret(token), types.Secret(secret)
				if state == "left" {
					u.Deregister()
				}
			}
		}
		_, err := store.Swap(context.Background(), nil, t)
		ts.Check(err)
	}
	ts.Check(done())
}

// tokenStore is the token file of that name, or the database if it is an address.
func tokenStore(ts *testscript.TestScript, name string) (auth.TokenStore, func() error) {
	if !strings.Contains(name, "host=") {
		store, err := auth.OpenFile(ts.MkAbs(name), nil)
		ts.Check(err)
		return store, store.Close
	}
	db, done := openDatabase(ts, name)
	return db.Tokens(), done
}

func openDatabase(ts *testscript.TestScript, url string) (*postgres.DB, func() error) {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, url)
	ts.Check(err)
	db, err := postgres.Open(ctx, pool, nil)
	ts.Check(err)
	return db, func() error {
		defer pool.Close()
		return db.Close()
	}
}

func cmdLeave(ts *testscript.TestScript, _ bool, args []string) {
	worldOf(ts).fake.User(types.UserID(args[0])).Deregister()
}

func cmdAsked(ts *testscript.TestScript, _ bool, args []string) {
	old := time.Now().AddDate(0, 0, -200)
	for {
		for _, w := range worldOf(ts).fake.User(types.UserID(args[0])).State().Backfilled[types.KindActivities] {
			if w.Start.Before(old) {
				return
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func cmdMix(ts *testscript.TestScript, _ bool, args []string) {
	store, err := auth.OpenFile(ts.MkAbs(args[0]), nil)
	ts.Check(err)
	ctx := context.Background()
	a, err := store.Token(ctx, types.UserID(args[1]))
	ts.Check(err)
	b, err := store.Token(ctx, types.UserID(args[2]))
	ts.Check(err)
	newA, newB := *b, *a
	newA.UserID, newB.UserID = a.UserID, b.UserID
	_, err = store.Swap(ctx, a, &newA)
	ts.Check(err)
	_, err = store.Swap(ctx, b, &newB)
	ts.Check(err)
	ts.Check(store.Close())
}

func cmdMoved(ts *testscript.TestScript, _ bool, args []string) {
	store, err := auth.OpenFile(ts.MkAbs(args[0]), nil)
	ts.Check(err)
	defer store.Close()
	for {
		for t, err := range store.Tokens(context.Background()) {
			ts.Check(err)
			if t.OAuth2() {
				return
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func cmdFirst(ts *testscript.TestScript, _ bool, args []string) {
	words := strings.Fields(ts.ReadFile("stdout"))
	if len(words) == 0 {
		ts.Fatalf("nothing was printed")
	}
	ts.Setenv(args[0], words[0])
}

// cmdLetters makes a spool with dead letters of users u0 to u9, sealed if there is
// a key.
func cmdLetters(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	user := func(i int) string { return fmt.Sprintf("u%d", i%10) }
	if strings.Contains(args[0], "host=") {
		db, done := openDatabase(ts, args[0])
		bury(ts, db.Queue(), n, user)
		ts.Check(done())
		return
	}
	opts := &spool.Options{}
	if key := ts.Getenv(spoolKey); key != "" {
		raw, err := hex.DecodeString(key)
		ts.Check(err)
		block, err := aes.NewCipher(raw)
		ts.Check(err)
		opts.AEAD, err = cipher.NewGCM(block)
		ts.Check(err)
	}
	inbox, err := spool.Open(ts.MkAbs(args[0]), opts)
	ts.Check(err)
	bury(ts, inbox, n, user)
	ts.Check(inbox.Close())
}

// bury makes dead letters, as a processor does.
func bury(ts *testscript.TestScript, inbox notify.Queue, n int, user func(i int) string) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	before, err := inbox.Stats(ctx)
	ts.Check(err)
	for i := range n {
		ts.Check(inbox.Put(ctx, strings.NewReader(fmt.Sprintf(
			`{"activities":[{"userId":"%s","summaryId":"s%d","activityType":"RUNNING","startTimeInSeconds":1700000000,"durationInSeconds":60,"deviceName":"hushhush"}]}`, user(i), i))))
	}
	refuse := errors.New("no room in the database")
	calls := notify.Callbacks{
		Save:             func(context.Context, *notify.Delivery, types.Summary) error { return notify.Permanent(refuse) },
		Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
		PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
	}
	everybody := func(_ context.Context, id types.UserID) ([]notify.User, error) {
		return []notify.User{{ID: string(id)}}, nil
	}
	p, err := notify.NewProcessor(inbox, everybody, calls, nil)
	ts.Check(err)
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	for {
		now, err := inbox.Stats(ctx)
		ts.Check(err)
		if now.Letters == before.Letters+int64(n) {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	stop()
	ts.Check(<-done)
}

// cmdWorking has a spool open, with an admin API whose list of refused users is
// the world's.
func cmdWorking(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	var err error
	w.inbox, err = spool.Open(ts.MkAbs(args[1]), nil)
	ts.Check(err)
	ts.Defer(func() { w.inbox.Close() })
	h, err := admin.New(w.inbox, slog.New(slog.DiscardHandler), nil)
	ts.Check(err)
	mux := http.NewServeMux()
	mux.Handle("/admin/", http.StripPrefix("/admin", h))
	mux.HandleFunc("/admin/api/parked", func(rw http.ResponseWriter, _ *http.Request) {
		w.looks.Add(1)
		users := []adminapi.ParkedUser{}
		if id := w.refused.Load(); id != nil {
			users = append(users, adminapi.ParkedUser{User: *id, Reason: "refused, as the test wants"})
		}
		_ = json.NewEncoder(rw).Encode(adminapi.Parked{Users: users, Total: len(users)})
	})
	s := httptest.NewServer(mux)
	ts.Defer(s.Close)
	ts.Setenv(args[0], s.URL+"/admin")
}

// cmdLooked waits until somebody has looked twice, so that a look began after the
// last command.
func cmdLooked(ts *testscript.TestScript, _ bool, _ []string) {
	w := worldOf(ts)
	for end := w.looks.Load() + 2; w.looks.Load() < end; {
		time.Sleep(5 * time.Millisecond)
	}
}

func cmdBury(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	bury(ts, worldOf(ts).inbox, n, func(int) string { return "late" })
}

func cmdRefuse(ts *testscript.TestScript, _ bool, args []string) {
	worldOf(ts).refused.Store(new(types.UserID(args[0])))
}

func cmdTake(ts *testscript.TestScript, _ bool, _ []string) { worldOf(ts).refused.Store(nil) }

// cmdService has a spool open, and its admin API behind a log-in at an address.
func cmdService(ts *testscript.TestScript, _ bool, args []string) {
	inbox, err := spool.Open(ts.MkAbs(args[1]), nil)
	ts.Check(err)
	ts.Defer(func() { inbox.Close() })
	w := worldOf(ts)
	w.drift = drift.New()
	stores := &personal.Stores{Queue: inbox}
	opts := &admin.Options{Drift: w.drift, Erase: stores.Erase, Export: stores.Export}
	if len(args) > 2 {
		store, err := auth.OpenFile(ts.MkAbs(args[2]), nil)
		ts.Check(err)
		ts.Defer(func() { store.Close() })
		opts.Tokens, stores.Tokens = store, store
	}
	h, err := admin.New(inbox, slog.New(slog.DiscardHandler), opts)
	ts.Check(err)
	s := httptest.NewServer(http.StripPrefix("/admin", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer hushhush" {
			http.Error(w, "log in", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	})))
	ts.Defer(s.Close)
	ts.Setenv(args[0], s.URL+"/admin")
}

// cmdDrifted tells the service of the last command of things that it does not know.
func cmdDrifted(ts *testscript.TestScript, _ bool, _ []string) {
	r := worldOf(ts).drift
	r.UnknownKey("activities[0].newKey")
	r.UnknownKey("activities[7].newKey")
	save := r.Wrap(notify.Callbacks{Save: func(context.Context, *notify.Delivery, types.Summary) error { return nil }}).Save
	_ = save(context.Background(), nil, &types.Activity{ActivityType: "MOON_WALKING"})
}
