package notify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// spoilt is an error one of whose methods panics.
type spoilt struct{ method string }

func (e spoilt) at(method string) {
	if e.method == method {
		panic("canary")
	}
}

func (e spoilt) Error() string             { e.at("Error"); return "spoilt" }
func (e spoilt) Is(error) bool             { e.at("Is"); return false }
func (e spoilt) As(any) bool               { e.at("As"); return false }
func (e spoilt) Unwrap() error             { e.at("Unwrap"); return nil }
func (e spoilt) Fault() types.Fault        { e.at("Fault"); return "" }
func (e spoilt) RetryAfter() time.Duration { e.at("RetryAfter"); return 0 }

// pointed is an error that cannot be compared.
type pointed struct{ list []int }

func (pointed) Error() string { return "pointed" }

// clientError is an error as those of a client are: nil is none of its kind, and yet
// no nil error.
type clientError struct{ fault types.Fault }

func (e *clientError) Error() string           { return string(e.fault) }
func (e *clientError) Fault() types.Fault      { return e.fault }
func (*clientError) RetryAfter() time.Duration { return 0 }

// badErrors are what code of the partner's may return.
func badErrors() map[string]error {
	bad := map[string]error{
		"a nil *clientError":        (*clientError)(nil),
		"a nil *types.DecodeError":  (*types.DecodeError)(nil),
		"that cannot be compared":   pointed{[]int{1}},
		"wrapping a nil":            fmt.Errorf("x: %w", (*clientError)(nil)),
		"joined with a spoilt one":  errors.Join(io.EOF, spoilt{"Error"}),
		"with an endless text":      errors.New(string(make([]byte, 1<<20))),
		"that is the end of a body": io.EOF,
	}
	for _, method := range []string{"Error", "Is", "As", "Unwrap", "Fault", "RetryAfter"} {
		bad["whose "+method+" panics"] = spoilt{method}
	}
	return bad
}

// outward is a rig with hooks in its client.
type outward struct {
	*rig
	follow, download, read, close func() error
}

func newOutward(t *testing.T, dir string) *outward {
	nothing := func() error { return nil }
	o := &outward{follow: nothing, download: nothing, read: nothing, close: nothing}
	o.rig = newRig(t, garmin{
		follow: func(context.Context, types.Kind, types.Secret) iter.Seq2[types.Summary, error] {
			return yields(o.follow(), &types.Activity{SummaryID: "pulled"})
		},
		download: func(context.Context, types.Secret) (io.ReadCloser, error) {
			if err := o.download(); err != nil {
				return nil, err
			}
			return &hooked{bytes.NewReader(fit(10)), o}, nil
		},
	})
	o.opts.Files = &notify.Files{Dir: dir}
	o.opts.UnknownKey = func(string) {}
	return o
}

type hooked struct {
	io.Reader
	o *outward
}

func (h *hooked) Read(p []byte) (int, error) {
	if err := h.o.read(); err != nil {
		return 0, err
	}
	return h.Reader.Read(p)
}

func (h *hooked) Close() error { return h.o.close() }

// throwing is a handler for logs that fails.
type throwing struct{ do func() error }

func (throwing) Enabled(context.Context, slog.Level) bool    { return true }
func (h throwing) Handle(context.Context, slog.Record) error { return h.do() }
func (h throwing) WithAttrs([]slog.Attr) slog.Handler        { return h }
func (h throwing) WithGroup(string) slog.Handler             { return h }

// TestProcessorCallsOutward: whatever the partner's code returns or throws, at
// each place where it is called, the process lives, the item is tried again or is a
// letter, and others are delivered.
func TestProcessorCallsOutward(t *testing.T) {
	t.Parallel()
	type fault struct {
		name string
		do   func() error
	}
	faults := []fault{{"panics", func() error { panic("canary") }}}
	for name, err := range badErrors() {
		faults = append(faults, fault{"returns an error " + name, func() error { return err }})
	}
	places := map[string]func(r *outward, do func() error){
		"Resolve": func(r *outward, do func() error) {
			users := r.users
			r.users = func(ctx context.Context, id types.UserID) ([]notify.User, error) {
				if id == "bad" {
					return nil, do()
				}
				return users(ctx, id)
			}
		},
		"Save": func(r *outward, do func() error) {
			save := r.calls.Save
			r.calls.Save = func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
				if d.UserID == "bad" {
					return do()
				}
				return save(ctx, d, s)
			}
		},
		"Deregistration": func(r *outward, do func() error) {
			r.calls.Deregistration = func(context.Context, *notify.Delivery, *notify.Deregistration) error { return do() }
		},
		"PermissionChange": func(r *outward, do func() error) {
			r.calls.PermissionChange = func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return do() }
		},
		"File": func(r *outward, do func() error) {
			r.calls.File = func(context.Context, *notify.Delivery, *notify.File) error { return do() }
		},
		"Follow":   func(r *outward, do func() error) { r.follow = do },
		"Download": func(r *outward, do func() error) { r.download = do },
		"Read":     func(r *outward, do func() error) { r.read = do },
		"Close":    func(r *outward, do func() error) { r.close = do },
		"Name": func(r *outward, do func() error) {
			r.opts.Files.Name = func(*types.ActivityFile) string { do(); return "name.fit" }
		},
		"Sidecar": func(r *outward, do func() error) {
			r.opts.Files.Sidecar = func(*notify.File) ([]byte, error) { return nil, do() }
		},
		"Observe": func(r *outward, do func() error) {
			r.opts.Observe = func(notify.Outcome) { do() }
		},
		"Around": func(r *outward, do func() error) {
			r.opts.Around = func(ctx context.Context, _ *notify.Item) (context.Context, func(error)) {
				do()
				return ctx, nil
			}
		},
		"the end of Around": func(r *outward, do func() error) {
			r.opts.Around = func(ctx context.Context, _ *notify.Item) (context.Context, func(error)) {
				return ctx, func(error) { do() }
			}
		},
		"UnknownKey": func(r *outward, do func() error) {
			r.opts.UnknownKey = func(string) { do() }
		},
		"Logger": func(r *outward, do func() error) { r.opts.Logger = slog.New(throwing{do}) },
	}
	for place, spoil := range places {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			for _, f := range faults {
				dir := t.TempDir()
				synctest.Test(t, func(t *testing.T) {
					r := newOutward(t, dir)
					spoil(r, f.do)
					r.start()
					r.put(push("bad", "1"), ping("bad", "https://x/bad"), fitPing("bad", "7", fileURL),
						`{"deregistrations":[{"userId":"bad"}],"userPermissionsChange":[{"userId":"bad","permissions":["A"],"new":1}]}`, "no JSON")
					r.put(push("good", "1"))
					time.Sleep(time.Minute)
					require.Contains(t, r.got(), "local-good activities 1", "%s %s", place, f.name)
					for _, l := range r.letters() {
						require.NotContains(t, l.Reason, "canary")
						require.LessOrEqual(t, len(l.Reason), 1024)
					}
					r.finish()
				})
			}
		})
	}
}
