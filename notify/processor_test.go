package notify_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// rig is a processor with everything around it in memory.
type rig struct {
	t     *testing.T
	queue notify.Queue
	users func(ctx context.Context, userID types.UserID) ([]notify.User, error)
	calls notify.Callbacks
	opts  notify.ProcessorOptions

	mu       sync.Mutex
	saved    []string // "user kind summary", in order
	keys     []string
	files    []*notify.File
	events   []string // deregistrations and permission changes
	outcomes []notify.Outcome
	stop     context.CancelFunc
	ended    chan error
}

// newRig resolves every user to one of the same id with the given client.
func newRig(t *testing.T, client notify.Client) *rig {
	r := &rig{t: t, queue: memqueue.NewMemory()}
	r.users = func(_ context.Context, id types.UserID) ([]notify.User, error) {
		return []notify.User{{ID: "local-" + string(id), Client: client}}, nil
	}
	r.calls = notify.Callbacks{
		Save: func(_ context.Context, d *notify.Delivery, s types.Summary) error {
			r.record(d, s)
			return nil
		},
		File: func(_ context.Context, d *notify.Delivery, f *notify.File) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.files = append(r.files, f)
			return nil
		},
		Deregistration: func(_ context.Context, d *notify.Delivery, e *notify.Deregistration) error {
			r.event("deregistration " + d.User.ID)
			return nil
		},
		PermissionChange: func(_ context.Context, d *notify.Delivery, e *notify.PermissionChange) error {
			r.event(fmt.Sprint("permissions ", d.User.ID, " ", e.Permissions))
			return nil
		},
	}
	r.opts.Observe = func(o notify.Outcome) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.outcomes = append(r.outcomes, o)
	}
	return r
}

func (r *rig) record(d *notify.Delivery, s types.Summary) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.saved = append(r.saved, fmt.Sprintf("%s %s %s", d.User.ID, s.Kind(), s.ID()))
	r.keys = append(r.keys, d.Key)
}

func (r *rig) event(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, s)
}

func (r *rig) put(bodies ...string) {
	r.t.Helper()
	for _, b := range bodies {
		require.NoError(r.t, r.queue.Put(r.t.Context(), strings.NewReader(b)))
	}
}

func (r *rig) start() {
	r.t.Helper()
	if r.opts.Files == nil {
		r.calls.File = nil
	}
	p, err := notify.NewProcessor(r.queue, r.users, r.calls, &r.opts)
	require.NoError(r.t, err)
	ctx, cancel := context.WithCancel(r.t.Context())
	r.stop, r.ended = cancel, make(chan error, 1)
	go func() { r.ended <- p.Run(ctx) }()
}

// got returns what was saved so far.
func (r *rig) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.saved)
}

func (r *rig) sorted() []string {
	s := r.got()
	slices.Sort(s)
	return s
}

// told returns the deregistrations and permission changes so far.
func (r *rig) told() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// finish ends the run and waits for it.
func (r *rig) finish() {
	r.t.Helper()
	r.stop()
	require.NoError(r.t, <-r.ended)
}

// letter is a dead letter with its bytes.
type letter struct {
	*notify.DeadLetter
	body string
}

// raw is the item alone.
func (l *letter) raw() string {
	return strings.TrimSuffix(strings.TrimPrefix(l.body, `{"`+l.Key+`":[`), "]}")
}

func (r *rig) letters() []*letter {
	r.t.Helper()
	var all []*letter
	for l, err := range r.queue.Letters(r.t.Context(), nil) {
		require.NoError(r.t, err)
		in, err := r.queue.OpenLetter(r.t.Context(), l.ID)
		require.NoError(r.t, err)
		body, err := io.ReadAll(in)
		require.NoError(r.t, err)
		require.NoError(r.t, in.Close())
		all = append(all, &letter{l, string(body)})
	}
	return all
}

func (r *rig) left() int { return r.queue.(*memqueue.Memory).Len() }

// count returns how often a result was observed.
func (r *rig) count(result notify.Result) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range r.outcomes {
		if o.Result == result {
			n++
		}
	}
	return n
}

// garmin is a client whose answers are functions.
type garmin struct {
	follow   func(ctx context.Context, kind types.Kind, url types.Secret) iter.Seq2[types.Summary, error]
	download func(ctx context.Context, url types.Secret) (io.ReadCloser, error)
}

func (g garmin) Follow(ctx context.Context, kind types.Kind, url types.Secret) iter.Seq2[types.Summary, error] {
	return g.follow(ctx, kind, url)
}

