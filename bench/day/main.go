//go:build linux

// Command day delivers a day of many users to one process with the embedded
// store, or to three with PostgreSQL, and reports what it took.
//
//	go run . -users 1000000 -part 0.01
//	go run . -users 1000000 -part 0.01 -database postgres://...
//
// It sends a part of the day to that part of the users, so that the rates are
// those of all of them: with -part 0.01 the day of a million users is that of
// 10,000, in 864 seconds. The morning's peak, at 20 times the mean, is then as
// high as in the whole day, and shorter by the same part.
//
// Sender and receivers share the machine. What the receivers took of it is
// measured by the kernel for their processes alone.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

type options struct {
	users     int
	part      float64
	database  string
	processes int
	senders   int
	seed      uint64
	plot      string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if text := os.Getenv(receiverEnv); text != "" {
		if err := receive(ctx, text); err != nil {
			log.Fatal(err)
		}
		return
	}
	var o options
	flag.IntVar(&o.users, "users", 1_000_000, "users whose day it is")
	flag.Float64Var(&o.part, "part", 0.01, "part of the users, and of the day")
	flag.StringVar(&o.database, "database", "", "URL of a PostgreSQL; empty means the embedded store")
	flag.IntVar(&o.processes, "processes", 3, "receiving processes, with -database")
	flag.IntVar(&o.senders, "connections", 64, "connections of Garmin's")
	flag.Uint64Var(&o.seed, "seed", 1, "seed of the day")
	flag.StringVar(&o.plot, "plot", "", "write a plot to this file, as SVG")
	flag.Parse()
	if err := run(ctx, os.Stdout, o); err != nil {
		log.Fatal(err)
	}
}

// run delivers the day and writes the report.
func run(ctx context.Context, out io.Writer, o options) error {
	if o.database == "" {
		o.processes = 1
	}
	users := int(float64(o.users) * o.part)
	if users < 1 || o.part > 1 {
		return fmt.Errorf("-part %v of %d users is nobody", o.part, o.users)
	}
	length := time.Duration(o.part * float64(24*time.Hour))
	files, err := serveFiles()
	if err != nil {
		return err
	}
	defer files.Close()
	crew, err := startCrew(ctx, o, files.url)
	if err != nil {
		return err
	}
	defer crew.kill()
	d := newDay(users, o.seed, files.url)
	fmt.Fprintf(out, "%d users in %v, at the rates of %d users: %d bodies; %d processors, %d receiving processes\n",
		users, length, o.users, len(d.posts), runtime.NumCPU(), o.processes)
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go crew.watch(watching)
	sent := d.send(ctx, crew, length, o.senders)
	got, err := crew.finish(ctx)
	if err != nil {
		return err
	}
	r := newReport(o, users, length, sent, got, d.items)
	if o.plot != "" {
		if err := os.WriteFile(o.plot, r.plot(), 0o644); err != nil {
			return err
		}
	}
	r.print(out)
	return r.verdict()
}
