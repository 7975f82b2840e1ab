package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"golang.org/x/oauth2"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/types"
)

const (
	// clientTimeout is how long the client waits for Garmin, deliveryTimeout
	// how long Garmin waits for the receiver.
	clientTimeout   = time.Second
	deliveryTimeout = time.Second
)

// world is the Garmin of one round: its server and its users. It knows what
// must arrive at the partner.
type world struct {
	fake      *activitytest.Server
	pool      *activity.Pool
	transport *http.Transport
	receiver  *receiver
	partner   *partner
	books     *books

	round int
	rand  *rand.Rand
	gen   *activitytest.Generator
	users []*user
	added int

	// want is the last version of everything that was uploaded.
	want  map[thing]int64
	files map[thing][sha256.Size]byte
	gone  map[types.UserID]bool
}

// user is a Garmin user with the latest uploads.
type user struct {
	*activitytest.User
	// known is when the partner knows the user, changed when the permissions
	// changed last.
	known, changed time.Time
	withdrawn      bool
	uploads        []types.Summary
}

// newWorld makes a Garmin that calls itself api.
func newWorld(round int, seed uint64, api string, c *chaos, r *receiver, p *partner, b *books) (*world, error) {
	pool, err := activity.NewPool(&activity.Options{
		BaseURL: api + "/wellness-api/rest", Timeout: clientTimeout,
		MaxRetries: 2, MinBackoff: 20 * time.Millisecond, MaxBackoff: 500 * time.Millisecond,
	})
	if err != nil {
		return nil, err
	}
	w := &world{
		fake: activitytest.NewServer(), pool: pool, transport: c.roughTransport(),
		receiver: r, partner: p, books: b,
		round: round, rand: rand.New(rand.NewPCG(seed, uint64(round))),
		gen:  activitytest.NewGenerator(seed + uint64(round)),
		want: map[thing]int64{}, files: map[thing][sha256.Size]byte{}, gone: map[types.UserID]bool{},
	}
	w.fake.BaseURL = api
	w.fake.DeliveryItems, w.fake.DeliveryTimeout, w.fake.DeliveryFirstRetry = 25, deliveryTimeout, 200*time.Millisecond
	w.fake.DeliveryTransport = recorder{w.transport, b}
	for _, key := range listKeys() {
		w.fake.SetEndpoints(activitytest.Endpoint{URL: r.url(), Enabled: true, Push: w.rand.IntN(2) == 0}, key)
	}
	c.afflict(w.fake)
	return w, nil
}

// Close lets go of the connections.
func (w *world) Close() error {
	w.transport.CloseIdleConnections()
	return w.pool.Close()
}

// recorder writes down what Garmin posts.
type recorder struct {
	http.RoundTripper
	*books
}

func (t recorder) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil { // the sender breaks off in the middle
		r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), brokenReader{}))
	} else {
		t.sent(body)
	}
	return t.RoundTripper.RoundTrip(r)
}

