package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/garminkit/activityapi/activity/auth"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// Downloads wait for the disk: see "Few processors and a disk" in docs/operation.md.
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(2 * runtime.GOMAXPROCS(0))
	}
	c, err := readConfig(os.Args[1:], os.Getenv)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	if err := run(ctx, c, os.Stdout, slog.New(slog.NewTextHandler(os.Stderr, nil))); err != nil {
		log.Fatal(err)
	}
}

// run serves until ctx ends. It writes the address to out.
func run(ctx context.Context, c *config, out io.Writer, logger *slog.Logger) (err error) {
	l, err := net.Listen("tcp", c.listen)
	if err != nil {
		return fmt.Errorf("-listen: %w", err)
	}
	defer l.Close() //nolint:errcheck // Serve has closed it, or nobody has begun
	c.listen = l.Addr().String()
	var f *fake
	var opts *auth.Options
	if c.fake {
		c.url = "http://" + c.listen
		if c.dir, err = scratch(); err != nil {
			return err
		}
		defer os.RemoveAll(c.dir)
		if f, opts, err = newFake(c); err != nil {
			return err
		}
		defer f.server.Close()
	}
	if c.garmin != "" {
		if opts, err = elsewhere(c.garmin, logger); err != nil {
			return err
		}
		defer opts.Pool.Close() //nolint:errcheck // at the end of the program
	}
	p, err := newPartner(ctx, c, logger, opts)
	if err != nil {
		return err
	}
	if f != nil {
		if err := f.serve(ctx, p, c); err != nil {
			return errors.Join(err, p.close())
		}
		fmt.Fprintf(out, "%s\nFor the operator: %s/operator/, user operator, password %s\n", c.url, c.url, c.operator)
	} else {
		fmt.Fprintln(out, c.url)
	}
	return p.svc.Serve(ctx, l, p.web)
}

// scratch makes a directory for what is not kept: in memory if there is such a
// place, since all that the program keeps waits for the disk.
func scratch() (string, error) {
	if dir, err := os.MkdirTemp("/dev/shm", "partner"); err == nil {
		return dir, nil
	}
	return os.MkdirTemp("", "partner")
}
