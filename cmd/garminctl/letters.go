package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/garminkit/activityapi/internal/adminapi"
	"github.com/garminkit/activityapi/types"
)

// lettersCommand manages dead letters.
type lettersCommand struct {
	List    lettersList    `cmd:"" help:"List letters, oldest first."`
	Look    lettersLook    `cmd:"" help:"Show what is in a letter, without its values."`
	Redrive lettersRedrive `cmd:"" help:"Make letters items again. Without -yes they are only counted."`
	Discard lettersDiscard `cmd:"" help:"Remove letters for good. Without -yes they are only counted."`
}

// letterFilter chooses letters.
type letterFilter struct {
	Key    string       `placeholder:"KEY" help:"Letters under this list key, such as activities."`
	User   types.UserID `placeholder:"ID" help:"Letters of this Garmin user."`
	Reason string       `placeholder:"TEXT" help:"Letters whose reason holds this text."`
	After  string       `placeholder:"TIME" help:"Letters buried then or later: a date, a time, or how long ago, as 36h or 14d."`
	Before string       `placeholder:"TIME" help:"Letters buried earlier."`
}

func (f *letterFilter) empty() bool { return *f == letterFilter{} }

// values returns the filter as parameters of the admin API.
func (f *letterFilter) values() (url.Values, error) {
	now := time.Now()
	v := url.Values{"seconds": {"2"}}
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	set("key", f.Key)
	set("user", string(f.User))
	set("reason", f.Reason)
	for name, text := range map[string]string{"after": f.After, "before": f.Before} {
		t, err := when("-"+name, text, now)
		if err != nil {
			return nil, err
		}
		if !t.IsZero() {
			set(name, t.UTC().Format(time.RFC3339Nano))
		}
	}
	return v, nil
}

type lettersList struct {
	stores
	letterFilter
	Limit int `placeholder:"N" help:"Stop after so many."`
}

// Run lists letters.
func (c *lettersList) Run(ctx context.Context, out *output) error {
	q, err := c.values()
	if err != nil {
		return err
	}
	p, err := c.open(ctx, out)
	if err != nil {
		return err
	}
	listed := 0
	err = p.letters(ctx, q, func(piece *adminapi.Letters, seen int) (bool, error) {
		for i := range piece.Letters {
			if err := out.value(&piece.Letters[i], func(w io.Writer) { letterLine(w, &piece.Letters[i]) }); err != nil {
				return false, err
			}
			if listed++; listed == c.Limit {
				return false, nil
			}
		}
		out.progress("%d letters looked at, %d found", seen, listed)
		return true, nil
	})
	if err == nil && listed == 0 {
		out.remark("no letters")
	}
	return errors.Join(err, p.close())
}

