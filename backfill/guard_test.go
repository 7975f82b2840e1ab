package backfill_test

import (
	"context"
	"iter"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

// explosive is code of a partner's that panics in each of its methods in turn.
type explosive struct {
	backfill.Ledger
	*leases
	at string
}

func (e *explosive) blow(at string) {
	if e.at == at {
		panic("secret-token")
	}
}

func (e *explosive) Claim(ctx context.Context, u types.UserID) (backfill.Claim, error) {
	e.blow("Claim")
	c, err := e.Ledger.Claim(ctx, u)
	return saving(c, func(next func(context.Context, ...*backfill.Chunk) error, ctx context.Context, chunks []*backfill.Chunk) error {
		if chunks[0].State == backfill.StatePlanned {
			e.blow("Save of a plan")
		}
		e.blow("Save of " + chunks[0].State.String())
		return next(ctx, chunks...)
	}), err
}

func (e *explosive) Chunks(ctx context.Context, u types.UserID) iter.Seq2[*backfill.Chunk, error] {
	e.blow("Chunks")
	return e.Ledger.Chunks(ctx, u)
}

func (e *explosive) Acquire(ctx context.Context, u types.UserID, days int) (backfill.Grant, error) {
	e.blow("Acquire")
	g, err := e.leases.Acquire(ctx, u, days)
	return &explosiveGrant{g, e}, err
}

type explosiveGrant struct {
	backfill.Grant
	e *explosive
}

func (g *explosiveGrant) End(ctx context.Context, o backfill.Outcome) error {
	g.e.blow("End")
	return g.Grant.End(ctx, o)
}

func (e *explosive) Backfill(context.Context, types.Kind, types.Window) error {
	e.blow("Backfill")
	return nil
}

func (e *explosive) Permissions(context.Context) ([]types.Permission, error) {
	e.blow("Permissions")
	return []types.Permission{types.PermissionHistoricalDataExport}, nil
}

func (e *explosive) Enabled(context.Context, slog.Level) bool  { return true }
func (e *explosive) Handle(context.Context, slog.Record) error { e.blow("Logger"); return errStub }
func (e *explosive) WithAttrs([]slog.Attr) slog.Handler        { return e }
func (e *explosive) WithGroup(string) slog.Handler             { return e }
func (e *explosive) users(yield func(*backfill.User, error) bool) {
	e.blow("users")
	yield(one(e, window(0, 25)), nil)
}

// A panic in code that is not ours ends the run with an error, and not the
// process; its value is in no text.
func TestPanics(t *testing.T) {
	for _, at := range []string{"Claim", "Save of a plan", "Save of requested", "Save of accepted", "Chunks", "Acquire", "End", "Backfill", "Permissions", "users", "Logger"} {
		t.Run(at, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := &explosive{Ledger: backfill.NewLedger(), leases: &leases{sendWithin: time.Hour, endWithin: time.Hour}, at: at}
				runner := backfill.NewRunner(e, e, &backfill.RunnerOptions{Logger: slog.New(e)})
				users := e.users
				if at == "Logger" {
					users = func(yield func(*backfill.User, error) bool) {
						yield(one(&script{answers: []error{errStub}}, window(0, 25)), nil)
					}
				}
				var failed error
				for p, err := range runner.RunAll(t.Context(), users) {
					if err == nil {
						err = p.Err
					}
					if err != nil {
						failed = err
					}
				}
				if at == "Permissions" { // unknown, and the request tells
					require.NoError(t, failed)
					return
				}
				require.ErrorContains(t, failed, "panic in")
				require.NotContains(t, failed.Error(), "secret")
				e.at = ""
				for p, err := range runner.Run(t.Context(), one(e, window(0, 25))) {
					require.NoError(t, err)
					require.Equal(t, backfill.StateAccepted, p.Chunk.State)
				}
			})
		})
	}
}