func (g garmin) Download(ctx context.Context, url types.Secret) (io.ReadCloser, error) {
	return g.download(ctx, url)
}

// yields is a follower of fixed answers.
func yields(err error, all ...types.Summary) iter.Seq2[types.Summary, error] {
	return func(yield func(types.Summary, error) bool) {
		for _, s := range all {
			if !yield(s, nil) {
				return
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// statusError is a server's answer, as package activity reports it.
type statusError struct {
	status int
	after  time.Duration
}

func (e *statusError) Error() string             { return fmt.Sprintf("garmin: status %d", e.status) }
func (e *statusError) RetryAfter() time.Duration { return e.after }
func (e *statusError) Fault() types.Fault {
	switch {
	case e.status == 401 || e.status == 403 || e.status == 412:
		return types.FaultUser
	case e.status == 429 || e.status >= 500:
		return types.FaultGarmin
	}
	return types.FaultItem
}

func push(user, id string) string {
	return fmt.Sprintf(`{"activities":[{"userId":%q,"summaryId":%q,"startTimeInSeconds":1700000000,"startTimeOffsetInSeconds":0,"durationInSeconds":60}]}`, user, id)
}

func ping(user, url string) string {
	return fmt.Sprintf(`{"activities":[{"userId":%q,"callbackURL":%q}]}`, user, url)
}

func filePing(user, id, url string) string {
	return fmt.Sprintf(`{"activityFiles":[{"userId":%q,"summaryId":%q,"fileType":"TCX","callbackURL":%q}]}`, user, id, url)
}

const tcx = `<?xml version="1.0"?><TrainingCenterDatabase><Activities/></TrainingCenterDatabase>`

const callback = "https://apis.garmin.com/wellness-api/rest/activities?token=SECRET-CANARY-1"

func TestProcessorDeliversEveryKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, garmin{
			follow: func(_ context.Context, kind types.Kind, url types.Secret) iter.Seq2[types.Summary, error] {
				require.Equal(t, types.KindActivities, kind)
				require.Equal(t, callback, string(url))
				return yields(nil, &types.Activity{SummaryID: "pulled"})
			},
			download: func(_ context.Context, url types.Secret) (io.ReadCloser, error) {
				return io.NopCloser(strings.NewReader(tcx)), nil
			},
		})
		r.opts.Files = &notify.Files{Dir: t.TempDir()}
		save := r.calls.Save
		r.calls.Save = func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
			require.Equal(t, s.ID() == "pulled", d.Pulled)
			return save(ctx, d, s)
		}
		r.start()
		r.put(
			`{"activities":[{"userId":"u","summaryId":"1"}],
			  "manuallyUpdatedActivities":[{"userId":"u","summaryId":"2"}],
			  "activityDetails":[{"userId":"u","summaryId":"3-detail","summary":{}}],
			  "moveIQActivities":[{"userId":"u","summaryId":"4"}]}`,
			ping("u", callback),
			filePing("u", "5-file", "https://apis.garmin.com/wellness-api/rest/activityFile?id=5&token=x"),
			`{"userPermissionsChange":[{"userId":"u","permissions":["ACTIVITY_EXPORT"],"changeTimeInSeconds":1700000000}],
			  "deregistrations":[{"userId":"u"}]}`,
			`{"sleeps":[{"userId":"u"}]}`,
			`not json`,
		)
		synctest.Wait()
		r.finish()
		require.Equal(t, []string{
			"local-u activities 1", "local-u manuallyUpdatedActivities 2",
			"local-u activityDetails 3-detail", "local-u moveIQActivities 4", "local-u activities pulled",
		}, r.got())
		require.Len(t, r.files, 1)
		require.Equal(t, []string{"permissions local-u [ACTIVITY_EXPORT]", "deregistration local-u"}, r.told())
		require.Equal(t, 0, r.left())
		letters := r.letters()
		require.Len(t, letters, 2)
		slices.SortFunc(letters, func(a, b *letter) int { return strings.Compare(b.Key, a.Key) })
		require.True(t, letters[0].Quarantined)
		require.Equal(t, "sleeps", letters[0].Key)
		require.Equal(t, `{"userId":"u"}`, letters[0].raw())
		require.Equal(t, "not json", letters[1].raw())
		require.Equal(t, 8, r.count(notify.ResultDone))
	})
}

