package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/garminkit/activityapi/internal/claimdir"
	"github.com/garminkit/activityapi/notify"
)

// claims are the notes of downloads, as this process has them.
type claims struct {
	db *DB
	// ahead is what tests add to the server's clock.
	ahead func() time.Duration
}

var _ notify.Claims = (*claims)(nil)

// claimAge is how long a claim that nobody can need any more is kept.
const claimAge = 30 * 24 * time.Hour

// Claims returns the claims of downloads that all processes share. A claim
// expires by the server's clock.
func (db *DB) Claims() notify.Claims { return db.claims }

// Claims returns [DB.Claims].
func (q *Queue) Claims() notify.Claims { return q.db.claims }

// claimSQL reads a claim, and locks it.
const claimSQL = `SELECT state, holder, until, asked, note, clock_timestamp() FROM {s}.claim WHERE id = $1 FOR UPDATE`

// change does f to a claim in one transaction. before is it as it was, and now
// the server's time. Statements of other processes on this claim wait.
func (c *claims) change(ctx context.Context, what, id string, f func(tx pgx.Tx, me int64, before notify.Claim, now time.Time) error) error {
	ctx, cancel := c.db.call(ctx)
	defer cancel()
	me, err := c.db.holder.number(ctx)
	if err != nil {
		return fmt.Errorf("postgres: %s: %w", what, err)
	}
	lost := false
	err = pgx.BeginFunc(ctx, c.db.pool, func(tx pgx.Tx) error {
		// The lock is for claims that there are not yet.
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, lockKey(c.db.schema, "claim/"+id)); err != nil {
			return err
		}
		before, now, err := c.read(ctx, tx, id)
		if err != nil {
			return err
		}
		err = f(tx, me, before, now)
		lost = errors.Is(err, notify.ErrLost)
		return err
	})
	switch {
	case lost:
		return fmt.Errorf("postgres: %s: %w", what, notify.ErrLost)
	case err != nil:
		return fmt.Errorf("postgres: %s: %w", what, clean(err))
	}
	return nil
}

func (c *claims) read(ctx context.Context, tx pgx.Tx, id string) (notify.Claim, time.Time, error) {
	var got notify.Claim
	var holder *int64
	var until *time.Time
	var asked, now time.Time
	var note []byte
	err := tx.QueryRow(ctx, c.db.sql(claimSQL), id).Scan(&got.State, &holder, &until, &asked, &note, &now)
	if errors.Is(err, pgx.ErrNoRows) {
		err = tx.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&now)
		return notify.Claim{}, c.shift(now), err
	}
	if err != nil {
		return got, now, err
	}
	state := got.State
	if note != nil {
		if err := c.decode(id, note, &got); err != nil {
			return got, now, err
		}
	}
	got.State, got.Asked = state, asked
	if holder != nil {
		got.Holder = strconv.FormatInt(*holder, 10)
	}
	if until != nil {
		got.Until = *until
	}
	return got, c.shift(now), nil
}

// decode reads a note.
func (c *claims) decode(id string, note []byte, to *notify.Claim) error {
	text, err := c.db.sealing.openText(note, aboutText("claim", id))
	if err != nil {
		return err
	}
	return json.Unmarshal(text, to)
}

func (c *claims) shift(now time.Time) time.Time {
	if c.ahead != nil {
		now = now.Add(c.ahead())
	}
	return now
}

// write stores a claim.
func (c *claims) write(ctx context.Context, tx pgx.Tx, id string, claim notify.Claim, holder *int64, now time.Time) error {
	asked, until := claim.Asked, orNull(claim.Until)
	kept := claim.Kept != ""
	state := claim.State
	claim.Holder, claim.Until, claim.Asked = "", time.Time{}, time.Time{} // columns
	note, err := json.Marshal(claim)
	if err != nil {
		return err
	}
	note = c.db.sealing.sealText(note, aboutText("claim", id))
	_, err = tx.Exec(ctx, c.db.sql(`INSERT INTO {s}.claim (id, state, holder, until, asked, kept, note, changed) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, holder = excluded.holder, until = excluded.until, asked = excluded.asked,
  kept = excluded.kept, note = excluded.note, changed = excluded.changed`), id, string(state), holder, until, asked, kept, note, now)
	return err
}

// Begin implements [notify.Claims].
func (c *claims) Begin(ctx context.Context, id string, lease time.Duration) (before notify.Claim, taken bool, err error) {
	err = c.change(ctx, "claim: begin", id, func(tx pgx.Tx, me int64, was notify.Claim, now time.Time) error {
		before, taken = was, false
		next := notify.Claim{State: notify.ClaimBegun, Asked: now, Until: now.Add(lease)}
		switch {
		case was.State == notify.ClaimNone:
		case was.State != notify.ClaimBegun:
			return nil
		case was.Holder == strconv.FormatInt(me, 10), !now.Before(was.Until), was.Until.After(next.Until):
			next.Asked, next.Kept = was.Asked, was.Kept
		default:
			return nil
		}
		taken = true
		return c.write(ctx, tx, id, next, &me, now)
	})
	if err != nil {
		return notify.Claim{}, false, err
	}
	return before, taken, nil
}

// Renew implements [notify.Claims].
func (c *claims) Renew(ctx context.Context, id string, lease time.Duration) error {
	return c.change(ctx, "claim: renew", id, func(tx pgx.Tx, me int64, was notify.Claim, now time.Time) error {
		if was.State != notify.ClaimBegun || was.Holder != strconv.FormatInt(me, 10) {
			return notify.ErrLost
		}
		was.Until = now.Add(lease)
		return c.write(ctx, tx, id, was, &me, now)
	})
}

// Settle implements [notify.Claims].
func (c *claims) Settle(ctx context.Context, id string, claim notify.Claim) error {
	return c.change(ctx, "claim: settle", id, func(tx pgx.Tx, me int64, was notify.Claim, now time.Time) error {
		if !claimdir.MaySettle(&was, claim.State, strconv.FormatInt(me, 10)) {
			return notify.ErrLost
		}
		if claim.State == notify.ClaimNone {
			_, err := tx.Exec(ctx, c.db.sql(`DELETE FROM {s}.claim WHERE id = $1`), id)
			return err
		}
		claim.Until = time.Time{}
		if claim.State == notify.ClaimBegun {
			claim.Until = now // over
		}
		if claim.Asked.IsZero() {
			claim.Asked = was.Asked
		}
		return c.write(ctx, tx, id, claim, nil, now)
	})
}

// sweep forgets the claims that nobody can need any more.
func (c *claims) sweep(ctx context.Context) error {
	ctx, cancel := c.db.call(ctx)
	defer cancel()
	_, err := c.db.pool.Exec(ctx, c.db.sql(`DELETE FROM {s}.claim WHERE (state = 'done' OR state = 'spent' AND NOT kept)
AND changed < clock_timestamp() - make_interval(secs => $1)`), claimAge.Seconds())
	return err
}
