//go:build unix

package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/internal/shareof"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
)

// planted is in every value that must not come out.
const planted = "PLANTED"

// shows is what anybody can make of an error: its text, what it wraps, and their
// fields.
func shows(err error) string {
	var b strings.Builder
	for ; err != nil; err = errors.Unwrap(err) {
		fmt.Fprintf(&b, "%v %+v %#v %q\n", err, err, err, err.Error())
		slog.New(slog.NewJSONHandler(&b, nil)).Error("failed", "error", err)
		var pg *pgconn.PgError
		if errors.As(err, &pg) {
			fmt.Fprintf(&b, "%+v\n", *pg)
		}
	}
	return b.String()
}

// TestErrorsHoldNoSecret makes the server refuse a token in each way that quotes
// it, in messages, details and the list of parameters.
func TestErrorsHoldNoSecret(t *testing.T) {
	t.Parallel()
	ctx, schema := t.Context(), pgtest.Schema(t)
	cfg, err := pgxpool.ParseConfig(pgtest.URL(t))
	require.NoError(t, err)
	cfg.ConnConfig.RuntimeParams["log_parameter_max_length_on_error"] = "-1" // only who may set it can see more
	for mode, exec := range map[string]pgx.QueryExecMode{"prepared": pgx.QueryExecModeCacheStatement, "simple": pgx.QueryExecModeSimpleProtocol} {
		cfg.ConnConfig.DefaultQueryExecMode = exec
		pool, err := pgxpool.NewWithConfig(ctx, cfg)
		require.NoError(t, err)
		defer pool.Close()
		require.NoError(t, Migrate(ctx, pool, schema))
		db, err := Open(ctx, pool, &Options{Schema: schema})
		require.NoError(t, err)
		s := db.Tokens()
		for name, spoil := range map[string]string{
			"check":    `ALTER TABLE {s}.token ADD CONSTRAINT planted CHECK (length(data) < 5)`,
			"not null": `ALTER TABLE {s}.token ADD COLUMN planted integer NOT NULL`,
			"cast": `CREATE FUNCTION {s}.planted() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE n integer; BEGIN n := convert_from(NEW.data, 'UTF8'); RETURN NEW; END $$;
CREATE TRIGGER planted BEFORE INSERT ON {s}.token FOR EACH ROW EXECUTE FUNCTION {s}.planted()`,
			"raise": `CREATE FUNCTION {s}.planted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE '%', convert_from(NEW.data, 'UTF8') USING DETAIL = NEW.data, HINT = NEW.data; END $$;
CREATE TRIGGER planted BEFORE INSERT ON {s}.token FOR EACH ROW EXECUTE FUNCTION {s}.planted()`,
		} {
			_, err = pool.Exec(ctx, named(schema, spoil), pgx.QueryExecModeSimpleProtocol)
			require.NoError(t, err)
			_, err = s.Swap(ctx, nil, &auth.Token{UserID: planted, AccessToken: planted, RefreshToken: planted})
			var pg *pgconn.PgError
			require.ErrorAs(t, err, &pg, name)
			require.NotEmpty(t, pg.Code)
			require.NotContains(t, strings.ReplaceAll(shows(err), `"planted"`, ""), planted, "%s, %s", mode, name)
			_, err = pool.Exec(ctx, named(schema, `ALTER TABLE {s}.token DROP CONSTRAINT IF EXISTS planted; ALTER TABLE {s}.token DROP COLUMN IF EXISTS planted;
DROP FUNCTION IF EXISTS {s}.planted CASCADE`), pgx.QueryExecModeSimpleProtocol)
			require.NoError(t, err)
		}
		require.NotContains(t, fmt.Sprintf("%v %+v %#v %s", db, db, db, s), "pgxpool")
		require.NoError(t, db.Close())
	}
}

