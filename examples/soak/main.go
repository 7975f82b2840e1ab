// Soak runs a whole integration for as long as it is asked to, with everything
// going wrong that goes wrong between two companies, and accounts for each item.
//
//	go run ./examples/soak -for 1h -seed 1
//
// A fake Garmin posts to a receiver over loopback sockets; the receiver stores,
// and its processor follows pings and downloads files over sockets of the fake.
// Connections break and hang, either side answers 500 and 429, bodies are cut or
// crawl, come twice, late and in any order, or are no JSON; callbacks fail and
// panic; users are not known yet, withdraw permissions, and leave; the receiver
// is closed for a while and restarted. See chaos.go for the list.
//
// Traffic comes in rounds of a minute. At the end of each, what is under way is
// let to its end, and the books must balance to the item: see balance.go. In
// this quiet moment, memory, goroutines and open files are read: see gauge.go.
// The exit status is 1 if anything is lost, or grows. An interrupt ends the
// round, and prints the balance.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

func main() {
	var o options
	flag.DurationVar(&o.length, "for", time.Minute, "how long to run")
	flag.Uint64Var(&o.seed, "seed", 1, "chooses the traffic and what goes wrong; the exact course depends on timing too")
	flag.Float64Var(&o.rate, "rate", 200, "what people do at Garmin, times a second: workouts, edits and so on")
	flag.StringVar(&o.dir, "dir", "", "empty directory for the receiver's data (default one that is removed at the end)")
	calm := flag.Bool("calm", false, "no chaos")
	flag.Parse()
	o.chaos = !*calm

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	if err := run(ctx, os.Stdout, o); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}
