package verification

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/types"
)

// checks returns what Run demands, in the order it is tried.
func checks() []requirement {
	list := []requirement{
		{"two-users", "9.1", "at least two Garmin users are connected", 0, (*verifier).checkTwoUsers},
		{"https", "3", "the endpoint is https on the standard port", 0, (*verifier).checkURL},
		{"deliveries", "traffic", "what was never sent is not said to be stored", deliveries, (*verifier).checkDeliveries},
	}
	for _, kind := range types.Kinds() {
		if kind != types.KindActivityFiles {
			list = append(list, requirement{"push-" + string(kind), "5", "a push of two users is answered 200 within 30 seconds", 0, func(v *verifier) error {
				return v.postString(v.pushOfTwo(kind))
			}})
		}
	}
	for _, kind := range types.Kinds() {
		list = append(list, requirement{"ping-" + string(kind), "4.1", "a ping of two users is answered 200 within 30 seconds", 0, func(v *verifier) error {
			one, _, _ := v.ping(v.users[0], kind)
			two, _, _ := v.ping(v.users[1], kind)
			return v.postString(bodyOf(kind, one, two))
		}})
		list = append(list, requirement{"callback-" + string(kind), "4.2", "the callback URLs of all users of a ping are called, after its 200", callbacks, func(v *verifier) error {
			one, first, _ := v.ping(v.users[0], kind)
			two, second, _ := v.ping(v.users[1], kind)
			if err := v.postString(bodyOf(kind, one, two)); err != nil {
				return err
			}
			return v.await([]string{first, second}, []string{"the first user", "the second user"})
		}})
	}
	for _, kind := range types.Kinds() {
		list = append(list, requirement{"delivered-" + string(kind), "traffic", "what was pushed of two users is stored for both", deliveries, func(v *verifier) error {
			return v.checkPushDelivered(kind)
		}})
		if kind == types.KindActivityFiles {
			last := &list[len(list)-1]
			last.text, last.needs = "what was pinged of two users is downloaded and stored for both", callbacks|deliveries
			last.run = func(v *verifier) error { return v.checkPingDelivered(kind) }
		}
	}
	list = append(list, requirement{"delivered-ping", "traffic", "what was pinged of two users is pulled and stored for both", callbacks | deliveries, func(v *verifier) error {
		return v.checkPingDelivered(types.KindActivities)
	}})
	return append(list,
		requirement{"file-token", "7.4", "files are downloaded with the user's access token", callbacks, (*verifier).checkFileToken},
		requirement{"file-once", "7.4", "a file is downloaded once, however often it is announced", callbacks, (*verifier).checkFileOnce},
		requirement{"several-keys", "4.2", "every list of a body is read", callbacks, (*verifier).checkSeveralKeys},
		requirement{"deregistration", "9.1", "deregistrations are answered 200", 0, func(v *verifier) error {
			return v.postString(bodyOf(types.KindDeregistrations, item(stranger(), []byte("{}"), "")))
		}},
		requirement{"permission-change", "9.1", "permission changes are answered 200", 0, func(v *verifier) error {
			return v.postString(bodyOf(types.KindPermissionChanges, v.permissions(v.users[0]), v.permissions(v.users[1])))
		}},
		requirement{"duplicate", "5", "a notification that comes again is answered 200", 0, func(v *verifier) error {
			one, _ := v.push(v.users[0], types.KindActivities)
			body := bodyOf(types.KindActivities, one)
			return errors.Join(v.postString(body), v.postString(body))
		}},
		requirement{"edit", "7.1", "a summary that comes again with other values is answered 200", 0, func(v *verifier) error {
			a := v.g.Activities(activitytype.Running, v.report.Started)[0]
			first := item(v.users[0].ID(), activitytest.Item(a), "")
			a.DistanceInMeters = new(1.0)
			return errors.Join(v.postString(bodyOf(types.KindActivities, first)),
				v.postString(bodyOf(types.KindActivities, item(v.users[0].ID(), activitytest.Item(a), ""))))
		}},
		requirement{"unknown-type", "Appendix A", "an unknown activity type is answered 200", 0, func(v *verifier) error {
			a := v.g.Activities(activitytype.Running, v.report.Started)[0]
			a.ActivityType = "HOVERBOARD_POLO"
			return v.postString(bodyOf(types.KindActivities, item(v.users[0].ID(), activitytest.Item(a), "")))
		}},
		requirement{"unknown-key", "4.2", "a list of an unknown key is answered 200", 0, func(v *verifier) error {
			return v.postString(`{"listsToCome":[{"userId":"` + string(v.users[0].ID()) + `","summaryId":"1"}]}`)
		}},
		requirement{"unknown-user", "5.1", "data of an unknown user is answered 200", 0, func(v *verifier) error {
			return v.postString(bodyOf(types.KindActivities, item(stranger(), activitytest.Item(v.summary(types.KindActivities)), "")))
		}},
		requirement{"empty-list", "5.1", "an empty list is answered 200", 0, func(v *verifier) error {
			return v.postString(bodyOf(types.KindActivities))
		}},
		requirement{"odd-item", "traffic", "an item of a wrong type costs nothing beside it", callbacks, (*verifier).checkOddItem},
		requirement{"forged-callback", "traffic", "callback URLs of another host or resource are not called", callbacks, (*verifier).checkForged},
		requirement{"parallel", "4", "twenty notifications at once are answered 200", 0, (*verifier).checkParallel},
		requirement{"large-body", "9.1", "10 MB are answered 200 within 30 seconds", 0, func(v *verifier) error {
			return v.postLarge(types.KindActivities, v.options.LargeBody, 10_000_000)
		}},
		requirement{"delivered-large-body", "traffic", "the last of those items is stored", deliveries, (*verifier).checkLargeDelivered},
		requirement{"large-details", "9.1", "100 MB of activity details are answered 200 within 30 seconds", 0, func(v *verifier) error {
			return v.postLarge(types.KindActivityDetails, v.options.LargeDetails, 100_000_000)
		}},
	)
}

