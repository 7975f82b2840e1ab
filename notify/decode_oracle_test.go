package notify_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/bodygen"
	"github.com/garminkit/activityapi/internal/oracle"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// want returns what a body holds by the slow decoder. Unrecognized events have
// no Err there.
func want(body []byte) ([]notify.Event, error) {
	items, err := oracle.Lists(body)
	var events []notify.Event
	for _, item := range items {
		if !oracle.Empty(item.Raw) {
			events = append(events, wantEvent(item))
		}
	}
	return events, err
}

func wantEvent(i oracle.Item) notify.Event {
	item := notify.Item{Key: i.Key, Index: i.Index, Offset: i.Offset, Size: int64(len(i.Raw))}
	bad := &notify.Unrecognized{Item: item}
	bad.Raw = i.Raw
	var head struct {
		UserID          string       `json:"userId"`
		UserAccessToken types.Secret `json:"userAccessToken"`
		CallbackURL     types.Secret `json:"callbackURL"`
	}
	kind := types.Kind(i.Key)
	var sum types.Summary
	switch kind {
	case "file", types.KindActivityFiles:
		var f types.ActivityFile
		var token struct {
			UserAccessToken types.Secret `json:"userAccessToken"`
		}
		if oracle.Unmarshal(i.Raw, &f) != nil || oracle.Unmarshal(i.Raw, &token) != nil || f.UserID == "" {
			return bad
		}
		return &notify.FilePing{Item: item, File: f, UserAccessToken: token.UserAccessToken}
	case "deregistrations":
		var d struct {
			UserID          string       `json:"userId"`
			UserAccessToken types.Secret `json:"userAccessToken"`
		}
		if oracle.Unmarshal(i.Raw, &d) != nil || d.UserID == "" {
			return bad
		}
		return &notify.Deregistration{Item: item, UserID: d.UserID, UserAccessToken: d.UserAccessToken}
	case "userPermissionsChange":
		var c struct {
			UserID              string             `json:"userId"`
			UserAccessToken     types.Secret       `json:"userAccessToken"`
			SummaryID           types.ID           `json:"summaryId"`
			Permissions         []types.Permission `json:"permissions"`
			ChangeTimeInSeconds types.Timestamp    `json:"changeTimeInSeconds"`
		}
		if oracle.Unmarshal(i.Raw, &c) != nil || c.UserID == "" {
			return bad
		}
		return &notify.PermissionChange{Item: item, UserID: c.UserID, UserAccessToken: c.UserAccessToken,
			SummaryID: c.SummaryID, Permissions: c.Permissions, ChangeTimeInSeconds: c.ChangeTimeInSeconds}
	case types.KindActivities:
		sum = new(types.Activity)
	case types.KindManualActivities:
		sum = new(types.ManualActivity)
	case types.KindActivityDetails:
		sum = new(types.ActivityDetails)
	case types.KindMoveIQ:
		sum = new(types.MoveIQ)
	default:
		return bad
	}
	if oracle.Unmarshal(i.Raw, &head) != nil || head.UserID == "" {
		return bad
	}
	if head.CallbackURL != "" {
		return &notify.Ping{Item: item, Kind: kind, UserID: head.UserID, UserAccessToken: head.UserAccessToken, CallbackURL: head.CallbackURL}
	}
	if oracle.Unmarshal(i.Raw, sum) != nil {
		return bad
	}
	return &notify.Push{Item: item, UserID: head.UserID, UserAccessToken: head.UserAccessToken, Summary: sum}
}

// have returns what a body holds by the real decoder, with the errors of its
// Unrecognized events taken out.
func have(r io.Reader) (events []notify.Event, errs []error, err error) {
	for ev, e := range notify.Decode(r) {
		if e != nil {
			err = e
			continue
		}
		if u, ok := ev.(*notify.Unrecognized); ok {
			errs = append(errs, u.Err)
			u.Err = nil
		}
		events = append(events, ev)
	}
	return events, errs, err
}