// deliver sends what is due until ctx ends.
func (w *world) deliver(ctx context.Context) {
	for ctx.Err() == nil {
		for _, d := range w.fake.Deliver(ctx) {
			if d.Acknowledged {
				w.books.acknowledged(d.Body)
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// post sends a body once, past the fake.
func (w *world) post(ctx context.Context, body []byte) {
	ctx, cancel := context.WithTimeout(ctx, deliveryTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.receiver.url(), bytes.NewReader(body))
	if err != nil {
		panic(err) // the URL is ours
	}
	res, err := w.fake.DeliveryTransport.RoundTrip(req)
	if err != nil {
		return
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err == nil && res.StatusCode == http.StatusOK {
		w.books.acknowledged(body)
	}
}

func (w *world) switchEndpoint(c *chaos) {
	kind := types.Kinds()[c.pick(len(types.Kinds()))]
	e := w.fake.State().Endpoints[kind]
	e.Push = !e.Push
	w.fake.SetEndpoints(e, kind)
}

// listKeys returns every list key.
func listKeys() []types.Kind {
	return append(types.Kinds(), types.KindDeregistrations, types.KindPermissionChanges)
}

// release makes due what failed and waits to be sent again.
func (w *world) release() {
	for _, key := range listKeys() {
		e := w.fake.State().Endpoints[key]
		e.OnHold = true
		w.fake.SetEndpoints(e, key)
		e.OnHold = false
		w.fake.SetEndpoints(e, key)
	}
}

// live lets people upload, edit and change their minds, until ctx ends.
func (w *world) live(ctx context.Context, rate float64) error {
	for range 20 {
		if err := w.join(0); err != nil {
			return err
		}
	}
	start := time.Now()
	for n := 0; ; n++ {
		due := start.Add(time.Duration(float64(n) / rate * float64(time.Second)))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Until(due)):
		}
		if err := w.step(); err != nil {
			return err
		}
	}
}

// unknownFor is how long the partner does not know some of the new users.
const unknownFor = 500 * time.Millisecond

// join connects a user. The partner knows them after a while.
func (w *world) join(after time.Duration) error {
	w.added++
	g := w.fake.AddUser(&activitytest.UserOptions{
		ID:          types.UserID(fmt.Sprintf("%016x%016x", w.round, w.added)),
		AccessToken: fmt.Sprintf("soak-%d-%d", w.round, w.added),
	})
	token := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: g.State().AccessToken})
	client, err := w.pool.Client(activity.OAuth2(token))
	if err != nil {
		return err
	}
	u := &user{User: g, known: time.Now().Add(after)}
	w.users = append(w.users, u)
	w.partner.connect(g.ID(), client, u.known)
	return nil
}

// step is one thing that somebody does.
func (w *world) step() error {
	i := w.rand.IntN(len(w.users))
	u := w.users[i]
	switch n := w.rand.IntN(10_000); {
	case n < 6000:
		w.workout(u)
	case n < 7500:
		w.edit(u)
	case n < 9800:
		w.upload(u, w.gen.MoveIQ(w.start()))
	case n < 9975:
		w.permissions(u)
	case n < 9995:
		u.Resend(types.KindMoveIQ)
	case time.Now().After(u.known): // a notice of an unknown user's departure has nobody to tell
		w.want[thing{types.KindDeregistrations, u.ID(), ""}] = 1
		w.gone[u.ID()] = true
		u.Deregister()
		w.users = slices.Delete(w.users, i, i+1)
		return w.join(unknownFor)
	}
	return nil
}

func (w *world) start() time.Time {
	return time.Now().Add(-time.Duration(w.rand.IntN(48)) * time.Hour)
}

func (w *world) workout(u *user) {
	for _, a := range w.gen.Activities("", w.start()) {
		if w.rand.IntN(200) > 0 { // most are short, so that their details are small
			a.DurationInSeconds %= 400
		}
		w.upload(u, a)
		switch w.rand.IntN(3) {
		case 0:
			d := w.gen.Details(a)
			w.upload(u, d)
			if w.rand.IntN(2) == 0 {
				f, content := w.gen.File("FIT", d)
				t := thing{types.KindActivityFiles, u.ID(), f.SummaryID}
				w.want[t], w.files[t] = 1, sha256.Sum256(content)
				u.AddFile(f, content)
			}
		case 1:
			w.upload(u, w.gen.Edit(a))
		}
	}
}

func (w *world) upload(u *user, s types.Summary) {
	w.want[thing{s.Kind(), u.ID(), s.ID()}] = numberOf(s)
	u.Add(s)
	if u.uploads = append(u.uploads, s); len(u.uploads) > 20 {
		u.uploads = u.uploads[1:]
	}
}

// edit changes something of late: it begins a second later.
func (w *world) edit(u *user) {
	if len(u.uploads) == 0 {
		return
	}
	switch s := u.uploads[w.rand.IntN(len(u.uploads))].(type) {
	case *types.Activity:
		s.StartTimeInSeconds++
		w.upload(u, s)
	case *types.ManualActivity:
		s.StartTimeInSeconds++
		w.upload(u, s)
	case *types.ActivityDetails:
		s.Summary.StartTimeInSeconds++
		w.upload(u, s)
	case *types.MoveIQ:
		s.StartTimeInSeconds++
		w.upload(u, s)
	}
}

// permissions are withdrawn, or given again. The notice has whole seconds, so
// they do not change twice in one.
func (w *world) permissions(u *user) {
	now := time.Now()
	if now.Before(u.known) || now.Sub(u.changed) < 2*time.Second {
		return
	}
	granted := []types.Permission{types.PermissionActivityExport, types.PermissionHistoricalDataExport}
	if u.withdrawn = !u.withdrawn; u.withdrawn {
		granted = granted[1:]
	}
	u.changed = now
	w.want[thing{types.KindPermissionChanges, u.ID(), ""}] = now.Unix()
	u.SetPermissions(granted...)
}

// settle gives back what was withdrawn.
func (w *world) settle() {
	for _, u := range w.users {
		if u.withdrawn {
			time.Sleep(time.Until(u.changed.Add(2 * time.Second)))
			w.permissions(u)
		}
	}
}
