package fake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/activitytest/replay"
	"github.com/garminkit/activityapi/notify/recording"
)

// record writes the requests to g to a file, until end is called.
func record(g *activitytest.Server, name string) (end func() error, err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	r, err := recording.New(f, nil)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	g.Use(r.Handler)
	return func() error { return errors.Join(r.Close(), f.Close()) }, nil
}

// resend sends the notifications of a recording.
func resend(ctx context.Context, g *activitytest.Server, o *Options, out io.Writer) error {
	f, err := os.Open(o.Replay)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := replay.Play(ctx, g, f, o.AtOnce); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, "the recording has been sent")
	return err
}