// readers are ways to hand over the same bytes.
var readers = map[string]func([]byte) io.Reader{
	"bytes.Reader": func(b []byte) io.Reader { return bytes.NewReader(b) },
	"stream":       func(b []byte) io.Reader { return io.MultiReader(bytes.NewReader(b)) },
	"one byte":     func(b []byte) io.Reader { return iotest.OneByteReader(bytes.NewReader(b)) },
	"data and EOF": func(b []byte) io.Reader { return iotest.DataErrReader(io.MultiReader(bytes.NewReader(b))) },
	"halves":       func(b []byte) io.Reader { return iotest.HalfReader(io.MultiReader(bytes.NewReader(b))) },
}

// same fails the test unless the real decoder and the slow one agree.
func same(t testing.TB, body []byte) {
	t.Helper()
	wantEvents, wantErr := want(body)
	sameAs(t, body, wantEvents, wantErr)
}

func sameAs(t testing.TB, body []byte, wantEvents []notify.Event, wantErr error) {
	t.Helper()
	for name, reader := range readers {
		events, errs, err := have(reader(body))
		if (err != nil) != (wantErr != nil) {
			t.Fatalf("%s: have error %v, want %v\n%s", name, err, wantErr, short(body))
		}
		if err != nil {
			if de, ok := errors.AsType[*types.DecodeError](err); !ok || de.Offset < 0 || de.Offset > int64(len(body)) {
				t.Fatalf("%s: error %v", name, err)
			}
		}
		if !reflect.DeepEqual(events, wantEvents) {
			t.Fatalf("%s: have %s\nwant %s\nerrors %v\nof %s", name, show(events), show(wantEvents), errs, short(body))
		}
	}
}

func short(b []byte) string {
	if len(b) > 2000 {
		return fmt.Sprintf("%q... (%d bytes)", b[:2000], len(b))
	}
	return fmt.Sprintf("%q", b)
}

func show(events []notify.Event) string {
	var b strings.Builder
	for _, ev := range events {
		j, err := json.Marshal(ev)
		fmt.Fprintf(&b, "\n  %T %s %v", ev, short(j), err)
	}
	return b.String()
}

