package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/garminkit/activityapi/internal/redelivery"
)

const sweepEvery = 10 * time.Second

// sweeps removes the bytes of large bodies that nothing needs any more.
func (q *Queue) sweeps() {
	for q.db.sleep(sweepEvery) {
		if err := q.db.beginSealing(q.db.ctx); err != nil && q.db.ctx.Err() == nil {
			q.db.log.Warn("postgres: sweep", "error", err)
		}
		if err := q.sweep(q.db.ctx); err != nil && q.db.ctx.Err() == nil && !isDenied(err) {
			q.db.log.Warn("postgres: sweep", "error", clean(err))
		}
		if err := q.clearSuspects(q.db.ctx); err != nil && q.db.ctx.Err() == nil && !isDenied(err) {
			q.db.log.Warn("postgres: clearing items that killed nobody", "error", clean(err))
		}
		if err := q.expire(q.db.ctx); err != nil && q.db.ctx.Err() == nil && !isDenied(err) {
			q.db.log.Warn("postgres: sweep of letters", "error", clean(err))
		}
		if err := q.forget(q.db.ctx); err != nil && q.db.ctx.Err() == nil && !isDenied(err) {
			q.db.log.Warn("postgres: sweep of repeats", "error", clean(err))
		}
		if err := q.db.claims.sweep(q.db.ctx); err != nil && q.db.ctx.Err() == nil && !isDenied(err) {
			q.db.log.Warn("postgres: sweep of claims", "error", clean(err))
		}
	}
}

// sweep does it once. Of several processes, one does.
func (q *Queue) sweep(ctx context.Context) error {
	ctx, cancel := q.db.call(ctx)
	defer cancel()
	return pgx.BeginFunc(ctx, q.db.pool, func(tx pgx.Tx) error {
		var mine bool
		if err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock($1) FROM (SELECT set_config('jit', 'off', true)) s`, lockKey(q.db.schema, "sweep")).Scan(&mine); err != nil || !mine {
			return err
		}
		// One condition for both would be looked at again when a row was waited for,
		// with the items as they were before: a body that has become ready meanwhile
		// would have none.
		_, err := tx.Exec(ctx, q.db.sql(`WITH stale AS (DELETE FROM {s}.large l WHERE NOT l.ready AND l.stored < now() - make_interval(secs => $1) RETURNING body),
done AS (DELETE FROM {s}.large l WHERE l.ready AND NOT EXISTS (SELECT FROM {s}.item i WHERE i.body = l.body AND i.data IS NULL)
  AND NOT EXISTS (SELECT FROM {s}.letter_item i WHERE i.body = l.body AND i.data IS NULL) RETURNING body),
gone AS (SELECT body FROM stale UNION ALL SELECT body FROM done),
s AS (DELETE FROM {s}.staged USING gone WHERE staged.body = gone.body)
DELETE FROM {s}.chunk USING gone WHERE chunk.body = gone.body`), staleAfter.Seconds())
		return err
	})
}

// vacuumSQL tells whether there are as many dead items as autovacuum waits for,
// and the role may do something about it.
const vacuumSQL = `SELECT s.n_dead_tup > 20000 AND pg_has_role(c.relowner, 'USAGE')
FROM pg_class c, LATERAL (SELECT pg_stat_get_dead_tuples(c.oid) AS n_dead_tup) s WHERE c.oid = '{s}.item'::regclass`

// vacuums makes the place of items that are done usable again. Autovacuum looks
// once a minute by default, in which the table grows by what a minute brings. The
// sweep does not wait for it.
func (q *Queue) vacuums() {
	for q.db.sleep(sweepEvery) {
		if err := q.vacuum(q.db.ctx); err != nil && q.db.ctx.Err() == nil && !isDenied(err) {
			q.db.log.Warn("postgres: vacuum of the items", "error", clean(err))
		}
	}
}

func (q *Queue) vacuumDue(ctx context.Context) (due bool, err error) {
	ctx, cancel := q.db.call(ctx)
	defer cancel()
	err = q.db.pool.QueryRow(ctx, q.db.sql(vacuumSQL)).Scan(&due)
	return due, err
}

// vacuum does it if it is due.
func (q *Queue) vacuum(ctx context.Context) error {
	due, err := q.vacuumDue(ctx)
	if err == nil && due {
		err = q.vacuumItems(ctx)
	}
	return err
}

// vacuumItems takes as long as it takes: one that is ended has done nothing, and the next
// begins at the first row again. If another process or autovacuum does it, it is
// done.
func (q *Queue) vacuumItems(ctx context.Context) error {
	ctx, cancel := q.db.long(ctx)
	defer cancel()
	return beside(ctx, q.db.pool.Config(), func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, q.db.sql(`VACUUM (SKIP_LOCKED, TRUNCATE false) {s}.item`))
		return err
	})
}

// expire removes the letters that were kept for long enough.
func (q *Queue) expire(ctx context.Context) error {
	if q.db.letters == 0 {
		return nil
	}
	ctx, cancel := q.db.call(ctx)
	defer cancel()
	_, err := q.db.pool.Exec(ctx, q.db.sql(`DELETE FROM {s}.letter WHERE buried < clock_timestamp() - $1::interval`), q.db.letters)
	return err
}

// forget removes the sums of bodies whose repeat time is over, and of those that
// no process remembers. Times grow with the IDs.
func (q *Queue) forget(ctx context.Context) error {
	if q.db.repeat == 0 {
		return nil
	}
	ctx, cancel := q.db.call(ctx)
	defer cancel()
	_, err := q.db.pool.Exec(ctx, q.db.sql(`DELETE FROM {s}.repeat WHERE id < (SELECT greatest(
  (SELECT id FROM {s}.repeat WHERE at >= clock_timestamp() - $1::interval ORDER BY id LIMIT 1), (SELECT max(id) FROM {s}.repeat) - $2))
OR at < clock_timestamp() - $1::interval AND id = (SELECT min(id) FROM {s}.repeat)`), q.db.repeat, redelivery.Most)
	return err
}
