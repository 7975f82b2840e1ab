package activitytest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/garminkit/activityapi/types"
)

// checks returns what Verify demands, in the order it is tried.
func checks() []requirement {
	list := []requirement{
		{"two-users", "9.1", "at least two Garmin users are connected", false, func(v *verifier) error {
			if len(v.users) < 2 {
				return fmt.Errorf("the server has %d", len(v.users))
			}
			return nil
		}},
		{"https", "3", "the endpoint is https on the standard port", false, (*verifier).checkURL},
	}
	for _, kind := range types.Kinds() {
		if kind != types.KindActivityFiles {
			list = append(list, requirement{"push-" + string(kind), "5", "a push of two users is answered 200 within 30 seconds", false, func(v *verifier) error {
				return v.postString(bodyOf(kind, v.item(v.users[0], v.record(kind).body), v.item(v.users[1], v.record(kind).body)))
			}})
		}
	}
	for _, kind := range types.Kinds() {
		list = append(list, requirement{"ping-" + string(kind), "4.1", "a ping is answered 200 before its callbacks are made", false, func(v *verifier) error {
			one, _ := v.ping(v.users[0], kind)
			two, _ := v.ping(v.users[1], kind)
			return v.postString(bodyOf(kind, one, two))
		}})
		list = append(list, requirement{"callback-" + string(kind), "4.2", "the callback URLs of all users of a ping are called", true, func(v *verifier) error {
			one, first := v.ping(v.users[0], kind)
			two, second := v.ping(v.users[1], kind)
			if err := v.postString(bodyOf(kind, one, two)); err != nil {
				return err
			}
			return v.await([]string{first, second}, []string{"the first user", "the second user"})
		}})
	}
	return append(list,
		requirement{"file-token", "7.4", "files are downloaded with the user's access token", true, (*verifier).checkFileToken},
		requirement{"file-once", "7.4", "a file is downloaded once, however often it is announced", true, (*verifier).checkFileOnce},
		requirement{"several-keys", "4.2", "every list of a body is read", true, (*verifier).checkSeveralKeys},
		requirement{"deregistration", "9.1", "deregistrations are answered 200", false, func(v *verifier) error {
			return v.postString(bodyOf(Deregistrations, v.item(v.stranger(), []byte("{}"))))
		}},
		requirement{"permission-change", "9.1", "permission changes are answered 200", false, func(v *verifier) error {
			v.server.mu.Lock()
			items := [][]byte{v.item(v.users[0], permissionsItem(v.users[0], "1")), v.item(v.users[1], permissionsItem(v.users[1], "2"))}
			v.server.mu.Unlock()
			return v.postString(bodyOf(PermissionChanges, items...))
		}},
		requirement{"duplicate", "5", "a notification that comes again is answered 200", false, func(v *verifier) error {
			body := bodyOf(types.KindActivities, v.item(v.users[0], v.record(types.KindActivities).body))
			return errors.Join(v.postString(body), v.postString(body))
		}},
		requirement{"edit", "7.1", "a summary that comes again with other values is answered 200", false, func(v *verifier) error {
			a := v.g.Activities(Run, v.report.Started)[0]
			first := v.item(v.users[0], encodeSummary(a, a.SummaryID))
			a.DistanceInMeters = new(1.0)
			return errors.Join(v.postString(bodyOf(types.KindActivities, first)),
				v.postString(bodyOf(types.KindActivities, v.item(v.users[0], encodeSummary(a, a.SummaryID)))))
		}},
		requirement{"unknown-type", "Appendix A", "an unknown activity type is answered 200", false, func(v *verifier) error {
			a := v.g.Activities(Run, v.report.Started)[0]
			a.ActivityType = "HOVERBOARD_POLO"
			return v.postString(bodyOf(types.KindActivities, v.item(v.users[0], encodeSummary(a, a.SummaryID))))
		}},
		requirement{"unknown-key", "4.2", "a list of an unknown key is answered 200", false, func(v *verifier) error {
			return v.postString(`{"listsToCome":[{"userId":"` + v.users[0].id + `","summaryId":"1"}]}`)
		}},
		requirement{"unknown-user", "5.1", "data of an unknown user is answered 200", false, func(v *verifier) error {
			return v.postString(bodyOf(types.KindActivities, v.item(v.stranger(), v.record(types.KindActivities).body)))
		}},
		requirement{"empty-list", "5.1", "an empty list is answered 200", false, func(v *verifier) error {
			return v.postString(bodyOf(types.KindActivities))
		}},
		requirement{"odd-item", "traffic", "an item of a wrong type costs nothing beside it", true, (*verifier).checkOddItem},
		requirement{"forged-callback", "traffic", "callback URLs of another host or resource are not called", true, (*verifier).checkForged},
		requirement{"parallel", "4", "twenty notifications at once are answered 200", false, (*verifier).checkParallel},
		requirement{"large-body", "9.1", "10 MB are answered 200 within 30 seconds", false, func(v *verifier) error {
			return v.postLarge(types.KindActivities, v.options.LargeBody, 10_000_000)
		}},
		requirement{"large-details", "9.1", "100 MB of activity details are answered 200 within 30 seconds", false, func(v *verifier) error {
			return v.postLarge(types.KindActivityDetails, v.options.LargeDetails, 100_000_000)
		}},
	)
}

func (v *verifier) checkURL() error {
	if v.endpoint.Handler != nil {
		return fmt.Errorf("%w: the endpoint is in memory", errSkip)
	}
	u, err := url.Parse(v.endpoint.URL)
	if err != nil {
		return hideURL(err)
	}
	switch host := u.Hostname(); {
	case host == "localhost" || strings.HasPrefix(host, "127.") || host == "::1":
		return fmt.Errorf("%w: the endpoint is on this machine", errSkip)
	case u.Scheme != "https":
		return errors.New("the scheme is " + u.Scheme)
	case u.Port() != "" && u.Port() != "443":
		return errors.New("the port is " + u.Port())
	}
	return nil
}