func letterLine(w io.Writer, l *adminapi.Letter) {
	key := l.Key
	if key == "" {
		key = "-"
	}
	fmt.Fprintf(w, "%s  %s  %s  %s  %d tries  %d B  %s\n", l.ID, stamp(l.Buried), key, dash(string(l.User)), l.Attempts, l.Size, l.Reason)
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// letters reads a list piece by piece, until each returns false.
func (p *panel) letters(ctx context.Context, q url.Values, each func(piece *adminapi.Letters, seen int) (bool, error)) error {
	seen := 0
	for {
		var piece adminapi.Letters
		if err := p.get(ctx, "letters", q, &piece); err != nil {
			return err
		}
		seen += piece.Seen
		if more, err := each(&piece, seen); err != nil || !more || piece.Next == "" {
			return err
		}
		q.Set("from", piece.Next)
	}
}

type lettersLook struct {
	stores
	ID     string `arg:"" help:"The letter, as letters list names it."`
	Reveal bool   `help:"Show the values too, but for secrets. That is written to the audit log."`
}

// Run shows a letter.
func (c *lettersLook) Run(ctx context.Context, out *output) error {
	p, err := c.open(ctx, out)
	if err != nil {
		return err
	}
	var l adminapi.Content
	if c.Reveal {
		err = p.post(ctx, "reveal", url.Values{"id": {c.ID}}, &l)
	} else {
		err = p.get(ctx, "letter", url.Values{"id": {c.ID}}, &l)
	}
	if err = errors.Join(err, p.close()); err != nil {
		return letterError(c.ID, err)
	}
	return out.value(&l, func(w io.Writer) {
		letterLine(w, &l.Letter)
		fmt.Fprintln(w, l.Content)
		if l.Cut {
			fmt.Fprintln(w, "… and more")
		}
	})
}

// letterError names the letter that an error is about.
func letterError(id string, err error) error {
	if r, ok := errors.AsType[*refusal](err); ok && r.status == http.StatusNotFound {
		return usagef("there is no letter %q", id)
	}
	return err
}

// lettersAct has the common parts of redrive and discard.
type lettersAct struct {
	stores
	letterFilter
	IDs []string `arg:"" optional:"" name:"id" help:"Letters, as letters list names them; or give a filter."`
	All bool     `help:"All letters, if there is no filter."`
	Yes bool     `help:"Do it."`
}

type (
	lettersRedrive struct{ lettersAct }
	lettersDiscard struct{ lettersAct }
)

// Run puts letters back into the queue.
func (c *lettersRedrive) Run(ctx context.Context, out *output) error {
	return c.act(ctx, out, "redrive", "redriven")
}

// Run removes letters.
func (c *lettersDiscard) Run(ctx context.Context, out *output) error {
	return c.act(ctx, out, "discard", "discarded")
}

func (c *lettersAct) act(ctx context.Context, out *output, action, done string) error {
	chosen := 0
	for _, yes := range []bool{len(c.IDs) > 0, !c.empty(), c.All} {
		if yes {
			chosen++
		}
	}
	if chosen != 1 {
		return usagef("choose letters by id, or by a filter, or -all of them")
	}
	q, err := c.values()
	if err != nil {
		return err
	}
	p, err := c.open(ctx, out)
	if err != nil {
		return err
	}
	sum := &adminapi.Action{Action: action, DryRun: !c.Yes}
	if len(c.IDs) > 0 {
		err = c.byID(ctx, p, action, sum)
	} else {
		err = c.byFilter(ctx, p, out, action, q, sum)
	}
	err = errors.Join(err, p.close())
	if err != nil {
		if sum.Done > 0 {
			out.remark("%d letters were %s before that; the same command goes on", sum.Done, done)
		}
		return err
	}
	err = out.value(sum, func(w io.Writer) {
		if sum.DryRun {
			fmt.Fprintf(w, "%d letters would be %s; add -yes to do it\n", sum.Matched, done)
		} else {
			fmt.Fprintf(w, "%d of %d letters %s, %d failed\n", sum.Done, sum.Matched, done, sum.Failed)
		}
		for _, e := range sum.Errors {
			fmt.Fprintln(w, e)
		}
	})
	if err == nil && sum.Failed > 0 {
		return errFound
	}
	return err
}

func (c *lettersAct) byID(ctx context.Context, p *panel, action string, sum *adminapi.Action) error {
	for _, id := range c.IDs {
		var err error
		if c.Yes {
			err = p.post(ctx, action, url.Values{"id": {id}}, nil)
		} else {
			err = p.get(ctx, "letter", url.Values{"id": {id}}, nil)
		}
		sum.Matched++
		var r *refusal
		switch {
		case err == nil && c.Yes:
			sum.Done++
		case errors.As(err, &r):
			sum.Failed++
			sum.Errors = append(sum.Errors, id+": "+letterError(id, err).Error())
		case err != nil:
			return err
		}
	}
	return nil
}

// byFilter counts first. Letters buried after the count are left alone.
func (c *lettersAct) byFilter(ctx context.Context, p *panel, out *output, action string, q url.Values, sum *adminapi.Action) error {
	counted := 0
	first := ""
	for {
		var a adminapi.Action
		if err := p.post(ctx, action, q, &a); err != nil {
			return err
		}
		if first == "" {
			first = a.Filter.Before.UTC().Format(time.RFC3339Nano)
			q.Set("before", first)
			sum.Filter = a.Filter
		}
		counted += a.Matched
		out.progress("%d letters counted", counted)
		if a.Next == "" {
			break
		}
		q.Set("from", a.Next)
	}
	if !c.Yes {
		sum.Matched = counted
		return nil
	}
	q.Del("from")
	q.Set("dry_run", strconv.FormatBool(false))
	for {
		var a adminapi.Action
		if err := p.post(ctx, action, q, &a); err != nil {
			return err
		}
		sum.Matched += a.Matched
		sum.Done += a.Done
		sum.Failed += a.Failed
		sum.Errors = append(sum.Errors, a.Errors[:min(len(a.Errors), max(10-len(sum.Errors), 0))]...)
		out.progress("%s %d of %d letters", bar(sum.Matched, counted), sum.Matched, counted)
		if a.Next == "" {
			return nil
		}
		q.Set("from", a.Next)
	}
}
