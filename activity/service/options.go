package service

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"time"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/drift"
)

// Options are the optional parts and settings of a [Service]. Nil means none of
// the parts, and the defaults.
type Options struct {
	// Handler and Processor are the settings of [notify.NewHandler] and
	// [notify.NewProcessor].
	Handler   *notify.HandlerOptions
	Processor *notify.ProcessorOptions

	// Tokens are kept alive while the service runs, as KeepAlive says, and
	// closed after all that uses them has ended. Nil means that there are none.
	Tokens    Tokens
	KeepAlive *auth.KeepAliveOptions

	// History is fetched while the service runs. Nil means none.
	History *History

	// Silence says whose data has stopped. Nil means that nobody asks.
	Silence *Silence

	// Drift counts what Garmin sends and this version does not know. Give its
	// UnknownKey to [activity.Options] too, and it hears of what is pulled. Nil
	// means that nobody counts.
	Drift *drift.Report

	// Close are closed last, in this order: a ledger, a database. The queue is
	// closed before them if it has a Close method. It does no harm to close any
	// of them again.
	Close []io.Closer

	// ReadyDelay is how long the intake goes on after the service has said that
	// it is not ready, so that a load balancer sends nothing more. Zero means
	// three seconds, less than zero none.
	ReadyDelay time.Duration
	// StopTimeout is how long it may take to stop. It must be longer than
	// ReadyDelay and ProcessorOptions.DrainTimeout together. Zero means 25
	// seconds: Kubernetes kills after 30.
	StopTimeout time.Duration

	// CheckEvery is how old what Ready and Live tell may be: the queue and the
	// processor are looked at when somebody asks, and no more often than this.
	// Zero means two seconds.
	CheckEvery time.Duration
	// MaxHung is how many attempts may go on though their time is over, before
	// the service is not alive: only a restart ends them. Zero means 16.
	MaxHung int
	// MaxAge, if not zero, makes a service not ready while the oldest item in the
	// queue is older. Without it the age is told and judges nothing: a full queue
	// takes bodies as well as an empty one.
	MaxAge time.Duration

	// TLSConfig makes the server speak TLS, with the certificates in it.
	TLSConfig *tls.Config

	// Logger is told of starts, stops and failures. It is also that of the
	// handler and the processor unless they have one. Nil means silence.
	Logger *slog.Logger
}

// Tokens is what a service needs of [*auth.Users].
type Tokens interface {
	// KeepAlive works until ctx ends.
	KeepAlive(ctx context.Context, opts *auth.KeepAliveOptions) error
	// Close waits for what is under way. Nothing uses the tokens any more.
	Close() error
}

var _ Tokens = (*auth.Users)(nil)

// History is the part that asks Garmin for what was before users connected.
//
// A pass asks for what is missing of all Users. There is one when the service
// starts, after [Service.FetchHistory], and each time that Every has passed. A
// pass that fails is repeated after a minute, and later ones of a row after up to
// an hour.
type History struct {
	Runner *backfill.Runner
	// Users yields all whose history is wanted, anew for each pass. What the
	// ledger has is not asked for again.
	Users func(ctx context.Context) iter.Seq2[*backfill.User, error]
	// Every is the time between two passes. Zero means six hours.
	Every time.Duration
	// Progress, if not nil, is told of each step.
	Progress func(*backfill.Progress)
}

func (o *Options) withDefaults() (Options, error) {
	var d Options
	if o != nil {
		d = *o
	}
	orDefault(&d.ReadyDelay, 3*time.Second)
	d.ReadyDelay = max(d.ReadyDelay, 0)
	orDefault(&d.StopTimeout, 25*time.Second)
	orDefault(&d.CheckEvery, 2*time.Second)
	orDefault(&d.MaxHung, 16)
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if err := d.Handler.Check(); err != nil {
		return d, err
	}
	var handler notify.HandlerOptions
	if d.Handler != nil {
		handler = *d.Handler
	}
	var processor notify.ProcessorOptions
	if d.Processor != nil {
		processor = *d.Processor
	}
	if handler.Logger == nil {
		handler.Logger = d.Logger
	}
	if processor.Logger == nil {
		processor.Logger = d.Logger
	}
	orDefault(&processor.DrainTimeout, 10*time.Second)
	d.Handler, d.Processor = &handler, &processor
	switch drain := max(processor.DrainTimeout, 0); {
	case d.StopTimeout <= d.ReadyDelay+drain:
		return d, fmt.Errorf("service: Options.StopTimeout is %v, want more than ReadyDelay (%v) and DrainTimeout (%v)", d.StopTimeout, d.ReadyDelay, drain)
	case d.CheckEvery < 0 || d.MaxHung < 0 || d.MaxAge < 0:
		return d, errors.New("service: Options: CheckEvery, MaxHung or MaxAge is negative")
	}
	if d.Silence != nil && d.Silence.Detector == nil {
		return d, errors.New("service: Options.Silence without Detector")
	}
	if h := d.History; h != nil {
		clone := *h
		orDefault(&clone.Every, 6*time.Hour)
		if clone.Runner == nil || clone.Users == nil || clone.Every < 0 {
			return d, errors.New("service: Options.History without Runner or Users, or with a negative Every")
		}
		d.History = &clone
	}
	return d, nil
}

func orDefault[T int | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}
