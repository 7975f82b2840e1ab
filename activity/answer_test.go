package activity_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/types"
)

const trace = "6efb2a74-fa98-4d1c-aeb9-238b223fb304"

// answering returns a client whose every request gets this answer, and the
// count of requests.
func answering(t *testing.T, status int, body string, header http.Header, opts activity.Options) (*activity.Client, *int) {
	t.Helper()
	n := new(int)
	opts.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		*n++
		return response(status, body, header), nil
	})
	c, err := poolClient(bearer("user-token-1234"), &opts)
	require.NoError(t, err)
	return c, n
}

func response(status int, body string, header http.Header) *http.Response {
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header.Clone(), Body: &reader{Reader: strings.NewReader(body)}, ContentLength: int64(len(body))}
}

type reader struct{ *strings.Reader }

func (*reader) Close() error { return nil }

// monthBack is a window for backfills.
var monthBack = types.Window{Start: time.Unix(1_700_000_000, 0), End: time.Unix(1_702_592_000, 0)}

// TestAnswers covers rows F33 and F42 of the fault matrix: what each documented
// and each seen outcome becomes, in every shape of body. None is repeated.
func TestAnswers(t *testing.T) {
	const iso = "2025-10-19T16:42:30.333571500Z"
	at := time.Date(2025, 10, 19, 16, 42, 30, 333571500, time.UTC)
	wrap := func(s string) string { return `{"errorMessage":"` + s + `"}` }
	for _, test := range []struct {
		name   string
		status int
		body   string
		is     error // nil: no sentinel
		want   activity.Error
		fault  types.Fault
	}{
		{"410", 410, wrap("gone"), activity.ErrGone, activity.Error{Message: "gone"}, types.FaultItem},
		{"410 empty", 410, "", activity.ErrGone, activity.Error{}, types.FaultItem},
		{"pull token", 400, wrap("InvalidPullTokenException failure"), activity.ErrInvalidPullToken, activity.Error{Message: "InvalidPullTokenException failure"}, types.FaultItem},
		{"download token", 400, wrap("Invalid download token"), activity.ErrInvalidPullToken, activity.Error{Message: "Invalid download token"}, types.FaultItem},
		{"412", 412, wrap("Access denied for consumer required HISTORICAL_DATA_EXPORT"), activity.ErrNotPermitted,
			activity.Error{Message: "Access denied for consumer required HISTORICAL_DATA_EXPORT", Permission: types.PermissionHistoricalDataExport}, types.FaultUser},
		{"412 without name", 412, wrap("Access denied"), activity.ErrNotPermitted, activity.Error{Message: "Access denied"}, types.FaultUser},
		{"403 with name", 403, wrap("required ACTIVITY_EXPORT"), activity.ErrNotPermitted,
			activity.Error{Message: "required ACTIVITY_EXPORT", Permission: types.PermissionActivityExport}, types.FaultUser},
		{"409", 409, wrap("[" + trace + "]duplicate backfill processed at 2021-07-01T07:05:57Z [2021-04-02T07:05:57Z to 2021-07-01T07:05:57Z]"), activity.ErrDuplicate,
			activity.Error{TraceID: trace, Message: "duplicate backfill processed at 2021-07-01T07:05:57Z [2021-04-02T07:05:57Z to 2021-07-01T07:05:57Z]",
				Earlier: types.Window{Start: time.Date(2021, 4, 2, 7, 5, 57, 0, time.UTC), End: time.Date(2021, 7, 1, 7, 5, 57, 0, time.UTC)}}, types.FaultItem},
		{"409 that is not JSON, as documented", 409, "{ \r\n errorMessage: \"[" + trace + "]duplicate \r\nbackfill processed at 2021-07-01T07:05:57Z [2021-04-02T07:05:57Z to \r\n2021-07-01T07:05:57Z] \r\n}", activity.ErrDuplicate,
			activity.Error{TraceID: trace, Message: "duplicate backfill processed at 2021-07-01T07:05:57Z [2021-04-02T07:05:57Z to 2021-07-01T07:05:57Z]",
				Earlier: types.Window{Start: time.Date(2021, 4, 2, 7, 5, 57, 0, time.UTC), End: time.Date(2021, 7, 1, 7, 5, 57, 0, time.UTC)}}, types.FaultItem},
		{"409 as 400", 400, wrap("duplicate backfill processed at some time"), activity.ErrDuplicate, activity.Error{Message: "duplicate backfill processed at some time"}, types.FaultItem},
		{"409 empty", 409, "", activity.ErrDuplicate, activity.Error{}, ""},
		{"minimum start", 400, wrap("[" + trace + "] start 2020-01-01T00:00:00Z before min start time of " + iso), activity.ErrMinStart,
			activity.Error{TraceID: trace, Message: "start 2020-01-01T00:00:00Z before min start time of " + iso, MinStart: at}, types.FaultItem},
		{"minimum start in seconds", 400, wrap("before min start time of 1760892150"), activity.ErrMinStart,
			activity.Error{Message: "before min start time of 1760892150", MinStart: at.Truncate(time.Second)}, types.FaultItem},
		{"minimum start in milliseconds", 400, wrap("before min start time of 1760892150333"), activity.ErrMinStart,
			activity.Error{Message: "before min start time of 1760892150333", MinStart: at.Truncate(time.Millisecond)}, types.FaultItem},
		{"minimum start as a date", 400, wrap("before min start time of 2025-10-19."), activity.ErrMinStart,
			activity.Error{Message: "before min start time of 2025-10-19.", MinStart: at.Truncate(24 * time.Hour)}, types.FaultItem},
		{"minimum start in microseconds", 400, wrap("before min start time of 1760892150333571"), activity.ErrMinStart,
			activity.Error{Message: "before min start time of 1760892150333571", MinStart: time.UnixMicro(1760892150333571).UTC()}, types.FaultItem},
		{"minimum start in a field", 400, `{"errorMessage":"before min start time","minStartTimeInSeconds":1760892150}`, activity.ErrMinStart,
			activity.Error{Message: "before min start time", MinStart: at.Truncate(time.Second)}, types.FaultItem},
		{"minimum start in a field, as text", 400, `{"min_start_time":"2025-10-19 16:42:30 UTC","errorMessage":"too early"}`, activity.ErrMinStart,
			activity.Error{Message: "too early", MinStart: at.Truncate(time.Second)}, types.FaultItem},
		{"minimum start with a zone", 400, wrap("Minimum start date: 2025-10-19T18:42:30+0200"), activity.ErrMinStart,
			activity.Error{Message: "Minimum start date: 2025-10-19T18:42:30+0200", MinStart: at.Truncate(time.Second)}, types.FaultItem},
		{"minimum start that is no time", 400, wrap("before min start time of whenever"), activity.ErrMinStart, activity.Error{Message: "before min start time of whenever"}, types.FaultItem},
		{"endpoint", 400, wrap("Endpoint not enabled for summary type: CONNECT_ACTIVITY"), activity.ErrEndpointNotEnabled,
			activity.Error{Message: "Endpoint not enabled for summary type: CONNECT_ACTIVITY"}, types.FaultApplication},
		{"401", 401, wrap("bad token"), activity.ErrUnauthorized, activity.Error{Message: "bad token"}, types.FaultUser},
		{"401 empty", 401, "", activity.ErrUnauthorized, activity.Error{}, ""},
		{"400 without header", 400, wrap("Unable to read oAuth header"), activity.ErrUnauthorized, activity.Error{Message: "Unable to read oAuth header"}, ""},
		{"403 unknown token", 403, wrap("Unknown UserAccessToken"), activity.ErrUnauthorized, activity.Error{Message: "Unknown UserAccessToken"}, types.FaultUser},
		{"403", 403, wrap("no"), activity.ErrForbidden, activity.Error{Message: "no"}, types.FaultUser},
		{"403 page", 403, "<html><body>denied</body></html>", activity.ErrForbidden, activity.Error{Body: "<html><body>denied</body></html>"}, types.FaultNetwork},
		{"milliseconds", 400, wrap("timestamp '1452777797000' appears to be in \\r\\nmilliseconds."), nil, activity.Error{Message: "timestamp '1452777797000' appears to be in milliseconds."}, types.FaultItem},
		{"service failure", 400, `{"errorType":"X","message":"second","errorMessage":"first","errorId":"id-1"}`, nil, activity.Error{Message: "first", TraceID: "id-1"}, types.FaultItem},
		{"service failure without errorMessage", 400, `{"errorType":"X","message":"second","errorId":"id-1"}`, nil, activity.Error{Message: "second", TraceID: "id-1"}, ""},
		{"gateway's JSON", 404, `{"error":"Not Found","path":"/x","status":404}`, nil, activity.Error{Message: "Not Found"}, ""},
		{"JSON without message", 400, `{"status":400}`, nil, activity.Error{Body: `{"status":400}`}, ""},
		{"JSON of another shape", 400, `["x"]`, nil, activity.Error{Body: `["x"]`}, ""},
		{"null message", 400, `{"errorMessage":null}`, nil, activity.Error{Body: `{"errorMessage":null}`}, ""},
		{"byte order mark", 410, "\ufeff" + wrap("m"), activity.ErrGone, activity.Error{Message: "m"}, types.FaultItem},
		{"not UTF-8", 400, "\xff\xfe", nil, activity.Error{Body: "\ufffd"}, types.FaultNetwork},
		{"501", 501, "", nil, activity.Error{}, types.FaultGarmin},
		{"505", 505, "", nil, activity.Error{}, types.FaultGarmin},
		{"404", 404, "", nil, activity.Error{}, ""},
		{"408 is not here", 418, "", nil, activity.Error{}, ""},
		{"999", 999, "", nil, activity.Error{}, types.FaultNetwork},
		{"600", 600, "", nil, activity.Error{}, types.FaultNetwork},
		// Pages that say what Garmin says.
		{"page with a permission", 403, "<p>required ACTIVITY_EXPORT", activity.ErrForbidden, activity.Error{Body: "<p>required ACTIVITY_EXPORT"}, types.FaultNetwork},
		{"page with a message", 403, `<script>x = {"errorMessage":"Unknown UserAccessToken"}</script>`, activity.ErrForbidden, activity.Error{Body: `<script>x = {"errorMessage":"Unknown UserAccessToken"}</script>`}, types.FaultNetwork},
		{"page with a token", 400, "Invalid download token", nil, activity.Error{Body: "Invalid download token"}, types.FaultNetwork},
		{"page behind a byte order mark", 401, "\ufeff <!DOCTYPE html>", activity.ErrUnauthorized, activity.Error{Body: "<!DOCTYPE html>"}, types.FaultNetwork},
		{"wall's number", 403, "error code: 1020", activity.ErrForbidden, activity.Error{Body: "error code: 1020"}, types.FaultNetwork},
		{"wall's JSON", 403, `{"message":"Forbidden"}`, activity.ErrForbidden, activity.Error{Message: "Forbidden"}, ""},
		{"410 page", 410, "<html>gone", activity.ErrGone, activity.Error{Body: "<html>gone"}, types.FaultNetwork},
		{"412 page", 412, "<html>no", activity.ErrNotPermitted, activity.Error{Body: "<html>no"}, types.FaultNetwork},
		{"405 page", 405, "<html>no", nil, activity.Error{Body: "<html>no"}, types.FaultNetwork},
		{"421 page", 421, "<html>no", nil, activity.Error{Body: "<html>no"}, types.FaultNetwork},
		{"proxy", 407, wrap("x"), nil, activity.Error{Message: "x"}, types.FaultNetwork},
		{"404 of Garmin's", 404, wrap("no such thing"), nil, activity.Error{Message: "no such thing"}, types.FaultItem},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, n := answering(t, test.status, test.body, nil, activity.Options{})
			err := c.Backfill(context.Background(), types.KindActivities, monthBack)
			got := asError(t, err)
			if test.is != nil {
				require.ErrorIs(t, err, test.is)
			} else {
				require.NoError(t, got.Err)
			}
			require.Equal(t, test.fault, got.Fault())
			require.Zero(t, got.RetryAfter())
			require.Equal(t, 1, *n)

			want := test.want
			want.Op, want.StatusCode, want.Attempts, want.Err = "Backfill", test.status, 1, got.Err
			have := want
			have.Message, have.TraceID, have.Body, have.Permission = got.Message, got.TraceID, got.Body, got.Permission
			have.MinStart, have.Earlier, have.Err = got.MinStart, got.Earlier, got.Err
			require.Equal(t, want, have)

			// The same answer to a call that may be repeated is one attempt too.
			*n = 0
			_, err = c.UserID(context.Background())
			require.Error(t, err)
			require.Equal(t, 1, *n)
		})
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	c, _ := answering(t, 400, `{"errorMessage":"[`+trace+`] Endpoint not enabled for summary type: MOVE_IQ"}`, nil, activity.Options{})
	require.EqualError(t, c.Backfill(context.Background(), types.KindMoveIQ, monthBack),
		"activity: Backfill: 400 Bad Request: no endpoint is configured for the summary type: Endpoint not enabled for summary type: MOVE_IQ (trace "+trace+")")
	long := strings.Repeat("é", 2000)
	c, _ = answering(t, 404, `{"errorMessage":"`+long+`"}`, nil, activity.Options{})
	err := asError(t, c.Backfill(context.Background(), types.KindMoveIQ, monthBack))
	require.LessOrEqual(t, len(err.Message), 512)
	c, _ = answering(t, 404, "<p>"+long, nil, activity.Options{})
	err = asError(t, c.Backfill(context.Background(), types.KindMoveIQ, monthBack))
	require.LessOrEqual(t, len(err.Body), 1024)
	require.NotContains(t, err.Error(), "é", "a page is not part of the text")
}