// TestQueueErrorsHoldNoSecret does so with a body, whose callback has a token.
func TestQueueErrorsHoldNoSecret(t *testing.T) {
	t.Parallel()
	ctx, schema := t.Context(), pgtest.Schema(t)
	var b bytes.Buffer
	h := open(t, schema, func(cfg *pgxpool.Config) {
		cfg.ConnConfig.RuntimeParams["log_parameter_max_length_on_error"] = "-1"
	})
	h.db.log = slog.New(slog.NewTextHandler(&b, nil))
	_, err := h.pool.Exec(ctx, h.db.sql(`ALTER TABLE {s}.item ADD CONSTRAINT planted CHECK (length(data) < 5);
ALTER TABLE {s}.chunk ADD CONSTRAINT planted CHECK (length(data) < 5)`), pgx.QueryExecModeSimpleProtocol)
	require.NoError(t, err)
	for _, size := range []int{1, 2 * small} {
		err := h.Put(ctx, strings.NewReader(fmt.Sprintf(`{"activities":[{"userId":"u","callbackURL":"https://apis.garmin.com/x?token=PLANTED","pad":%q}]}`, strings.Repeat("x", size))))
		require.Error(t, err)
		require.NotContains(t, shows(err), planted)
	}
	require.NoError(t, h.Close())
	require.NotContains(t, b.String(), planted)
}

// TestErrorsSayWhatWasDone has everything that is read from the server fail with
// a text that must not come out. Each error says what was being done, and errors.Is
// finds what it was.
func TestErrorsSayWhatWasDone(t *testing.T) {
	t.Parallel()
	ctx, h := t.Context(), steady(t, pgtest.Schema(t), func(cfg *pgxpool.Config) { cfg.ConnConfig.Password = planted })
	errNet := errors.New("the read failed: " + planted)
	var b bytes.Buffer
	h.db.log = slog.New(slog.NewTextHandler(&b, nil))
	for i, size := range []int{1, 2 * small} {
		require.NoError(t, h.Put(ctx, strings.NewReader(fmt.Sprintf(`{"activities":[{"userId":"u","summaryId":"%d","pad":%q}]}`, i, strings.Repeat("x", size)))))
	}
	s := taken(t, h)[int16(shareof.User("u", shares))]
	items, err := s.Scan(ctx, notify.ClassPush, 0, 10)
	require.NoError(t, err)
	require.Len(t, items, 2)
	whole, err := s.Open(ctx, items[1].ID)
	require.NoError(t, err)
	letter := &notify.DeadLetter{Key: "activities", UserID: "u", Items: 1}
	bury := func(id notify.ItemID) []notify.Verdict {
		return []notify.Verdict{{ID: id, Fate: notify.Buried, Letter: letter}}
	}
	put := func(size int) error {
		return h.Put(ctx, strings.NewReader(fmt.Sprintf(`{"activities":[{"userId":"u","summaryId":"9","pad":%q}]}`, strings.Repeat("y", size))))
	}
	for _, broken := range []error{errNet, fmt.Errorf("%s: %w", planted, io.ErrUnexpectedEOF), fmt.Errorf("%s: %w", planted, io.EOF)} {
		h.net.breaks(broken)
		for _, c := range []struct {
			want string
			do   func() error
		}{
			{"put: ", func() error { return put(1) }},
			{"put: ", func() error { return put(2 * small) }},
			{"stats: ", func() error { _, err := h.Stats(ctx); return err }},
			{"scan: ", func() error { _, err := s.Scan(ctx, notify.ClassPull, 0, 10); return err }},
			{"load: ", func() error { _, err := s.Load(ctx, []notify.ItemID{items[0].ID}); return err }},
			{"open: ", func() error { _, err := s.Open(ctx, items[0].ID); return err }},
			{"reading a large body: ", func() error { _, err := io.ReadAll(whole); return err }},
			{"settle: ", func() error { return s.Settle(ctx, []notify.Verdict{{ID: items[0].ID, Fate: notify.Done}}) }},
			{"settle: ", func() error {
				return s.Settle(ctx, []notify.Verdict{{ID: items[0].ID, Fate: notify.Again, Next: time.Now()}})
			}},
			{"settle: ", func() error { return s.Settle(ctx, bury(items[0].ID)) }},
			{"letters: ", func() error {
				for _, err := range h.Letters(ctx, nil) {
					return err
				}
				return nil
			}},
			{"letter: ", func() error { _, err := h.Letter(ctx, "1"); return err }},
			{"letter: ", func() error { _, err := h.OpenLetter(ctx, "1"); return err }},
			{"letter: ", func() error { return h.Redrive(ctx, "1") }},
			{"discard: ", func() error { return h.Discard(ctx, "1") }},
			{"claim: begin: ", func() error { // it tries as long as it may
				ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
				defer cancel()
				_, _, err := h.db.Claims().Begin(ctx, "c", time.Minute)
				return err
			}},
		} {
			err := c.do()
			require.ErrorContains(t, err, "postgres: "+c.want, "%v", broken)
			require.NotContains(t, shows(err), planted, c.want)
			require.NotErrorIs(t, err, io.EOF, c.want)
			if broken == errNet && !strings.Contains(err.Error(), "connecting") && !errors.Is(err, context.DeadlineExceeded) {
				require.ErrorIs(t, err, errNet, c.want)
			}
		}
	}
	h.net.breaks(nil)
	require.NoError(t, put(1))
	require.NoError(t, h.Close())
	require.NotContains(t, b.String(), planted)
}

