package activitytest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/activitytest/verification"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/types"
)

// world is a fake with two users and a partner who answers as told.
type world struct {
	*testing.T
	fake   *activitytest.Server
	u, v   *activitytest.User
	status int           // what the partner answers; 0 is 200
	slow   time.Duration // and how late
	cut    bool          // or breaks the connection
	got    []string      // bodies
	heads  []http.Header
	start  time.Time
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, fake: newServer(t), start: time.Now()}
	w.u, w.v = w.fake.AddUser(nil), w.fake.AddUser(nil)
	w.endpoint(true)
	return w
}

func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	w.got, w.heads = append(w.got, string(b)), append(w.heads, r.Header)
	time.Sleep(w.slow)
	if w.cut {
		panic(http.ErrAbortHandler)
	}
	if w.status != 0 {
		rw.WriteHeader(w.status)
	}
}

func (w *world) endpoint(push bool) {
	w.fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: push, Handler: w})
}

func (w *world) deliver() []activitytest.Delivery { return w.fake.Deliver(w.Context()) }

// get asks for a resource as the first user and returns status and error text
// or body.
func (w *world) get(resource string) (int, string) {
	w.Helper()
	status, body := get(w.T, w.fake, rest+resource, w.u.State().AccessToken)
	var e struct{ ErrorMessage string }
	if status >= 400 && json.Unmarshal([]byte(body), &e) == nil {
		return status, e.ErrorMessage
	}
	return status, body
}

// pull asks for an upload range, relative to the start, with a pull token.
func (w *world) pull(resource string, from, to time.Duration) (int, string) {
	w.Helper()
	return w.get(fmt.Sprintf("%s?uploadStartTimeInSeconds=%d&uploadEndTimeInSeconds=%d&token=%s", resource,
		w.start.Add(from).Unix(), w.start.Add(to).Unix(), url.QueryEscape(w.u.State().PullToken)))
}

// backfill asks for days, counted back from the start.
func (w *world) backfill(resource string, from, to int) (int, string) {
	w.Helper()
	return w.get(strings.TrimPrefix(backfillURL(resource, w.start.AddDate(0, 0, -from), w.start.AddDate(0, 0, -to)), rest))
}

// item returns the first item of the latest body.
func (w *world) item() map[string]any {
	w.Helper()
	require.NotEmpty(w, w.got)
	var body map[string][]map[string]any
	require.NoError(w, json.Unmarshal([]byte(w.got[len(w.got)-1]), &body))
	for _, items := range body {
		require.NotEmpty(w, items)
		return items[0]
	}
	return nil
}

func (w *world) want(status int, text string) func(int, string) {
	return func(gotStatus int, gotText string) {
		w.Helper()
		require.Equal(w, status, gotStatus, gotText)
		require.Contains(w, gotText, text)
	}
}

