package silence

import (
	"context"
	"slices"
	"time"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// Wrap returns callbacks that record what they receive, and then call those of c.
func (d *Detector) Wrap(c notify.Callbacks) notify.Callbacks {
	if save := c.Save; save != nil {
		c.Save = func(ctx context.Context, v *notify.Delivery, s types.Summary) error {
			d.Arrived(v.Kind, v.UserID, v.Received)
			return save(ctx, v, s)
		}
	}
	if file := c.File; file != nil {
		c.File = func(ctx context.Context, v *notify.Delivery, f *notify.File) error {
			d.Arrived(types.KindActivityFiles, v.UserID, v.Received)
			return file(ctx, v, f)
		}
	}
	if left := c.Deregistration; left != nil {
		c.Deregistration = func(ctx context.Context, v *notify.Delivery, e *notify.Deregistration) error {
			d.Told(v.UserID, causeLeft)
			return left(ctx, v, e)
		}
	}
	if change := c.PermissionChange; change != nil {
		c.PermissionChange = func(ctx context.Context, v *notify.Delivery, e *notify.PermissionChange) error {
			if e.Permissions != nil {
				d.permitted(v.UserID, slices.Contains(e.Permissions, types.PermissionActivityExport))
			}
			return change(ctx, v, e)
		}
	}
	return c
}

// permitted tells whether the user lets activities go out.
func (d *Detector) permitted(id types.UserID, yes bool) {
	d = d.of(id)
	d.mu.Lock()
	defer d.mu.Unlock()
	u := d.users[id]
	switch {
	case u == nil:
	case !yes:
		u.cause = causePermission
	case u.cause == causePermission:
		u.cause = causeUnknown
	}
}

// Observe records refused tokens, outages, failures of the queue, and files, for
// which there may be no callback. Set it as Observe in [notify.ProcessorOptions].
func (d *Detector) Observe(o notify.Outcome) {
	switch o.Result {
	case notify.ResultParked:
		d.parked(o.UserID)
	case notify.ResultOutage:
		d.Told(types.UserID("").In(o.UserID.App()), causeOutage)
	case notify.ResultStalled, notify.ResultQueueFailed:
		for a := range d.each() {
			a.Told("", causeQueue)
		}
	case notify.ResultResumed, notify.ResultDone:
		own := d.of(o.UserID)
		for a := range d.each() {
			a.works(o.Result, a == own)
		}
		if o.Key == string(types.KindActivityFiles) && o.Result == notify.ResultDone {
			if now := own.looked(); !now.IsZero() {
				d.Arrived(types.KindActivityFiles, o.UserID, now.Add(-o.Age))
			}
		}
	}
}

// looked is when somebody last looked, a moment ago.
func (d *Detector) looked() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

// parked keeps a cause that says more.
func (d *Detector) parked(id types.UserID) {
	d = d.of(id)
	d.mu.Lock()
	defer d.mu.Unlock()
	if u := d.users[id]; u != nil && u.cause == causeUnknown {
		u.cause = causeToken
	}
}

// works takes back what does not hold any more: after an item is done the queue
// moves, but pushes are done in an outage too.
func (d *Detector) works(r notify.Result, own bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cause == causeQueue || d.cause == causeOutage && own && r == notify.ResultResumed {
		d.cause = causeUnknown
	}
}