// stranger is a user the partner does not know. The server does not either.
func (v *verifier) stranger() *User {
	v.server.mu.Lock()
	defer v.server.mu.Unlock()
	return &User{id: v.server.hex(16)}
}

func (v *verifier) checkFileToken() error {
	item, callback := v.ping(v.users[1], types.KindActivityFiles)
	if err := v.postString(bodyOf(types.KindActivityFiles, item)); err != nil {
		return err
	}
	if err := v.await([]string{callback}, []string{"the file"}); err != nil {
		return err
	}
	if _, bearer := v.requests(callback); !bearer {
		return errors.New("the request had no Authorization header; Garmin answers 400")
	}
	return nil
}

func (v *verifier) checkFileOnce() error {
	item, callback := v.ping(v.users[0], types.KindActivityFiles)
	body := bodyOf(types.KindActivityFiles, item)
	if err := v.postString(body); err != nil {
		return err
	}
	if err := v.await([]string{callback}, []string{"the file"}); err != nil {
		return err
	}
	v.settle() // a download that is still running is not one that was forgotten
	before, _ := v.requests(callback)
	if err := v.postString(body); err != nil { // starts the count anew
		return err
	}
	v.settle()
	after, _ := v.requests(callback)
	if n := before + after; n > 1 {
		return fmt.Errorf("one URL was asked for %d times; Garmin answers 410 from the second on", n)
	}
	return nil
}

func (v *verifier) checkSeveralKeys() error {
	one, first := v.ping(v.users[0], types.KindActivities)
	two, second := v.ping(v.users[1], types.KindMoveIQ)
	three, third := v.ping(v.users[0], types.KindActivityFiles)
	body := "{" + listOf(types.KindActivities, one) + "," + listOf(types.KindMoveIQ, two) + "," + listOf(types.KindActivityFiles, three) + "}"
	if err := v.postString(body); err != nil {
		return err
	}
	return v.await([]string{first, second, third}, []string{"the first list", "the second list", "the third list"})
}

func (v *verifier) checkOddItem() error {
	one, first := v.ping(v.users[0], types.KindActivities)
	two, second := v.ping(v.users[1], types.KindActivities)
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
	good, callback := v.ping(v.users[0], types.KindActivities)
	_, elsewhere := v.ping(v.users[0], types.KindMoveIQ)
	const rest = "/wellness-api/rest/"
	forged := []string{
		base.Scheme + "://" + other + strings.TrimPrefix(elsewhere, v.server.BaseURL),
		v.server.BaseURL + rest + "backfill/activities?summaryStartTimeInSeconds=1&summaryEndTimeInSeconds=2",
		v.server.BaseURL + rest + "user/id",
		elsewhere, // a resource of another kind
	}
	items := [][]byte{}
	for _, f := range forged {
		items = append(items, v.item(v.users[0], []byte("{}"), field{"callbackURL", f}))
	}
	if err := v.postString(bodyOf(types.KindActivities, append(items, good)...)); err != nil {
		return err
	}
	if err := v.await([]string{callback}, []string{"the good item beside the forged ones"}); err != nil {
		return err
	}
	v.settle()
	for i, what := range []string{"another host", "a backfill", "a user endpoint", "the resource of another list key"} {
		if n, _ := v.requests(forged[i]); n > 0 {
			return fmt.Errorf("the forged URL of %s was called", what)
		}
	}
	return nil
}

func (v *verifier) checkParallel() error {
	const n = 20
	var bodies []string
	for i := range n {
		bodies = append(bodies, bodyOf(types.KindActivities, v.item(v.users[i%2], v.record(types.KindActivities).body)))
	}
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i, body := range bodies {
		wg.Go(func() {
			status, err := v.server.postReader(v.ctx, v.endpoint, v.options.Transport, strings.NewReader(body), int64(len(body)))
			switch {
			case err != nil:
				errs[i] = hideURL(err)
			case status != http.StatusOK:
				errs[i] = fmt.Errorf("answered %d; only 200 counts", status)
			}
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
	item := v.record(kind)
	const mark = `"summaryId":"`
	head, tail, _ := strings.Cut(string(item.body), mark)
	_, tail, _ = strings.Cut(tail, `"`)
	b := &largeBody{
		head: string(v.item(v.users[0], []byte(head+`"x":0}`))), // replaced below
		tail: `"` + tail,
	}
	b.head = strings.TrimSuffix(b.head, `"x":0}`) + mark
	open := fmt.Sprintf(`{%q:[`, string(kind))
	each := int64(len(b.head) + len(b.tail) + idDigits + 1)
	b.n = size/each + 1
	total := int64(len(open)) + each*b.n - 1 + 2
	return v.post(io.MultiReader(strings.NewReader(open), b, strings.NewReader("]}")), total)
}

const idDigits = 12

// largeBody reads as n items, with commas between them, that differ in the
// summary id.
type largeBody struct {
	head, tail string
	n, i       int64
	buf        []byte
}

func (b *largeBody) Read(p []byte) (int, error) {
	if len(b.buf) == 0 {
		if b.i == b.n {
			return 0, io.EOF
		}
		b.i++
		b.buf = fmt.Appendf(b.buf[:0], "%s9%0*d%s", b.head, idDigits-1, b.i, b.tail)
		if b.i < b.n {
			b.buf = append(b.buf, ',')
		}
	}
	n := copy(p, b.buf)
	b.buf = b.buf[n:]
	return n, nil
}
