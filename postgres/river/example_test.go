package garminriver_test

import (
	"context"
	"errors"
	"iter"
	"log"
	"os/signal"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/postgres"
	garminriver "github.com/garminkit/activityapi/postgres/river"
	"github.com/garminkit/activityapi/types"
)

// A process of several, all alike: River elects one that makes the periodic jobs.
// River's tables are made with its own tool (river migrate-up).
func Example() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	pool, err := pgxpool.New(ctx, "postgres://app@db.example/app")
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	db, err := postgres.Open(ctx, pool, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	users, err := auth.NewUsers(auth.App{ClientID: "id", ClientSecret: "secret"}, db.Tokens(), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer users.Close()
	limiter, err := db.Limiter(ctx, "id", backfill.Production)
	if err != nil {
		log.Fatal(err)
	}
	user := func(ctx context.Context, id types.UserID) (*backfill.User, error) {
		client, err := users.Client(ctx, id)
		if err != nil {
			return nil, err
		}
		connected := time.Now() // as the application has it
		return &backfill.User{ID: id, Requester: client, Window: types.Window{Start: connected.AddDate(-5, 0, 0), End: connected}}, nil
	}
	wanted := func(ctx context.Context) iter.Seq2[types.UserID, error] {
		return func(yield func(types.UserID, error) bool) {
			// SELECT the users whose history is not marked as complete.
		}
	}

	workers := river.NewWorkers()
	river.AddWorker(workers, garminriver.NewKeepAlive(users, nil))
	river.AddWorker(workers, garminriver.NewSweeper(
		garminriver.SweepHistory(db.Ledger(), db.Tokens()),
		garminriver.SweepFiles("/var/lib/app/files", 90*24*time.Hour),
	))
	river.AddWorker(workers, garminriver.NewHistory(limiter, db.Ledger(), user, nil))
	river.AddWorker(workers, garminriver.NewHistoryScan(wanted))
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Workers: workers,
		Queues: map[string]river.QueueConfig{
			river.QueueDefault:       {MaxWorkers: 10},
			garminriver.QueueHistory: {MaxWorkers: 8},
		},
		PeriodicJobs: []*river.PeriodicJob{
			garminriver.Every(12*time.Hour, garminriver.KeepAliveArgs{}),
			garminriver.Every(24*time.Hour, garminriver.SweepArgs{Name: "history"}),
			garminriver.Every(24*time.Hour, garminriver.SweepArgs{Name: "files"}),
			garminriver.Every(6*time.Hour, garminriver.HistoryScanArgs{}),
		},
		SoftStopTimeout: 10 * time.Second, // a job that is cut off goes on elsewhere
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := client.Start(ctx); err != nil {
		log.Fatal(err)
	}
	<-client.Stopped()
}

// ScoreArgs is a job of the partner's own.
type ScoreArgs struct {
	SummaryID types.ID `json:"summary_id"`
}

func (ScoreArgs) Kind() string { return "score" }

// What the partner does with an activity afterwards is a job of its own, made in
// the transaction that stores the activity: there is either both or none. River
// then tries it again as often as it takes, and the user's next item does not
// wait for it.
func Example_ownJobs() {
	var pool *pgxpool.Pool
	var client *river.Client[pgx.Tx]
	callbacks := notify.Callbacks{
		Save: func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
			return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
				tag, err := tx.Exec(ctx, `INSERT INTO activity (key, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`, d.Key, d.User.ID)
				if err != nil || tag.RowsAffected() == 0 {
					return err // it came before
				}
				_, err = client.InsertTx(ctx, tx, ScoreArgs{s.ID()}, nil)
				return err
			})
		},
	}
	_ = callbacks // for notify.NewProcessor
}

// A user who connects has a history job from the same transaction on.
func ExampleHistoryArgs() {
	ctx := context.Background()
	var pool *pgxpool.Pool
	var client *river.Client[pgx.Tx]
	connected := func(id types.UserID) error {
		return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `INSERT INTO app_user (garmin_id) VALUES ($1)`, string(id)); err != nil {
				return err
			}
			_, err := client.InsertTx(ctx, tx, garminriver.HistoryArgs{UserID: id}, nil)
			return err
		})
	}
	_ = connected
}

// shelf is where the partner keeps items that it has set aside.
type shelf struct{ pool *pgxpool.Pool }

func (s shelf) Item(ctx context.Context, id string) (*notify.Item, error) {
	it := &notify.Item{}
	err := s.pool.QueryRow(ctx, `SELECT key, raw FROM set_aside WHERE id = $1`, id).Scan(&it.Key, &it.Raw)
	if errors.Is(err, pgx.ErrNoRows) {
		err = garminriver.ErrNoItem
	}
	return it, err
}

func (s shelf) Settle(ctx context.Context, id string, _ error) error {
	_, err := s.pool.Exec(ctx, `DELETE FROM set_aside WHERE id = $1`, id)
	return err
}

// Items that the partner keeps, tried by River.
func ExampleNewAttempt() {
	var pool *pgxpool.Pool
	var resolver notify.Resolver
	worker, err := notify.NewProcessor(nil, resolver, notify.Callbacks{}, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer worker.Close()
	workers := river.NewWorkers()
	river.AddWorker(workers, garminriver.NewAttempt(worker, shelf{pool}))
}
