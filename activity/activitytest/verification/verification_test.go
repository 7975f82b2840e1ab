package verification_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/activitytest/verification"
	"github.com/garminkit/activityapi/internal/resource"
	"github.com/garminkit/activityapi/types"
)

// receiver is a small integration that is right, but for what its fields say.
type receiver struct {
	fake   *activitytest.Server
	client *http.Client

	holdsOpen      bool // calls back before it answers
	status         int
	firstUserOnly  bool
	firstKeyOnly   bool
	limit          int64
	wantsSignature bool
	knownTypes     bool // answers 400 to an activity type it does not know
	knownUsers     bool // answers 404 to a user it does not know
	knownKeys      bool // answers 400 to a list key it does not know
	noFileToken    bool
	fileAgain      bool // downloads a file each time it is announced
	anyCallback    bool
	strictItems    bool // answers 400 if one item is odd
	skipsOddBatch  bool // answers 200, and reads nothing, if one item is odd
	noCommon       bool // answers 404 to what is no summary
	oneAtATime     bool // answers 503 while it is busy
	refusesAgain   bool // answers 409 to a summary id it has seen
	emptyIsError   bool
	followsNothing bool
	firstsToken    bool // calls back with the first user's token for all
	storesFirst    bool // stores the first item of a list, and no more
	storesNothing  bool

	mu   sync.Mutex
	busy bool
	seen map[string]bool
	kept map[string]bool
	wg   sync.WaitGroup
}

// keep stores a summary.
func (rc *receiver) keep(user types.UserID, id string) {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	if rc.kept == nil {
		rc.kept = make(map[string]bool)
	}
	rc.kept[string(user)+" "+id] = !rc.storesNothing
}

// delivered is VerifyOptions.Delivered.
func (rc *receiver) delivered(_ context.Context, user types.UserID, id types.ID) (bool, error) {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	return rc.kept[string(user)+" "+string(id)], nil
}

type item struct {
	UserID       types.UserID `json:"userId"`
	SummaryID    string       `json:"summaryId"`
	ActivityType string       `json:"activityType"`
	CallbackURL  string       `json:"callbackURL"`
}

func (rc *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if rc.wantsSignature && r.Header.Get("X-Garmin-Signature") == "" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if rc.oneAtATime {
		rc.mu.Lock()
		busy := rc.busy
		rc.busy = true
		rc.mu.Unlock()
		if busy {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		time.Sleep(20 * time.Millisecond)
		defer func() { rc.mu.Lock(); rc.busy = false; rc.mu.Unlock() }()
	}
	if rc.limit == 0 {
		rc.limit = 128 << 20
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, rc.limit))
	if err != nil {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	status, callbacks := rc.read(body)
	if rc.holdsOpen {
		rc.follow(callbacks)
	} else {
		rc.wg.Go(func() { rc.follow(callbacks) })
	}
	w.WriteHeader(status)
}

type call struct {
	key types.Kind
	item
}

func (rc *receiver) read(body []byte) (status int, calls []call) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.Token()
	for n := 0; d.More(); n++ {
		token, _ := d.Token()
		key := types.Kind(token.(string))
		var items []json.RawMessage
		if d.Decode(&items) != nil {
			return http.StatusBadRequest, nil
		}
		common := key == types.KindDeregistrations || key == types.KindPermissionChanges
		switch {
		case rc.firstKeyOnly && n > 0:
			continue
		case rc.noCommon && common:
			return http.StatusNotFound, nil
		case rc.knownKeys && !common && !key.Known():
			return http.StatusBadRequest, nil
		case rc.emptyIsError && len(items) == 0:
			return http.StatusBadRequest, nil
		}
		if rc.firstUserOnly && len(items) > 1 {
			items = items[:1]
		}
		for n, raw := range items {
			var i item
			if json.Unmarshal(raw, &i) != nil {
				if rc.strictItems {
					return http.StatusBadRequest, nil
				}
				if rc.skipsOddBatch {
					return http.StatusOK, nil
				}
				continue
			}
			if rc.knownTypes && i.ActivityType == "HOVERBOARD_POLO" {
				return http.StatusBadRequest, nil
			}
			if rc.knownUsers && !common && rc.fake.User(i.UserID) == nil {
				return http.StatusNotFound, nil
			}
			if rc.refusesAgain && i.CallbackURL == "" && !rc.first(string(i.UserID)+i.SummaryID) {
				return http.StatusConflict, nil
			}
			if i.CallbackURL != "" {
				calls = append(calls, call{key, i})
			} else if n == 0 || !rc.storesFirst {
				rc.keep(i.UserID, i.SummaryID)
			}
		}
	}
	if rc.status != 0 {
		return rc.status, calls
	}
	return http.StatusOK, calls
}

