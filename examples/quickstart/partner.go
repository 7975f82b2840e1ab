package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// thing names a summary or a file at Garmin.
type thing struct {
	kind types.Kind
	user types.UserID
	id   types.ID
}

// row is what the partner's table of summaries has in a row, and that of files.
// The primary key is Delivery.Record.
type row struct {
	thing
	summary types.Summary // the latest version
	file    *notify.File
	// order and revision are those of the delivery.
	order    uint64
	revision string
}

// partner is the application: its users, its tables, and the callbacks that
// fill them. A real one has a database where this has maps.
type partner struct {
	mu sync.Mutex
	// users by Garmin user id.
	users map[types.UserID]notify.User
	// rows are the summaries and files by Delivery.Record.
	rows map[string]row
	// permissions are what users grant, with the time of the change.
	permissions map[types.UserID]*notify.PermissionChange
	// gone are the users who left.
	gone map[types.UserID]bool

	// disconnected asks Garmin whether a user has left.
	disconnected func(ctx context.Context, garminID types.UserID) (bool, error)
	// forget, if not nil, deletes a user's tokens.
	forget func(ctx context.Context, garminID types.UserID) error

	// tally counts what happened to the items of each list key.
	tally map[string]*tally
	// lines tell what happened since the last call of news.
	lines []line
	// finished counts items with their final outcome.
	finished int
	changed  chan struct{}
}

type tally struct{ stored, updated, repeated, setAside int }

type line struct{ who, what string }

func newPartner() *partner {
	p := &partner{
		users:       map[types.UserID]notify.User{},
		rows:        map[string]row{},
		permissions: map[types.UserID]*notify.PermissionChange{},
		gone:        map[types.UserID]bool{},
		tally:       map[string]*tally{},
		changed:     make(chan struct{}, 1),
	}
	p.disconnected = p.refused
	return p
}

// refused makes a call for a user. With auth.Users, as in live, there is a
// method for this.
func (p *partner) refused(ctx context.Context, garminID types.UserID) (bool, error) {
	p.mu.Lock()
	client := p.users[garminID].Client
	p.mu.Unlock()
	_, err := client.(*activity.Client).UserID(ctx)
	// The status alone proves nothing: a gateway's page may have it, too.
	if answer, ok := errors.AsType[*activity.Error](err); ok && answer.Fault() == types.FaultUser {
		return true, nil
	}
	return false, err
}

// connect adds a user.
func (p *partner) connect(garminID types.UserID, name string, client *activity.Client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.users[garminID] = notify.User{ID: name, Client: client}
}

// resolve is the [notify.Resolver].
func (p *partner) resolve(_ context.Context, garminID types.UserID) ([]notify.User, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if u, ok := p.users[garminID]; ok {
		return []notify.User{u}, nil
	}
	return nil, nil
}

func (p *partner) callbacks() notify.Callbacks {
	return notify.Callbacks{
		Save:             p.save,
		File:             p.file,
		Deregistration:   p.deregistration,
		PermissionChange: p.permissionChange,
	}
}

func (p *partner) count(key string) *tally {
	t := p.tally[key]
	if t == nil {
		t = new(tally)
		p.tally[key] = t
	}
	return t
}

func (p *partner) tell(who, format string, args ...any) {
	p.lines = append(p.lines, line{who, fmt.Sprintf(format, args...)})
}

// save stores a summary, whether it was pushed or pulled.
func (p *partner) save(_ context.Context, d *notify.Delivery, s types.Summary) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	what := fmt.Sprintf("%s %s", d.Kind, s.ID())
	p.upsert(d, row{thing: thing{d.Kind, d.UserID, s.ID()}, summary: s}, what, describe(s))
	return nil
}

func (p *partner) file(_ context.Context, d *notify.Delivery, f *notify.File) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.upsert(d, row{thing: thing{d.Kind, d.UserID, f.Announced.SummaryID}, file: f}, f.Name, fmt.Sprintf("%d bytes, SHA-256 %s...", f.Size, f.SHA256[:12]))
	return nil
}

// upsert stores a row in place of an older one of the same record. The same
// content may be delivered twice, and an older one after a newer one.
func (p *partner) upsert(d *notify.Delivery, r row, what, details string) {
	t := p.count(string(d.Kind))
	have, had := p.rows[d.Record]
	switch {
	case !d.Replaces(have.order, have.revision):
		t.repeated++
		p.tell(d.User.ID, "had %s already", what)
		return
	case had:
		t.updated++
		p.tell(d.User.ID, "updated %s: %s", what, details)
	default:
		t.stored++
		p.tell(d.User.ID, "stored %s: %s", what, details)
	}
	r.order, r.revision = d.Order, d.Revision
	p.rows[d.Record] = r
}