// bodies are small bodies, good and bad, each with something to get wrong.
var bodies = []string{
	``, ` `, `{`, `{}`, `{ }`, `[]`, `null`, `3`, `"x"`, `{"a"`, `{"a":`, `{"a":}`, `{,}`, `{"a":1,}`, `{"a" 1}`, `{1:2}`, `{}}`, `{} {}`, `{}x`,
	"\ufeff{}", `{"activities":[]}`, `{"activities":null}`, `{"activities":[{}]}`, `{"activities":[{},{ }]}`, `{"activities":{}}`, `{"activities":7}`,
	`{"activities":[1,"x",null,[],[{}],true,{"userId":"u"}]}`, `{"activities":[1 2]}`, `{"activities":[1,]}`, `{"activities":[,1]}`, `{"activities":[1}`,
	`{"activities":{"userId":"u","summaryId":1}}`, `{"x":1,"y":"s","z":[1,{}, {"a":[{}]}],"n":null,"o":{"a":{}},"p":{}}`,
	`{"activities":[{"userId":"u"}],"activities":[{"userId":"v"}],"moveIQActivities":[{"userId":"w"}]}`,
	`{"activities":[{"userId":"u","steps":1,"steps":2}]}`, `{"activities":[{"userId":"u","steps":1,"steps":null}]}`,
	`{"activities":[{"userId":"u","userId":null}]}`, `{"activities":[{"userId":"u","activityName":"a","activityName":null,"activityName":"b"}]}`,
	`{"activities":[{"userId":"u","manual":true,"Manual":false}]}`, `{"activities":[{"userId":"u","Manual":true,"manual":null}]}`,
	`{"activities":[{"USERID":"u"}]}`, "{\"activities\":[{\"u\u017ferId\":\"u\"}]}", `{"activities":[{"\u0075serId":"u"}]}`,
	`{"\u0061ctivities":[{"userId":"\ud83d\ude00 \ud83d x \ude00 \ud83d\u0041 \"\\\/\b\f\n\r\t"}]}`,
	"{\"activities\":[{\"userId\":\"a\xffb\xc3\"}]}", "{\"activities\":[{\"user\xff\":\"u\"}]}", "{\"activities\":[{\"userId\":\"a\nb\"}]}", `{"activities":[{"userId":"\x"}]}`, `{"activities":[{"userId":"\u12g4"}]}`,
	`{"activities":[{"userId":"u","steps":30.0},{"userId":"u","steps":3e1},{"userId":"u","steps":300E-1},{"userId":"u","steps":-0},{"userId":"u","steps":-0.0}]}`,
	`{"activities":[{"userId":"u","steps":30.5},{"userId":"u","steps":"30"},{"userId":"u","steps":9223372036854775807},{"userId":"u","steps":9223372036854775808},{"userId":"u","steps":1e400},{"userId":"u","steps":0e400}]}`,
	`{"activities":[{"userId":"u","steps":01}]}`, `{"activities":[{"userId":"u","steps":1.}]}`, `{"activities":[{"userId":"u","steps":-}]}`, `{"activities":[{"userId":"u","steps":+1}]}`, `{"activities":[{"userId":"u","steps":.5}]}`, `{"activities":[{"userId":"u","steps":1e}]}`,
	`{"activities":[{"userId":"u","distanceInMeters":1e308},{"userId":"u","distanceInMeters":1e309},{"userId":"u","distanceInMeters":1e-400},{"userId":"u","distanceInMeters":-0.0},{"userId":"u","distanceInMeters":5e-324},{"userId":"u","distanceInMeters":0.1}]}`,
	`{"activities":[{"userId":"u","summaryId":9876543210123456789876},{"userId":"u","summaryId":-5},{"userId":"u","summaryId":5.0},{"userId":"u","summaryId":5.5},{"userId":"u","summaryId":5e1},{"userId":"u","summaryId":{}}]}`,
	`{"activities":[{"userId":"u","isParent":1},{"userId":"u","isParent":"true"},{"userId":"u","isParent":true},{"userId":"u","isParent":tru}]}`,
	`{"activities":[{"userId":7},{"userId":""},{"userId":null},{"callbackURL":"x"},{"userId":"u","callbackURL":5},{"userId":"u","callbackURL":""},{"userId":"u","callbackURL":null}]}`,
	`{"activities":[{"userId":"u","steps":"bad","callbackURL":"https://x"},{"steps":{"a":1},"callbackURL":"c","userAccessToken":"t","userId":"u"},{"steps":"bad","callbackURL":"c","userId":5}]}`,
	`{"activityDetails":[{"userId":"u","summary":{"steps":"x"},"callbackURL":"c"},{"userId":"u","samples":[5],"callbackURL":"c"},{"userId":"u","samples":[{"heartRate":"x"}],"summary":{"steps":5},"callbackURL":"c"}]}`,
	`{"activityDetails":[{"userId":"u","samples":[{"heartRate":1,"powerInWatts":2.5},null,{},{"heartRate":null},{"directWheelchairCadence":1,"wheelChairCadenceInPushesPerMinute":2},{"startTimeInSeconds":1.5,"heartRate":3000000000},{"startTimeInSeconds":-0.0},{"startTimeInSeconds":4294967296}],"laps":[{"startTimeInSeconds":1},{}]}]}`,
	`{"activityDetails":[{"userId":"u","samples":[{"heartRate":1}],"samples":null},{"userId":"u","samples":[{"heartRate":1}],"samples":[]},{"userId":"u","summary":{"steps":1},"summary":{"pushes":2}},{"userId":"u","summary":{"steps":1},"summary":null}]}`,
	`{"activityDetails":[{"userId":"u","samples":[{"heartRate":1,"x":[{"y":"z"}],"heartRate":2,"x":-1.5e5,"x":"s","x":true}]},{"userId":"u","samples":{}},{"userId":"u","samples":"x"},{"userId":"u","laps":[3]}]}`,
	`{"activityDetails":[{"userId":"u","samples":[{"heartRate":1,}]}]}`, `{"activityDetails":[{"userId":"u","samples":[{"heartRate":1}`, `{"activityDetails":[{"userId":"u","samples":[{"heartRate":1}{}]}]}`,
	`{"deregistrations":[{"userId":"u","userAccessToken":"t"},{"userId":5},{}],"userPermissionsChange":[{"userId":"u","permissions":["A","B",null],"summaryId":"x","changeTimeInSeconds":1.5},{"userId":"u","permissions":"A"},{"userId":"u","permissions":[1]},{"userId":"u","permissions":[]},{"userId":"u","permissions":["A"],"permissions":null}]}`,
	`{"file":[{"userId":"u","callbackURL":"c","fileType":"FIT","summaryId":"5-file","Manual":true}],"activityFiles":[{"userId":"u","manual":3},{"summaryId":1}]}`,
	`{"moveIQActivities":[{"userId":"u","startTimeInSeconds":1490245200.5,"activityType":"Running"},{"userId":"u","offsetInSeconds":1.5}]}`,
	`{"activities":[{"userId":"u","x":[[[[[[[[[[[[[[1]]]]]]]]]]]]]]},{"userId":"u","x":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]},{"userId":"u","x":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]],"callbackURL":"c"},{"userId":"v"}]}`,
	`{"activities":[{"userId":"u","x":{"a":[1,2,{"b":[],"c":{}}],"d":-0.5e-7,"e":"\u00e4\n"},"y":[{]}]}`,
	`{"manuallyUpdatedActivities":[{"userId":"u","Manual":true,"parentSummaryId":12}]}`,
	`{"activities":[{"userId":"u","x":1e400,"y":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]},{"userId":"u","x":1e400,"y":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]},{"userId":"u","x":-1E-999999}]}`,
}

