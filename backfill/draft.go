package backfill

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/garminkit/activityapi/types"
)

// Plan lists what a run would request.
type Plan struct {
	UserID types.UserID
	// Chunks are the requests to make, in order: first those whose answer is
	// unknown, then the others, latest days first.
	Chunks []*Chunk
	// Days is the cost of all chunks. Duration is the time they take if nothing
	// else uses the key.
	Days     int
	Duration time.Duration

	fresh []*Chunk // those of Chunks that the ledger does not have
}

// Plan returns what [Runner.Run] would request, without requesting it.
func (r *Runner) Plan(ctx context.Context, user *User) (*Plan, error) {
	if err := user.check(); err != nil {
		return nil, err
	}
	wanted := user.Kinds
	if wanted == nil {
		wanted = Kinds()
	}

	p := &Plan{UserID: user.ID}
	known := make(map[types.Kind][]types.Window)
	for c, err := range r.ledger.Chunks(ctx, user.ID) {
		if err != nil {
			return nil, err
		}
		known[c.Kind] = append(known[c.Kind], c.Window)
		if slices.Contains(wanted, c.Kind) && overlap(c.Window, user.Window) &&
			(!c.settled() || c.State == StateHole && r.opts.FillHoles) {
			p.reopen(c, r.opts.ChunkDays, r.daysPerMinute(user.ID))
		}
	}
	for i, k := range wanted {
		if slices.Contains(wanted[:i], k) {
			continue
		}
		for _, free := range subtract(user.Window, known[k]) {
			for _, w := range cut(free, r.opts.ChunkDays) {
				c := &Chunk{UserID: user.ID, Kind: k, Window: w, State: StatePlanned}
				p.Chunks = append(p.Chunks, c)
				p.fresh = append(p.fresh, c)
			}
		}
	}

	slices.SortStableFunc(p.Chunks, func(a, b *Chunk) int {
		return cmp.Or(
			-cmp.Compare(asked(a), asked(b)),
			b.Window.End.Compare(a.Window.End),
			cmp.Compare(slices.Index(kinds[:], a.Kind), slices.Index(kinds[:], b.Kind)),
		)
	})
	for _, c := range p.Chunks {
		p.Days += Cost(c.Window)
	}
	p.Duration = estimate(p.Days, r.daysPerMinute(user.ID))
	return p, nil
}

// reopen plans to ask for a chunk of the ledger again, by requests for days at
// most. If its last request was not answered, that must be for exactly the same
// range, if the limit allows it: a 409 that names the range then tells that it
// was accepted.
func (p *Plan) reopen(c *Chunk, days, limit int) {
	if time.Since(c.Requested) > recent {
		c.Attempts = 0
	}
	if !c.InDoubt.IsZero() && Cost(c.Window) <= limit {
		p.Chunks = append(p.Chunks, c)
		return
	}
	c.State, c.Reason, c.Detail, c.Earlier, c.InDoubt = StatePlanned, "", "", types.Window{}, time.Time{}
	if Cost(c.Window) <= days {
		p.Chunks = append(p.Chunks, c)
		return
	}
	for _, w := range cut(c.Window, days) {
		part := *c
		part.Window = w
		p.Chunks = append(p.Chunks, &part)
		p.fresh = append(p.fresh, &part)
	}
}

// String lists the plan, one line for each request, and its sum.
func (p *Plan) String() string {
	var b strings.Builder
	for _, c := range p.Chunks {
		fmt.Fprintf(&b, "%-16s %s  %2d days\n", c.Kind, c.Window, Cost(c.Window))
	}
	fmt.Fprintf(&b, "%s: %d requests, %d days, about %s\n", p.UserID, len(p.Chunks), p.Days, p.Duration.Round(time.Second))
	return b.String()
}

func asked(c *Chunk) int {
	if !c.InDoubt.IsZero() {
		return 1
	}
	return 0
}

func overlap(a, b types.Window) bool {
	return a.Start.Before(b.End) && b.Start.Before(a.End)
}

// intersect returns what a and b share; it is empty, or backward, if nothing.
func intersect(a, b types.Window) types.Window {
	if b.Start.After(a.Start) {
		a.Start = b.Start
	}
	if b.End.Before(a.End) {
		a.End = b.End
	}
	return a
}
