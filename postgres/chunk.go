package postgres

import (
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

// numberOf is the place of a kind among those that have a history, from 1. The
// order is a part of the tables.
func numberOf(kind types.Kind) (int16, bool) {
	i := slices.Index(backfill.Kinds(), kind)
	return int16(i + 1), i >= 0
}

// chunkArgs are the arguments of save_history.
func chunkArgs(userID types.UserID, holder, nr int64, chunks []*backfill.Chunk) []any {
	n := len(chunks)
	kinds, states := make([]int16, n), make([]int16, n)
	starts, stops, tries := make([]int64, n), make([]int64, n), make([]int64, n)
	reasons, details := make([][]byte, n), make([][]byte, n)
	from, to := make([]*int64, n), make([]*int64, n)
	requested, answered, doubt := make([]*int64, n), make([]*int64, n), make([]*int64, n)
	for i, c := range chunks {
		kinds[i], _ = numberOf(c.Kind)
		states[i], tries[i] = int16(c.State), int64(c.Attempts)
		starts[i], stops[i] = c.Window.Start.Unix(), c.Window.End.Unix()
		reasons[i], details[i] = []byte(c.Reason), []byte(c.Detail)
		if c.Earlier != (types.Window{}) {
			a, b := c.Earlier.Start.Unix(), c.Earlier.End.Unix()
			from[i], to[i] = &a, &b
		}
		requested[i], answered[i], doubt[i] = nanos(c.Requested), nanos(c.Answered), nanos(c.InDoubt)
	}
	return []any{[]byte(userID), holder, nr, kinds, starts, stops, states, reasons, details, from, to, tries, requested, answered, doubt}
}

// nanos is a time as it is stored: NULL if it is not set.
func nanos(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	n := t.UnixNano()
	return &n
}

// chunkSQL are the columns that scanChunk reads, of the table c.
const chunkSQL = `user_id, kind, start, stop, state, reason, detail, earlier_start, earlier_stop, attempts, requested, answered, in_doubt,
CASE WHEN requested IS NULL THEN 0 ELSE (SELECT count(*) FROM {s}.arrival a WHERE a.user_id = c.user_id AND a.kind = c.kind AND a.at >= c.start AND a.at < c.stop) END`

func scanChunk(r pgx.CollectableRow) (*backfill.Chunk, error) {
	var c backfill.Chunk
	var user, reason, detail []byte
	var kind, state int16
	var start, stop, tries, arrived int64
	var from, to, requested, answered, doubt *int64
	err := r.Scan(&user, &kind, &start, &stop, &state, &reason, &detail, &from, &to, &tries, &requested, &answered, &doubt, &arrived)
	if err != nil {
		return nil, err
	}
	kinds := backfill.Kinds()
	if kind < 1 || int(kind) > len(kinds) {
		return nil, errors.New("a chunk of an unknown kind")
	}
	c.UserID, c.Kind, c.State = types.UserID(user), kinds[kind-1], backfill.State(state)
	c.Window = window(start, stop)
	c.Reason, c.Detail = string(reason), string(detail)
	if from != nil && to != nil {
		c.Earlier = window(*from, *to)
	}
	c.Attempts, c.Arrived = int(tries), int(arrived)
	c.Requested, c.Answered, c.InDoubt = timeOf(requested), timeOf(answered), timeOf(doubt)
	return &c, nil
}

func window(start, stop int64) types.Window {
	return types.Window{Start: time.Unix(start, 0).UTC(), End: time.Unix(stop, 0).UTC()}
}

func timeOf(nanos *int64) time.Time {
	if nanos == nil {
		return time.Time{}
	}
	return time.Unix(0, *nanos).UTC()
}
