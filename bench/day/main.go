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
// high as in the whole day, and shorter by the same part. To see a peak of its
// real length, send a window of the day to all users at its own pace:
//
//	go run . -users 1000000 -part 1 -from 6h56m -to 7h4m
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

const wholeDay = 24 * time.Hour

type options struct {
	users     int
	part      float64
	from, to  time.Duration // of the day
	database  string
	processes int
	senders   int
	downloads int
	seed      uint64
	plot      string
	profile   string
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
	flag.DurationVar(&o.from, "from", 0, "send only what is due from this time of the day")
	flag.DurationVar(&o.to, "to", wholeDay, "and before this time")
	flag.StringVar(&o.database, "database", "", "URL of a PostgreSQL; empty means the embedded store")
	flag.IntVar(&o.processes, "processes", 3, "receiving processes, with -database")
	flag.IntVar(&o.senders, "connections", 64, "connections of Garmin's")
	flag.IntVar(&o.downloads, "downloads", 64, "files that a receiver downloads at a time")
	flag.Uint64Var(&o.seed, "seed", 1, "seed of the day")
	flag.StringVar(&o.plot, "plot", "", "write a plot to this file, as SVG")
	flag.StringVar(&o.profile, "cpuprofile", "", "write the first receiver's CPU profile to this file")
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
	if o.from < 0 || o.to > wholeDay || o.from >= o.to {
		return fmt.Errorf("there is no time from %v to %v in the day", o.from, o.to)
	}
	length := time.Duration(o.part * float64(wholeDay))
	w := window{o.from.Hours() / 24, o.to.Hours() / 24}
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
	d := newDay(users, o.seed, files.url, w)
	fmt.Fprintf(out, "%d users in %v, at the rates of %d users: %d bodies in %v; %d processors, %d receiving processes\n",
		users, length, o.users, len(d.posts), time.Duration(w.part()*float64(length)), runtime.NumCPU(), o.processes)
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go crew.watch(watching)
	sent := d.send(ctx, crew, length, o.senders)
	got, err := crew.finish(ctx)
	if err != nil {
		return err
	}
	r := newReport(o, length, w, sent, got, d)
	if o.plot != "" {
		if err := os.WriteFile(o.plot, r.plot(), 0o644); err != nil {
			return err
		}
	}
	r.print(out)
	return r.verdict()
}
