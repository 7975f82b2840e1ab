package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

//go:embed migrations/*.sql
var migrations embed.FS

// DefaultSchema is the schema used if none is named.
const DefaultSchema = "activityapi"

// Migration is a step from one version of the tables to the next.
type Migration struct {
	// Version is the version of the tables after the step, from 1 on.
	Version int
	// Name is a file name, such as "0001_queue.sql".
	Name string
	// SQL is the whole step, to be run in one transaction. It has the marks of
	// goose, which other tools read as comments.
	SQL string
}

// Migrations returns all steps for a schema, in order, so that another tool than
// [Migrate] can apply them: goose, atlas or psql. An empty schema means
// [DefaultSchema]. Both ways can be mixed, since each step records its version.
// The command in cmd/migrations writes the steps to files.
func Migrations(schema string) ([]Migration, error) {
	name, err := schemaName(schema)
	if err != nil {
		return nil, err
	}
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	steps := make([]Migration, len(files))
	for i, file := range files {
		text, err := migrations.ReadFile(file)
		if err != nil {
			return nil, err
		}
		steps[i] = Migration{i + 1, path.Base(file), named(name, step(i+1, string(text)))}
	}
	return steps, nil
}

// step wraps the text of a migration: it is taken from the version before alone.
func step(version int, text string) string {
	begin := ""
	if version == 1 {
		// Who has a schema need not have the right to make one.
		begin = `DO $$ BEGIN
  IF to_regnamespace('{s}.') IS NULL THEN
    CREATE SCHEMA {s};
  END IF;
END $$;
CREATE TABLE IF NOT EXISTS {s}.meta (version integer NOT NULL);
INSERT INTO {s}.meta SELECT 0 WHERE NOT EXISTS (SELECT FROM {s}.meta);
`
	}
	return fmt.Sprintf(`-- +goose Up
-- +goose StatementBegin
%sDO $$ BEGIN
  IF (SELECT version FROM {s}.meta) <> %d THEN
    RAISE EXCEPTION 'the tables are not of version %[2]d';
  END IF;
END $$;
%[3]s
UPDATE {s}.meta SET version = %[4]d;
-- +goose StatementEnd
`, begin, version-1, strings.TrimSpace(text), version)
}

// Migrate brings the tables in a schema to the version of this package, and
// creates the schema if necessary. An empty schema means [DefaultSchema]. It only
// goes forward, with one transaction for each step. Several processes may call it
// at once; one does the work. Processes with an earlier version of this package
// keep working during and after it.
//
// A step that needs a lock on a table waits for it only a few seconds at a time,
// since other users of the table have to wait behind it.
func Migrate(ctx context.Context, pool *pgxpool.Pool, schema string) error {
	return migrateTo(ctx, pool, schema, -1)
}

// migrateTo stops at a version.
func migrateTo(ctx context.Context, pool *pgxpool.Pool, schema string, version int) error {
	name, err := schemaName(schema)
	if err != nil {
		return err
	}
	steps, err := Migrations(name)
	if err != nil {
		return err
	}
	if version >= 0 {
		steps = steps[:version]
	}
	return takeSteps(ctx, pool, name, steps)
}

func takeSteps(ctx context.Context, pool *pgxpool.Pool, name string, steps []Migration) error {
	for _, m := range steps {
		err := migrate(ctx, pool, name, m)
		for try := 0; try < lockTries && isLockTimeout(err); try++ {
			err = migrate(ctx, pool, name, m)
		}
		if err != nil {
			return fmt.Errorf("postgres: %s: %w", m.Name, clean(err))
		}
	}
	return nil
}

const (
	lockWait  = 3 * time.Second
	lockTries = 20
)

func isLockTimeout(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == "55P03" || e.Code == "40P01") // or undone in favour of another
}

// migrate takes a step, unless it was taken.
func migrate(ctx context.Context, pool *pgxpool.Pool, schema string, m Migration) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		// What a DBA has set for statements of every day is not for this one, which
		// waits for another process that does the work.
		if _, err := tx.Exec(ctx, `SELECT set_config('lock_timeout', '0', true), set_config('statement_timeout', '0', true)`); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, lockKey(schema, "migrate")); err != nil {
			return err
		}
		have, err := version(ctx, tx, schema)
		if err != nil || have >= m.Version {
			return err
		}
		if _, err := tx.Exec(ctx, `SELECT set_config('lock_timeout', $1, true)`, fmt.Sprint(lockWait.Milliseconds())); err != nil {
			return err
		}
		// The one way to send several statements at once.
		_, err = tx.Conn().PgConn().Exec(ctx, m.SQL).ReadAll()
		return err
	})
}

// version is that of the tables, 0 if there are none.
func version(ctx context.Context, tx pgx.Tx, schema string) (int, error) {
	var have int
	var there bool
	err := tx.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL`, named(schema, `{s}.meta`)).Scan(&there)
	if err != nil || !there {
		return 0, err
	}
	err = tx.QueryRow(ctx, named(schema, `SELECT version FROM {s}.meta`)).Scan(&have)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return have, err
}

// versions is how many steps this package has.
func versions() (int, error) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	return len(files), err
}

// checkVersion fails if the tables are older than needed.
func checkVersion(ctx context.Context, pool *pgxpool.Pool, schema string, need int) error {
	var have int
	if err := pool.QueryRow(ctx, named(schema, `SELECT version FROM {s}.meta`)).Scan(&have); err != nil {
		return fmt.Errorf("postgres: the tables in schema %s cannot be read; was Migrate called? %w", schema, clean(err))
	}
	if have < need {
		return fmt.Errorf("postgres: the tables in schema %s are of version %d, and %d is needed: call Migrate", schema, have, need)
	}
	return nil
}

var errSchema = errors.New("postgres: a schema's name has 1 to 63 bytes of UTF-8, without NUL and $$")

// schemaName checks a name. Any that PostgreSQL takes will do, but one that ends
// the body of a function.
func schemaName(name string) (string, error) {
	if name == "" {
		return DefaultSchema, nil
	}
	if len(name) > 63 || !utf8.ValidString(name) || strings.Contains(name, "\x00") || strings.Contains(name, "$$") {
		return "", fmt.Errorf("%w, not %q", errSchema, name)
	}
	return name, nil
}

// named puts the schema into a statement: as a name, or in a literal that begins
// with it. '{s}.' is the schema's name alone, in a literal.
func named(schema, text string) string { return namer(schema).Replace(text) }

func namer(schema string) *strings.Replacer {
	name := pgx.Identifier{schema}.Sanitize()
	literal := "'" + strings.ReplaceAll(name, "'", "''")
	return strings.NewReplacer("'{s}.'", literal+"'", "'{s}.", literal+".", "{s}", name)
}

// lockKey is an advisory lock's. They belong to a database, so each schema has
// its own.
func lockKey(schema, what string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte("activityapi/" + schema + "/" + what))
	return int64(h.Sum64())
}

// channelOf is where the processes of a schema talk of something. A channel's
// name may have 63 bytes, as a schema's may.
func channelOf(schema, what string) string {
	if name := what + ":" + schema; len(name) <= 63 {
		return name
	}
	return fmt.Sprintf("%s:%x", what, uint64(lockKey(schema, "channel")))
}
