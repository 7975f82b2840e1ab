package backfill_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

// requester is a client that does what the function does.
type requester func(context.Context, types.Kind, types.Window) error

func (r requester) Backfill(ctx context.Context, k types.Kind, w types.Window) error {
	return r(ctx, k, w)
}

// garmin stands for an *activity.Client: it gives history from 10 January on.
var garmin = requester(func(ctx context.Context, kind types.Kind, w types.Window) error {
	earliest := time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC)
	if w.Start.Before(earliest) {
		return &activity.Error{Op: "Backfill", StatusCode: 400, Err: activity.ErrMinStart, MinStart: earliest}
	}
	return nil
})

var someDays = types.Window{
	Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	End:   time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
}

// fetch asks for the history of one user.
func fetch(ctx context.Context, dir string, garminID types.UserID, client backfill.Requester, history types.Window) error {
	ledger, err := backfill.OpenLedger(dir, nil)
	if err != nil {
		return err
	}
	defer ledger.Close()
	runner := backfill.NewRunner(backfill.NewLimiter(backfill.Evaluation, ledger), ledger, nil)
	user := &backfill.User{ID: garminID, Requester: client, Window: history, Kinds: []types.Kind{types.KindMoveIQ}}
	for p, err := range runner.Run(ctx, user) {
		if err != nil {
			return err
		}
		fmt.Printf("%d of %d days: %s\n", p.DaysDone, p.DaysTotal, p.Chunk)
	}
	return nil
}

// What a run has settled, the next one does not ask for.
func Example() {
	dir, err := os.MkdirTemp("", "history")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	day := types.Window{Start: someDays.End.AddDate(0, 0, -1), End: someDays.End}
	asked := 0
	client := requester(func(context.Context, types.Kind, types.Window) error {
		asked++
		return nil
	})
	for range 2 {
		if err := fetch(ctx, dir, "d3315b10", client, day); err != nil {
			panic(err)
		}
	}
	fmt.Println("requests:", asked)
	// Output:
	// 1 of 1 days: d3315b10 moveIQActivities [2026-02-28T00:00:00Z, 2026-03-01T00:00:00Z) accepted
	// requests: 1
}

func ExampleRunner_Run() {
	dir, err := os.MkdirTemp("", "history")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ledger, err := backfill.OpenLedger(dir, nil)
	if err != nil {
		panic(err)
	}
	defer ledger.Close()

	user := &backfill.User{ID: "d3315b10", Requester: garmin, Window: someDays, Kinds: []types.Kind{types.KindActivities}}
	limiter := backfill.NewLimiter(backfill.Evaluation, ledger)
	runner := backfill.NewRunner(limiter, ledger, &backfill.RunnerOptions{PerUser: 1})
	for p, err := range runner.Run(context.Background(), user) {
		if err != nil {
			panic(err)
		}
		fmt.Printf("%d of %d days: %s\n", p.DaysDone, p.DaysTotal, p.Chunk)
	}
	// Output:
	// 25 of 59 days: d3315b10 activities [2026-02-04T00:00:00Z, 2026-03-01T00:00:00Z) accepted
	// 50 of 59 days: d3315b10 activities [2026-01-10T00:00:00Z, 2026-02-04T00:00:00Z) accepted
	// 59 of 59 days: d3315b10 activities [2026-01-01T00:00:00Z, 2026-01-10T00:00:00Z) refused: before the user's earliest time
}

// RunAll reads users as it needs them, so that there may be any number.
func ExampleRunner_RunAll() {
	users := func(yield func(*backfill.User, error) bool) {
		for i := range 1000 {
			u := &backfill.User{ID: types.UserID(fmt.Sprint("user", i)), Requester: garmin, Window: someDays}
			if i == 7 {
				u.Requester = requester(func(context.Context, types.Kind, types.Window) error {
					return &activity.Error{Op: "Backfill", StatusCode: 401, Err: activity.ErrUnauthorized}
				})
			}
			if !yield(u, nil) {
				return
			}
		}
	}
	days := 0
	ledger := backfill.NewLedger()
	limiter := backfill.NewLimiter(1_000_000, ledger) // no key has this
	for p, err := range backfill.NewRunner(limiter, ledger, nil).RunAll(context.Background(), users) {
		switch {
		case err != nil:
			panic(err)
		case p.Err != nil:
			fmt.Println(p.Err) // the others go on
		case p.Chunk.State == backfill.StateAccepted:
			days += backfill.Cost(p.Chunk.Window)
		}
	}
	fmt.Println(days, "days accepted")
	// Output:
	// backfill: user user7: activity: Backfill: 401 Unauthorized: unauthorized
	// 149850 days accepted
}

// A plan is a dry run.
func ExampleRunner_Plan() {
	user := &backfill.User{ID: "d3315b10", Requester: garmin, Window: someDays, Kinds: []types.Kind{types.KindActivities, types.KindMoveIQ}}
	ledger := backfill.NewLedger()
	runner := backfill.NewRunner(backfill.NewLimiter(backfill.Evaluation, ledger), ledger, nil)
	plan, err := runner.Plan(context.Background(), user)
	if err != nil {
		panic(err)
	}
	fmt.Print(plan)
	// Output:
	// activities       [2026-02-04T00:00:00Z, 2026-03-01T00:00:00Z)  25 days
	// moveIQActivities [2026-02-04T00:00:00Z, 2026-03-01T00:00:00Z)  25 days
	// activities       [2026-01-10T00:00:00Z, 2026-02-04T00:00:00Z)  25 days
	// moveIQActivities [2026-01-10T00:00:00Z, 2026-02-04T00:00:00Z)  25 days
	// activities       [2026-01-01T00:00:00Z, 2026-01-10T00:00:00Z)   9 days
	// moveIQActivities [2026-01-01T00:00:00Z, 2026-01-10T00:00:00Z)   9 days
	// d3315b10: 6 requests, 118 days, about 1m2s
}

