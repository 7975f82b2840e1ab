package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"golang.org/x/oauth2"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// demonstration is a run without Garmin: a fake one, a receiver and a partner,
// joined by loopback connections.
type demonstration struct {
	out      io.Writer
	garmin   *activitytest.Server
	partner  *partner
	receiver *receiver
	pool     *activity.Pool
	// url is where the receiver listens.
	url string

	// sent counts the items of all notifications, announced the records of
	// each list key that they stand for.
	sent      int
	announced map[string]int
	// wants is what must be in the partner's tables at the end.
	wants map[thing]types.Summary
	// broken are the ids of items that must be in quarantine.
	broken map[thing]bool
	// files are the bytes of the files that must be on disk.
	files map[thing][]byte
}

func demo(ctx context.Context, out io.Writer, dir, push string) (err error) {
	if dir == "" {
		if dir, err = os.MkdirTemp("", "quickstart"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	}
	d, stop, err := newDemonstration(out, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if err := d.story(ctx); err != nil {
		return err
	}
	if push != "" {
		if err := d.replay(ctx, push); err != nil {
			return err
		}
	}
	return d.account(ctx)
}

// newDemonstration starts all parts. stop ends them.
func newDemonstration(out io.Writer, dir string) (d *demonstration, stop func() error, err error) {
	d = &demonstration{
		out: out, garmin: activitytest.NewServer(), partner: newPartner(),
		announced: map[string]int{},
		wants:     map[thing]types.Summary{}, broken: map[thing]bool{}, files: map[thing][]byte{},
	}
	var stops []func() error
	stop = func() error {
		var errs []error
		for _, f := range slices.Backward(stops) {
			errs = append(errs, f())
		}
		return errors.Join(errs...)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, stop())
		}
	}()
	var end func() error
	if d.garmin.BaseURL, end, err = serve(d.garmin); err != nil {
		return nil, nil, err
	}
	stops = append(stops, end)
	if d.pool, err = activity.NewPool(&activity.Options{BaseURL: d.garmin.BaseURL + "/wellness-api/rest"}); err != nil {
		return nil, nil, err
	}
	stops = append(stops, d.pool.Close)
	if d.receiver, err = newReceiver(dir, d.partner.resolve, d.partner, -1, nil); err != nil {
		return nil, nil, err
	}
	d.receiver.start()
	stops = append(stops, d.receiver.Close)
	if d.url, end, err = serve(d.receiver.Intake()); err != nil {
		return nil, nil, err
	}
	stops = append(stops, end)
	d.printf("A fake Garmin on %s, and a receiver on %s.\n"+
		"The receiver writes each body to disk, answers 200, and only then looks at it, item by item.\n", d.garmin.BaseURL, d.url)
	return d, stop, nil
}

// serve serves h on a free port of the loopback address.
func serve(h http.Handler) (url string, stop func() error, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go srv.Serve(l)
	return "http://" + l.Addr().String(), srv.Close, nil
}

func (d *demonstration) printf(format string, args ...any) {
	fmt.Fprintf(d.out, format, args...)
}

// user connects a user of the fake Garmin to the partner.
func (d *demonstration) user(name string) (*activitytest.User, error) {
	u := d.garmin.AddUser(nil)
	return u, d.connect(u.ID(), name, u.State().AccessToken)
}

func (d *demonstration) connect(garminID types.UserID, name, accessToken string) error {
	token := &oauth2.Token{AccessToken: accessToken}
	client, err := d.pool.Client(activity.OAuth2(oauth2.StaticTokenSource(token)))
	if err != nil {
		return err
	}
	d.partner.connect(garminID, name, client)
	return nil
}

// upload is what the user's watch syncs, or the user changes, at Garmin.
func (d *demonstration) upload(u *activitytest.User, summaries ...types.Summary) {
	for _, s := range summaries {
		d.announced[string(s.Kind())]++
		if s.Kind() == types.KindManualActivities { // perhaps an edit
			delete(d.wants, thing{types.KindActivities, u.ID(), s.ID()})
		}
		d.wants[thing{s.Kind(), u.ID(), s.ID()}] = s
		u.Add(s)
	}
}

// deliver lets Garmin send what it has, waits until the partner is done with
// it, and prints what happened.
func (d *demonstration) deliver(ctx context.Context) ([]activitytest.Delivery, error) {
	deliveries := d.garmin.Deliver(ctx)
	for _, sent := range deliveries {
		d.sent += sent.Items
		d.printf("   POST %s: %s of %s, %d bytes -> %d\n", sent.Key,
			plural(sent.Items, "item"), plural(sent.Users, "user"), len(sent.Body), sent.Status)
		if !sent.Acknowledged {
			return nil, fmt.Errorf("%s was not acknowledged: %d %w", sent.Key, sent.Status, sent.Err)
		}
	}
	return deliveries, d.settle(ctx)
}

