//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// view prints how the work is divided.
type view struct {
	out   io.Writer
	pool  *pgxpool.Pool
	group *group
}

func (v *view) watch(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
		text, err := v.line(ctx)
		if err == nil {
			fmt.Fprintln(v.out, text)
		}
	}
}

// line is as "#3 ███ 22  #4 ███ 21  #7 ███ 21 | 312 delivered, 4 wait, the oldest for 20ms".
func (v *view) line(ctx context.Context) (string, error) {
	rows, err := v.pool.Query(ctx, `SELECT coalesce('#' || owner, 'nobody'), count(*) FROM activityapi.share GROUP BY owner ORDER BY owner`)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	var name string
	var n int
	if _, err := pgx.ForEachRow(rows, []any{&name, &n}, func() error {
		fmt.Fprintf(&b, "%s %-11s%2d  ", name, strings.Repeat("█", (n+5)/6), n)
		return nil
	}); err != nil {
		return "", err
	}
	var done, waiting int
	var oldest time.Duration
	err = v.pool.QueryRow(ctx, `SELECT (SELECT count(*) FROM delivery), count(*), coalesce(clock_timestamp() - min(received), interval '0') FROM activityapi.item`).
		Scan(&done, &waiting, &oldest)
	fmt.Fprintf(&b, "| %d delivered, %d wait, the oldest for %v", done, waiting, oldest.Round(time.Millisecond))
	return b.String(), err
}

// empty waits until nothing waits.
func (v *view) empty(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		var n int
		if err := v.pool.QueryRow(ctx, `SELECT count(*) FROM activityapi.item`).Scan(&n); err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
}

var errBalance = errors.New("the balance is not even")

// balance compares what was uploaded with what the partner has. A user's items
// come in order if their Order grows: Garmin sends what failed again behind what
// it sent meanwhile.
func balance(ctx context.Context, pool *pgxpool.Pool, w *world, out io.Writer) error {
	var got, repeats, disorder, letters int
	err := pool.QueryRow(ctx, `WITH first AS (SELECT user_id, kind, summary_id, min(n) AS n, count(*) - 1 AS more FROM delivery GROUP BY 1, 2, 3),
o AS (SELECT f.more, f.kind <> 'activityFiles' AND d.ord < max(d.ord) OVER (PARTITION BY d.user_id, d.kind ORDER BY d.n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS late
  FROM first f JOIN delivery d ON d.n = f.n)
SELECT (SELECT count(*) FROM first), coalesce(sum(more), 0)::integer, count(*) FILTER (WHERE late), (SELECT count(*) FROM activityapi.letter) FROM o`).
		Scan(&got, &repeats, &disorder, &letters)
	if err != nil {
		return err
	}
	twice := 0
	w.mu.Lock()
	for _, n := range w.asked {
		if n > 1 {
			twice++
		}
	}
	w.mu.Unlock()
	lost := w.uploads - got - letters
	fmt.Fprintf(out, "\n%d uploads, %d of them files: %d delivered, %d lost, %d out of order, %d delivered again, %d files asked for twice, %d dead letters\n",
		w.uploads, w.files, got, lost, disorder, repeats, twice, letters)
	if lost != 0 || disorder != 0 || twice != 0 {
		return errBalance
	}
	return nil
}
