package postgres_test

import (
	"context"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/garminkit/activityapi/activity/join"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/postgres"
	"github.com/garminkit/activityapi/types"
)

func Example() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, "postgres://app@db.example/app")
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	if err := postgres.Migrate(ctx, pool, ""); err != nil {
		log.Fatal(err)
	}
	db, err := postgres.Open(ctx, pool, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	// For notify.NewHandler and notify.NewProcessor.
	queue := db.Queue()
	if err := queue.Put(ctx, strings.NewReader(`{"deregistrations":[{"userId":"u"}]}`)); err != nil {
		log.Fatal(err)
	}
}

// A joiner on the store of all processes, for the callbacks of a processor.
func ExampleDB_Joined() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, "postgres://app@db.example/app")
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	db, err := postgres.Open(ctx, pool, &postgres.Options{JoinedRetention: 3 * 365 * 24 * time.Hour})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	joiner := join.New(db.Joined())
	callbacks := notify.Callbacks{
		Save: func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
			list, err := joiner.Add(ctx, join.Item{User: d.UserID, Order: d.Order, Revision: d.Revision, Summary: s})
			if err != nil {
				return err
			}
			for _, j := range list { // by j.User and j.ID, what has the greater j.Changes
				fmt.Println("store", j.ID, "without", j.Missing())
			}
			return nil
		},
		Deregistration: func(ctx context.Context, d *notify.Delivery, _ *notify.Deregistration) error {
			return joiner.Forget(ctx, d.UserID)
		},
	}
	_ = callbacks // for notify.NewProcessor
}

func ExampleGrants() {
	sql, err := postgres.Grants("", "keepalive", postgres.PartTokens)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(sql)
	// Output:
	// GRANT USAGE ON SCHEMA "activityapi" TO "keepalive";
	// GRANT SELECT ON "activityapi".meta TO "keepalive";
	// GRANT SELECT ON "activityapi".sealing TO "keepalive";
	// GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "activityapi".token TO "keepalive";
	// GRANT SELECT, INSERT, DELETE ON TABLE "activityapi".consent TO "keepalive";
	// GRANT USAGE ON SEQUENCE "activityapi".token_seq TO "keepalive";
}

func ExampleMigrations() {
	steps, err := postgres.Migrations("partner")
	if err != nil {
		fmt.Println(err)
		return
	}
	first := steps[0]
	fmt.Println(first.Version, first.Name, strings.Contains(first.SQL, `CREATE TABLE "partner".item`))
	// Output: 1 0001_queue.sql true
}
