package service_test

import (
	"context"
	"fmt"
	"iter"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/service"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/notifytest"
	"github.com/garminkit/activityapi/types"
)

// One process for the application in production and the one for evaluation.
func ExampleOptions_apps() {
	production := auth.App{ClientID: "0b5f1c2e", ClientSecret: "from the environment"}
	evaluation := auth.App{Name: "evaluation", ClientID: "7d1f8a90", ClientSecret: "from the environment"}
	productionSecret, err := notify.PathSecret("SwzjQnXW8mW1rCG4", "")
	if err != nil {
		panic(err)
	}
	evaluationSecret, err := notify.PathSecret("kJ0eWzQ7Tn5yVb2a", "")
	if err != nil {
		panic(err)
	}
	store, ledger := auth.NewMemory(), backfill.NewLedger()
	wanted := func(context.Context) iter.Seq2[*backfill.User, error] {
		return func(func(*backfill.User, error) bool) {}
	}
	calls := notify.Callbacks{
		Save: func(_ context.Context, d *notify.Delivery, _ types.Summary) error {
			fmt.Println(d.UserID, d.UserID.App())
			return nil
		},
		Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
		PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
	}

	build := func() error {
		users, err := auth.NewUsers(production, store, &auth.Options{Apps: []auth.App{evaluation}})
		if err != nil {
			return err
		}
		limiters := backfill.PerApp(map[string]backfill.Limiter{
			"":           backfill.NewLimiter(backfill.Production, ledger),
			"evaluation": backfill.NewLimiter(backfill.Evaluation, ledger),
		})
		opts := &service.Options{
			Handler: &notify.HandlerOptions{Apps: map[string][]notify.OriginCheck{
				"":           {productionSecret},
				"evaluation": {evaluationSecret},
			}},
			Tokens:  users,
			History: &service.History{Runner: backfill.NewRunner(limiters, ledger, nil), Users: wanted},
		}
		resolver := func(ctx context.Context, id types.UserID) ([]notify.User, error) {
			client, err := users.Client(ctx, id) // of the id's own application
			return []notify.User{{ID: "ann", Client: client}}, err
		}
		_, err = service.New(notifytest.NewMemory(), resolver, calls, opts)
		return err
	}
	fmt.Println(build())
	// Output: <nil>
}
