// Command run simulates the limiter with all its rules, and with each left out.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"

	"github.com/garminkit/activityapi/postgres/internal/limitsim"
)

func main() {
	minutes := flag.Int("minutes", 1_000_000, "virtual minutes of each case with all rules")
	mutant := flag.Int("mutant", 0, "virtual minutes of each case without a rule; 0 means a fifth of minutes")
	only := flag.String("case", "", "what the name of a case begins with; all by default")
	flag.Parse()
	if *mutant == 0 {
		*mutant = *minutes / 5
	}
	bad := false
	for _, c := range limitsim.Cases() {
		if !strings.HasPrefix(c.Name, *only) {
			continue
		}
		n := *minutes
		if c.Breaks {
			n = *mutant
		}
		r := total(c.Config, n)
		verdict := ""
		if c.Breaks != (r.Violations > 0) {
			verdict, bad = "  UNEXPECTED", true
		}
		fmt.Printf("%-44s %8d min: %s%s\n", c.Name, n, r, verdict)
	}
	if *only == "" {
		for _, s := range limitsim.Shares(min(*minutes, 20_000)) {
			fmt.Println(s)
		}
	}
	if bad {
		os.Exit(1)
	}
}

// total runs a case in pieces, as many at once as there are processors.
func total(c limitsim.Config, minutes int) (sum limitsim.Result) {
	const piece = 20_000
	var mu sync.Mutex
	var all sync.WaitGroup
	room := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := 0; i*piece < minutes; i++ {
		c := c
		c.Seed, c.Minutes = uint64(i+1), min(piece, minutes-i*piece)
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			r := limitsim.Run(c)
			mu.Lock()
			defer mu.Unlock()
			sum = sum.Add(r, c.Minutes, minutes)
		})
	}
	all.Wait()
	return sum
}
