package simulation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// sabotage is a mistake built into the partner's service, of a kind that real
// integrations have made.
type sabotage struct {
	name string
	// breaks are the invariants by which it must be found out.
	breaks []string

	put     func(*process, put) put
	queue   func(*process, notify.Queue) notify.Queue
	handler func(*process, http.Handler) http.Handler
	calls   func(*process, *notify.Callbacks)
	resolve func(l *life, garmin types.UserID, partners []string) []string
	client  func(notify.Client) notify.Client
	errors  func(error) error
	outcome func(error) string // what is shown of an outcome's error
	answer  func(error) error  // to a backfill
	ledger  func() backfill.Ledger
	sink    func(l *life, at slot, mark string) (dropped bool) // the database's lock is held
}

// put stores a body.
type put = func(context.Context, io.Reader) error

var sabotages = []sabotage{
	{name: "receiver answers before it has stored", breaks: []string{"I1", "I2"}, put: func(p *process, next put) put {
		return func(ctx context.Context, r io.Reader) error {
			body, err := io.ReadAll(r)
			if err == nil {
				time.AfterFunc(5*time.Second, func() { next(p.l.end, bytes.NewReader(body)) })
			}
			return err
		}
	}},
	{name: "receiver answers 200 whatever the store says", breaks: []string{"I1"}, handler: func(_ *process, h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(alwaysOK{w}, r)
		})
	}},
	{name: "store forgets what it has on a restart", breaks: []string{"I1", "I2"}, queue: func(p *process, q notify.Queue) notify.Queue {
		p.l.memory = memqueue.NewMemory()
		return p.l.memory
	}},
	{name: "store cuts long bodies", breaks: []string{"I1", "I2"}, put: func(_ *process, next put) put {
		return func(ctx context.Context, r io.Reader) error {
			body, err := io.ReadAll(r)
			if err != nil {
				return err
			}
			return next(ctx, bytes.NewReader(body[:min(len(body), 4000)]))
		}
	}},
	{name: "queue forgets what is done", breaks: []string{"I1", "I2"}, queue: each(func(s notify.Share) notify.Share { return forgetting{s} })},
	{name: "queue takes items for done that are not", breaks: []string{"I1", "I2"}, queue: each(func(s notify.Share) notify.Share { return skipping{s} })},
	{name: "queue records half of the verdicts", breaks: []string{"I1", "I2", "I6"}, queue: each(func(s notify.Share) notify.Share { return halving{s} })},
	{name: "queue throws dead letters away", breaks: []string{"I1", "I2"}, queue: each(func(s notify.Share) notify.Share { return unburied{s} })},
	{name: "callback says nil and drops one in a hundred", breaks: []string{"I1", "I2"}, sink: func(l *life, at slot, mark string) bool {
		return l.roll("drop", at.partner, mark) < .01
	}},
	{name: "callback swallows the database's error", breaks: []string{"I1", "I2"}, calls: func(_ *process, c *notify.Callbacks) {
		save := c.Save
		c.Save = func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
			save(ctx, d, s)
			return nil
		}
	}},
	{name: "callback stores in the background", breaks: []string{"I1", "I2"}, calls: func(p *process, c *notify.Callbacks) {
		save := c.Save
		c.Save = func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
			go save(p.l.end, d, s)
			return nil
		}
	}},
	{name: "sink takes an edit for a duplicate", breaks: []string{"I1", "I2"}, sink: func(l *life, at slot, _ string) bool {
		_, ok := l.db.current[at]
		return ok
	}},
	{name: "unknown users go to a default user", breaks: []string{"I2"}, resolve: func(l *life, _ types.UserID, partners []string) []string {
		if len(partners) == 0 {
			return []string{"partner-0"}
		}
		return partners
	}},
	{name: "client repeats downloads", breaks: []string{"I4"}, client: func(c notify.Client) notify.Client { return repeating{c} }},
	{name: "backfill takes silence for a yes", breaks: []string{"I5"}, answer: func(err error) error {
		if errors.Is(err, activity.ErrMaybeSpent) {
			return nil
		}
		return err
	}},
	{name: "ledger forgets on a restart", breaks: []string{"I5"}, ledger: func() backfill.Ledger { return backfill.NewLedger() }},
	{name: "errors lose their type", breaks: []string{"I7"}, errors: func(err error) error { return errors.New(err.Error()) }},
	{name: "the cause of an outcome is shown", breaks: []string{"I3"}, client: talk, outcome: func(err error) string {
		if said, ok := errors.AsType[*quoted](err); ok {
			return said.Error() // as the client said it, and not as the processor has cleaned it
		}
		return err.Error()
	}},
	{name: "callback leaks a goroutine", breaks: []string{"I6"}, calls: func(p *process, c *notify.Callbacks) {
		save := c.Save
		c.Save = func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
			go func() { <-p.l.end.Done() }()
			return save(ctx, d, s)
		}
	}},
}