func TestNewProcessorRefuses(t *testing.T) {
	good := newRig(t, nil)
	none := good.users
	for name, c := range map[string]struct {
		queue notify.Queue
		users notify.Resolver
		spoil func(*notify.Callbacks, *notify.ProcessorOptions)
	}{
		"resolver":       {queue: good.queue},
		"save":           {good.queue, none, func(c *notify.Callbacks, _ *notify.ProcessorOptions) { c.Save = nil }},
		"deregistration": {good.queue, none, func(c *notify.Callbacks, _ *notify.ProcessorOptions) { c.Deregistration = nil }},
		"permissions":    {good.queue, none, func(c *notify.Callbacks, _ *notify.ProcessorOptions) { c.PermissionChange = nil }},
		"workers":        {good.queue, none, func(_ *notify.Callbacks, o *notify.ProcessorOptions) { o.Workers = -1 }},
		"retry range": {good.queue, none, func(_ *notify.Callbacks, o *notify.ProcessorOptions) {
			o.RetryMin, o.RetryMax = time.Hour, time.Minute
		}},
		"file without files": {good.queue, none, nil},
		"files": {good.queue, none, func(_ *notify.Callbacks, o *notify.ProcessorOptions) {
			o.Files = &notify.Files{Dir: "/does/not/exist"}
		}},
		"files without claims": {claimsQueue{good.queue, nil}, none, func(_ *notify.Callbacks, o *notify.ProcessorOptions) {
			o.Files = &notify.Files{Dir: t.TempDir()}
		}},
		"files without a queue": {nil, none, func(_ *notify.Callbacks, o *notify.ProcessorOptions) {
			o.Files = &notify.Files{Dir: t.TempDir()}
		}},
		"claims beside those of the queue": {good.queue, none, func(_ *notify.Callbacks, o *notify.ProcessorOptions) {
			o.Files = &notify.Files{Dir: t.TempDir(), Claims: memqueue.NewClaims()}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			calls, opts := good.calls, notify.ProcessorOptions{}
			if name != "file without files" {
				calls.File = nil
			}
			if c.spoil != nil {
				c.spoil(&calls, &opts)
			}
			_, err := notify.NewProcessor(c.queue, c.users, calls, &opts)
			require.Error(t, err)
		})
	}
}

// TestAccountEventsAreRetried: an event of the account whose callback fails is
// told again.
func TestAccountEventsAreRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		calls := map[string]int{}
		fail := func(what string) error {
			if calls[what]++; calls[what] == 1 {
				return errBoom
			}
			return nil
		}
		r.calls.Deregistration = func(context.Context, *notify.Delivery, *notify.Deregistration) error { return fail("deregistration") }
		r.calls.PermissionChange = func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return fail("permissions") }
		r.put(`{"userPermissionsChange":[{"userId":"u","permissions":[],"changeTimeInSeconds":1700000000}]}`)
		r.start()
		time.Sleep(time.Hour)
		r.put(`{"deregistrations":[{"userId":"u"}]}`)
		time.Sleep(time.Hour)
		r.finish()
		require.Equal(t, map[string]int{"deregistration": 2, "permissions": 2}, calls)
		require.Zero(t, r.left())
	})
}

// TestCallbackKnowsNoUser: only the Resolver says that nobody has a user. A callback
// that returns such an error, of a look-up of its own, has failed.
func TestCallbackKnowsNoUser(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		calls := map[string]int{}
		fails := func(what string) error {
			if calls[what]++; calls[what] < 10 {
				return fmt.Errorf("look-up: %w", notify.ErrUnknownUser)
			}
			return nil
		}
		r.calls.Save = func(context.Context, *notify.Delivery, types.Summary) error { return fails("save") }
		r.calls.Deregistration = func(context.Context, *notify.Delivery, *notify.Deregistration) error { return fails("deregistration") }
		r.start()
		r.put(push("u", "1"), `{"deregistrations":[{"userId":"v"}]}`)
		pass(24 * time.Hour)
		r.finish()
		require.Equal(t, map[string]int{"save": 10, "deregistration": 10}, calls)
		require.Zero(t, r.count(notify.ResultUnknownUser))
		require.Empty(t, r.letters())
	})
}

// TestRevisionOfPush: of a pushed item its own bytes count, in a body of any
// size, and a letter's reason has a bound.
func TestRevisionOfPush(t *testing.T) {
	for _, size := range []int{0, 2 << 20} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, nil)
			item := `{"userId":"u", "summaryId":"1"}`
			var got []string
			r.calls.Save = func(_ context.Context, d *notify.Delivery, _ types.Summary) error {
				got = append(got, d.Revision)
				return notify.Permanent(errors.New(strings.Repeat("long ", 1000)))
			}
			r.put(`{"activities":[` + item + strings.Repeat(" ", size) + `]}`)
			r.start()
			synctest.Wait()
			r.finish()
			require.Equal(t, []string{fmt.Sprintf("%x", sha256.Sum256([]byte(item)))}, got)
			require.Len(t, r.letters(), 1)
			require.Equal(t, item, r.letters()[0].raw())
			require.Len(t, r.letters()[0].Reason, 1024)
		})
	}
}

