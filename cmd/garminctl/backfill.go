package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"path/filepath"
	"slices"
	"time"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/service/admin"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/internal/adminapi"
	"github.com/garminkit/activityapi/types"
)

// backfillCommand is about history.
type backfillCommand struct {
	Plan   backfillPlan   `cmd:"" help:"Show what run would ask for, and how long it takes."`
	Run    backfillRun    `cmd:"" help:"Ask Garmin for the history of users; the data comes to the endpoint. It can be stopped and run again."`
	Report backfillReport `cmd:"" help:"Show what became of it, day by day."`
}

// historyWanted says whose history is wanted, and for which time.
type historyWanted struct {
	User          []types.UserID `placeholder:"ID" help:"Of this Garmin user; give it again for more."`
	From          string         `required:"" placeholder:"TIME" help:"From when: a date, a time, or how long ago, as 90d."`
	To            string         `placeholder:"TIME" help:"Until when: best the time of the first connection, since what is newer comes by itself. Last midnight UTC by default."`
	Kind          []types.Kind   `help:"Kinds of history: activities, activityDetails, moveIQActivities; all by default."`
	DaysPerMinute int            `default:"100" help:"Limit of the key: 100 of an evaluation key, 10000 of a production key."`
}

func (h *historyWanted) window() (types.Window, error) {
	now := time.Now()
	from, err := when("-from", h.From, now)
	if err != nil {
		return types.Window{}, err
	}
	to, err := when("-to", h.To, now)
	if err != nil {
		return types.Window{}, err
	}
	if to.IsZero() {
		to = now.UTC().Truncate(24 * time.Hour)
	}
	from, to = from.Truncate(time.Second), to.Truncate(time.Second)
	switch {
	case !from.Before(to):
		return types.Window{}, usagef("-from is not before -to")
	case h.DaysPerMinute < 1:
		return types.Window{}, usagef("-days-per-minute is no number above 0")
	}
	for _, k := range h.Kind {
		if !slices.Contains(backfill.Kinds(), k) {
			return types.Window{}, usagef("there is no history of kind %q", k)
		}
	}
	return types.Window{Start: from, End: to}, nil
}

type backfillPlan struct {
	historyWanted
	Ledger string   `env:"GARMIN_LEDGER" placeholder:"DIR" help:"Ledger of a stopped service. Without one nothing counts as asked for."`
	DB     database `embed:""`
}

// planLine is what a run would request for one user.
type planLine struct {
	User    types.UserID `json:"user"`
	Days    int          `json:"days"`
	Seconds float64      `json:"seconds"`
	Chunks  []chunkLine  `json:"chunks"`
}

type chunkLine struct {
	Kind  types.Kind `json:"kind"`
	Start time.Time  `json:"start"`
	End   time.Time  `json:"end"`
	Days  int        `json:"days"`
	State string     `json:"state"`
	// Reason says why it was refused.
	Reason string `json:"reason,omitempty"`
}

func chunkOf(c *backfill.Chunk) chunkLine {
	return chunkLine{c.Kind, c.Window.Start.UTC(), c.Window.End.UTC(), backfill.Cost(c.Window), c.State.String(), c.Reason}
}

// Run prints the plan.
func (c *backfillPlan) Run(ctx context.Context, out *output) (err error) {
	w, err := c.window()
	if err != nil {
		return err
	}
	if len(c.User) == 0 {
		return usagef("whose history? give -user")
	}
	var ledger backfill.Ledger = backfill.NewLedger()
	if c.Ledger != "" || c.DB.Database {
		l, done, err := openLedger(ctx, c.Ledger, &c.DB)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, done()) }()
		ledger = l
	}
	runner := backfill.NewRunner(backfill.NewLimiter(c.DaysPerMinute, ledger), ledger, nil)
	for _, id := range c.User {
		plan, err := runner.Plan(ctx, &backfill.User{ID: id, Requester: never{}, Window: w, Kinds: c.Kind})
		if err != nil {
			return err
		}
		line := planLine{User: id, Days: plan.Days, Seconds: plan.Duration.Seconds(), Chunks: []chunkLine{}}
		for _, chunk := range plan.Chunks {
			line.Chunks = append(line.Chunks, chunkOf(chunk))
		}
		if err := out.value(line, func(w io.Writer) { fmt.Fprintln(w, plan) }); err != nil {
			return err
		}
	}
	return nil
}

