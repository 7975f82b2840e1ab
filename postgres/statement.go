package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/garminkit/activityapi/internal/backoff"
)

// patience is how long a statement may take, with its repeats.
const patience = 30 * time.Second

// call bounds a call by patience and by the life of the DB. A server that has taken
// over and waits for a standby that is not there answers nothing: whoever waits for
// it gets an error, and the server is told to stop waiting, so that it holds no lock.
func (db *DB) call(ctx context.Context) (context.Context, context.CancelFunc) {
	c, cancel := context.WithTimeout(ctx, db.patience)
	unhook := context.AfterFunc(db.ctx, cancel)
	return c, func() { unhook(); cancel() }
}

// unwaited has f done in a transaction that does not wait for the disk. A crash of
// the server may undo it.
func (db *DB) unwaited(ctx context.Context, f func(tx pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT set_config('synchronous_commit', 'off', true)`); err != nil {
			return err
		}
		return f(tx)
	})
}

// doing is whether a statement may be sent again when nobody knows whether the
// first one was carried out.
type doing bool

const (
	once  doing = false
	again doing = true
)

// do runs f, which sends one statement or transaction, and repeats it while
// PostgreSQL had to refuse it in favour of another or could not be reached. If
// the connection was lost before the answer came, it is repeated only if how is
// again. The error holds nothing of what was sent.
func (db *DB) do(ctx context.Context, what string, how doing, f func(ctx context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("postgres: %s: %w", what, err)
	}
	c, cancel := db.call(ctx)
	defer cancel()
	for tries := 1; ; tries++ {
		err := f(c)
		if err == nil {
			return nil
		}
		if c.Err() != nil || !mayRepeat(err, how) {
			return fmt.Errorf("postgres: %s: %w", what, db.reason(ctx, err))
		}
		if backoff.Sleep(c, backoff.Wait(tries, 10*time.Millisecond, time.Second)) != nil {
			return fmt.Errorf("postgres: %s: %w", what, db.reason(ctx, err))
		}
	}
}

// reason is why a call failed. A call that was ended says so.
func (db *DB) reason(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case db.ctx.Err() != nil:
		return errClosed
	}
	return clean(err)
}

// undone tells that the server undid a transaction in favour of another.
func undone(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

// mayRepeat tells whether a statement that failed with err can be sent again.
func mayRepeat(err error, how doing) bool {
	var pg *pgconn.PgError
	var connect *pgconn.ConnectError
	switch {
	case undone(err):
		return true
	case errors.As(err, &pg):
		switch pg.Code {
		case "53300", "57P03": // of a connection: too many of them; the server starts
			return true
		case "57P01", "57P02": // the server stops
			return how == again
		}
		return false
	case errors.As(err, &connect), pgconn.SafeToRetry(err):
		return true
	}
	return how == again && lost(err)
}

// lost tells that the connection has gone.
func lost(err error) bool {
	var n net.Error
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.As(err, &n)
}

// clean takes out of an error of pgx what may be a value: a token, a user's data.
// What PostgreSQL says in detail about a row or a parameter is such, and what pgx
// says of a value that it cannot read or write. The SQLSTATE stays, for errors.As
// with a *pgconn.PgError, and errors.Is finds what the error was. It is called
// where the error comes from, and not on errors of our own or of a caller's
// reader.
func clean(err error) error {
	var pg *pgconn.PgError
	var connect *pgconn.ConnectError
	var ours *sealError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &ours):
		return ours
	case errors.As(err, &connect):
		return cleanConnect(connect)
	case errors.As(err, &pg):
		return cleanServer(pg)
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	case errors.Is(err, pgx.ErrNoRows):
		return pgx.ErrNoRows
	case errors.Is(err, os.ErrDeadlineExceeded):
		return os.ErrDeadlineExceeded
	case lost(err):
		return &hidden{textLost, err}
	}
	return &hidden{fmt.Sprintf("%s (%T)", textDriver, err), err}
}

const (
	textLost   = "the connection was lost"
	textDriver = "the driver failed; its text is left out, since it may hold a value"
)

// hidden is an error whose text is not shown.
type hidden struct {
	text string
	err  error // not by Unwrap: whoever prints a chain would print it
}

func (h *hidden) Error() string { return h.text }

// Is finds what the error was. It is not the end of anything that is read: a
// reader whose connection was lost must not look like one at its end.
func (h *hidden) Is(target error) bool { return target != io.EOF && errors.Is(h.err, target) }

// Format implements [fmt.Formatter]: no verb prints the fields.
func (h *hidden) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, h.text) }

// cleanServer keeps of a server's error what it says of its own. Messages of
// classes 22 and 23 quote values, and those of functions' own errors are ours.
func cleanServer(pg *pgconn.PgError) error {
	out := &pgconn.PgError{
		Severity: pg.Severity, SeverityUnlocalized: pg.SeverityUnlocalized, Code: pg.Code, Message: pg.Message,
		SchemaName: pg.SchemaName, TableName: pg.TableName, ColumnName: pg.ColumnName, ConstraintName: pg.ConstraintName,
	}
	if len(pg.Code) != 5 {
		out.Message = "unknown error"
		return out
	}
	switch class := pg.Code[:2]; {
	case pg.Code == "42601": // a syntax error quotes the statement, and a simple one has its values in it
		out.Message = "syntax error"
	case slices.Contains([]string{"08", "25", "28", "3D", "3F", "40", "42", "53", "54", "55", "57", "58", "AL"}, class):
	default:
		out.Message = "error of class " + class
	}
	return out
}

// cleanConnect says to where no connection could be made. The error of pgx has
// the password in a field.
func cleanConnect(e *pgconn.ConnectError) error {
	if pg, ok := errors.AsType[*pgconn.PgError](e); ok {
		return fmt.Errorf("connecting to %s: %w", e.Config.Host, cleanServer(pg))
	}
	if op, ok := errors.AsType[*net.OpError](e); ok {
		return fmt.Errorf("connecting to %s: %w", e.Config.Host, op.Err)
	}
	if cert, ok := errors.AsType[*tls.CertificateVerificationError](e); ok {
		return fmt.Errorf("connecting to %s: %w", e.Config.Host, cert.Err)
	}
	if strings.Contains(e.Error(), "refused TLS") { // it has no type
		return fmt.Errorf("connecting to %s: the server refused TLS, which sslmode asks for", e.Config.Host)
	}
	return fmt.Errorf("connecting to %s: %w", e.Config.Host, &hidden{textLost, e})
}

// isDenied tells that the role may not: others have the right, and do it.
func isDenied(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.Code == "42501"
}
