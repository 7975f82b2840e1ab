// Command migrations writes the steps of package postgres as files of SQL, for
// goose, atlas or psql.
//
//	go run github.com/garminkit/activityapi/postgres/cmd/migrations -schema activityapi -dir migrations
//	psql -v ON_ERROR_STOP=1 -1 -f migrations/0001_queue.sql
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/garminkit/activityapi/postgres"
)

func main() {
	schema := flag.String("schema", postgres.DefaultSchema, "where the tables are")
	dir := flag.String("dir", "migrations", "where the files go")
	flag.Parse()
	if err := write(*schema, *dir); err != nil {
		log.Fatal(err)
	}
}

func write(schema, dir string) error {
	steps, err := postgres.Migrations(schema)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	for _, m := range steps {
		path := filepath.Join(dir, m.Name)
		if err := os.WriteFile(path, []byte(m.SQL), 0o600); err != nil {
			return err
		}
		fmt.Println(path)
	}
	return nil
}
