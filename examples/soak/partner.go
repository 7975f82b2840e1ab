package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// thing names a record: a summary, a file, or with no id a user's permissions or
// departure.
type thing struct {
	kind types.Kind
	user types.UserID
	id   types.ID
}

// partner is the application, with maps for tables.
type partner struct {
	chaos *chaos

	mu    sync.Mutex
	users map[types.UserID]account // by Garmin user id
	// tables hold each thing, refused the newest version of those that were
	// turned down for good.
	tables  map[thing]row
	refused map[thing]int64
	// came is the least Order under which each version came, in any bytes, and in the
	// same bytes by the same way: a pull may bring a version whose own push comes
	// later, and that push is then something new.
	came  map[version]uint64
	calls map[types.Kind]*calls
}

// row is what the partner has of a thing. newest is the newest version that it
// ever had.
type row struct {
	version, newest int64
	order           uint64
	revision        string
	file            *notify.File
	pulled          bool
}

// version is a thing as it was at some time. The fake may send one in several
// forms; "" stands for any.
type version struct {
	thing
	number   int64
	revision string
	pulled   bool
}

// account is a user, who is not known before a time.
type account struct {
	notify.User
	known time.Time
}

// calls count how callbacks ended that were not made to fail.
type calls struct {
	pushed, pulled                     int
	stored, updated, repeated, refused int
}

func newPartner(c *chaos) *partner {
	p := &partner{chaos: c, calls: map[types.Kind]*calls{}}
	for _, kind := range listKeys() {
		p.calls[kind] = &calls{}
	}
	p.begin()
	return p
}

// begin empties the tables.
func (p *partner) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.users, p.tables, p.refused = map[types.UserID]account{}, map[thing]row{}, map[thing]int64{}
	p.came = map[version]uint64{}
}

func (p *partner) connect(garminID types.UserID, client notify.Client, known time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.users[garminID] = account{notify.User{ID: "partner's " + string(garminID), Client: client}, known}
}

// resolve is the [notify.Resolver].
func (p *partner) resolve(_ context.Context, garminID types.UserID) ([]notify.User, error) {
	if p.chaos.happens("users cannot be looked up", .005) {
		return nil, errChaos
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	a, ok := p.users[garminID]
	if !ok || time.Now().Before(a.known) {
		return nil, notify.ErrUnknownUser
	}
	return []notify.User{a.User}, nil
}

func (p *partner) callbacks() notify.Callbacks {
	return notify.Callbacks{
		Save: func(_ context.Context, d *notify.Delivery, s types.Summary) error {
			return p.take(d, thing{s.Kind(), d.UserID, s.ID()}, numberOf(s), nil)
		},
		File: func(_ context.Context, d *notify.Delivery, f *notify.File) error {
			return p.take(d, thing{d.Kind, d.UserID, f.Announced.SummaryID}, 1, f)
		},
		PermissionChange: func(_ context.Context, d *notify.Delivery, e *notify.PermissionChange) error {
			return p.take(d, thing{d.Kind, d.UserID, ""}, int64(e.ChangeTimeInSeconds), nil)
		},
		Deregistration: p.deregistration,
	}
}

// take stores a version of a thing.
func (p *partner) take(d *notify.Delivery, t thing, number int64, f *notify.File) error {
	if err := p.chaos.callback(); err != nil {
		return err
	}
	if err := p.store(d, t, number, f); err != nil {
		return err
	}
	if p.chaos.happens("a callback fails after its work", .01) {
		return errChaos
	}
	return nil
}

func (p *partner) store(d *notify.Delivery, t thing, number int64, f *notify.File) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.calls[d.Kind]
	if d.Pulled {
		n.pulled++
	} else {
		n.pushed++
	}
	have, had := p.tables[t]
	for _, v := range []version{{t, number, "", false}, {t, number, d.Revision, d.Pulled}} {
		if first, ok := p.came[v]; !ok || d.Order < first {
			p.came[v] = d.Order
		}
	}
	switch {
	case t.kind.Known() && p.chaos.refuses(t):
		n.refused++
		p.refused[t] = max(p.refused[t], number)
		return notify.Permanent(errors.New("the partner does not want it"))
	case !p.replaces(d, have, number):
		n.repeated++
		return nil
	case had:
		n.updated++
	default:
		n.stored++
	}
	p.tables[t] = row{number, max(have.newest, number), d.Order, d.Revision, f, d.Pulled}
	return nil
}

// replaces reports whether to store what was delivered. Permissions tell by
// themselves when they changed.
func (p *partner) replaces(d *notify.Delivery, have row, number int64) bool {
	if d.Kind == types.KindPermissionChanges {
		return number > have.version
	}
	return d.Replaces(have.order, have.revision)
}

// deregistration asks Garmin whether it is true before it deletes the user.
func (p *partner) deregistration(ctx context.Context, d *notify.Delivery, e *notify.Deregistration) error {
	_, err := d.User.Client.(*activity.Client).UserID(ctx)
	if refused, ok := errors.AsType[*activity.Error](err); !ok || refused.Fault() != types.FaultUser {
		return fmt.Errorf("deregistration not confirmed: %w", cmp.Or(err, errors.New("the token is good")))
	}
	if err := p.take(d, thing{types.KindDeregistrations, d.UserID, ""}, 1, nil); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.users, d.UserID)
	return nil
}

// numberOf tells versions of a summary apart: the traffic's edits move the start,
// which no quirk touches.
func numberOf(s types.Summary) int64 { return types.Start(s).Unix() }