// TestSabotage builds mistakes into the service one by one: a simulation that
// cannot fail proves nothing.
func TestSabotage(t *testing.T) {
	for _, s := range sabotages {
		t.Run(s.name, func(t *testing.T) {
			for seed := range uint64(4) {
				_, b := live(t, plan{seed: seed, years: 1, pace: 8 * time.Hour, month: 10 * day, lonely: true, sabotage: &s})
				if b == nil {
					continue
				}
				if !slices.Contains(s.breaks, b.invariant) {
					t.Fatalf("found out by %s, and not by one of %s: %s", b.invariant, s.breaks, b)
				}
				t.Logf("found out after %d days: %s: %.150s", int(b.at.Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).Hours()/24), b.invariant, b.text)
				return
			}
			t.Fatal("nobody has noticed")
		})
	}
}

// TestNoSabotage holds that the mistakes are what is noticed above.
func TestNoSabotage(t *testing.T) {
	for _, s := range []sabotage{
		{name: "none"},
		// The processor takes it out again.
		{name: "errors quote the callback", client: talk},
	} {
		t.Run(s.name, func(t *testing.T) {
			if _, b := live(t, plan{years: .2, pace: 8 * time.Hour, month: 10 * day, sabotage: &s}); b != nil {
				t.Fatal(b)
			}
		})
	}
}

type alwaysOK struct{ http.ResponseWriter }

func (w alwaysOK) WriteHeader(int) { w.ResponseWriter.WriteHeader(http.StatusOK) }

// each puts each share of a queue into a wrapper.
func each(wrap func(notify.Share) notify.Share) func(*process, notify.Queue) notify.Queue {
	return func(_ *process, q notify.Queue) notify.Queue { return shares(q, wrap) }
}

type forgetting struct{ notify.Share }

func (s forgetting) Settle(ctx context.Context, verdicts []notify.Verdict) error {
	return s.Share.Settle(ctx, slices.DeleteFunc(slices.Clone(verdicts), func(v notify.Verdict) bool {
		return v.Fate == notify.Done
	}))
}

type skipping struct{ notify.Share }

func (s skipping) Settle(ctx context.Context, verdicts []notify.Verdict) error {
	for _, v := range verdicts {
		if v.ID%3 == 2 {
			verdicts = append(slices.Clip(verdicts), notify.Verdict{ID: v.ID + 1, Fate: notify.Done})
		}
	}
	return s.Share.Settle(ctx, verdicts)
}

type halving struct{ notify.Share }

func (s halving) Settle(ctx context.Context, verdicts []notify.Verdict) error {
	return s.Share.Settle(ctx, verdicts[:len(verdicts)/2])
}

type unburied struct{ notify.Share }

func (s unburied) Settle(ctx context.Context, verdicts []notify.Verdict) error {
	verdicts = slices.Clone(verdicts)
	for i, v := range verdicts {
		if v.Fate == notify.Buried {
			verdicts[i] = notify.Verdict{ID: v.ID, Fate: notify.Done}
		}
	}
	return s.Share.Settle(ctx, verdicts)
}

type repeating struct{ notify.Client }

func (r repeating) Download(ctx context.Context, u types.Secret) (io.ReadCloser, error) {
	body, err := r.Client.Download(ctx, u)
	if err != nil && ctx.Err() == nil {
		return r.Client.Download(ctx, u)
	}
	return body, err
}

func talk(c notify.Client) notify.Client { return talking{c} }

// talking is a client whose errors quote the callback's token.
type talking struct{ notify.Client }

func (c talking) Download(ctx context.Context, u types.Secret) (io.ReadCloser, error) {
	body, err := c.Client.Download(ctx, u)
	if err != nil {
		err = &quoted{queryOf(string(u)).Get("token"), err}
	}
	return body, err
}

type quoted struct {
	token string
	err   error
}

func (q *quoted) Error() string { return fmt.Sprintf("download with %s: %v", q.token, q.err) }
func (q *quoted) Unwrap() error { return q.err }
