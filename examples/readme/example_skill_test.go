package readme_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/notifytest"
	"github.com/garminkit/activityapi/types"
)

// The pairs of docs/skill/SKILL.md: what is often written, and what to write.
// Both compile; what is right also runs.

// stored is a row of a partner's table of summaries.
type stored struct {
	summary  types.Summary
	order    uint64
	revision string
}

func Example_acknowledgeWrong() {
	process := func([]byte) {}
	http.HandleFunc("/garmin", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusOK)
		go process(body)
	})
}

func Example_acknowledge() {
	mux, inbox := http.NewServeMux(), notifytest.NewMemory()

	mux.Handle("/garmin", notify.NewHandler(inbox.Put, nil))

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("POST", "/garmin", strings.NewReader(`{"activities": []}`)))
	fmt.Println(w.Code)
	// Output: 200
}

func Example_upsertWrong() {
	rows := map[string]types.Summary{}
	save := func(_ context.Context, d *notify.Delivery, s types.Summary) error {
		rows[d.Record] = s
		return nil
	}
	_ = save
}

func Example_upsert() {
	rows := map[string]stored{}
	save := func(_ context.Context, d *notify.Delivery, s types.Summary) error {
		if have := rows[d.Record]; d.Replaces(have.order, have.revision) {
			rows[d.Record] = stored{s, d.Order, d.Revision}
		}
		return nil
	}

	edited := &notify.Delivery{Record: "run", Revision: "b", Order: 2}
	repeat := &notify.Delivery{Record: "run", Revision: "a", Order: 1}
	for _, d := range []*notify.Delivery{edited, repeat} {
		if err := save(context.Background(), d, &types.Activity{}); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(rows["run"].revision)
	// Output: b
}

func Example_saveErrorWrong() {
	insert := func(types.Summary) error { return nil }
	save := func(_ context.Context, _ *notify.Delivery, s types.Summary) error {
		if err := insert(s); err != nil {
			log.Print(err)
		}
		return nil
	}
	_ = save
}

func Example_saveError() {
	errConstraint := errors.New("violates a constraint")
	insert := func(types.Summary) error { return errConstraint }
	save := func(_ context.Context, _ *notify.Delivery, s types.Summary) error {
		err := insert(s)
		if errors.Is(err, errConstraint) {
			return notify.Permanent(err)
		}
		return err
	}

	fmt.Println(errors.Is(save(context.Background(), nil, nil), errConstraint))
	// Output: true
}

func Example_deregistrationWrong() {
	deleteUser := func(types.UserID) error { return nil }
	left := func(_ context.Context, d *notify.Delivery, _ *notify.Deregistration) error {
		return deleteUser(d.UserID)
	}
	_ = left
}

func Example_deregistration() {
	fake := activitytest.NewServer()
	users, err := auth.NewUsers(auth.App{ClientID: fake.ClientID, ClientSecret: types.Secret(fake.ClientSecret)}, auth.NewMemory(), &auth.Options{Transport: fake})
	if err != nil {
		log.Fatal(err)
	}
	deleteUser := func(types.UserID) error { return nil }

	left := func(ctx context.Context, d *notify.Delivery, _ *notify.Deregistration) error {
		gone, err := users.Disconnected(ctx, d.UserID)
		if err != nil {
			return err
		}
		if !gone {
			return notify.Permanent(errors.New("the user is still connected"))
		}
		if err := users.Forget(ctx, d.UserID); err != nil {
			return err
		}
		return deleteUser(d.UserID)
	}

	fmt.Println(left(context.Background(), &notify.Delivery{UserID: "nobody"}, nil))
	// Output: <nil>
}

func Example_localTimeWrong() {
	a := &types.Activity{StartTimeInSeconds: 1_700_000_000, StartTimeOffsetInSeconds: 3600}
	start := time.Unix(int64(a.StartTimeInSeconds)+int64(a.StartTimeOffsetInSeconds), 0)
	_ = start
}

func Example_localTime() {
	a := &types.Activity{StartTimeInSeconds: 1_700_000_000, StartTimeOffsetInSeconds: 3600}
	fmt.Println(types.Start(a).Format(time.TimeOnly), types.LocalStart(a).Format(time.TimeOnly), types.LocalDay(a))
	// Output: 22:13:20 23:13:20 2023-11-14
}

func Example_limiterWrong() {
	ledger := backfill.NewLedger()
	for range 3 { // users
		limiter := backfill.NewLimiter(backfill.Evaluation, ledger)
		_ = backfill.NewRunner(limiter, ledger, nil)
	}
}

func Example_limiter() {
	ledger := backfill.NewLedger()

	limiter := backfill.NewLimiter(backfill.Evaluation, ledger)
	runner := backfill.NewRunner(limiter, ledger, nil)

	fmt.Println(runner != nil, limiter.DaysPerMinute())
	// Output: true 100
}

func Example_activityTypeWrong() {
	a := &types.Activity{ActivityType: "E_BIKE_FITNESS"}
	switch a.ActivityType {
	case activitytype.Running:
	case activitytype.Cycling:
	default:
		log.Fatalf("unknown type %s", a.ActivityType)
	}
}

func Example_activityType() {
	a := &types.Activity{ActivityType: "SOMETHING_NEW"}

	fmt.Println(a.ActivityType.Name(), a.ActivityType.Known())
	// Output: SOMETHING_NEW false
}
