//go:build unix

// Trial starts a PostgreSQL of its own with the tables of package postgres in it, for
// trying things out. It prints how to connect, and removes it all when its standard
// input ends. It needs PostgreSQL's programs on the machine.
//
//	go run ./cmd/trial
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/garminkit/activityapi/postgres"
	"github.com/garminkit/activityapi/postgres/internal/cluster"
)

func main() {
	if err := run(context.Background(), os.Stdin, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, in io.Reader, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "trial")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	server, err := cluster.New(dir, "fsync=off")
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	pool, err := pgxpool.New(ctx, server.URL())
	if err != nil {
		return err
	}
	err = postgres.Migrate(ctx, pool, "")
	pool.Close()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, server.URL())
	_, err = io.Copy(io.Discard, in)
	return err
}
