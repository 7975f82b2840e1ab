package notify

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/garminkit/activityapi/types"
)

// file downloads what a file ping announces and tells every user.
func (a *attempt) file(users []User, ping *FilePing) error {
	if a.files == nil {
		return Permanent(errors.New("notify: a file was announced and ProcessorOptions.Files is nil"))
	}
	a.many = true
	var f *File
	var done bool
	err := fmt.Errorf("notify: no user of %q has a client to download with", ping.File.UserID)
	for _, u := range users {
		if u.Client == nil {
			continue
		}
		if f, done, err = a.files.fetch(a.ctx, u.Client, &ping.File); err == nil || !blamesUser(err) {
			break
		}
	}
	if err != nil || done {
		return err
	}
	a.answered = true
	if a.call.File != nil {
		var rev revision
		_, _ = hex.Decode(rev[:], []byte(f.SHA256))
		var errs worstOf
		for _, u := range users {
			d := newDelivery(a.it, u, types.KindActivityFiles, ping.File.SummaryID, rev)
			d.Pulled = true
			errs.add(a.deliver(d, func(d *Delivery) error { return a.call.File(a.ctx, d, f) }))
		}
		if errs.err != nil {
			return errs.err
		}
	}
	return a.files.finish(a.ctx, &ping.File, f)
}