// TestPullBySeveralUsers: the first user whose token is good pulls, once, and
// all are told.
func TestPullBySeveralUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		var pulls []string
		client := func(name string, err error) notify.Client {
			return garmin{follow: func(context.Context, types.Kind, types.Secret) iter.Seq2[types.Summary, error] {
				pulls = append(pulls, name)
				if err != nil {
					return yields(err)
				}
				return yields(nil, &types.Activity{SummaryID: "1"})
			}}
		}
		r.users = func(context.Context, types.UserID) ([]notify.User, error) {
			return []notify.User{
				{ID: "without"}, {ID: "refused", Client: client("refused", &statusError{status: 401})},
				{ID: "good", Client: client("good", nil)}, {ID: "good too", Client: client("good too", nil)},
			}, nil
		}
		r.put(ping("u", callback))
		r.start()
		synctest.Wait()
		r.finish()
		require.Equal(t, []string{"refused", "good"}, pulls)
		require.Equal(t, []string{
			"good activities 1", "good too activities 1", "refused activities 1", "without activities 1",
		}, r.sorted())
		require.Zero(t, r.left())
	})
}

// TestRevisionOfPull: of a pulled summary the bytes count that Garmin sent, if
// the client kept them.
func TestRevisionOfPull(t *testing.T) {
	const raw = `{"summaryId":"1","new":"unknown to us"}`
	for kind, s := range map[types.Kind]types.Summary{
		types.KindActivities:       &types.Activity{SummaryID: "1", Raw: []byte(raw)},
		types.KindManualActivities: &types.ManualActivity{SummaryID: "1", Raw: []byte(raw)},
		types.KindActivityDetails:  &types.ActivityDetails{SummaryID: "1", Raw: []byte(raw)},
		types.KindMoveIQ:           &types.MoveIQ{SummaryID: "1", Raw: []byte(raw)},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, garmin{follow: func(context.Context, types.Kind, types.Secret) iter.Seq2[types.Summary, error] {
				return yields(nil, s)
			}})
			var got []string
			r.calls.Save = func(_ context.Context, d *notify.Delivery, _ types.Summary) error {
				got = append(got, d.Revision)
				return nil
			}
			r.put(fmt.Sprintf(`{%q:[{"userId":"u","callbackURL":%q}]}`, kind, callback))
			r.start()
			synctest.Wait()
			r.finish()
			require.Equal(t, []string{fmt.Sprintf("%x", sha256.Sum256([]byte(raw)))}, got, kind)
		})
	}
}

func TestProcessorRunsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.calls.File = nil
		p, err := notify.NewProcessor(r.queue, r.users, r.calls, nil)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- p.Run(ctx) }()
		synctest.Wait()
		require.ErrorIs(t, p.Run(ctx), notify.ErrInUse)
		cancel()
		require.NoError(t, <-ended)
		// The same processor may run again.
		again, cancel := context.WithCancel(t.Context())
		cancel()
		require.NoError(t, p.Run(again))
	})
}

// TestRunAfterAHang: the processor may run again when the attempts that hung have
// ended.
func TestRunAfterAHang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.calls.File = nil
		gate := make(chan struct{})
		save := r.calls.Save
		r.calls.Save = func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
			<-gate
			return save(ctx, d, s)
		}
		p, err := notify.NewProcessor(r.queue, r.users, r.calls, nil)
		require.NoError(t, err)
		run := func() (stop func(), ended chan error) {
			ctx, cancel := context.WithCancel(t.Context())
			ended = make(chan error, 1)
			go func() { ended <- p.Run(ctx) }()
			synctest.Wait()
			return cancel, ended
		}
		r.put(push("u", "1"))
		stop, ended := run()
		stop()
		require.ErrorContains(t, <-ended, "1 attempts")
		stop, ended = run()
		stop()
		require.ErrorIs(t, <-ended, notify.ErrInUse)
		close(gate)
		pass(time.Minute)
		stop, ended = run()
		stop()
		require.NoError(t, <-ended)
		require.NotEmpty(t, r.got())
		require.Zero(t, r.left())
	})
}

var errBoom = errors.New("boom")
