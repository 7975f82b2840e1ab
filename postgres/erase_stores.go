package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/garminkit/activityapi/internal/erasure"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// Each of these is for personal.Stores, and finishes what an earlier one has left.

// Erase removes a user's token. A refresh that is under way stores nothing then.
func (s *tokens) Erase(ctx context.Context, user types.UserID) (*notify.Erasure, error) {
	return s.db.erase(ctx, user, "tokens", "token", nil)
}

// Erase removes what was asked for and came of a user. A run that has claimed the
// user ends.
func (l *ledger) Erase(ctx context.Context, user types.UserID) (*notify.Erasure, error) {
	return l.db.erase(ctx, user, "chunks", "history", func() error { return l.Forget(ctx, user) }, "arrival", "user_claim", "budget_call")
}

// Erase removes the activities of a user.
func (s *joined) Erase(ctx context.Context, user types.UserID) (*notify.Erasure, error) {
	return s.db.erase(ctx, user, "activities", "joined", nil)
}

// erase removes a user's rows from a table, and what else does, and writes the
// tables anew.
func (db *DB) erase(ctx context.Context, user types.UserID, what, table string, also func() error, others ...string) (*notify.Erasure, error) {
	out := &notify.Erasure{}
	if user == "" {
		return out, errors.New("postgres: erase without a user")
	}
	err := db.do(ctx, "removing "+what, again, func(ctx context.Context) error {
		tag, err := db.pool.Exec(ctx, db.sql(`DELETE FROM {s}.`+table+` WHERE user_id = $1`), []byte(user))
		erasure.Remove(out, what, int(tag.RowsAffected()))
		return err
	})
	if err == nil && also != nil {
		err = also()
	}
	if err == nil {
		err = db.rewrite(ctx, out, append(others, table)...)
	}
	if err != nil {
		return out, fmt.Errorf("postgres: erase: %w", err)
	}
	return out, nil
}
