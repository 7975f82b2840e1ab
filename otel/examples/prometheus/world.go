package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/service"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/drift"
	"github.com/garminkit/activityapi/notify/spool"
	"github.com/garminkit/activityapi/otel"
	"github.com/garminkit/activityapi/types"
)

// world is a fake Garmin and a service that receives from it.
type world struct {
	garmin   *activitytest.Server
	users    []*activitytest.User
	gen      *activitytest.Generator
	endpoint string // with the path secret
	finished atomic.Int64
	sent     int64
	rounds   int
	closers  []func() error
}

const secret = "0123456789abcdef0123456789abcdef" // of the example; yours is random

// newWorld starts both.
func newWorld(dir string, traces *sdktrace.TracerProvider, meters *sdkmetric.MeterProvider) (w *world, err error) {
	w = &world{garmin: activitytest.NewServer(), gen: activitytest.NewGenerator(1)}
	defer func(w *world) {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}(w)
	if w.garmin.BaseURL, err = w.serve(w.garmin); err != nil {
		return nil, err
	}
	inbox, err := spool.Open(filepath.Join(dir, "inbox"), nil)
	if err != nil {
		return nil, err
	}

	tel, err := otel.New(&otel.Options{TracerProvider: traces, MeterProvider: meters})
	if err != nil {
		return nil, err
	}
	pool, err := activity.NewPool(&activity.Options{BaseURL: w.garmin.BaseURL + "/wellness-api/rest", Wrap: tel.Transport})
	if err != nil {
		return nil, err
	}
	w.closers = append(w.closers, pool.Close)
	tokens := auth.NewMemory()
	users, err := auth.NewUsers(auth.App{ClientID: w.garmin.ClientID, ClientSecret: types.Secret(w.garmin.ClientSecret)}, tokens, &auth.Options{
		Pool: pool, Wrap: tel.Transport,
		BaseURL: w.garmin.BaseURL,
	})
	if err != nil {
		return nil, err
	}
	origin, err := notify.PathSecret(secret, "")
	if err != nil {
		return nil, err
	}
	files := filepath.Join(dir, "files")
	if err := os.Mkdir(files, 0o700); err != nil {
		return nil, err
	}
	report := drift.New()
	svc, err := service.New(inbox, resolver(users), tel.Wrap(callbacks()), &service.Options{
		Handler: tel.Handler(&notify.HandlerOptions{Origin: []notify.OriginCheck{origin}}),
		Processor: tel.Processor(&notify.ProcessorOptions{Files: &notify.Files{Dir: files}, Observe: func(o notify.Outcome) {
			if o.Attempt > 0 {
				w.finished.Add(1)
			}
		}}),
		Tokens: users, Drift: report, ReadyDelay: -1,
	})
	if err != nil {
		return nil, err
	}
	stop, err := tel.Watch(&otel.Sources{
		Queue: inbox, Processor: svc.Processor(), Tokens: users, Drift: report,
		Limiter: backfill.NewLimiter(backfill.Evaluation, nil),
	})
	if err != nil {
		return nil, err
	}
	w.closers = append(w.closers, stop)
	ctx, end := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- svc.Run(ctx) }()
	w.closers = append(w.closers, func() error { end(); return <-ran })
	base, err := w.serve(tel.Intake("/garmin/{secret}", svc.Intake()))
	if err != nil {
		return nil, err
	}
	w.endpoint = base + "/garmin/" + secret
	return w, w.connect(tokens)
}

// connect gives the partner three users, of whom the tokens of one end soon.
func (w *world) connect(tokens auth.TokenStore) error {
	for i := range 3 {
		u := w.garmin.AddUser(nil)
		w.users = append(w.users, u)
		expiry := time.Now().Add(24 * time.Hour)
		if i == 0 {
			expiry = time.Now().Add(time.Minute)
		}
		_, err := tokens.Swap(context.Background(), nil, &auth.Token{
			UserID: u.ID(), AccessToken: types.Secret(u.State().AccessToken), RefreshToken: types.Secret(u.State().RefreshToken),
			Expiry: expiry, RefreshExpiry: time.Now().Add(90 * 24 * time.Hour),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// send lets Garmin send pushes and pings, by turns, and something that nobody knows;
// it returns when the service is done with it.
func (w *world) send(ctx context.Context) error {
	w.rounds++
	w.garmin.SetEndpoints(activitytest.Endpoint{URL: w.endpoint, Enabled: true, Push: w.rounds%2 == 1})
	for _, u := range w.users {
		u.Sync(w.gen, activitytype.Running, time.Now().Add(-time.Hour))
	}
	for _, d := range w.garmin.Deliver(ctx) {
		if !d.Acknowledged {
			return fmt.Errorf("%s was not acknowledged: %d %w", d.Key, d.Status, d.Err)
		}
		w.sent += int64(d.Items)
	}
	if err := w.odd(ctx); err != nil {
		return err
	}
	for w.finished.Load() < w.sent {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

// odd sends what is no activity of a user's.
func (w *world) odd(ctx context.Context) error {
	body := fmt.Sprintf(`{"sleeps":[{"userId":"stranger"}],"activities":[{"userId":%q,"summaryId":"odd","activityType":"MOON_WALKING","new":1}]}`, w.users[0].ID())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.endpoint, strings.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	if w.rounds == 1 { // the same bytes are known then
		w.sent += 2
	}
	return resp.Body.Close()
}

// resolver finds the user of a Garmin id, who has the same here.
func resolver(users *auth.Users) notify.Resolver {
	return func(ctx context.Context, id types.UserID) ([]notify.User, error) {
		client, err := users.Client(ctx, id)
		if errors.Is(err, auth.ErrNotConnected) {
			return nil, notify.ErrUnknownUser
		}
		return []notify.User{{ID: string(id), Client: client}}, err
	}
}

// callbacks are the partner's, which store nothing here, and cannot take one thing.
func callbacks() notify.Callbacks {
	return notify.Callbacks{
		Save: func(_ context.Context, _ *notify.Delivery, s types.Summary) error {
			if s.ID() == "odd" {
				return notify.RetryAfter(errors.New("the table has no such type"), time.Hour)
			}
			return nil
		},
		Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
		PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
	}
}

// serve serves h on a free port of this machine.
func (w *world) serve(h http.Handler) (url string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = s.Serve(l) }()
	w.closers = append(w.closers, s.Close)
	return "http://" + l.Addr().String(), nil
}

func (w *world) close() error {
	var errs []error
	for i := len(w.closers) - 1; i >= 0; i-- {
		errs = append(errs, w.closers[i]())
	}
	return errors.Join(errs...)
}