// TestClockSkew is row F20: a 401 from a clock that is wrong says so.
func TestClockSkew(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{-time.Hour, 0, time.Hour} {
		h := http.Header{"Date": {time.Now().Add(-skew).UTC().Format(http.TimeFormat)}}
		c, _ := answering(t, 401, "", h, activity.Options{})
		_, err := c.UserID(context.Background())
		require.InDelta(t, skew, asError(t, err).ClockSkew, float64(3*time.Second))
		if skew != 0 {
			require.Contains(t, err.Error(), "clock")
		}
	}
}

// TestWindowsAreCheckedFirst is row F35.
func TestWindowsAreCheckedFirst(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_700_000_000, 0)
	day := 24 * time.Hour
	for name, test := range map[string]struct {
		w    types.Window
		max  time.Duration
		fine bool
	}{
		"as long as allowed":         {w: types.Window{Start: at}, fine: true},
		"a second longer":            {w: types.Window{Start: at}, max: time.Second},
		"no start":                   {w: types.Window{End: at}},
		"start zero":                 {w: types.Window{Start: time.Unix(0, 0), End: time.Unix(60, 0)}},
		"empty":                      {w: types.Window{Start: at, End: at}},
		"end before start":           {w: types.Window{Start: at, End: at.Add(-time.Hour)}},
		"milliseconds":               {w: types.Window{Start: time.Unix(1_700_000_000_000, 0), End: time.Unix(1_700_000_060_000, 0)}},
		"parts of a second":          {w: types.Window{Start: at, End: at.Add(time.Hour + time.Millisecond)}},
		"25 hours of a clock change": {w: types.Window{Start: at}, max: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			c, n := answering(t, 200, "[]", nil, activity.Options{})
			w := test.w
			if w.End.IsZero() && !w.Start.IsZero() {
				w.End = w.Start.Add(day + test.max)
			}
			var errs [4]error
			_, errs[0] = collect(c.Activities(context.Background(), w, nil))
			_, errs[1] = collect(c.ManualActivities(context.Background(), w, nil))
			_, errs[2] = collect(c.Details(context.Background(), w, nil))
			_, errs[3] = collect(c.MoveIQ(context.Background(), w, nil))
			if test.w.End.IsZero() && !test.w.Start.IsZero() {
				w.End = w.Start.Add(30*day + test.max)
			}
			if test.fine {
				require.NoError(t, errors.Join(errs[:]...))
				require.Equal(t, 4, *n)
				require.NotErrorIs(t, c.Backfill(context.Background(), types.KindMoveIQ, w), types.ErrWindow)
				return
			}
			for _, err := range append(errs[:], c.Backfill(context.Background(), types.KindMoveIQ, w)) {
				require.ErrorIs(t, err, types.ErrWindow)
				require.Equal(t, types.FaultItem, asError(t, err).Fault())
				require.ErrorIs(t, err, types.ErrNotSent)
			}
			require.Zero(t, *n)
		})
	}
	c, n := answering(t, 202, "", nil, activity.Options{})
	for _, kind := range []types.Kind{types.KindActivityFiles, types.KindManualActivities, "dailies", ""} {
		require.Error(t, c.Backfill(context.Background(), kind, monthBack))
	}
	require.Zero(t, *n, "a kind without backfill")
}

