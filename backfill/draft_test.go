package backfill_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

func TestPlan(t *testing.T) {
	t.Parallel()
	u := &backfill.User{ID: "u", Requester: &script{}, Window: types.Window{Start: date("2019-11-23"), End: date("2024-11-23")}}
	ledger := backfill.NewLedger()
	p, err := backfill.NewRunner(backfill.NewLimiter(backfill.Evaluation, nil), ledger, nil).Plan(t.Context(), u)
	require.NoError(t, err)
	require.Equal(t, 3*1827, p.Days)
	require.Len(t, p.Chunks, 3*74)
	require.InDelta(t, 55, p.Duration.Minutes(), 1)
	require.Contains(t, p.String(), "u: 222 requests, 5481 days, about 55m")
	require.Empty(t, lines(t, ledger), "a plan changes nothing")
	p, err = backfill.NewRunner(backfill.NewLimiter(backfill.Production, nil), ledger, &backfill.RunnerOptions{ChunkDays: 90}).Plan(t.Context(), u)
	require.NoError(t, err)
	for _, c := range p.Chunks {
		require.NoError(t, c.Window.Check(30*24*time.Hour), "Garmin gives no more at once")
	}
	p, err = backfill.NewRunner(backfill.NewLimiter(10, nil), ledger, &backfill.RunnerOptions{ChunkDays: 30}).Plan(t.Context(), u)
	require.NoError(t, err)
	for _, c := range p.Chunks {
		require.LessOrEqual(t, backfill.Cost(c.Window), 10, "no limiter of 10 grants more")
	}
	_, err = backfill.NewRunner(backfill.NewLimiter(1, nil), ledger, nil).Plan(t.Context(), &backfill.User{})
	require.Error(t, err)
}

// What is settled is not asked for again.
func TestPlanOfKnownChunks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		chunk backfill.Chunk
		want  int
	}{
		{backfill.Chunk{State: backfill.StatePlanned}, 1},
		{backfill.Chunk{State: backfill.StateRequested}, 1},
		{backfill.Chunk{State: backfill.StateAccepted}, 0},
		{backfill.Chunk{State: backfill.StateDuplicate}, 0},
		{backfill.Chunk{State: backfill.StateHole, Reason: backfill.ReasonDuplicate}, 0},
		{backfill.Chunk{State: backfill.StateRefused, Reason: backfill.ReasonMinStart}, 0},
		{backfill.Chunk{State: backfill.StateRefused, Reason: backfill.ReasonPermission}, 1},
		{backfill.Chunk{State: backfill.StateRefused, Reason: backfill.ReasonNotEnabled}, 1},
		{backfill.Chunk{State: backfill.StateRefused, Reason: backfill.ReasonUnauthorized}, 1},
		{backfill.Chunk{State: backfill.StateRefused, Reason: backfill.ReasonOther}, 1},
	} {
		c := tt.chunk
		c.UserID, c.Kind, c.Window = "u", types.KindActivities, window(0, 25)
		ledger := backfill.NewLedger()
		require.NoError(t, save(ledger, &c))
		p, err := backfill.NewRunner(backfill.NewLimiter(backfill.Evaluation, nil), ledger, nil).Plan(t.Context(), one(&script{}, c.Window))
		require.NoError(t, err)
		require.Len(t, p.Chunks, tt.want, c.String())
	}
}
