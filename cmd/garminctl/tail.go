package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/garminkit/activityapi/internal/adminapi"
	"github.com/garminkit/activityapi/internal/backoff"
	"github.com/garminkit/activityapi/types"
)

// tailCommand follows a running service.
type tailCommand struct {
	stores
	N       int           `short:"n" default:"10" help:"Begin with so many of the latest letters."`
	Every   time.Duration `default:"5s" help:"How often to look."`
	Once    bool          `help:"Look once, and end."`
	Figures bool          `help:"Show the depth of the queue each time."`
}

// event is one line of tail.
type event struct {
	Time time.Time `json:"time"`
	// Event is letter, refused, taken, outage, over or figures.
	Event   string             `json:"event"`
	Letter  *adminapi.Letter   `json:"letter,omitempty"`
	User    types.UserID       `json:"user,omitempty"`
	Reason  string             `json:"reason,omitempty"`
	Figures *adminapi.Overview `json:"figures,omitempty"`
}

// follower remembers what was already shown.
type follower struct {
	*tailCommand
	panel   *panel
	out     *output
	last    string // the newest letter
	began   bool
	refused map[types.UserID]bool
	outage  types.Fault
}

// Run polls until it is interrupted, which is success.
func (c *tailCommand) Run(ctx context.Context, out *output) (err error) {
	if c.N < 0 || c.Every < time.Millisecond {
		return usagef("-n is below 0, or -every below a millisecond")
	}
	p, err := c.open(ctx, out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	f := &follower{tailCommand: c, panel: p, out: out, refused: map[types.UserID]bool{}}
	lost := false
	for {
		err := f.look(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && (!f.began || c.Once):
			return err
		case err != nil && !lost:
			out.remark("%v; trying again", err)
		case err == nil && lost:
			out.remark("the admin API answers again")
		}
		lost = err != nil
		if c.Once || backoff.Sleep(ctx, c.Every) != nil {
			return nil
		}
	}
}

// look polls once and shows what is new.
func (f *follower) look(ctx context.Context) error {
	if err := f.letters(ctx); err != nil {
		return err
	}
	f.began = true
	var o adminapi.Overview
	if err := f.panel.get(ctx, "overview", nil, &o); err != nil {
		return err
	}
	if o.Outage != f.outage {
		name := "outage"
		if o.Outage == "" {
			name = "over"
		}
		if err := f.show(&event{Event: name, Reason: string(o.Outage)}); err != nil {
			return err
		}
		f.outage = o.Outage
	}
	if f.Figures {
		if err := f.show(&event{Event: "figures", Figures: &o}); err != nil {
			return err
		}
	}
	return f.parked(ctx)
}

// letters shows the letters that were buried since the last look; the first look shows
// the latest.
func (f *follower) letters(ctx context.Context) error {
	q := url.Values{"seconds": {"2"}}
	if f.last != "" {
		q.Set("from", f.last)
	}
	var latest []adminapi.Letter
	err := f.panel.letters(ctx, q, func(piece *adminapi.Letters, seen int) (bool, error) {
		if n := len(piece.Letters); n > 0 {
			f.last = piece.Letters[n-1].ID
		}
		if !f.began {
			f.out.progress("%d letters", seen)
			latest = append(latest, piece.Letters...)
			latest = latest[max(len(latest)-f.N, 0):]
			return true, nil
		}
		return true, f.buried(piece.Letters)
	})
	return errors.Join(err, f.buried(latest))
}

func (f *follower) buried(letters []adminapi.Letter) error {
	for i := range letters {
		if err := f.show(&event{Event: "letter", Time: letters[i].Buried, Letter: &letters[i]}); err != nil {
			return err
		}
	}
	return nil
}

// parked shows users whose token Garmin has begun to refuse or accepts again.
func (f *follower) parked(ctx context.Context) error {
	var now adminapi.Parked
	err := f.panel.get(ctx, "parked", nil, &now)
	if r, ok := errors.AsType[*refusal](err); ok && r.status == http.StatusNotImplemented {
		return nil // there is no processor beside it
	}
	if err != nil {
		return err
	}
	still := map[types.UserID]bool{}
	for _, u := range now.Users {
		still[u.User] = true
		if !f.refused[u.User] {
			if err := f.show(&event{Event: "refused", User: u.User, Reason: u.Reason}); err != nil {
				return err
			}
		}
	}
	if now.Total > len(now.Users) {
		// The list was cut, so a missing user may still be parked.
		for id := range f.refused {
			still[id] = true
		}
	}
	for id := range f.refused {
		if !still[id] {
			if err := f.show(&event{Event: "taken", User: id}); err != nil {
				return err
			}
		}
	}
	f.refused = still
	return nil
}

func (f *follower) show(e *event) error {
	if e.Time.IsZero() {
		e.Time = time.Now().UTC().Truncate(time.Second)
	}
	return f.out.value(e, func(w io.Writer) {
		fmt.Fprintf(w, "%s  %-7s  ", stamp(e.Time), e.Event)
		switch {
		case e.Letter != nil:
			fmt.Fprintf(w, "%s  %s  %s  %s\n", e.Letter.ID, dash(e.Letter.Key), dash(string(e.Letter.User)), e.Letter.Reason)
		case e.Figures != nil:
			for _, c := range e.Figures.Classes {
				fmt.Fprintf(w, "%s %d, ", c.Class, c.Items)
			}
			fmt.Fprintf(w, "bodies %d, letters %d, refused users %d\n", e.Figures.Bodies, e.Figures.Letters, e.Figures.ParkedUsers)
		case e.User != "":
			fmt.Fprintf(w, "%s  %s\n", e.User, e.Reason)
		default:
			fmt.Fprintln(w, e.Reason)
		}
	})
}
