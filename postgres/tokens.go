package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/types"
)

// tokens is the [auth.TokenStore] of all processes.
type tokens struct{ db *DB }

var _ auth.TokenStore = (*tokens)(nil)

// Tokens returns the token store of all processes. A token is refreshed by one
// process only, since a refresh starts with a Swap that claims it.
// Options.AEAD seals the stored tokens.
func (db *DB) Tokens() auth.TokenStore { return &tokens{db} }

// Close does nothing: the connections are those of the DB.
func (*tokens) Close() error { return nil }

// Format implements [fmt.Formatter]: no verb prints a secret.
func (*tokens) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "postgres.Tokens") }

// Token implements [auth.TokenStore].
func (s *tokens) Token(ctx context.Context, userID types.UserID) (*auth.Token, error) {
	all, err := s.page(ctx, "token", `SELECT user_id, version, data FROM {s}.token WHERE user_id = $1`, []byte(userID))
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("postgres: token: %w", auth.ErrNotConnected)
	}
	return all[0], nil
}

// Swap implements [auth.TokenStore]. It is one statement.
func (s *tokens) Swap(ctx context.Context, old, new *auth.Token) (*auth.Token, error) {
	user, err := swapUser(old, new)
	if err != nil {
		return nil, err
	}
	var row tokenRow
	if new != nil {
		if row, err = s.row(new); err != nil {
			return nil, err
		}
	}
	var version int64
	err = s.db.do(ctx, "swap token", once, func(ctx context.Context) error {
		q := s.db.pool
		switch {
		case old == nil:
			return q.QueryRow(ctx, s.db.sql(`INSERT INTO {s}.token (user_id, version, due, due_ns, data) VALUES ($1, nextval('{s}.token_seq'), $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING version`), user, row.due, row.ns, row.data).Scan(&version)
		case new == nil:
			return q.QueryRow(ctx, s.db.sql(`DELETE FROM {s}.token WHERE user_id = $1 AND version = $2 RETURNING version`), user, old.Version).Scan(&version)
		}
		return q.QueryRow(ctx, s.db.sql(`UPDATE {s}.token SET version = nextval('{s}.token_seq'), due = $3, due_ns = $4, data = $5
WHERE user_id = $1 AND version = $2 RETURNING version`), user, old.Version, row.due, row.ns, row.data).Scan(&version)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("postgres: swap token: %w", auth.ErrConflict)
	}
	if err != nil || new == nil {
		return nil, err
	}
	t := *new
	t.Version = version
	return &t, nil
}

// swapUser checks a Swap, and returns whom it is about.
func swapUser(old, new *auth.Token) ([]byte, error) {
	t := old
	switch {
	case old == nil && new == nil:
		return nil, errors.New("postgres: Swap: the old token and the new one are nil")
	case old == nil:
		t = new
	case new != nil && old.UserID != new.UserID:
		return nil, errors.New("postgres: Swap: the tokens are of two users")
	}
	switch {
	case t.UserID == "":
		return nil, errors.New("postgres: token without user id")
	case !utf8.ValidString(string(t.UserID)):
		return nil, errors.New("postgres: user id is not UTF-8")
	case old != nil && old.Version <= 0:
		return nil, errors.New("postgres: Swap: the old token was never stored")
	}
	return []byte(t.UserID), nil
}

// page is how many tokens are read at once. No connection is held while the
// body of the loop runs.
const page = 500

// Tokens implements [auth.TokenStore].
func (s *tokens) Tokens(ctx context.Context) iter.Seq2[*auth.Token, error] {
	return func(yield func(*auth.Token, error) bool) {
		last := []byte{}
		for {
			all, err := s.page(ctx, "tokens", `SELECT user_id, version, data FROM {s}.token WHERE user_id > $1 ORDER BY user_id LIMIT $2`, last, page)
			if !yieldAll(ctx, yield, all, err) || len(all) < page {
				return
			}
			last = []byte(all[len(all)-1].UserID)
		}
	}
}

// Due implements [auth.TokenStore]. Who is due is read at its start, so that
// each is yielded once whatever the loop does; of whom is no longer due by the
// time it comes to them, nothing is.
func (s *tokens) Due(ctx context.Context, before time.Time) iter.Seq2[*auth.Token, error] {
	return func(yield func(*auth.Token, error) bool) {
		end, ns := micro(before)
		var users [][]byte
		err := s.db.do(ctx, "due tokens", again, func(ctx context.Context) error {
			rows, err := s.db.pool.Query(ctx, s.db.sql(`SELECT user_id FROM {s}.token WHERE due IS NOT NULL AND (due, due_ns) < ($1::timestamptz, $2::smallint) ORDER BY due, due_ns, user_id`), end, ns)
			if err != nil {
				return err
			}
			users, err = pgx.CollectRows(rows, pgx.RowTo[[]byte])
			return err
		})
		if err != nil {
			yield(nil, err)
			return
		}
		for len(users) > 0 {
			n := min(page, len(users))
			all, err := s.page(ctx, "due tokens", `SELECT user_id, version, data FROM {s}.token
WHERE user_id = ANY ($1) AND due IS NOT NULL AND (due, due_ns) < ($2::timestamptz, $3::smallint) ORDER BY due, due_ns, user_id`, users[:n], end, ns)
			if !yieldAll(ctx, yield, all, err) {
				return
			}
			users = users[n:]
		}
	}
}

// yieldAll yields what was read, and reports whether the loop goes on.
func yieldAll(ctx context.Context, yield func(*auth.Token, error) bool, all []*auth.Token, err error) bool {
	for _, t := range all {
		if ctx.Err() != nil {
			err = ctx.Err()
			break
		}
		if !yield(t, nil) {
			return false
		}
	}
	if err != nil {
		yield(nil, err)
	}
	return err == nil
}

// page reads some tokens.
func (s *tokens) page(ctx context.Context, what, sql string, args ...any) (all []*auth.Token, err error) {
	var rows []tokenRow
	err = s.db.do(ctx, what, again, func(ctx context.Context) error {
		got, err := s.db.pool.Query(ctx, s.db.sql(sql), args...)
		if err != nil {
			return err
		}
		rows, err = pgx.CollectRows(got, scanToken)
		return err
	})
	for _, r := range rows {
		t, oerr := s.token(r)
		if oerr != nil {
			return all, oerr
		}
		all = append(all, t)
	}
	return all, err
}
