//go:build unix

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/oauth2"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/postgres"
	"github.com/garminkit/activityapi/types"
)

// serviceEnv tells a process that it is one of the service's, and how.
const serviceEnv = "CLUSTER_SERVICE"

type serviceConfig struct {
	Database, Garmin, Files string
	Lease                   time.Duration
}

// partnerTable is what the partner keeps: a row for each delivery, in the order
// in which they came.
const partnerTable = `CREATE TABLE IF NOT EXISTS delivery (n bigserial PRIMARY KEY, process integer NOT NULL, user_id text NOT NULL, kind text NOT NULL,
  summary_id text NOT NULL, ord bigint NOT NULL)`

// serve is a process of the partner's service: it receives, and works on what
// all of them received. Its address is the first line that it prints.
func serve(text string) error {
	var c serviceConfig
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() { // who started it may have been killed
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	pool, err := pgxpool.New(ctx, c.Database+" pool_max_conns=12")
	if err != nil {
		return err
	}
	defer pool.Close()
	db, err := postgres.Open(ctx, pool, &postgres.Options{Lease: c.Lease})
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	garmin, err := activity.NewPool(&activity.Options{BaseURL: c.Garmin + "/wellness-api/rest"})
	if err != nil {
		return err
	}
	defer func() { _ = garmin.Close() }()
	users := func(_ context.Context, id types.UserID) ([]notify.User, error) {
		// A partner looks the user up, and their token in db.Tokens.
		client, err := garmin.Client(activity.OAuth2(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: tokenOf(id)})))
		return []notify.User{{ID: string(id), Client: client}}, err
	}
	keep := func(ctx context.Context, d *notify.Delivery, id types.ID) error {
		_, err := pool.Exec(ctx, `INSERT INTO delivery (process, user_id, kind, summary_id, ord) VALUES ($1, $2, $3, $4, $5)`,
			os.Getpid(), string(d.UserID), string(d.Kind), string(id), int64(d.Order))
		return err
	}
	p, err := notify.NewProcessor(db.Queue(), users, notify.Callbacks{
		Save: func(ctx context.Context, d *notify.Delivery, s types.Summary) error { return keep(ctx, d, s.ID()) },
		File: func(ctx context.Context, d *notify.Delivery, f *notify.File) error {
			return keep(ctx, d, f.Announced.SummaryID)
		},
		Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
		PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
	}, &notify.ProcessorOptions{Workers: 32, Files: &notify.Files{Dir: c.Files}})
	if err != nil {
		return err
	}
	defer func() { _ = p.Close() }()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: notify.NewHandler(db.Queue().Put, nil), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(l) }()
	fmt.Println(l.Addr())
	err = p.Run(ctx)
	last, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return errors.Join(err, server.Shutdown(last))
}

func tokenOf(id types.UserID) string { return "token-of-" + string(id) }
