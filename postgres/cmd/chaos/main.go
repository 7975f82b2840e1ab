//go:build linux

// Chaos has three processes of a partner's service work on one private database
// while they, the server and what is between them fail, and prints what came of
// it. It needs PostgreSQL's programs on the machine.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/garminkit/activityapi/postgres/internal/chaos"
)

func main() {
	if chaos.IsWorker() {
		return
	}
	o := chaos.Options{Log: os.Stderr, Fsync: true}
	flag.DurationVar(&o.For, "for", 30*time.Second, "how long each kind of trouble lasts")
	flag.IntVar(&o.Rate, "rate", 300, "bodies a second")
	flag.IntVar(&o.Users, "users", 480, "Garmin users")
	flag.IntVar(&o.Workers, "processes", 3, "processes")
	flag.DurationVar(&o.Lease, "lease", 5*time.Second, "lease of shares")
	flag.Uint64Var(&o.Seed, "seed", 1, "which faults")
	flag.BoolVar(&o.Namespaces, "namespaces", false, "also take down the links of processes that have networks of their own; needs root and ip")
	only := flag.String("only", "", "kinds of trouble, with commas between; all by default")
	flag.Parse()
	var err error
	if o.Dir, err = os.MkdirTemp("", "chaos"); err != nil {
		log.Fatal(err)
	}
	if err := os.Chmod(o.Dir, 0o755); err != nil {
		log.Fatal(err)
	}
	if o.Self, err = os.Executable(); err != nil {
		log.Fatal(err)
	}
	var names []string
	if *only != "" {
		names = strings.Split(*only, ",")
	}
	results, err := chaos.Run(context.Background(), o, names...)
	_ = os.RemoveAll(o.Dir)
	fmt.Print(chaos.Table(results))
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range results {
		if !r.Good() {
			log.Fatalf("%s is not as it has to be", r.Trouble)
		}
	}
}