// TestCleanKeepsWhatHelps holds that an error still says what to mend.
func TestCleanKeepsWhatHelps(t *testing.T) {
	t.Parallel()
	require.NoError(t, clean(nil))
	for _, c := range []struct {
		err  error
		want string
	}{
		{&pgconn.PgError{Severity: "ERROR", Code: "42501", Message: "permission denied for table token", Detail: planted}, "permission denied for table token"},
		{&pgconn.PgError{Severity: "ERROR", Code: "42601", Message: `syntax error at or near "PLANTED"`}, "syntax error"},
		{&pgconn.PgError{Severity: "ERROR", Code: "22P02", Message: "invalid input syntax: PLANTED", Where: planted}, "22P02"},
		{&pgconn.PgError{Severity: "ERROR", Code: "23505", Message: "duplicate key", Detail: "Key (user_id)=(PLANTED)", ConstraintName: "token_pkey"}, "23505"},
		{&pgconn.PgError{Severity: "ERROR", Code: planted, Message: planted}, "unknown error"},
		{fmt.Errorf("failed to encode args[0]: unable to encode %q", planted), "driver failed"},
		{fmt.Errorf("reading: %w", io.ErrUnexpectedEOF), "connection was lost"},
		{fmt.Errorf("%s: %w", planted, context.DeadlineExceeded), "deadline"},
	} {
		got := clean(c.err)
		require.ErrorContains(t, got, c.want)
		if pg := new(pgconn.PgError); !errors.As(got, &pg) || pg.Code != planted {
			require.NotContains(t, shows(got), planted, c.want)
		}
	}
}

// TestConnectErrorsHoldNoPassword holds for a server that is not there, and for
// one that refuses.
func TestConnectErrorsHoldNoPassword(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, url := range []string{"postgres://u:PLANTED@127.0.0.1:1/db?connect_timeout=2", "postgres://u:PLANTED@host.invalid/db?connect_timeout=2"} {
		pool, err := pgxpool.New(ctx, url)
		require.NoError(t, err)
		_, err = Open(ctx, pool, nil)
		require.Error(t, err)
		require.NotContains(t, shows(err), planted)
		err = Migrate(ctx, pool, "")
		require.Error(t, err)
		require.NotContains(t, shows(err), planted)
		pool.Close()
	}
}

// TestLogHoldsNoSecret cuts off a process whose log must say so and no more.
func TestLogHoldsNoSecret(t *testing.T) {
	t.Parallel()
	h := open(t, pgtest.Schema(t))
	var b bytes.Buffer
	h.db.log = slog.New(slog.NewTextHandler(&b, nil))
	h.net.cut(true)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := h.db.Tokens().Swap(ctx, nil, &auth.Token{UserID: planted, AccessToken: planted})
	require.Error(t, err)
	_, err = h.db.Once(ctx, planted, time.Now())
	require.Error(t, err)
	require.NotContains(t, shows(err)+b.String(), planted)
	h.kill()
}