func (rc *receiver) first(key string) bool {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	if rc.seen == nil {
		rc.seen = make(map[string]bool)
	}
	again := rc.seen[key]
	rc.seen[key] = true
	return !again
}

func (rc *receiver) follow(calls []call) {
	for _, c := range calls {
		u, err := url.Parse(c.CallbackURL)
		if err != nil || rc.followsNothing {
			continue
		}
		base, _ := url.Parse(rc.fake.BaseURL)
		if !rc.anyCallback && (u.Host != base.Host || u.Path != "/wellness-api/rest/"+resource.Of(c.key)) {
			continue
		}
		if file := c.key == types.KindActivityFiles; file && !rc.fileAgain && !rc.first(u.RawQuery) {
			continue
		}
		r, _ := http.NewRequest("GET", c.CallbackURL, nil)
		if user := rc.fake.User(c.UserID); user != nil && !(rc.noFileToken && c.key == types.KindActivityFiles) {
			if rc.firstsToken {
				user = rc.fake.Users()[0]
			}
			r.Header.Set("Authorization", "Bearer "+user.State().AccessToken)
		}
		res, err := rc.client.Do(r)
		if err != nil {
			continue
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			continue
		}
		if c.key == types.KindActivityFiles {
			rc.keep(c.UserID, c.SummaryID)
			continue
		}
		var pulled []item
		if json.Unmarshal(body, &pulled) == nil {
			for _, i := range pulled {
				rc.keep(c.UserID, i.SummaryID)
			}
		}
	}
}

// verify runs the kit in memory and in virtual time.
func verify(t *testing.T, rc *receiver, o *verification.Options) (report *verification.Report) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		rc.fake = activitytest.NewServer()
		rc.fake.AddUser(nil)
		rc.fake.AddUser(nil)
		rc.client = &http.Client{Transport: rc.fake}
		o.Server, o.Handler = rc.fake, rc
		var err error
		report, err = verification.Run(t.Context(), "", o)
		require.NoError(t, err)
		rc.wg.Wait()
	})
	return report
}

// TestVerifyRight goes over sockets.
func TestRight(t *testing.T) {
	rc := &receiver{fake: activitytest.NewServer(), client: http.DefaultClient}
	api := httptest.NewServer(rc.fake)
	defer api.Close()
	rc.fake.BaseURL = api.URL
	rc.fake.AddUser(nil)
	rc.fake.AddUser(nil)
	ts := httptest.NewServer(rc)
	defer ts.Close()
	defer rc.wg.Wait()
	// The whole 100 MB are the quickstart's test.
	o := &verification.Options{Server: rc.fake, CallbackWait: 5 * time.Second, LargeDetails: 15_000_000, Delivered: rc.delivered}
	report, err := verification.Run(t.Context(), ts.URL, o)
	require.NoError(t, err)
	require.True(t, report.OK(), "%s", report)
	require.Len(t, report.Unverified, 1, "this machine has no https")
	for _, c := range report.Checks {
		if c.Name != "https" {
			require.Equal(t, verification.Passed, c.Verdict, "%s: %s", c.Name, c.Detail)
		}
	}

	b, err := json.Marshal(report)
	require.NoError(t, err)
	var back verification.Report
	require.NoError(t, json.Unmarshal(b, &back))
	require.Equal(t, report.Checks, back.Checks)

	var x bytes.Buffer
	require.NoError(t, report.WriteJUnit(&x))
	var suite struct {
		Tests int        `xml:"tests,attr"`
		Cases []struct{} `xml:"testcase"`
	}
	require.NoError(t, xml.Unmarshal(x.Bytes(), &suite))
	require.Len(t, suite.Cases, len(report.Checks))
	require.Len(t, report.Checks, suite.Tests)
}

