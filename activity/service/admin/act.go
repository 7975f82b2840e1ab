package admin

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/garminkit/activityapi/internal/adminapi"
)

const (
	maxErrors = 10
	// batch is how many letters are collected before they are acted on: an
	// engine may hold a connection while it lists.
	batch = 100
)

// act counts letters, or does to them what do does.
func (a *pages) act(r *http.Request, name string, do func(context.Context, string) error) (any, error) {
	dry, told := true, r.FormValue("dry_run")
	if told != "" {
		var err error
		if dry, err = strconv.ParseBool(told); err != nil {
			return nil, badRequest("dry_run is neither true nor false")
		}
	}
	if id := r.FormValue("id"); id != "" {
		return a.actOn(r, name, id, dry && told != "", do)
	}
	f, err := filterOf(r)
	if err != nil {
		return nil, err
	}
	from := r.FormValue("from")
	span, err := budget(r)
	if err != nil {
		return nil, err
	}
	if dry && f.Before.IsZero() {
		f.Before = time.Now().UTC() // what is buried from now on was not counted
	}
	if !dry && f.Before.IsZero() {
		return nil, badRequest("before is missing: take it from the filter of a dry run")
	}
	out := &adminapi.Action{Action: name, Filter: f, DryRun: dry}
	if dry {
		return out, a.count(r.Context(), out, from, time.Now().Add(span))
	}
	what := []any{"key", f.Key, "user", f.User, "reason", f.Reason, "after", f.After, "before", f.Before}
	a.begin(r, name, what...)
	err = a.each(r.Context(), out, from, time.Now().Add(span), do)
	a.end(r, name, err, append(what, "matched", out.Matched, "done", out.Done, "failed", out.Failed, "more", out.Next != "")...)
	return out, err
}

// actOn does it to one letter. It is not counted first, unless that is asked for.
func (a *pages) actOn(r *http.Request, name, id string, dry bool, do func(context.Context, string) error) (any, error) {
	out := &adminapi.Action{Action: name, ID: id, DryRun: dry, Matched: 1}
	if dry {
		_, err := a.queue.Letter(r.Context(), id)
		return out, err
	}
	a.begin(r, name, "letter", id)
	err := do(r.Context(), id)
	a.end(r, name, err, "letter", id)
	out.Done = 1
	return out, err
}

func (a *pages) count(ctx context.Context, out *adminapi.Action, from string, until time.Time) error {
	for {
		found, _, next, err := a.find(ctx, &out.Filter, from, 10*batch, until)
		if err != nil {
			return err
		}
		out.Matched += len(found)
		if out.Next = next; next == "" || !time.Now().Before(until) {
			return nil
		}
		from = next
	}
}

func (a *pages) each(ctx context.Context, out *adminapi.Action, from string, until time.Time, do func(context.Context, string) error) error {
	for {
		found, _, next, err := a.find(ctx, &out.Filter, from, batch, until)
		if err != nil {
			return err
		}
		for i, l := range found {
			// At least one is done, so that each answer is a step.
			if out.Matched > 0 && !time.Now().Before(until) {
				if out.Next = from; i > 0 {
					out.Next = found[i-1].ID
				}
				return nil
			}
			out.Matched++
			err := do(ctx, l.ID)
			switch {
			case err == nil:
				out.Done++
			case errors.Is(err, fs.ErrNotExist):
				out.Matched-- // somebody else was faster
			case ctx.Err() != nil:
				return err
			default:
				out.Failed++
				if len(out.Errors) < maxErrors {
					out.Errors = append(out.Errors, l.ID+": "+err.Error())
				}
			}
		}
		if out.Next = next; next == "" || !time.Now().Before(until) {
			return nil
		}
		from = next
	}
}

// begin writes to the audit log that somebody wants to do something.
func (a *pages) begin(r *http.Request, action string, args ...any) {
	a.note(r, slog.LevelInfo, "admin: begins", action, args...)
}

// end writes what came of it.
func (a *pages) end(r *http.Request, action string, err error, args ...any) {
	if err != nil {
		a.note(r, slog.LevelError, "admin: failed", action, append(args, "err", err.Error())...)
		return
	}
	a.note(r, slog.LevelInfo, "admin: done", action, args...)
}

func (a *pages) note(r *http.Request, level slog.Level, text, action string, args ...any) {
	args = append([]any{"action", action, "who", a.who(r), "from", r.RemoteAddr}, args...)
	a.audit.Log(r.Context(), level, text, args...)
}