// TestQueries shows what goes out: seconds as whole numbers, no parameter
// dropped, tokens escaped.
func TestQueries(t *testing.T) {
	t.Parallel()
	w := types.Window{Start: time.Unix(1_700_000_000, 0), End: time.Unix(1_700_086_400, 0)}
	tr := &wire{}
	c, err := poolClient(bearer("user-token"), &activity.Options{Transport: tr, UserAgent: "partner/1.0"})
	require.NoError(t, err)
	_, err = collect(c.Details(context.Background(), w, nil))
	require.NoError(t, err)
	_, err = collect(c.MoveIQ(context.Background(), w, &activity.PullOptions{Token: "a/b+c&d"}))
	require.NoError(t, err)
	require.Error(t, c.Backfill(context.Background(), types.KindActivities, w)) // 200 is not 202
	var got []string
	for _, r := range tr.requests {
		got = append(got, r.URL.String())
		require.Equal(t, "partner/1.0", r.UserAgent())
	}
	require.Equal(t, []string{
		base + "/activityDetails?uploadEndTimeInSeconds=1700086400&uploadStartTimeInSeconds=1700000000",
		base + "/moveiq?token=a%2Fb%2Bc%26d&uploadEndTimeInSeconds=1700086400&uploadStartTimeInSeconds=1700000000",
		base + "/backfill/activities?summaryEndTimeInSeconds=1700086399&summaryStartTimeInSeconds=1700000000",
	}, got)
}