// TestVerifyWrong has receivers that are wrong in one way each. The report must
// fail them in the right lines and pass the others.
func TestWrong(t *testing.T) {
	for _, test := range []struct {
		name string
		rc   *receiver
		fail []string // "*" is every check that sends something
		text string
	}{
		{"holds the ping open", &receiver{holdsOpen: true}, []string{
			"two-users", "ping-activities", "callback-activities", "ping-manuallyUpdatedActivities", "callback-manuallyUpdatedActivities",
			"ping-activityDetails", "callback-activityDetails", "ping-activityFiles", "callback-activityFiles",
			"ping-moveIQActivities", "callback-moveIQActivities", "file-token", "file-once", "several-keys", "odd-item", "forged-callback"}, "held open"},
		{"answers 201", &receiver{status: 201}, []string{"*"}, "answered 201; only 200 counts"},
		{"answers 204", &receiver{status: 204}, []string{"*"}, "answered 204; only 200 counts"},
		{"checks a signature", &receiver{wantsSignature: true}, []string{"*"}, "answered 401: Garmin signs nothing"},
		{"drops the second user", &receiver{firstUserOnly: true}, []string{
			"two-users", "callback-activities", "callback-manuallyUpdatedActivities", "callback-activityDetails", "callback-activityFiles",
			"callback-moveIQActivities", "odd-item", "forged-callback"}, "no callback came for the second user"},
		{"reads only the first key", &receiver{firstKeyOnly: true}, []string{"several-keys"}, "no callback came for the second list"},
		{"has an 8 MB limit", &receiver{limit: 8 << 20}, []string{"large-body"}, "answered 413"},
		{"refuses unknown types", &receiver{knownTypes: true}, []string{"unknown-type"}, "answered 400"},
		{"refuses unknown users", &receiver{knownUsers: true}, []string{"unknown-user", "odd-item"}, "answered 404"},
		{"refuses unknown keys", &receiver{knownKeys: true}, []string{"unknown-key"}, "answered 400"},
		{"forgets the file's token", &receiver{noFileToken: true}, []string{"file-token"}, "no Authorization header"},
		{"downloads a file twice", &receiver{fileAgain: true}, []string{"file-once"}, "asked for 2 times"},
		{"calls any URL", &receiver{anyCallback: true}, []string{"forged-callback"}, "another host was called"},
		{"refuses a batch with an odd item", &receiver{strictItems: true}, []string{"odd-item"}, "answered 400"},
		{"drops a batch with an odd item", &receiver{skipsOddBatch: true}, []string{"odd-item"}, "the item before it"},
		{"has no deregistrations", &receiver{noCommon: true}, []string{"deregistration", "permission-change"}, "answered 404"},
		{"is busy", &receiver{oneAtATime: true}, []string{"parallel"}, "answered 503"},
		{"refuses what it has", &receiver{refusesAgain: true}, []string{"duplicate", "edit"}, "answered 409"},
		{"refuses an empty list", &receiver{emptyIsError: true}, []string{"empty-list"}, "answered 400"},
		{"calls back with one token for all", &receiver{firstsToken: true}, []string{"two-users", "file-token"}, "did not have the user's access token"},
		{"redirects", &receiver{status: 308}, []string{"*"}, "answered 308: Garmin follows no redirect"},
		{"is pull-only", &receiver{followsNothing: true}, []string{
			"two-users", "callback-activities", "callback-manuallyUpdatedActivities", "callback-activityDetails", "callback-activityFiles",
			"callback-moveIQActivities", "file-token", "file-once", "several-keys", "odd-item", "forged-callback"}, "no callback came for the first user"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := &verification.Options{LargeBody: -1, LargeDetails: -1}
			if test.rc.limit > 0 {
				o.LargeBody = 0
			}
			report := verify(t, test.rc, o)
			require.False(t, report.OK())
			var want, got []string
			for _, c := range report.Checks {
				if c.Verdict == verification.Failed {
					got = append(got, c.Name)
				}
				sends := c.Verdict != verification.Skipped
				if slices.Contains(test.fail, c.Name) || (test.fail[0] == "*" && sends) {
					want = append(want, c.Name)
				}
			}
			require.Equal(t, want, got, "%s", report)
			require.Contains(t, report.String(), test.text)
		})
	}
}

func TestDetailsLimit(t *testing.T) {
	report := verify(t, &receiver{limit: 11 << 20}, &verification.Options{LargeDetails: 12 << 20})
	require.Equal(t, verification.Failed, report.Check("large-details").Verdict)
	require.Equal(t, verification.Passed, report.Check("large-body").Verdict)
}
