//go:build unix

// Cluster shows what several processes on one PostgreSQL are for: three
// processes of a partner's service behind a load balancer take what a fake Garmin
// sends for 10,000 users, and every few seconds one of them is killed.
//
//	go run -C postgres ./examples/cluster
//
// It starts a PostgreSQL of its own from the machine's programs, or uses
// DATABASE_URL. Each second it prints which process has how many of the 64 shares,
// and how much waits; in the end, the balance.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/garminkit/activityapi/postgres"
	"github.com/garminkit/activityapi/postgres/internal/cluster"
)

type options struct {
	users, processes, rate int
	length, kill, lease    time.Duration
	self                   string
	out                    io.Writer
}

func main() {
	if text := os.Getenv(serviceEnv); text != "" {
		if err := serve(text); err != nil {
			fmt.Fprintln(os.Stderr, "service:", err)
			os.Exit(1)
		}
		return
	}
	o := options{out: os.Stdout}
	flag.IntVar(&o.users, "users", 10_000, "Garmin users")
	flag.IntVar(&o.processes, "processes", 3, "processes of the service")
	flag.IntVar(&o.rate, "rate", 200, "uploads a second")
	flag.DurationVar(&o.length, "for", time.Minute, "how long people upload")
	flag.DurationVar(&o.kill, "kill", 7*time.Second, "how often a process is killed")
	flag.DurationVar(&o.lease, "lease", 3*time.Second, "lease of the shares")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if o.self, err = os.Executable(); err == nil {
		err = o.run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

// run tells the story, and fails if the balance is not even.
func (o *options) run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "cluster")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	url := os.Getenv("DATABASE_URL")
	if url == "" {
		s, err := cluster.New(dir, "max_connections=100")
		if err != nil {
			return err
		}
		if err := s.Start(); err != nil {
			return err
		}
		defer func() { _ = s.Stop() }()
		url = s.URL()
	}
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := postgres.Migrate(ctx, pool, ""); err != nil {
		return err
	}
	if _, err := pool.Exec(ctx, partnerTable); err != nil {
		return err
	}
	files, err := os.MkdirTemp("", "files")
	if err != nil {
		return err
	}
	defer os.RemoveAll(files)

	w, err := newWorld(o.users)
	if err != nil {
		return err
	}
	defer w.close()
	g := &group{o: o, config: serviceConfig{Database: url, Garmin: w.url, Files: files, Lease: o.lease}}
	defer g.end()
	if err := g.begin(); err != nil {
		return err
	}
	w.sendTo(g)
	fmt.Fprintf(o.out, "%d users, %d processes, %d uploads a second, a process is killed every %v\n", o.users, o.processes, o.rate, o.kill)

	v := &view{out: o.out, pool: pool, group: g}
	watch, stopWatch := context.WithCancel(ctx)
	defer stopWatch()
	go v.watch(watch)
	live, cancel := context.WithTimeout(ctx, o.length)
	defer cancel()
	go g.kills(live)
	sent := make(chan struct{})
	go func() { defer close(sent); w.deliver(ctx) }()
	w.live(live, o.rate)
	fmt.Fprintln(o.out, "the uploads end; what waits is worked on")
	w.finish()
	<-sent
	if err := v.empty(ctx); err != nil {
		return err
	}
	stopWatch()
	return balance(ctx, pool, w, o.out)
}
