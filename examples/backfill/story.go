package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

const hour = time.Hour

// today is when the story is told: virtual clocks start in the year 2000.
var today = time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)

func story(ctx context.Context, out io.Writer, dir string) (err error) {
	time.Sleep(time.Until(today))
	wanted := types.Window{Start: today.AddDate(-5, 0, 0), End: today}

	// The ledger lives on disk; the fake sends what is asked for after five
	// minutes, and the receiver tells the ledger.
	temp, err := os.MkdirTemp("", "backfill")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	ledger, err := backfill.OpenLedger(temp, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ledger.Close()) }()

	fake := activitytest.NewServer()
	fake.BackfillDelay = 5 * time.Minute
	fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, Handler: receiver(ledger)})
	pool, err := activity.NewPool(&activity.Options{Transport: fake})
	if err != nil {
		return err
	}
	var users []*backfill.User
	for _, person := range []struct {
		id   types.UserID
		from time.Time // the earliest that Garmin gives
	}{
		{"anna", wanted.Start},
		{"ben", today.AddDate(-2, -5, 0)},
		{"carla", wanted.Start},
	} {
		u := fake.AddUser(&activitytest.UserOptions{ID: person.id, HistoryFrom: person.from})
		sport(u, wanted)
		client, err := pool.Client(activity.OAuth2(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: u.State().AccessToken})))
		if err != nil {
			return err
		}
		users = append(users, &backfill.User{ID: person.id, Requester: client, Window: wanted})
	}
	// Somebody asked for a part of Carla's history before, and the network
	// loses some of Garmin's answers.
	before := types.Window{Start: today.AddDate(-1, -3, 0), End: today.AddDate(-1, -3, 20)}
	if err := users[2].Requester.Backfill(ctx, types.KindActivities, before); err != nil {
		return err
	}
	time.Sleep(hour)
	fake.SetFaults(activitytest.Fault{Times: 3, Path: "backfill/activities", Lose: true})

	running, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { _ = fake.Run(running) }) // ends with its context
	defer wg.Wait()
	defer stop()

	runner := backfill.NewRunner(backfill.NewLimiter(backfill.Evaluation, ledger), ledger, nil)
	if err := run(ctx, out, users, runner); err != nil {
		return err
	}
	fmt.Fprintf(out, "requests beyond Garmin's limit: %d\n\n", fake.State().BackfillViolations)

	time.Sleep(25 * hour) // what was accepted has come by now, or never will
	for _, u := range users {
		if err := report(ctx, out, ledger, u.ID, dir); err != nil {
			return err
		}
	}
	return nil
}

// run asks for all the history, after it has said how long that will take.
func run(ctx context.Context, out io.Writer, users []*backfill.User, runner *backfill.Runner) error {
	total, most := 0, time.Duration(0)
	for _, u := range users {
		p, err := runner.Plan(ctx, u)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: %d requests for %d days\n", u.ID, len(p.Chunks), p.Days)
		total += p.Days
		most += p.Duration
	}
	fmt.Fprintf(out, "all: %d days, at most %s\n", total, most.Round(time.Minute))

	all := func(yield func(*backfill.User, error) bool) {
		for _, u := range users {
			if !yield(u, nil) {
				return
			}
		}
	}
	start := time.Now()
	progress := newBar(out)
	done := make(map[types.UserID]int)
	for p, err := range runner.RunAll(ctx, all) {
		if err == nil {
			err = p.Err
		}
		if err != nil {
			return err
		}
		done[p.UserID] = p.DaysDone
		sum := 0
		for _, n := range done {
			sum += n
		}
		clock := time.Since(start).Round(time.Second)
		progress.draw(float64(sum)/float64(total), fmt.Sprintf("%s  %s %s", clock, p.UserID, p.Chunk.State))
	}
	fmt.Fprintln(out)
	return nil
}

// report prints what became of a user's history, and draws it.
func report(ctx context.Context, out io.Writer, ledger backfill.Ledger, userID types.UserID, dir string) error {
	r, err := backfill.NewReport(ctx, ledger, userID)
	if err != nil {
		return err
	}
	fmt.Fprint(out, r)
	path := filepath.Join(dir, "history-"+string(userID)+".svg")
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := errors.Join(r.WriteSVG(f), f.Close()); err != nil {
		return err
	}
	fmt.Fprintf(out, "picture: %s\n\n", path)
	return nil
}

// receiver tells the ledger of each summary that is pushed. A partner's
// service does so where it saves them.
func receiver(ledger backfill.Ledger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for e, err := range new(notify.Decoder).Decode(r.Body) {
			if err == nil {
				if push, ok := e.Data.(*notify.Push); ok {
					err = backfill.Arrival(r.Context(), ledger, e.UserID, push.Summary)
				}
			}
			if err != nil {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
		}
	})
}

// sport gives a user a history: more in summer, none on holiday.
func sport(u *activitytest.User, w types.Window) {
	seed := uint64(0)
	for _, c := range u.ID() {
		seed = seed*31 + uint64(c)
	}
	g := activitytest.NewGenerator(seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for day := w.Start.Truncate(24 * hour).Add(24 * hour); day.Before(w.End); day = day.AddDate(0, 0, 1) {
		often := 0.25
		if m := day.Month(); m >= time.April && m <= time.September {
			often = 0.55
		}
		if day.YearDay() > 200 && day.YearDay() < 200+int(seed%3+1)*10 {
			often = 0
		}
		if rng.Float64() < often {
			for _, a := range g.Activities("", day.Add(time.Duration(6+rng.IntN(3))*hour)) {
				u.AddHistory(a, &types.ActivityDetails{SummaryID: a.SummaryID + "-detail", ActivityID: a.ActivityID, Summary: *a})
			}
		}
		if rng.Float64() < 0.1 {
			u.AddHistory(g.MoveIQ(day.Add(16 * hour)))
		}
	}
}