type backfillRun struct {
	garmin
	historyWanted
	Ledger  string   `env:"GARMIN_LEDGER" placeholder:"DIR" help:"The ledger. It is made if it is not there."`
	Tokens  string   `env:"GARMIN_TOKENS" placeholder:"FILE" help:"The token file."`
	DB      database `embed:""`
	Limiter string   `placeholder:"NAME" help:"With -database the name of the limiter that the service uses; the client id by default."`
	All     bool     `help:"All users that have a token which is not revoked."`
}

// stepLine is one step of a run.
type stepLine struct {
	User types.UserID `json:"user"`
	*chunkLine
	DaysDone         int     `json:"days_done"`
	DaysTotal        int     `json:"days_total"`
	RemainingSeconds float64 `json:"remaining_seconds"`
	// Error says why the user was stopped.
	Error string `json:"error,omitempty"`
}

// Run requests history.
func (c *backfillRun) Run(ctx context.Context, out *output) (err error) {
	w, err := c.window()
	if err != nil {
		return err
	}
	if c.All == (len(c.User) > 0) {
		return usagef("whose history? give -user, or -all")
	}
	h, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	users, done, err := c.users(h.tokens, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	runner := backfill.NewRunner(h.limiter, h.ledger, nil)
	stopped := 0
	for p, err := range runner.RunAll(ctx, c.wanted(ctx, users, h.tokens, w)) {
		if err != nil {
			return err
		}
		line := stepLine{User: p.UserID, DaysDone: p.DaysDone, DaysTotal: p.DaysTotal, RemainingSeconds: p.Remaining.Seconds()}
		text := fmt.Sprintf("%d of %d days: ", p.DaysDone, p.DaysTotal)
		if p.Err != nil {
			stopped++
			line.Error = p.Err.Error()
			text = "stopped: " + line.Error
		} else {
			chunk := chunkOf(p.Chunk)
			line.chunkLine = &chunk
			text += p.Chunk.String()
		}
		if err := out.value(line, func(w io.Writer) { fmt.Fprintln(w, text) }); err != nil {
			return err
		}
		out.progress("%s %s, %s left", bar(p.DaysDone, p.DaysTotal), p.UserID, p.Remaining.Round(time.Second))
	}
	if stopped > 0 {
		out.remark("%d users were stopped; the same command asks for what is missing", stopped)
		return errFound
	}
	return nil
}

// historyStores are the stores of a run.
type historyStores struct {
	ledger  backfill.Ledger
	limiter backfill.Limiter
	tokens  auth.TokenStore
	close   func() error
}

func (c *backfillRun) open(ctx context.Context) (*historyStores, error) {
	if c.DB.Database {
		if c.Ledger != "" || c.Tokens != "" {
			return nil, usagef("-database is given, and -ledger or -tokens too")
		}
		db, done, err := c.DB.open(ctx)
		if err != nil {
			return nil, err
		}
		limiter, err := db.Limiter(ctx, cmp.Or(c.Limiter, c.ClientID), c.DaysPerMinute)
		if err != nil {
			return nil, errors.Join(err, done())
		}
		return &historyStores{db.Ledger(), limiter, db.Tokens(), done}, nil
	}
	if c.Ledger == "" {
		return nil, usagef("give -ledger and -tokens, or -database")
	}
	tokens, done, err := openTokens(ctx, c.Tokens, &c.DB)
	if err != nil {
		return nil, err
	}
	ledger, err := makeLedger(c.Ledger)
	if err != nil {
		return nil, errors.Join(err, done())
	}
	return &historyStores{ledger, backfill.NewLimiter(c.DaysPerMinute, ledger), tokens, func() error { return errors.Join(ledger.Close(), done()) }}, nil
}

// wanted yields the users, each with a client.
func (c *backfillRun) wanted(ctx context.Context, users *auth.Users, store auth.TokenStore, w types.Window) iter.Seq2[*backfill.User, error] {
	ids := func(yield func(types.UserID, error) bool) {
		for _, id := range c.User {
			if !yield(id, nil) {
				return
			}
		}
		if !c.All {
			return
		}
		for t, err := range store.Tokens(ctx) {
			if err != nil {
				yield("", err)
				return
			}
			if !t.Revoked && !yield(t.UserID, nil) {
				return
			}
		}
	}
	return func(yield func(*backfill.User, error) bool) {
		for id, err := range ids {
			if err != nil {
				yield(nil, err)
				return
			}
			client, err := users.Client(ctx, id)
			if err != nil {
				yield(nil, fmt.Errorf("user %s: %w", id, err))
				return
			}
			if !yield(&backfill.User{ID: id, Requester: client, Window: w, Kinds: c.Kind}, nil) {
				return
			}
		}
	}
}

type backfillReport struct {
	Admin  string         `env:"GARMIN_ADMIN" placeholder:"URL" help:"Admin API of the running service."`
	Ledger string         `env:"GARMIN_LEDGER" placeholder:"DIR" help:"Ledger of a stopped service."`
	DB     database       `embed:""`
	User   []types.UserID `placeholder:"ID" help:"Of this user; all by default."`
}

// reportLine is the state of one user's history.
type reportLine struct {
	User    types.UserID        `json:"user"`
	History []adminapi.Calendar `json:"history"`
}

// Run prints the report.
func (c *backfillReport) Run(ctx context.Context, out *output) (err error) {
	p, err := c.panel(ctx, out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	for id, err := range c.users(ctx, p) {
		if err != nil {
			return err
		}
		var u adminapi.User
		if err := p.get(ctx, "user", url.Values{"id": {string(id)}}, &u); err != nil {
			return err
		}
		if len(u.History) == 0 {
			out.remark("%s: no history was asked for", id)
			continue
		}
		if err := out.value(reportLine{id, u.History}, func(w io.Writer) { calendars(w, id, u.History) }); err != nil {
			return err
		}
	}
	return nil
}

func (c *backfillReport) panel(ctx context.Context, out *output) (*panel, error) {
	if c.Admin != "" {
		if c.Ledger != "" || c.DB.Database {
			return nil, usagef("-admin is given, and -ledger or -database too")
		}
		return openPanel(c.Admin)
	}
	ledger, done, err := openLedger(ctx, c.Ledger, &c.DB)
	if err != nil {
		return nil, err
	}
	return localPanel(noQueue{}, &admin.Options{Ledger: ledger}, out, done)
}

// users yields those that were named, or all that the ledger has.
func (c *backfillReport) users(ctx context.Context, p *panel) iter.Seq2[types.UserID, error] {
	return func(yield func(types.UserID, error) bool) {
		for _, id := range c.User {
			if !yield(id, nil) {
				return
			}
		}
		for q := (url.Values{}); len(c.User) == 0; {
			var piece adminapi.History
			if err := p.get(ctx, "history", q, &piece); err != nil {
				yield("", err)
				return
			}
			for _, id := range piece.Users {
				if !yield(id, nil) {
					return
				}
			}
			if piece.Next == "" {
				return
			}
			q.Set("from", piece.Next)
		}
	}
}

// calendars writes the state of each range of days, latest last.
func calendars(w io.Writer, id types.UserID, history []adminapi.Calendar) {
	for _, c := range history {
		var rows []string
		var first, last, status, why string
		arrived := 0
		flush := func() {
			if first != "" {
				rows = append(rows, fmt.Sprintf("  %s\t%s\t%s\t%d summaries\t%s", first, last, status, arrived, why))
			}
		}
		for _, m := range c.Months {
			for _, d := range m.Days {
				date := fmt.Sprintf("%s-%02d", m.Month, d.Day)
				if d.Status != status || d.Why != why {
					flush()
					first, status, why, arrived = date, d.Status, d.Why, 0
				}
				last = date
				arrived += d.Arrived
			}
		}
		flush()
		fmt.Fprintf(w, "%s %s\n", id, c.Kind)
		table(w, rows...)
	}
}

// makeLedger opens a ledger, and makes it if it does not exist.
func makeLedger(dir string) (backfill.Ledger, error) {
	l, err := backfill.OpenLedger(dir, nil)
	if err != nil {
		if state, holder, _ := holderOf(dir, filepath.Join(dir, "lock")); state == lockHeld {
			return nil, fmt.Errorf("the ledger is in use by %s: stop the service", holder)
		}
	}
	return l, err
}

// never is the requester of a plan, which asks for nothing.
type never struct{}

func (never) Backfill(context.Context, types.Kind, types.Window) error {
	return errors.New("a plan asks for nothing")
}