// find returns the row of a thing, or a zero one.
func (p *partner) find(t thing) row {
	for _, r := range p.rows {
		if r.thing == t {
			return r
		}
	}
	return row{}
}

// deregistration deletes a user, but only after Garmin has confirmed that the
// consent is gone: the notification itself proves nothing.
func (p *partner) deregistration(ctx context.Context, d *notify.Delivery, _ *notify.Deregistration) error {
	left, err := p.disconnected(ctx, d.UserID)
	if err != nil {
		return fmt.Errorf("deregistration not confirmed: %w", err)
	}
	if !left {
		return notify.Permanent(errors.New("deregistration not confirmed: the token is good"))
	}
	// The tokens go first: should that fail, the notification comes again, and
	// finds the user.
	if p.forget != nil {
		if err := p.forget(ctx, d.UserID); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.count(string(d.Kind))
	if p.gone[d.UserID] {
		t.repeated++
		return nil
	}
	t.stored++
	p.gone[d.UserID] = true
	delete(p.users, d.UserID)
	p.tell(d.User.ID, "left (Garmin refuses the token now, so it is true); tokens deleted")
	return nil
}

// permissionChange keeps the newest set: notifications come in any order.
func (p *partner) permissionChange(_ context.Context, d *notify.Delivery, e *notify.PermissionChange) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.count(string(d.Kind))
	old := p.permissions[d.UserID]
	switch {
	case old == nil:
		t.stored++
	case e.ChangeTimeInSeconds > old.ChangeTimeInSeconds:
		t.updated++
	default:
		t.repeated++
		return nil
	}
	p.permissions[d.UserID] = e
	names := make([]string, len(e.Permissions))
	for i, name := range e.Permissions {
		names[i] = string(name)
	}
	p.tell(d.User.ID, "now grants %s", strings.Join(names, ", "))
	return nil
}

// observe sees the fate of each item of each body.
func (p *partner) observe(o notify.Outcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch o.Result {
	case notify.ResultDone:
	case notify.ResultQuarantined, notify.ResultBuried, notify.ResultUnknownUser:
		p.count(o.Key).setAside++
		p.tell("-", "set aside %s: %s: %v", o.Key, o.Result, o.Err)
	default:
		p.tell("-", "%s %s: %v", o.Result, o.Key, o.Err)
		return
	}
	p.finished++
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// settle waits until n items have come to their end.
func (p *partner) settle(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		p.mu.Lock()
		finished := p.finished
		p.mu.Unlock()
		if finished >= n {
			return nil
		}
		select {
		case <-p.changed:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d items finished: %w", finished, n, ctx.Err())
		}
	}
}

// news returns what happened since it was last called, by user.
func (p *partner) news() []line {
	p.mu.Lock()
	defer p.mu.Unlock()
	lines := p.lines
	p.lines = nil
	slices.SortStableFunc(lines, func(a, b line) int { return strings.Compare(a.who, b.who) })
	return lines
}

// describe gives a summary in a few words.
func describe(s types.Summary) string {
	switch s := s.(type) {
	case *types.Activity:
		return describeActivity(s)
	case *types.ManualActivity:
		return describeActivity((*types.Activity)(s)) + ", entered by hand"
	case *types.ActivityDetails:
		text := fmt.Sprintf("%s, %s, %s", s.Summary.ActivityType.Name(), plural(len(s.Samples), "sample"), plural(len(s.Laps), "lap"))
		most := 0
		for _, sample := range s.Samples {
			if sample.HeartRate != nil {
				most = max(most, *sample.HeartRate)
			}
		}
		if most > 0 {
			text += fmt.Sprintf(", heart rate up to %d", most)
		}
		return text
	case *types.MoveIQ:
		text := string(s.ActivityType)
		if s.ActivitySubType != "" {
			text += ", " + s.ActivitySubType
		}
		return fmt.Sprintf("%s for %s, seen by the watch itself", text, types.Duration(s))
	}
	return ""
}

func describeActivity(a *types.Activity) string {
	text := a.ActivityType.Name()
	if a.ActivityName != "" {
		text = fmt.Sprintf("%q, %s", a.ActivityName, text)
	}
	if !a.ActivityType.Known() {
		text += " (a type we do not know, kept)"
	}
	if a.DistanceInMeters != nil {
		text += fmt.Sprintf(", %.1f km", *a.DistanceInMeters/1000)
	}
	text += fmt.Sprintf(" in %s, %s local time", types.Duration(a), types.LocalStart(a).Format("2006-01-02 15:04"))
	switch {
	case a.IsParent:
		text += ", the parent"
	case a.ParentSummaryID != "":
		text += ", part of " + string(a.ParentSummaryID)
	}
	return text
}