// rules are what Garmin's document (Activity API 1.2.1) states, in our words:
// every limit, code and timing, with its section.
var rules = []struct {
	section, rule string
	holds         func(w *world)
}{
	{"3", "notifications go to the endpoint of their summary type", func(w *world) {
		other := &sink{}
		w.fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, Handler: other}, types.KindMoveIQ)
		w.u.Add(run("1", w.start), &types.MoveIQ{SummaryID: "2"})
		w.deliver()
		require.Len(w, w.got, 1)
		require.Contains(w, other.all(), `"moveIQActivities"`)
	}},
	{"3", "what is not enabled is not sent, and its queue is dropped, failed ones included", func(w *world) {
		w.status = 500
		w.u.Add(run("1", w.start))
		w.deliver()
		w.fake.SetEndpoints(activitytest.Endpoint{Handler: w})
		w.u.Add(run("2", w.start))
		w.endpoint(true)
		time.Sleep(time.Hour)
		require.Empty(w, w.deliver())
	}},
	{"3", "on hold has no effect on what is not enabled", func(w *world) {
		w.fake.SetEndpoints(activitytest.Endpoint{Handler: w, OnHold: true})
		w.u.Add(run("1", w.start))
		require.Zero(w, w.fake.State().Pending)
	}},
	{"3", "on hold, notifications are queued for seven days and then dropped", func(w *world) {
		hold := activitytest.Endpoint{Handler: w, Enabled: true, OnHold: true, Push: true}
		w.fake.SetEndpoints(hold)
		w.u.Add(run("1", w.start))
		time.Sleep(time.Hour)
		w.u.Add(run("2", w.start))
		time.Sleep(7*24*time.Hour - time.Second)
		w.deliver()
		require.Equal(w, 1, w.fake.State().Pending)
		require.Equal(w, 1, w.fake.State().Expired)
		w.endpoint(true)
		w.deliver()
		require.Equal(w, "2", w.item()["summaryId"])
	}},
	{"3", "on hold, data can still be pulled", func(w *world) {
		w.fake.SetEndpoints(activitytest.Endpoint{Handler: w, Enabled: true, OnHold: true})
		w.u.Add(run("1", w.start))
		w.want(200, `"summaryId":"1"`)(w.pull("activities", 0, time.Minute))
	}},
	{"3", "off hold, the queue is sent serially, within two minutes", func(w *world) {
		w.fake.DeliveryItems = 1
		w.fake.SetEndpoints(activitytest.Endpoint{Handler: w, Enabled: true, OnHold: true, Push: true})
		w.u.Add(run("1", w.start), run("2", w.start), run("3", w.start))
		w.slow = time.Second
		w.endpoint(true)
		sent := w.deliver()
		require.Len(w, sent, 3)
		for i := 1; i < len(sent); i++ {
			require.False(w, sent[i].Sent.Before(sent[i-1].Sent.Add(sent[i-1].Took)))
		}
		require.Less(w, time.Since(w.start), 2*time.Minute)
	}},
	{"4", "notifications are POSTs of JSON", func(w *world) {
		w.u.Add(run("1", w.start))
		w.deliver()
		require.Equal(w, "application/json;charset=UTF-8", w.heads[0].Get("Content-Type"))
		require.True(w, json.Valid([]byte(w.got[0])))
	}},
	{"4", "a ping's callback URL gives data of that user and summary type", func(w *world) {
		w.endpoint(false)
		w.u.Add(run("1", w.start))
		w.v.Add(run("2", w.start))
		w.deliver()
		callback := w.item()["callbackURL"].(string)
		status, body := get(w.T, w.fake, callback, w.u.State().AccessToken)
		require.Equal(w, 200, status)
		require.Contains(w, body, `"1"`)
		require.NotContains(w, body, `"2"`)
		status, _ = get(w.T, w.fake, callback, w.v.State().AccessToken)
		require.Equal(w, 400, status)
	}},
	{"4.1", "an answer within thirty seconds counts", func(w *world) {
		w.slow = 30*time.Second - 1
		w.u.Add(run("1", w.start))
		require.True(w, w.deliver()[0].Acknowledged)
	}},
	{"4.1", "an answer after thirty seconds is a failure", func(w *world) {
		w.slow = 30*time.Second + 1
		w.u.Add(run("1", w.start))
		require.False(w, w.deliver()[0].Acknowledged)
		time.Sleep(time.Second)
	}},
	{"4.1", "every status but 200 is a failure", func(w *world) {
		for _, status := range []int{201, 202, 204, 206, 301, 302, 304, 400, 404, 410, 500, 503} {
			w.status = status
			w.u.Add(run(types.ID(fmt.Sprint(status)), w.start))
			require.False(w, w.deliver()[0].Acknowledged, status)
			time.Sleep(0)
			w.fake.SetEndpoints(activitytest.Endpoint{})
			w.endpoint(true)
		}
	}},
	{"4.1", "a connection that breaks is a failure", func(w *world) {
		w.cut = true
		w.u.Add(run("1", w.start))
		require.Error(w, w.deliver()[0].Err)
	}},
	{"4.1", "an endpoint that cannot be reached is a failure", func(w *world) {
		w.fake.DeliveryTransport = roundTripper(func(*http.Request) (*http.Response, error) { return nil, io.EOF })
		w.fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, URL: "https://partner.example"})
		w.u.Add(run("1", w.start))
		require.Error(w, w.deliver()[0].Err)
	}},
	{"4.1", "what failed is sent again, waiting longer each time", func(w *world) {
		w.status = 503
		w.u.Add(run("1", w.start))
		var last time.Duration
		for n := 1; n <= 12; n++ {
			d := w.deliver()
			require.Len(w, d, 1)
			require.Equal(w, n, d[0].Attempt)
			wait := d[0].Next.Sub(d[0].Sent)
			require.GreaterOrEqual(w, wait, last)
			if n < 8 {
				require.Greater(w, wait, last)
			}
			last = wait
			time.Sleep(wait)
		}
		w.status = 0
		require.True(w, w.deliver()[0].Acknowledged)
		require.Zero(w, w.fake.State().Pending)
	}},
	{"4.2", "a body is a list of users under the summary type's key", func(w *world) {
		w.endpoint(false)
		w.u.Add(run("1", w.start))
		w.v.Add(run("2", w.start))
		w.deliver()
		require.Regexp(w, `^\{"activities":\[\{"userId":"`+w.u.ID()+`","callbackURL":".*"\},\{"userId":"`+w.v.ID()+`"`, w.got[0])
	}},
	{"4.2", "a deregistration has no callback URL", func(w *world) {
		w.endpoint(false)
		w.u.Deregister()
		w.deliver()
		require.Equal(w, map[string]any{"userId": string(w.u.ID())}, w.item())
	}},
	{"4.2", "the deregistration of a user who has not moved to OAuth 2 has the token that ended", func(w *world) {
		for token := range 2 {
			w.u.Change(func(s *activitytest.UserState) { s.ItemToken = fmt.Sprint("token-", token) })
			w.u.Deregister()
			w.u.Connect()
			w.u.Change(func(s *activitytest.UserState) { s.ItemToken = "next" })
			w.deliver()
			require.Equal(w, `{"deregistrations":[{"userId":"`+string(w.u.ID())+`","userAccessToken":"token-`+fmt.Sprint(token)+`"}]}`, w.got[token])
		}
	}},
	{"5", "a push carries what a pull would give", func(w *world) {
		w.fake.PullsCarryUserID = true
		w.u.Add(run("1", w.start))
		w.deliver()
		_, body := w.pull("activities", 0, time.Minute)
		require.Equal(w, `{"activities":`+body+`}`, w.got[0])
	}},
	{"5", "pushes are sent again like pings", func(w *world) {
		for _, push := range []bool{true, false} {
			w.endpoint(push)
			w.status = 500
			w.u.Add(run("1", w.start))
			require.False(w, w.deliver()[0].Acknowledged)
			w.status = 0
			time.Sleep(time.Minute)
			require.True(w, w.deliver()[0].Acknowledged)
		}
	}},
	{"5.1", "the user id outlives a new registration, the user access token does not", func(w *world) {
		legacy := w.fake.AddUser(nil)
		legacy.Change(func(s *activitytest.UserState) { s.ItemToken = "old-token" })
		legacy.Add(run("1", w.start))
		w.deliver()
		before := w.item()
		legacy.Deregister()
		w.fake.RedirectURL = "https://partner.example/"
		back, err := w.fake.Consent(authorizeURL(w.fake, nil), legacy)
		require.NoError(w, err)
		token(w.T, w.fake, url.Values{"grant_type": {"authorization_code"}, "code_verifier": {verifier},
			"code": {must(w.T, back).Query().Get("code")}})
		w.deliver()
		legacy.Add(run("2", w.start))
		w.deliver()
		require.Equal(w, before["userId"], w.item()["userId"])
		require.NotEqual(w, before["userAccessToken"], w.item()["userAccessToken"])
	}},
	{"6.1", "times are UTC seconds, with the watch's offset beside them", func(w *world) {
		w.u.Sync(activitytest.NewGenerator(1), activitytype.Running, w.start)
		w.deliver()
		require.Contains(w, w.got[0], fmt.Sprintf(`"startTimeInSeconds":%d,"startTimeOffsetInSeconds":`, w.start.Unix()))
	}},
	{"6.2.1", "the Data Viewer looks by the summaries' own time", func(w *world) {
		w.u.Add(run("1", w.start.AddDate(0, 0, -3)))
		day := types.Window{Start: w.start.AddDate(0, 0, -4), End: w.start.AddDate(0, 0, -2)}
		require.Len(w, w.u.View(types.KindActivities, day), 1)
	}},
	{"6.2.2", "the Backfill tool asks as the API does", func(w *world) {
		month := types.Window{Start: w.start.AddDate(0, 0, -20), End: w.start}
		require.NoError(w, w.u.Backfill(types.KindActivities, month))
		require.ErrorContains(w, w.u.Backfill(types.KindActivities, month), "409")
	}},
	{"6.2.3", "the Summary Resender sends all notifications again", func(w *world) {
		w.u.Add(run("1", w.start))
		w.deliver()
		w.u.Resend(types.KindActivities)
		w.deliver()
		require.Len(w, w.got, 2)
		require.Equal(w, w.got[0], w.got[1])
	}},
	{"6.2.4", "the Data Generator uploads and notifies", func(w *world) {
		w.u.Sync(activitytest.NewGenerator(1), activitytype.RoadBiking, w.start)
		require.Len(w, w.deliver(), 3)
	}},
	{"7", "a pull may span 24 hours", func(w *world) {
		for _, r := range []string{"activities", "manuallyUpdatedActivities", "activityDetails", "moveiq"} {
			w.want(200, "[]")(w.pull(r, 0, 24*time.Hour))
			w.want(400, "exceeds the maximum")(w.pull(r, 0, 24*time.Hour+time.Second))
		}
	}},
	{"7", "a pull looks by upload time, not by the summaries' own", func(w *world) {
		w.u.Add(run("1", w.start.AddDate(0, 0, -9)))
		w.want(200, `"1"`)(w.pull("activities", 0, time.Minute))
		w.want(200, `[]`)(w.pull("activities", -9*24*time.Hour, -9*24*time.Hour+time.Minute))
	}},
	{"7.1", "the two times of a range go together", func(w *world) {
		token := "&token=" + url.QueryEscape(w.u.State().PullToken)
		for _, r := range []string{"activities", "manuallyUpdatedActivities", "activityDetails", "moveiq"} {
			w.want(400, "Missing time range parameters")(w.get(r + "?uploadStartTimeInSeconds=1" + token))
			w.want(400, "Missing time range parameters")(w.get(r + "?uploadEndTimeInSeconds=1" + token))
			w.want(400, "Missing time range parameters")(w.get(r + "?" + token))
		}
	}},
	{"7.1", "a pull's answer is an array of none to many", func(w *world) {
		w.want(200, "[]")(w.pull("activities", 0, time.Minute))
		w.u.Add(run("1", w.start), run("2", w.start))
		_, body := w.pull("activities", 0, time.Minute)
		var list []any
		require.NoError(w, json.Unmarshal([]byte(body), &list))
		require.Len(w, list, 2)
	}},
	{"7.1", "wheelchair fields are there only in wheelchair mode", func(w *world) {
		g := activitytest.NewGenerator(1)
		for _, sport := range sports {
			for _, a := range activities(g, sport, w.start) {
				wheel := sport == activitytype.WheelchairPushRun
				require.Equal(w, wheel, a.Pushes != nil && a.AveragePushCadenceInPushesPerMinute != nil && a.MaxPushCadenceInPushesPerMinute != nil)
				for _, s := range g.Details(a).Samples {
					require.Equal(w, wheel, s.DirectWheelchairCadence != nil)
				}
			}
		}
	}},
	{"7.1", "a multisport activity is a parent, and children that name it", func(w *world) {
		list := activitytest.NewGenerator(1).Activities(activitytype.MultiSport, w.start)
		for _, a := range list {
			require.NotEqual(w, a.IsParent, a.ParentSummaryID != "")
		}
	}},
	{"7.2", "the device of what was typed in is unknown", func(w *world) {
		g := activitytest.NewGenerator(1)
		g.Manual = true
		w.u.Sync(g, activitytype.Running, w.start)
		w.deliver()
		require.Contains(w, w.got[0], `"deviceName":"unknown"`)
	}},
	{"7.2", "what the user has edited comes under its own key, flagged", func(w *world) {
		g := activitytest.NewGenerator(1)
		w.u.Add(g.Edit(g.Activities(activitytype.Running, w.start)[0]))
		w.deliver()
		require.True(w, strings.HasPrefix(w.got[0], `{"manuallyUpdatedActivities":[`))
		require.Equal(w, true, w.item()["manual"])
	}},
	{"7.3", "details have a summary, samples and laps; manual ones have no samples", func(w *world) {
		g := activitytest.NewGenerator(1)
		w.u.Sync(g, activitytype.Running, w.start)
		w.deliver()
		require.Regexp(w, `"activityDetails":\[\{.*"summary":\{.*"samples":\[\{.*"laps":\[\{`, w.got[1])
		g.Manual = true
		w.u.Sync(g, activitytype.Running, w.start)
		w.deliver()
		require.Contains(w, w.got[len(w.got)-1], `"samples":[]`)
	}},
	{"7.3", "samples come once a second or less often, in order, moving no longer than timed, timed no longer than clocked", func(w *world) {
		d := activitytest.NewGenerator(1).Details(activitytest.NewGenerator(1).Activities(activitytype.Running, w.start)[0])
		for i, s := range d.Samples {
			require.LessOrEqual(w, *s.MovingDurationInSeconds, *s.TimerDurationInSeconds)
			require.LessOrEqual(w, *s.TimerDurationInSeconds, *s.ClockDurationInSeconds)
			if i > 0 {
				require.GreaterOrEqual(w, s.StartTimeInSeconds-d.Samples[i-1].StartTimeInSeconds, types.Timestamp(1))
			}
		}
	}},
	{"7.3", "details of more than 24 hours are not sent and not there (to version 1.2.3)", func(w *world) {
		w.fake.NoLongDetails = true
		for _, seconds := range []int{86400, 86401} {
			w.u.Add(&types.ActivityDetails{SummaryID: types.ID(fmt.Sprint(seconds)), Summary: types.Activity{DurationInSeconds: seconds}})
		}
		w.deliver()
		require.Contains(w, w.got[0], `"86400"`)
		require.NotContains(w, w.got[0], `"86401"`)
		_, body := w.pull("activityDetails", 0, time.Minute)
		require.NotContains(w, body, `"86401"`)
	}},
	{"7.3, 8", "historic details come by push only", func(w *world) {
		w.endpoint(false)
		w.want(400, "ACTIVITY_DETAIL")(w.backfill("activityDetails", 10, 5))
		w.endpoint(true)
		w.want(202, "")(w.backfill("activityDetails", 10, 5))
	}},
	{"7.4", "files are announced by ping, whatever the endpoint says", func(w *world) {
		w.u.AddFile(types.ActivityFile{SummaryID: "1-file", ActivityID: "1"}, []byte("x"))
		w.deliver()
		i := w.item()
		require.Equal(w, "FIT", i["fileType"])
		require.Regexp(w, regexp.QuoteMeta(rest)+`activityFile\?id=[0-9]+&token=.+`, i["callbackURL"])
	}},
	{"7.4", "a file's URL works for 24 hours", func(w *world) {
		w.u.AddFile(types.ActivityFile{SummaryID: "1-file"}, []byte("x"))
		early, late := w.u.FileURL("1-file"), w.u.FileURL("1-file")
		time.Sleep(24*time.Hour - time.Nanosecond)
		status, _ := get(w.T, w.fake, early, w.u.State().AccessToken)
		require.Equal(w, 200, status)
		w.u.Connect()
		time.Sleep(time.Nanosecond)
		status, _ = get(w.T, w.fake, late, w.u.State().AccessToken)
		require.Equal(w, 400, status)
	}},
	{"7.4", "a file is downloaded once; the second time is a 410", func(w *world) {
		w.u.AddFile(types.ActivityFile{SummaryID: "1-file"}, []byte("x"))
		u := w.u.FileURL("1-file")
		for _, want := range []int{200, 410, 410} {
			status, _ := get(w.T, w.fake, u, w.u.State().AccessToken)
			require.Equal(w, want, status)
		}
	}},
	{"7.4", "the URL's token is not the user's access token, which is needed as well", func(w *world) {
		w.u.AddFile(types.ActivityFile{SummaryID: "1-file"}, []byte("x"))
		u := w.u.FileURL("1-file")
		require.NotContains(w, u, w.u.State().AccessToken)
		status, body := get(w.T, w.fake, u, "")
		w.want(400, "Unable to read oAuth header")(status, body)
		status, body = get(w.T, w.fake, regexp.MustCompile(`token=.*`).ReplaceAllString(u, "token=x"), w.u.State().AccessToken)
		w.want(400, "Invalid download token")(status, body)
	}},
	{"7.5", "Move IQ events have their own resource and list key", func(w *world) {
		w.u.Add(activitytest.NewGenerator(1).MoveIQ(w.start))
		w.deliver()
		require.True(w, strings.HasPrefix(w.got[0], `{"moveIQActivities":[`))
		w.want(200, `"calendarDate":"`)(w.pull("moveiq", 0, time.Minute))
	}},
	{"8", "a backfill is accepted with 202 and an empty body, and carried out later", func(w *world) {
		w.fake.BackfillDelay = time.Minute
		w.u.AddHistory(run("1", w.start.AddDate(0, 0, -8)))
		status, body := w.backfill("activities", 10, 5)
		require.Equal(w, 202, status)
		require.Empty(w, body)
		require.Empty(w, w.deliver())
		time.Sleep(time.Minute)
		require.Len(w, w.deliver(), 1)
	}},
	{"8", "it is notified as if newly synced, by ping and by push", func(w *world) {
		w.endpoint(false)
		w.u.AddHistory(run("1", w.start.AddDate(0, 0, -8)))
		w.want(202, "")(w.backfill("activities", 10, 5))
		w.deliver()
		_, body := get(w.T, w.fake, w.item()["callbackURL"].(string), w.u.State().AccessToken)
		require.Contains(w, body, `"summaryId":"1"`)
	}},
	{"8", "it looks by the time of recording, both ends included", func(w *world) {
		for _, days := range []int{11, 10, 7, 5, 4} {
			w.u.AddHistory(run(types.ID(fmt.Sprint(days)), w.start.AddDate(0, 0, -days)))
		}
		w.want(202, "")(w.backfill("activities", 10, 5))
		require.Equal(w, 3, w.deliver()[0].Items)
	}},
	{"8", "activities bring their files", func(w *world) {
		w.u.Upload(activitytest.Upload{File: &types.ActivityFile{StartTimeInSeconds: types.NewTimestamp(w.start.AddDate(0, 0, -8))}, Content: []byte("x"), History: true})
		w.want(202, "")(w.backfill("activities", 10, 5))
		require.Equal(w, types.KindActivityFiles, w.deliver()[0].Key)
		w.want(404, "")(w.backfill("activityFiles", 10, 5))
	}},
	{"8", "one request spans 30 days at most", func(w *world) {
		old := w.fake.AddUser(&activitytest.UserOptions{FirstConnected: w.start.AddDate(-1, 0, 0)})
		w.u = old
		w.want(202, "")(w.backfill("activities", 100, 70))
		w.want(400, "exceeds the maximum")(w.backfill("activities", 60, 29))
	}},
	{"8", "both times are required", func(w *world) {
		w.want(400, "Missing time range parameters")(w.get("backfill/activities?summaryStartTimeInSeconds=1"))
		w.want(400, "Missing time range parameters")(w.get("backfill/moveiq?summaryEndTimeInSeconds=1"))
	}},
	{"8", "an evaluation key has 100 days a minute: four months are too much", func(w *world) {
		w.u = w.fake.AddUser(&activitytest.UserOptions{FirstConnected: w.start.AddDate(-1, 0, 0)})
		for i, want := range []int{202, 202, 202, 429} {
			status, _ := w.backfill("activities", 200-31*i, 170-31*i)
			require.Equal(w, want, status)
		}
		time.Sleep(time.Minute)
		w.want(202, "")(w.backfill("activities", 107, 77))
	}},
	{"8", "days are counted, not calls: twenty calls of three days pass", func(w *world) {
		w.u = w.fake.AddUser(&activitytest.UserOptions{FirstConnected: w.start.AddDate(-1, 0, 0)})
		for i := range 20 {
			w.want(202, "")(w.backfill("activities", 200-4*i, 197-4*i))
		}
	}},
	{"8", "a production key has 10,000 days a minute, of all users", func(w *world) {
		w.fake.BackfillDaysPerMinute = 10_000
		for range 333 {
			w.u = w.fake.AddUser(nil)
			w.want(202, "")(w.backfill("activities", 30, 0))
		}
		w.u = w.fake.AddUser(nil)
		w.want(429, "")(w.backfill("activities", 30, 0))
		w.want(202, "")(w.backfill("activities", 10, 0))
	}},
	{"8", "history goes back one month from the first connection", func(w *world) {
		first := w.start.AddDate(0, -2, 0)
		w.u = w.fake.AddUser(&activitytest.UserOptions{FirstConnected: first})
		edge := first.AddDate(0, -1, 0)
		ask := func(from time.Time) (int, string) {
			return w.get(strings.TrimPrefix(backfillURL("moveiq", from, from.AddDate(0, 0, 3)), rest))
		}
		w.want(400, "before min start time of "+edge.UTC().Format(time.RFC3339))(ask(edge.Add(-time.Second)))
		w.want(202, "")(ask(edge))
	}},
	{"8", "a second request for the same time is a 409, of each summary type by itself", func(w *world) {
		w.want(202, "")(w.backfill("activities", 10, 5))
		w.want(409, "duplicate backfill processed at")(w.backfill("activities", 10, 5))
		w.want(202, "")(w.backfill("moveiq", 10, 5))
		w.want(202, "")(w.backfill("activityDetails", 10, 5))
	}},
	{"9", "review: two users, deregistrations and permission changes enabled, notifications answered", func(w *world) {
		require.False(w, verification.Partner(w.fake).OK())
		w.u.Add(run("1", w.start))
		w.deliver()
		require.True(w, verification.Partner(w.fake).OK())
		w.fake.SetEndpoints(activitytest.Endpoint{}, types.KindDeregistrations)
		require.Equal(w, verification.Failed, verification.Partner(w.fake).Check("deregistrations").Verdict)
	}},
	{"Appendix A", "activity types are those of the list", func(w *world) {
		g := activitytest.NewGenerator(1)
		for range 300 {
			for _, a := range g.Activities("", w.start) {
				require.True(w, a.ActivityType.Known(), a.ActivityType)
			}
		}
	}},
	{"Appendix B", "errors are JSON with an errorMessage", func(w *world) {
		_, body := get(w.T, w.fake, rest+"activities", w.u.State().AccessToken)
		var e map[string]string
		require.NoError(w, json.Unmarshal([]byte(body), &e))
		require.NotEmpty(w, e["errorMessage"])
	}},
	{"Appendix B", "400: milliseconds for seconds", func(w *world) {
		token := "&token=" + url.QueryEscape(w.u.State().PullToken)
		w.want(400, "timestamp '1452777797000' appears to be in milliseconds. Please provide unix timestamps in seconds.")(
			w.get("activities?uploadStartTimeInSeconds=1452384000&uploadEndTimeInSeconds=1452777797000" + token))
		w.want(400, "milliseconds")(w.get("backfill/activities?summaryStartTimeInSeconds=1452384000000&summaryEndTimeInSeconds=1452777797000"))
		w.want(400, "")(w.get("activities?uploadStartTimeInSeconds=2&uploadEndTimeInSeconds=1" + token))
		w.want(400, "")(w.get("activities?uploadStartTimeInSeconds=one&uploadEndTimeInSeconds=2" + token))
	}},
	{"Appendix B", "401: the authorization fails", func(w *world) {
		status, _ := get(w.T, w.fake, rest+"user/id", "")
		require.Equal(w, 401, status)
		w.u.Change(func(s *activitytest.UserState) { s.AccessExpires = time.Now() })
		w.want(401, "")(w.get("user/id"))
	}},
	{"Appendix B", "403: the token is unknown, or the user has withdrawn", func(w *world) {
		status, body := get(w.T, w.fake, rest+"user/id", "made-up")
		w.want(403, "Unknown UserAccessToken")(status, body)
		before := w.u.State().AccessToken
		w.u.Deregister()
		status, _ = get(w.T, w.fake, rest+"user/id", before)
		require.Equal(w, 403, status)
	}},
	{"Appendix B", "409: a duplicate backfill, with both ranges", func(w *world) {
		w.backfill("activities", 10, 5)
		_, text := w.backfill("activities", 10, 5)
		require.Regexp(w, `^\[[0-9a-f-]{36}\]duplicate backfill processed at \S+Z \[\S+Z to \S+Z\]$`, text)
	}},
	{"Appendix B", "412: the user has not permitted this, and other calls work", func(w *world) {
		w.u.SetPermissions(types.PermissionActivityExport)
		w.want(412, "HISTORICAL_DATA_EXPORT")(w.backfill("activities", 10, 5))
		w.want(200, "[]")(w.pull("activities", 0, time.Minute))
		w.u.SetPermissions()
		w.want(412, "ACTIVITY_EXPORT")(w.pull("activities", 0, time.Minute))
		w.want(200, "")(w.get("user/id"))
	}},
	{"Appendix B", "500: any other server error", func(w *world) {
		w.fake.SetFaults(activitytest.Fault{Status: 500, Body: `{"errorMessage":"internal"}`})
		w.want(500, "internal")(w.get("user/id"))
	}},
}

// TestRules holds that the fake does what the document says.
func TestRules(t *testing.T) {
	for i, r := range rules {
		t.Run(fmt.Sprintf("%02d section %s: %s", i+1, r.section, r.rule), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { r.holds(newWorld(t)) })
		})
	}
}
