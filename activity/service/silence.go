package service

import (
	"context"
	"time"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/silence"
)

// Silence is the part that reports whose data has stopped. The service tells the
// detector of arriving data, and asks it every minute. A panic of Found, or a
// file that cannot be written, is logged, and the service continues.
type Silence struct {
	// Detector is required. It normally comes from [silence.Load] with Path.
	Detector *silence.Detector
	// Found, if not nil, is called with each new silence. Logger is told of it
	// too.
	Found func(silence.Silence)
	// Path, if not "", is the file to which the detector is saved, every ten
	// minutes and when the service stops.
	Path string
}

const (
	silenceEvery = time.Minute
	silenceSave  = 10 // of these
)

// listen lets the detector hear of all that the processor does.
func (w *Silence) listen(calls notify.Callbacks, opts *notify.ProcessorOptions) notify.Callbacks {
	observe := opts.Observe
	opts.Observe = func(o notify.Outcome) {
		w.Detector.Observe(o)
		if observe != nil {
			observe(o)
		}
	}
	return w.Detector.Wrap(calls)
}

// watchSilence asks until ctx ends.
func (s *Service) watchSilence(ctx context.Context) error {
	w, log := s.opts.Silence, s.opts.Logger
	save := func() {
		if w.Path == "" {
			return
		}
		if err := w.Detector.Save(w.Path); err != nil {
			log.ErrorContext(ctx, "service: what is known of silences was not saved", "err", err)
		}
	}
	defer save()
	t := time.NewTicker(silenceEvery)
	defer t.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case now := <-t.C:
			for _, found := range w.Detector.Check(now) {
				log.WarnContext(ctx, "service: data has stopped", "silence", found, "text", found.String())
				if w.Found == nil {
					continue
				}
				// A panic is in the log.
				_ = guard(log, "silence", func() error { w.Found(found); return nil })
			}
		}
		if n%silenceSave == 0 {
			save()
		}
	}
}
