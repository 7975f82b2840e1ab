package simulation

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/internal/resource"
	"github.com/garminkit/activityapi/types"
)

// wanted are the kinds of history that the partner asks for.
var wanted = []types.Kind{types.KindActivities, types.KindMoveIQ}

// past gives a new user a history, part of it from before what Garmin gives.
func (l *life) past(p *person) {
	for range 2 + l.script.IntN(6) {
		start := p.joined.Add(-time.Duration(l.script.Int64N(int64(36 * day)))).Truncate(time.Second)
		for _, a := range l.gen.Activities("", start) {
			a.DurationInSeconds %= 20
			a.ActivityName = l.truth.mark()
			l.truth.bring(recordID{types.KindActivities, p.id, a.SummaryID}, a.ActivityName, a.StartTimeInSeconds.Time())
			p.user.AddHistory(a)
			if !a.Manual {
				f, content := l.gen.File("FIT", l.gen.Details(a))
				sum := sha256.Sum256(content)
				l.truth.bring(recordID{types.KindActivityFiles, p.id, f.SummaryID}, hex.EncodeToString(sum[:]), f.StartTimeInSeconds.Time())
				p.user.Upload(activitytest.Upload{File: &f, Content: content, History: true})
			}
		}
		m := l.gen.MoveIQ(start)
		m.ActivitySubType = l.truth.mark()
		l.truth.bring(recordID{types.KindMoveIQ, p.id, m.SummaryID}, m.ActivitySubType, start)
		p.user.AddHistory(m)
	}
	l.note("history wanted", "%s", p.id)
	l.db.mu.Lock()
	l.db.history[p.id] = true
	l.db.mu.Unlock()
}

// bring notes a record that only a backfill brings.
func (t *truth) bring(id recordID, mark string, start time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &record{recordID: id, marks: []string{mark}, start: start}
	t.records[id] = r
	t.history[id.user] = append(t.history[id.user], r)
}

// accepted notes that Garmin has taken a request: what lies in its range is to
// come from now on.
func (l *life) accepted(user types.UserID, name string, query url.Values) {
	from, _ := strconv.ParseInt(query.Get("summaryStartTimeInSeconds"), 10, 64)
	to, _ := strconv.ParseInt(query.Get("summaryEndTimeInSeconds"), 10, 64)
	l.note("backfill accepted by Garmin", "%s of %s, %d to %d", name, user, from, to)
	l.truth.mu.Lock()
	defer l.truth.mu.Unlock()
	for _, r := range l.truth.history[user] {
		of := historyOf(r.kind)
		if at := r.start.Unix(); resource.Of(of) == name && from <= at && at <= to {
			r.at = time.Now()
			l.truth.open[r.recordID] = r
		}
	}
}

// fetch asks for a user's history until it is settled, as long as the process
// lives.
func (p *process) fetch(ctx context.Context, who *person) {
	l := p.l
	defer p.background.Done()
	for {
		client, err := p.client(who)
		if err == nil {
			user := &backfill.User{ID: who.id, Requester: asker{p, client}, Kinds: wanted,
				Window: types.Window{Start: who.joined.AddDate(0, 0, -40), End: who.joined}}
			for _, e := range backfill.NewRunner(p.limiter, p.ledger, &backfill.RunnerOptions{Logger: l.logger()}).Run(ctx, user) {
				err = e
			}
		}
		switch {
		case ctx.Err() != nil || p.dead.Load() || l.db.partners(who.id) == nil:
			return
		case err == nil:
			l.db.mu.Lock()
			delete(l.db.history, who.id)
			l.db.mu.Unlock()
			l.note("history settled", "%s", who.id)
			return
		}
		l.heard("an error", err.Error())
		l.note("history stops for now", "%s: %v", who.id, err)
		var u *backfill.UserError
		if !errors.As(err, &u) {
			l.fail("I7", string(who.id), "a backfill ends with an error that does not name its user: %v", err)
		}
		if nap(ctx, time.Hour) != nil {
			return
		}
	}
}

// fetchAll takes up what is wanted.
func (p *process) fetchAll(ctx context.Context) {
	for _, who := range p.l.truth.connected() {
		p.l.db.mu.Lock()
		want := p.l.db.history[who.id]
		p.l.db.mu.Unlock()
		if want {
			p.background.Add(1)
			go p.fetch(ctx, who)
		}
	}
}

// asker is the client as the backfill has it.
type asker struct {
	p *process
	*activity.Client
}

func (a asker) Backfill(ctx context.Context, kind types.Kind, w types.Window) error {
	note := &call{}
	err := a.Client.Backfill(context.WithValue(ctx, callKey{}, note), kind, w)
	if err != nil {
		err = a.p.typed(ctx, "Backfill", note, err)
	}
	if s := a.p.l.sabotage; s != nil && s.answer != nil {
		err = s.answer(err)
	}
	return err
}

// judgeHistory checks that the ledger and Garmin agree on what was accepted,
// and that all of it has arrived.
func (l *life) judgeHistory(buried map[string]bool) {
	if n := l.fake.State().BackfillViolations; n > 0 {
		l.fail("I5", "", "%d requests beyond the key's limit", n)
	}
	for _, who := range l.truth.connected() {
		l.truth.mu.Lock()
		history := l.truth.history[who.id]
		l.truth.mu.Unlock()
		if history == nil || who.judged {
			continue
		}
		who.judged = true
		at := map[types.Kind]map[string]bool{}
		for _, k := range wanted {
			at[k] = map[string]bool{}
			for _, w := range who.user.State().Backfilled[k] {
				at[k][fmt.Sprint(w.Start.Unix(), " to ", w.End.Unix())] = true
			}
		}
		for c, err := range l.proc.ledger.Chunks(l.end, who.id) {
			if err != nil {
				l.fail("I5", string(who.id), "ledger: %v", err)
				return
			}
			name := fmt.Sprint(c.Window.Start.Unix(), " to ", c.Window.End.Unix()-1)
			l.count("backfill chunk " + c.State.String())
			switch {
			case c.State == backfill.StateAccepted && !at[c.Kind][name]:
				l.fail("I5", string(who.id), "the ledger has %s as accepted, and Garmin has not", c)
			case c.State == backfill.StateRefused && c.Reason != backfill.ReasonMinStart, c.State != backfill.StateAccepted && c.State != backfill.StateRefused:
				l.fail("I5", string(who.id), "%s, though nobody else asked: %s %s", c, c.Reason, c.Detail)
			}
			delete(at[c.Kind], name)
		}
		for k, left := range at {
			for name := range left {
				l.fail("I5", string(who.id), "Garmin has accepted %s of %s, %s, and the ledger does not know", k, who.id, name)
			}
		}
		for _, r := range history {
			if r.at.IsZero() || buried[seqKey(r.recordID, r.latest())] || !l.reached(r.recordID, r.latest()) {
				continue // judged above
			}
			l.count("record of history complete")
			k := historyOf(r.kind)
			arrived := r.kind == types.KindActivityFiles // the activity tells
			for range l.proc.ledger.Arrivals(l.end, who.id, k, types.Window{Start: r.start, End: r.start.Add(time.Second)}) {
				arrived = true
			}
			if !arrived {
				l.fail("I5", string(r.id), "%s has come, and the ledger does not know", r.recordID)
			}
		}
	}
}

// historyOf returns the kind whose history brings what is of kind k.
func historyOf(k types.Kind) types.Kind {
	if k == types.KindActivityFiles {
		return types.KindActivities
	}
	return k
}