// checkURL looks at the URL and at the connection behind it.
func (v *verifier) checkURL() error {
	if v.endpoint.Handler != nil {
		return fmt.Errorf("%w: the endpoint is in memory", errSkip)
	}
	u, err := url.Parse(v.endpoint.URL)
	if err != nil {
		return hideURL(err)
	}
	const body = `{"activities":[]}`
	res, err := v.server.Post(v.ctx, v.endpoint, strings.NewReader(body), int64(len(body))) //nolint:bodyclose // Post has closed it
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	switch address, _ := netip.ParseAddr(host); {
	case err != nil:
		return fmt.Errorf("no answer: %w", hideURL(err))
	case host == "localhost" || strings.HasSuffix(host, ".localhost") || address.IsLoopback():
		return fmt.Errorf("%w: the endpoint is on this machine", errSkip)
	case u.Scheme != "https":
		return errors.New("the scheme is " + u.Scheme)
	case u.Port() != "" && u.Port() != "443":
		return errors.New("the port is " + u.Port())
	case res.TLS == nil || len(res.TLS.VerifiedChains) == 0:
		return fmt.Errorf("%w: the transport has not checked the certificate", errSkip)
	}
	return nil
}

// stranger is a user whom neither the partner nor the server knows.
func stranger() types.UserID {
	return types.UserID(fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64()))
}

// permissions is the item that tells of a change of what a user allows.
func (v *verifier) permissions(u *activitytest.User) []byte {
	body, _ := json.Marshal(map[string]any{ // cannot fail
		"summaryId":           types.ID(fmt.Sprintf("x%08x-%08x", rand.Uint32(), rand.Uint32())),
		"permissions":         append([]types.Permission{}, u.State().Permissions...),
		"changeTimeInSeconds": types.NewTimestamp(time.Now().Truncate(time.Second)),
	})
	return item(u.ID(), body, "")
}

func (v *verifier) checkFileToken() error {
	entry, callback, _ := v.ping(v.users[1], types.KindActivityFiles)
	if err := v.postString(bodyOf(types.KindActivityFiles, entry)); err != nil {
		return err
	}
	if err := v.await([]string{callback}, []string{"the file"}); err != nil {
		return err
	}
	return v.authorized(callback, v.users[1])
}

func (v *verifier) checkFileOnce() error {
	entry, callback, _ := v.ping(v.users[0], types.KindActivityFiles)
	body := bodyOf(types.KindActivityFiles, entry)
	if err := v.postString(body); err != nil {
		return err
	}
	if err := v.await([]string{callback}, []string{"the file"}); err != nil {
		return err
	}
	v.settle() // a download that is still running is not one that was forgotten
	before := v.requests(callback).n
	if err := v.postString(body); err != nil { // starts the count anew
		return err
	}
	v.settle()
	after := v.requests(callback).n
	if n := before + after; n > 1 {
		return fmt.Errorf("one URL was asked for %d times; Garmin answers 410 from the second on", n)
	}
	return nil
}

func (v *verifier) checkSeveralKeys() error {
	one, first, _ := v.ping(v.users[0], types.KindActivities)
	two, second, _ := v.ping(v.users[1], types.KindMoveIQ)
	three, third, _ := v.ping(v.users[0], types.KindActivityFiles)
	body := "{" + listOf(types.KindActivities, one) + "," + listOf(types.KindMoveIQ, two) + "," + listOf(types.KindActivityFiles, three) + "}"
	if err := v.postString(body); err != nil {
		return err
	}
	return v.await([]string{first, second, third}, []string{"the first list", "the second list", "the third list"})
}