func TestDecodeAgreesWithOracle(t *testing.T) {
	t.Parallel()
	for _, body := range bodies {
		same(t, []byte(body))
	}
	for _, pretty := range []bool{false, true} {
		for seed := range uint64(3) {
			same(t, bodygen.Details(bodygen.Options{Seed: seed, Pretty: pretty, Size: 100 << 10, Samples: 300}))
			same(t, bodygen.Activities(bodygen.Options{Seed: seed, Pretty: pretty, Size: 100 << 10}))
			same(t, bodygen.Pings(bodygen.Options{Seed: seed, Pretty: pretty, Size: 10 << 10}))
		}
	}
	long := strings.Repeat("1", 1025)
	same(t, []byte(`{"activities":[{"userId":"u","steps":`+long+`},{"userId":"u","x":`+long+`},{"userId":"u","distanceInMeters":`+long+`},{"userId":"u","distanceInMeters":0.`+long[:1022]+`},{"userId":"u","summaryId":`+long[:1024]+`}]}`))
	// One byte more, where nothing but the length is wrong.
	same(t, []byte(`{"activities":[{"userId":"u","distanceInMeters":0.`+long[:1023]+`},{"userId":"u","summaryId":`+long+`}]}`))
}

// FuzzDecode compares the decoder with one made of encoding/json: the same
// events in the same order, and both refuse the body or none.
func FuzzDecode(f *testing.F) {
	for _, body := range bodies {
		f.Add([]byte(body))
	}
	f.Add(bodygen.Details(bodygen.Options{Samples: 3}))
	f.Add(bodygen.Details(bodygen.Options{Samples: 2, Pretty: true}))
	f.Add(bodygen.Activities(bodygen.Options{Size: 1500}))
	f.Fuzz(func(t *testing.T, body []byte) { same(t, body) })
}

func TestDecodeCutAnywhere(t *testing.T) {
	t.Parallel()
	body := bodygen.Details(bodygen.Options{Seed: 4, Size: 2000, Samples: 2})
	body = append(body[:len(body)-1], `,"activities":[{"userId":"u","summaryId":"1","activityName":"\ud83d\ude00 x","isParent":true,"x":[null,{"a":false}]}],"deregistrations":[{"userId":"u"}]}`...)
	all, _, err := have(bytes.NewReader(body))
	require.NoError(t, err)
	require.Greater(t, len(all), 3)
	for n := range body {
		for _, reader := range readers {
			events, errs, err := have(reader(body[:n]))
			require.ErrorIs(t, err, io.ErrUnexpectedEOF, "cut at %d", n)
			require.Empty(t, errs)
			require.True(t, len(events) == 0 || reflect.DeepEqual(all[:len(events)], events), "cut at %d", n)
			de, ok := errors.AsType[*types.DecodeError](err)
			require.True(t, ok)
			require.EqualValues(t, n, de.Offset)
		}
	}
}