func TestPermissionShapes(t *testing.T) {
	t.Parallel()
	two := []types.Permission{types.PermissionActivityExport, "HEALTH_EXPORT"}
	none := []types.Permission{}
	for body, want := range map[string][]types.Permission{
		`["ACTIVITY_EXPORT","HEALTH_EXPORT"]`:                                        two,
		"\ufeff [\"ACTIVITY_EXPORT\", \"HEALTH_EXPORT\"]\n":                          two,
		`{"permissions":["ACTIVITY_EXPORT","HEALTH_EXPORT"]}`:                        two,
		`{"userId":"u","permissions":"[ACTIVITY_EXPORT, HEALTH_EXPORT]"}`:            two,
		`{"permissions":"[\"ACTIVITY_EXPORT\", \"HEALTH_EXPORT\"]","summaryId":"1"}`: two,
		`{["ACTIVITY_EXPORT", "HEALTH_EXPORT"]}`:                                     two,
		`[]`:                                                                         none,
		`{"permissions":[]}`:                                                         none,
		`{"permissions":"[]"}`:                                                       none,
		`{[]}`:                                                                       none,
		`["NEW_NAME"]`:                                                               {"NEW_NAME"},
		`["NEW_NAME",null]`:                                                          {"NEW_NAME"},
		``:                                                                           nil,
		`{}`:                                                                         nil,
		`null`:                                                                       nil,
		`{"permissions":null}`:                                                       nil,
		`{"permissions":"ACTIVITY_EXPORT"}`:                                          nil,
		`{"permissions":7}`:                                                          nil,
		`[7]`:                                                                        nil,
		`<html>`:                                                                     nil,
		`["ACTIVITY_EXPORT"`:                                                         nil,
	} {
		c, _ := answering(t, 200, body, nil, activity.Options{})
		got, err := c.Permissions(context.Background())
		if want == nil {
			require.Error(t, err, body)
			continue
		}
		require.NoError(t, err, body)
		require.Equal(t, want, got, body)
	}
	for _, body := range []string{``, `{}`, `[]`, `null`, `{"userId":""}`, `{"userId":null}`, `<html>`, `{"userId":"x"`} {
		c, _ := answering(t, 200, body, nil, activity.Options{})
		_, err := c.UserID(context.Background())
		require.Error(t, err, body)
	}
}
