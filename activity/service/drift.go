package service

import (
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/drift"
)

// countDrift lets the report hear of all that the processor reads. Whom opts told
// before is told still.
func countDrift(r *drift.Report, calls notify.Callbacks, opts *notify.ProcessorOptions) notify.Callbacks {
	unknown, observe := opts.UnknownKey, opts.Observe
	opts.UnknownKey = func(path string) {
		r.UnknownKey(path)
		if unknown != nil {
			unknown(path)
		}
	}
	opts.Observe = func(o notify.Outcome) {
		r.Observe(o)
		if observe != nil {
			observe(o)
		}
	}
	return r.Wrap(calls)
}
