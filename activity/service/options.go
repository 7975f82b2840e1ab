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
	"github.com/garminkit/activityapi/activity/service/personal"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/drift"
)

// Options are the optional parts and settings of a [Service]. Nil means no
// optional parts, and the defaults.
type Options struct {
	// Handler and Processor are the settings of [notify.NewHandler] and
	// [notify.NewProcessor].
	Handler   *notify.HandlerOptions
	Processor *notify.ProcessorOptions

	// Tokens is normally an [*auth.Users]. While the service runs it calls
	// KeepAlive, with the options below, and it calls Close after everything that
	// uses tokens has ended. Nil means that there are no tokens.
	Tokens interface {
		KeepAlive(ctx context.Context, opts *auth.KeepAliveOptions) error
		Close() error
	}
	KeepAlive *auth.KeepAliveOptions

	// History is fetched while the service runs. Nil means none.
	History *History

	// Silence reports whose data has stopped. Nil means none.
	Silence *Silence

	// Drift counts what Garmin sends and this version does not know. To include
	// what is pulled, set UnknownKey of [activity.Options] to its UnknownKey too.
	// When the service stops, it logs the report unless it is empty. Nil means that
	// nothing is counted.
	Drift *drift.Report

	// Personal has further stores for [Service.Erase] and [Service.Export], besides
	// the queue, the directory of files and Silence, which the service knows. Nil
	// means that there are none.
	//
	// A user's files cannot be found if Files.Name makes names of your own, unless your
	// own Files.Store finds them, or if Files.Store is no [notify.Eraser]. Put an Eraser
	// for them into Others, under "file store". Without one, no receipt is complete, and
	// no manifest.
	Personal *personal.Stores

	// Close lists what to close last, in this order, such as a ledger or a
	// database. The queue is closed before. Each must allow to be closed more
	// than once.
	Close []io.Closer

	// ReadyDelay is how long the intake continues after the service has become
	// not ready, so that a load balancer stops sending to it. Zero means three
	// seconds, a negative value none.
	ReadyDelay time.Duration
	// StopTimeout is how long stopping may take. It must be longer than
	// ReadyDelay and ProcessorOptions.DrainTimeout together. Zero means 25
	// seconds: Kubernetes kills after 30.
	StopTimeout time.Duration

	// CheckEvery is how old an answer of Ready and Live may be: a request checks
	// the queue and the processor, unless they were checked within this time.
	// Zero means two seconds.
	CheckEvery time.Duration
	// MaxHung is how many callbacks may hang before Live answers 503. A callback
	// hangs if it continues after the time of its attempt is over; only a restart
	// ends it. Zero means 16.
	MaxHung int
	// MaxAge, if not zero, makes Ready answer 503 while the oldest item in the
	// queue is older than this. It is normally zero, since a queue with old items
	// takes new bodies as well as an empty one.
	MaxAge time.Duration

	// TLSConfig, if not nil, makes the server use TLS with its certificates.
	TLSConfig *tls.Config

	// Logger is told of starts, stops and failures. The handler and the processor
	// use it too, unless they have their own. Nil is silent.
	Logger *slog.Logger
}

// History is the part that requests data from before users connected.
//
// A pass requests what is missing for all Users. There is one at the start of the
// service, after [Service.FetchHistory], and each time that Every has passed. A
// failed pass is repeated after a minute; the wait grows to an hour with each
// failure in a row.
type History struct {
	Runner *backfill.Runner
	// Users yields all users whose history is wanted, again for each pass. What
	// is settled in the ledger is not requested again.
	Users func(ctx context.Context) iter.Seq2[*backfill.User, error]
	// Every is the time between two passes. Zero means six hours.
	Every time.Duration
	// Progress, if not nil, is called with each step.
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
