package main

import (
	"context"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/spool"
)

// receiver is the part of an integration that every partner has: an endpoint
// that stores what comes, and a processor that works through it.
type receiver struct {
	Handler http.Handler
	spool   *spool.Spool
	files   string
	done    chan error
	stop    context.CancelFunc
}

// newReceiver starts a receiver that keeps its data below dir. Data of users
// who are unknown after grace becomes a dead letter.
func newReceiver(dir string, users notify.Resolver, p *partner, grace time.Duration) (*receiver, error) {
	r := &receiver{files: filepath.Join(dir, "files"), done: make(chan error, 1)}
	if err := os.MkdirAll(r.files, 0o700); err != nil {
		return nil, err
	}
	var err error
	if r.spool, err = spool.Open(filepath.Join(dir, "inbox"), nil); err != nil {
		return nil, err
	}
	// Garmin gets its 200 when the body is in the spool, and not before.
	r.Handler = notify.NewHandler(r.spool, nil)

	processor, err := notify.NewProcessor(r.spool, users, p.callbacks(), &notify.ProcessorOptions{
		Files:            &notify.Files{Dir: r.files},
		UnknownUserGrace: grace,
		Observe:          p.observe,
	})
	if err != nil {
		_ = r.spool.Close()
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	go func() { r.done <- processor.Run(ctx) }()
	return r, nil
}

// read returns the bytes of a downloaded file.
func (r *receiver) read(f *notify.File) ([]byte, error) {
	if f == nil {
		return nil, fs.ErrNotExist
	}
	return os.ReadFile(f.Path)
}

// Close lets running work end.
func (r *receiver) Close() error {
	r.stop()
	err := <-r.done
	if e := r.spool.Close(); err == nil {
		err = e
	}
	return err
}