// post delivers a body as it is.
func (d *demonstration) post(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json;charset=UTF-8")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	d.printf("   POST %d bytes -> %d\n", len(body), resp.StatusCode)
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the receiver answered %s", resp.Status)
	}
	return nil
}

func (d *demonstration) settle(ctx context.Context) error {
	err := d.partner.settle(ctx, d.sent)
	// What was reported is recorded a moment later.
	for err == nil {
		var idle bool
		if idle, err = d.receiver.idle(ctx); idle {
			break
		}
		time.Sleep(time.Millisecond)
	}
	for _, l := range d.partner.news() {
		d.printf("      %-4s %s\n", l.who, l.what)
	}
	return err
}

// replay delivers a body from disk. The users in it count as connected, with a
// token that the fake Garmin does not take.
func (d *demonstration) replay(ctx context.Context, file string) error {
	body, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	d.printf("\n%s, from disk\n", file)
	for event, err := range new(notify.Decoder).Decode(bytes.NewReader(body)) {
		d.sent++
		if err != nil {
			d.printf("   ends early: %v\n", err)
			break
		}
		d.announced[event.Key]++
		if owner := event.UserID; owner != "" {
			if err := d.connect(owner, string(owner), "none"); err != nil {
				return err
			}
		}
		if push, ok := event.Data.(*notify.Push); ok {
			d.wants[thing{push.Summary.Kind(), event.UserID, push.Summary.ID()}] = push.Summary
		}
	}
	if err := d.post(ctx, body); err != nil {
		return err
	}
	return d.settle(ctx)
}

// account compares what was announced with what the partner has, and prints
// the balance.
func (d *demonstration) account(ctx context.Context) error {
	letters, err := d.receiver.letters(ctx)
	if err != nil {
		return err
	}
	setAside := func(key thing) bool {
		return slices.ContainsFunc(letters, func(raw []byte) bool {
			return bytes.Contains(raw, []byte(key.user)) && bytes.Contains(raw, []byte(key.id))
		})
	}

	lost := map[string]int{}
	for key, want := range d.wants {
		if !same(d.partner.find(key).summary, want) && !setAside(key) {
			lost[string(key.kind)]++
		}
	}
	for key := range d.broken {
		if !setAside(key) {
			lost[string(key.kind)]++
		}
	}
	for key, want := range d.files {
		got, err := d.receiver.read(d.partner.find(key).file)
		if err != nil || !bytes.Equal(got, want) {
			lost[string(key.kind)]++
		}
	}
	// What the tables cannot show: an item without any fate.
	unfinished := d.sent - d.partner.finished

	d.printf("\nThe balance: what Garmin announced, and where it is now\n\n")
	w := tabwriter.NewWriter(d.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "list key\tannounced\tstored\tupdated\trepeated\tset aside\tlost\t")
	var sum tally
	announced, gone := 0, unfinished
	for _, key := range slices.SortedFunc(maps.Keys(d.announced), byListKey) {
		t := d.partner.count(key)
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t\n", key, d.announced[key], t.stored, t.updated, t.repeated, t.setAside, lost[key])
		announced += d.announced[key]
		sum = tally{sum.stored + t.stored, sum.updated + t.updated, sum.repeated + t.repeated, sum.setAside + t.setAside}
		gone += lost[key]
	}
	fmt.Fprintf(w, "all\t%d\t%d\t%d\t%d\t%d\t%d\t\n", announced, sum.stored, sum.updated, sum.repeated, sum.setAside, gone)
	_ = w.Flush()
	d.printf("\n%d items in notifications, %d came to an end; %s for a person to look at; %d lost\n",
		d.sent, d.partner.finished, plural(len(letters), "dead letter"), gone)
	if gone > 0 {
		return fmt.Errorf("%d lost", gone)
	}
	return nil
}

// same compares what was stored with what Garmin has. Pulled summaries need
// not carry the user id.
func same(got, want types.Summary) bool {
	if got == nil {
		return false
	}
	return bytes.Equal(content(got), content(want))
}

func content(s types.Summary) []byte {
	out, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(out, &fields); err != nil {
		panic(err)
	}
	delete(fields, "userId")
	out, err = json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return out
}

// byListKey sorts as Garmin's document does, and other keys last.
func byListKey(a, b string) int {
	keys := append(types.Kinds(), types.KindDeregistrations, types.KindPermissionChanges)
	rank := func(key string) int {
		if i := slices.Index(keys, types.Kind(key)); i >= 0 {
			return i
		}
		return len(keys)
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