// A ledger of one's own checks what it is given before it looks at what it has.
func ExampleCheckChunks() {
	c := &backfill.Chunk{UserID: "d3315b10", Kind: types.KindActivityFiles, Window: someDays, State: backfill.StatePlanned}
	fmt.Println(backfill.CheckChunks("d3315b10", []*backfill.Chunk{c}))
	c.Kind = types.KindActivities
	fmt.Println(backfill.CheckChunks("d3315b10", []*backfill.Chunk{c, c}))
	fmt.Println(backfill.CheckChunks("d3315b10", []*backfill.Chunk{c}))
	// Output:
	// backfill: kind "activityFiles" has no history
	// backfill: chunks overlap: [2026-01-01T00:00:00Z, 2026-03-01T00:00:00Z) and [2026-01-01T00:00:00Z, 2026-03-01T00:00:00Z)
	// <nil>
}

// A user who has connected again is given everything anew.
func ExampleLedger() {
	ctx := context.Background()
	ledger := backfill.NewLedger()
	runner := backfill.NewRunner(backfill.NewLimiter(backfill.Production, ledger), ledger, nil)
	var asked atomic.Int64 // several requests are under way at once
	client := requester(func(context.Context, types.Kind, types.Window) error {
		asked.Add(1)
		return nil
	})
	user := &backfill.User{ID: "d3315b10", Requester: client, Window: someDays, Kinds: []types.Kind{types.KindMoveIQ}}
	for range 2 {
		for _, err := range runner.Run(ctx, user) {
			if err != nil {
				panic(err)
			}
		}
		fmt.Println("requests:", asked.Load())
	}
	// Where the user comes back from Garmin's consent page:
	if err := ledger.Forget(ctx, "d3315b10"); err != nil {
		panic(err)
	}
	for _, err := range runner.Run(ctx, user) {
		if err != nil {
			panic(err)
		}
	}
	fmt.Println("after a reconnect:", asked.Load())
	// Output:
	// requests: 2
	// requests: 2
	// after a reconnect: 4
}

// A claim is the right to save a user's chunks. It ends with Release, and when
// the user is forgotten.
func ExampleClaim() {
	ctx := context.Background()
	ledger := backfill.NewLedger()
	claim, err := ledger.Claim(ctx, "d3315b10")
	if err != nil {
		panic(err)
	}
	defer claim.Release()
	_, err = ledger.Claim(ctx, "d3315b10")
	fmt.Println(err)

	c := &backfill.Chunk{UserID: "d3315b10", Kind: types.KindActivities, Window: someDays, State: backfill.StatePlanned}
	fmt.Println(claim.Save(ctx, c))
	if err := ledger.Forget(ctx, "d3315b10"); err != nil {
		panic(err)
	}
	fmt.Println(errors.Is(claim.Save(ctx, c), backfill.ErrBusy), claim.Context().Err())
	// Output:
	// backfill: another run works on this user: d3315b10
	// <nil>
	// true context canceled
}

// A program that asks by itself, without a Runner, uses the limiter like this.
func ExampleNewLimiter() {
	ctx := context.Background()
	limiter := backfill.NewLimiter(backfill.Evaluation, nil)
	w := types.Window{Start: someDays.Start, End: someDays.Start.AddDate(0, 0, 25)}

	grant, err := limiter.Acquire(ctx, "d3315b10", backfill.Cost(w))
	if err != nil {
		panic(err)
	}
	err = garmin.Backfill(ctx, types.KindActivities, w)
	err = errors.Join(err, grant.End(ctx, backfill.Outcome{Answered: true})) // the days count for a minute from now
	fmt.Println(err)
	// Output: activity: Backfill: 400 Bad Request: start is before the earliest allowed
}

// A report tells what became of each day.
func ExampleNewReport() {
	ctx := context.Background()
	ledger := backfill.NewLedger()
	user := &backfill.User{ID: "d3315b10", Requester: garmin, Window: someDays, Kinds: []types.Kind{types.KindActivities}}
	runner := backfill.NewRunner(backfill.NewLimiter(backfill.Evaluation, ledger), ledger, nil)
	for _, err := range runner.Run(ctx, user) {
		if err != nil {
			panic(err)
		}
	}
	// Where the partner's service saves what Garmin pushes:
	arrived := &types.Activity{StartTimeInSeconds: types.NewTimestamp(time.Date(2026, 2, 28, 7, 0, 0, 0, time.UTC))}
	if err := backfill.Arrival(ctx, ledger, "d3315b10", arrived); err != nil {
		panic(err)
	}

	report, err := backfill.NewReport(ctx, ledger, "d3315b10")
	if err != nil {
		panic(err)
	}
	fmt.Print(report)
	// Output:
	// history of d3315b10
	// activities
	//   2026-01-01 to 2026-01-09      9 days  refused, before the user's earliest time
	//   2026-01-10 to 2026-02-27     49 days  waiting
	//   2026-02-28 to 2026-02-28      1 days  delivered 1 summaries on 1 days, 0 quiet
}
