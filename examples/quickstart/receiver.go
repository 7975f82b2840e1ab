package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/service"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/spool"
)

// receiver is the part of an integration that every partner has: an endpoint
// that stores what comes, and a processor that works through it.
type receiver struct {
	*service.Service
	spool notify.Queue
	files string
	done  chan error
	stop  context.CancelFunc
}

// newReceiver returns a receiver that keeps its data below dir, and keeps tokens
// alive if there are any. Data of users who are unknown after grace becomes a
// dead letter.
func newReceiver(dir string, users notify.Resolver, p *partner, grace time.Duration, tokens *auth.Users) (*receiver, error) {
	r := &receiver{files: filepath.Join(dir, "files"), done: make(chan error, 1)}
	if err := os.MkdirAll(r.files, 0o700); err != nil {
		return nil, err
	}
	var err error
	if r.spool, err = spool.Open(filepath.Join(dir, "inbox"), nil); err != nil {
		return nil, err
	}
	// Garmin gets its 200 when the body is in the spool, and not before.
	opts := &service.Options{
		Processor: &notify.ProcessorOptions{
			Files:            &notify.Files{Dir: r.files},
			UnknownUserGrace: grace,
			Observe:          p.observe,
		},
		ReadyDelay: -1, // nothing else sends to this process
	}
	if tokens != nil {
		opts.Tokens = tokens
	}
	r.Service, err = service.New(r.spool, users, p.callbacks(), opts)
	if err != nil {
		return nil, errors.Join(err, r.spool.Close())
	}
	return r, nil
}

// start works until Close.
func (r *receiver) start() {
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	go func() { r.done <- r.Run(ctx) }()
}

// read returns the bytes of a downloaded file.
func (r *receiver) read(f *notify.File) ([]byte, error) {
	if f == nil {
		return nil, fs.ErrNotExist
	}
	return os.ReadFile(f.Path)
}

// idle reports whether nothing waits in the spool.
func (r *receiver) idle(ctx context.Context) (bool, error) {
	st, err := r.spool.Stats(ctx)
	left := st.Bodies
	for _, n := range st.Items {
		left += n
	}
	return left == 0, err
}

// letters returns what the dead letters hold.
func (r *receiver) letters(ctx context.Context) (all [][]byte, err error) {
	for letter, err := range r.spool.Letters(ctx, nil) {
		if err != nil {
			return nil, err
		}
		body, err := r.open(ctx, letter.ID)
		if err != nil {
			return nil, err
		}
		all = append(all, body)
	}
	return all, nil
}

func (r *receiver) open(ctx context.Context, letter string) ([]byte, error) {
	body, err := r.spool.OpenLetter(ctx, letter)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(body)
}

// Close lets running work end.
func (r *receiver) Close() error {
	r.stop()
	return <-r.done
}