func (v *verifier) checkOddItem() error {
	one, first, _ := v.ping(v.users[0], types.KindActivities)
	two, second, _ := v.ping(v.users[1], types.KindActivities)
	odd := []byte(`{"userId":{"an":"object"},"callbackURL":17}`)
	if err := v.postString(bodyOf(types.KindActivities, one, odd, []byte(`{}`), two)); err != nil {
		return err
	}
	return v.await([]string{first, second}, []string{"the item before it", "the item after it"})
}

// checkForged sends URLs that must not be called among one that must. The other
// host is another name of the same server, so that a call is seen.
func (v *verifier) checkForged() error {
	base, err := url.Parse(v.server.BaseURL)
	if err != nil {
		return err
	}
	other := "healthapi.garmin.com"
	switch base.Hostname() {
	case "127.0.0.1":
		other = strings.Replace(base.Host, "127.0.0.1", "localhost", 1)
	case "localhost":
		other = strings.Replace(base.Host, "localhost", "127.0.0.1", 1)
	}
	good, callback, _ := v.ping(v.users[0], types.KindActivities)
	_, elsewhere, _ := v.ping(v.users[0], types.KindMoveIQ)
	const rest = "/wellness-api/rest/"
	forged := []string{
		base.Scheme + "://" + other + strings.TrimPrefix(elsewhere, v.server.BaseURL),
		v.server.BaseURL + rest + "backfill/activities?summaryStartTimeInSeconds=1&summaryEndTimeInSeconds=2",
		v.server.BaseURL + rest + "user/id",
		elsewhere, // a resource of another kind
	}
	items := [][]byte{}
	for _, f := range forged {
		items = append(items, item(v.users[0].ID(), []byte("{}"), f))
	}
	if err := v.postString(bodyOf(types.KindActivities, append(items, good)...)); err != nil {
		return err
	}
	if err := v.await([]string{callback}, []string{"the good item beside the forged ones"}); err != nil {
		return err
	}
	v.settle()
	for i, what := range []string{"another host", "a backfill", "a user endpoint", "the resource of another list key"} {
		if v.requests(forged[i]).n > 0 {
			return fmt.Errorf("the forged URL of %s was called", what)
		}
	}
	return nil
}

func (v *verifier) checkParallel() error {
	const n = 20
	var bodies []string
	for i := range n {
		one, _ := v.push(v.users[i%2], types.KindActivities)
		bodies = append(bodies, bodyOf(types.KindActivities, one))
	}
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i, body := range bodies {
		wg.Go(func() {
			_, errs[i] = v.send(strings.NewReader(body), int64(len(body)))
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// postLarge sends a body of at least size bytes, made as it is sent.
func (v *verifier) postLarge(kind types.Kind, size, standard int64) error {
	if size < 0 {
		return fmt.Errorf("%w: turned off", errSkip)
	}
	if size == 0 {
		size = standard
	}
	const mark = `"summaryId":"`
	head, tail, _ := strings.Cut(string(activitytest.Item(v.summary(kind))), mark)
	_, tail, _ = strings.Cut(tail, `"`)
	b := &largeBody{
		head: string(item(v.users[0].ID(), []byte(head+`"x":0}`), "")), // replaced below
		tail: `"` + tail,
		run:  uint64(v.report.Started.UnixMicro()) % 1e9,
	}
	b.head = strings.TrimSuffix(b.head, `"x":0}`) + mark
	open := fmt.Sprintf(`{%q:[`, string(kind))
	each := int64(len(b.head) + len(b.tail) + idDigits + 1)
	b.n = size/each + 1
	total := int64(len(open)) + each*b.n - 1 + 2
	if err := v.post(io.MultiReader(strings.NewReader(open), b, strings.NewReader("]}")), total); err != nil {
		return err
	}
	v.lastLarge = types.ID(b.id(b.n))
	return nil
}

// The summary ids of a large body: digits of this run and digits that count.
const (
	runDigits   = 9
	countDigits = 8
	idDigits    = 1 + runDigits + countDigits
)

// largeBody reads as n items, with commas between them, that differ in the
// summary id.
type largeBody struct {
	head, tail string
	n, i       int64
	run        uint64
	buf        []byte
}

func (b *largeBody) id(i int64) string {
	return fmt.Sprintf("9%0*d%0*d", runDigits, b.run, countDigits, i)
}

func (b *largeBody) Read(p []byte) (int, error) {
	if len(b.buf) == 0 {
		if b.i == b.n {
			return 0, io.EOF
		}
		b.i++
		b.buf = append(append(append(b.buf[:0], b.head...), b.id(b.i)...), b.tail...)
		if b.i < b.n {
			b.buf = append(b.buf, ',')
		}
	}
	n := copy(p, b.buf)
	b.buf = b.buf[n:]
	return n, nil
}
