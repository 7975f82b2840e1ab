package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/garminkit/activityapi/internal/adminapi"
	"github.com/garminkit/activityapi/types"
)

// lateAfter is the age at which a waiting item causes a warning. A file is lost after 24
// hours.
const lateAfter = 6 * time.Hour

// service reads the figures of a running service. If it does not answer, service
// returns why.
func (c *doctorCommand) service(ctx context.Context, d *diagnosis) error {
	const check = "service"
	if c.Admin == "" {
		d.skip(check, "no -admin")
		return nil
	}
	var o adminapi.Overview
	p, err := openPanel(c.Admin)
	if err == nil {
		err = p.get(ctx, "overview", nil, &o)
	}
	if err != nil {
		d.add(check, fault, "the admin API does not answer: "+err.Error(), "see whether the service runs, and where it serves the API")
		return err
	}
	d.ok(check, "the admin API answers")
	c.figures(d, &o)
	var parked adminapi.Parked
	err = p.get(ctx, "parked", nil, &parked)
	if r, ok := errors.AsType[*refusal](err); ok && r.status == http.StatusNotImplemented {
		return nil // there is no processor beside it
	}
	if err != nil {
		d.add(check, fault, "the admin API does not tell whose token is refused: "+err.Error(), "look at the log of the service")
	}
	if parked.Total > 0 {
		ids := make([]types.UserID, 0, len(parked.Users))
		for _, u := range parked.Users {
			ids = append(ids, u.User)
		}
		d.add(check, fault, fmt.Sprintf("Garmin refuses the token of %d users: %s", parked.Total, some(ids)), "ask them to connect again; garminctl tokens -admin says why")
	}
	return nil
}

// figures checks what a service is waiting for.
func (c *doctorCommand) figures(d *diagnosis, o *adminapi.Overview) {
	const check = "service"
	if o.Outage != "" {
		since := (time.Duration(o.OutageSeconds) * time.Second).String()
		do := "look at the network of the service, and at the other lines"
		if o.Outage == types.FaultApplication {
			do = "the client id or secret of the service is refused: compare them with the portal"
		}
		d.add(check, fault, fmt.Sprintf("no call to Garmin has succeeded for %s (%s)", since, o.Outage), do)
	}
	hung := 0
	for _, k := range o.Classes {
		hung += k.Hung
		if age := (time.Duration(k.OldestSeconds) * time.Second); age > lateAfter {
			d.add(check, warning, fmt.Sprintf("the oldest %s waits for %s", k.Class, age), "see garminctl tail -figures; files are lost after 24 hours, pings after 7 days")
		}
	}
	if hung > 0 {
		d.add(check, fault, fmt.Sprintf("%d attempts hang: their callbacks do not heed their context", hung), "start the service again, and see that callbacks end when ctx does")
	}
	if o.Letters > 0 {
		d.add(check, warning, fmt.Sprintf("%d dead letters wait for somebody", o.Letters), "garminctl letters list says why; redrive them after a fix")
	}
}
