package notify_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
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
func want(body []byte) ([]*notify.Event, error) {
	items, err := oracle.Lists(body)
	var events []*notify.Event
	for _, item := range items {
		if !oracle.Empty(item.Raw) {
			events = append(events, wantEvent(item))
		}
	}
	return events, err
}

func wantEvent(i oracle.Item) *notify.Event {
	item := &notify.Event{Key: i.Key, Index: i.Index, Offset: i.Offset, Size: int64(len(i.Raw))}
	bad := new(*item)
	bad.Raw, bad.Data = i.Raw, &notify.Unrecognized{}
	var head struct {
		UserID          types.UserID `json:"userId"`
		UserAccessToken types.Secret `json:"userAccessToken"`
		CallbackURL     types.Secret `json:"callbackURL"`
	}
	headResult, err := oracle.Unmarshal(i.Raw, &head)
	if err != nil || head.UserID == "" || headResult.Unread["userId"] {
		return bad
	}
	// data reads the rest into v, notes its defects in the item, and returns
	// which of its values are unread.
	data := func(v any) map[string]bool {
		result, err := oracle.Unmarshal(i.Raw, v)
		if err != nil {
			panic(err)
		}
		if _, ok := v.(types.Summary); !ok {
			// Nothing but a list of summaries takes the callback URL from head.
			headResult.Defects = slices.DeleteFunc(headResult.Defects, func(d oracle.Defect) bool { return d.Path == "callbackURL" })
		}
		item.Defects = wantDefects(item, headResult.Defects, result.Defects)
		if item.Defects != nil {
			item.Raw = i.Raw
		}
		return result.Unread
	}
	says := func(data notify.Data) *notify.Event {
		item.UserID, item.Data = head.UserID, data
		return item
	}
	kind := types.Kind(i.Key)
	var sum types.Summary
	switch kind {
	case "file", types.KindActivityFiles:
		var f types.ActivityFile
		data(&f)
		if f.CallbackURL == "" {
			return bad
		}
		f.Defects = item.Defects
		return says(&notify.FilePing{File: f, UserAccessToken: head.UserAccessToken})
	case "deregistrations":
		data(&struct {
			UserID types.UserID `json:"userId"`
		}{})
		return says(&notify.Deregistration{UserAccessToken: head.UserAccessToken})
	case "userPermissionsChange":
		var c struct {
			SummaryID           types.ID           `json:"summaryId"`
			Permissions         []types.Permission `json:"permissions"`
			ChangeTimeInSeconds types.Timestamp    `json:"changeTimeInSeconds"`
		}
		unread := data(&c)
		if c.SummaryID == "" && c.Permissions == nil && c.ChangeTimeInSeconds == 0 && !unread["permissions"] {
			return bad
		}
		return says(&notify.PermissionChange{UserAccessToken: head.UserAccessToken,
			SummaryID: c.SummaryID, Permissions: c.Permissions, ChangeTimeInSeconds: c.ChangeTimeInSeconds})
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
	unread := data(sum)
	switch {
	case headResult.Unread["callbackURL"]:
		return bad
	case head.CallbackURL != "":
		return says(&notify.Ping{Kind: kind, UserAccessToken: head.UserAccessToken, CallbackURL: head.CallbackURL})
	case unread["summaryId"] || sum.ID() == "":
		return bad
	}
	v := reflect.ValueOf(sum).Elem()
	v.FieldByName("Raw").SetBytes(item.Raw)
	v.FieldByName("Defects").Set(reflect.ValueOf(item.Defects))
	return says(&notify.Push{Kind: kind, UserAccessToken: head.UserAccessToken, SummaryID: sum.ID(), Summary: sum})
}

// wantDefects are the defects of an item that was read in two parts. Want and
// the words behind the type in Have are not compared.
func wantDefects(item *notify.Event, parts ...[]oracle.Defect) *types.Defects {
	var all []types.Defect
	for _, part := range parts {
		for _, d := range part {
			d := types.Defect{Path: item.String() + "." + d.Path, Offset: item.Offset + int64(d.Offset), Have: d.Have}
			if !slices.Contains(all, d) {
				all = append(all, d)
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	slices.SortFunc(all, func(a, b types.Defect) int { return cmp.Compare(a.Offset, b.Offset) })
	return &types.Defects{First: all[:min(len(all), 16)], Count: len(all)}
}

// plainDefects takes out of the defects of an event what the oracle does not
// say.
func plainDefects(ev *notify.Event) {
	d := ev.Defects
	if d == nil {
		return
	}
	for i := range d.First {
		d.First[i].Want = ""
		d.First[i].Have = strings.Join(strings.Fields(d.First[i].Have)[:2], " ")
	}
}

// have returns what a body holds by the real decoder, with the errors of its
// Unrecognized events taken out.
func have(r io.Reader) (events []*notify.Event, errs []error, err error) {
	for ev, e := range new(notify.Decoder).Decode(r) {
		if e != nil {
			err = e
			continue
		}
		if u, ok := ev.Data.(*notify.Unrecognized); ok {
			errs = append(errs, u.Err)
			u.Err = nil
		}
		plainDefects(ev)
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

func sameAs(t testing.TB, body []byte, wantEvents []*notify.Event, wantErr error) {
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

func show(events []*notify.Event) string {
	var b strings.Builder
	for _, ev := range events {
		j, err := json.Marshal(ev)
		fmt.Fprintf(&b, "\n  %T %s %v", ev, short(j), err)
	}
	return b.String()
}

// bodies are small bodies, good and bad, each with something to get wrong.
var bodies = identified([]string{
	``, ` `, `{`, `{}`, `{ }`, `[]`, `null`, `3`, `"x"`, `{"a"`, `{"a":`, `{"a":}`, `{,}`, `{"a":1,}`, `{"a" 1}`, `{1:2}`, `{}}`, `{} {}`, `{}x`,
	"\ufeff{}", "\ufeff", "\ufeff\ufeff{}", "\ufeff {\"activities\":[{\"userId\":\"u\",\"steps\":{}}],\"x\":[1]}", "{\"x\":[\ufeff1]}", "\xef\xbb{}", " \ufeff{}", "\xff\xfe{\x00}\x00", "{\x00}\x00", "\x00{\x00}", "{}\x00",
	`{"activities":[]}`, `{"activities":null}`, `{"activities":[{}]}`, `{"activities":[{},{ }]}`, `{"activities":{}}`, `{"activities":7}`,
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
	`{"activities":[{"userId":"u","summaryId":{}},{"userId":{},"summaryId":"1"},{"userId":"a\ud83d","summaryId":"1"},{"userId":"u","summaryId":"1","callbackURL":{}},{"userId":"u","summaryId":"1","callbackURL":{},"callbackURL":null}]}`,
	`{"activities":[{"userId":{},"userId":"u","summaryId":[],"summaryId":1},{"userId":"u","userId":{},"summaryId":"1"},{"userId":"u","summaryId":"1","summaryId":1.5},{"userId":"u","summaryId":"1","summaryId":null}]}`,
	`{"activities":[{"userId":1234567890123456789012,"summaryId":1},{"userId":12.50,"summaryId":1},{"userId":-0,"summaryId":-0},{"userId":1e3,"summaryId":1}]}`,
	`{"activities":[{"userId":"u","summaryId":"1","isParent":1,"manual":"true","Manual":"no","isWebUpload":0.0},{"userId":"u","summaryId":"1","isParent":2,"manual":"1","isWebUpload":"0"}]}`,
	`{"activities":[{"userId":"u","summaryId":"1","steps":"12","pushes":"12.5","activeKilocalories":"NaN","distanceInMeters":"12.5","durationInSeconds":"1e3","startTimeInSeconds":"1567498190.5"}]}`,
	"{\"activities\":[{\"userId\":\"u\",\"summaryId\":\"1\",\"activityName\":\"Caf\xe9\",\"deviceName\":\"\ufffd\",\"activityDescription\":\"\\ufffd\\ud800\"}]}",
	`{"activities":[{"userId":"u","summaryId":"1",` + strings.Repeat(`"steps":"x",`, 40) + `"pushes":{}}]}`,
	`{"activityDetails":[{"userId":"u","summaryId":"1","summary":{"userId":{},"summaryId":[],"steps":1},"samples":[{"heartRate":"61"},null,7,{"heartRate":61.5,"powerInWatts":{}},[]],"laps":"x"},{"userId":"u","summaryId":"1","summary":{"steps":1},"summary":5,"laps":[{"startTimeInSeconds":1}],"laps":7,"samples":[{}],"samples":null}]}`,
	`{"userPermissionsChange":[{"userId":"u","permissions":["WORKOUT_IMPORT",null,"ACTIVITY_EXPORT"]},{"userId":"u","permissions":"[ACTIVITY_EXPORT, WORKOUT_IMPORT]"},{"userId":"u"},{"userId":"u","permissions":null},{"userId":"u","permissions":{}},{"userId":"u","permissions":["A",{}]},{"userId":"u","permissions":"A"},{"userId":"u","permissions":[null]},{"userId":"u","permissions":"[]"}]}`,
	`{"dailies":[{"x":[1,]}]}`, `{"dailies":[{"x":{"a":}}]}`, `{"dailies":[{"x":{"a":1,}}]}`, `{"dailies":[{"x":[,1]}]}`, `{"dailies":[{"x":{,}}]}`, `{"dailies":[{"x":[1}]}`, `{"dailies":[{"x":{"a":1]}]}`,
	`{"dailies":[{"x":[{"a":1,"b":2},{"a":1 "b":2}]}]}`, `{"dailies":[{"x":[{"a":1,"b":2},{"a":1,"b" 2}]}]}`, `{"dailies":[{"x":[{"a":1,"b":2},{"a":01,"b":2}]}]}`, `{"dailies":[{"x":[{"a":1,"b":2},{,"b":2}]}]}`,
	`{"dailies":[{"x":[{"a":1,"b":2},{"b":2,"a":1},{"a":{"b":[]},"b":{}},[{}],{"a":1.5e3,"b":-0.1},{ "a" : 1 , "b" : tru}]}]}`,
	`{"dailies":[{"x":[{"a":1,"b":2},{"b":2,"a":1},{"a":{"b":[]},"b":{}},[{}],{"a":1.5e3,"b":-0.1},{ "a" : 1 , "b" : [ ] }]}]}`,
	`{"activities":[null,{},null],"activities":null,"dailies":[null]}`,
	`{"activityFiles":[{"userId":"u"},{"userId":"u","callbackURL":"c"},{"userId":"u","callbackURL":[]},{"userId":"u","callbackURL":"c","summaryId":{},"fileType":5}]}`,
	`{"activities":[{"userId":"u","summaryId":"1","x":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `,"steps":[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]}]}`,
})

// identified returns bodies, and each of them with a summary id in every item
// that has the user u.
func identified(bodies []string) []string {
	for _, body := range bodies {
		with := strings.ReplaceAll(body, `"userId":"u"`, `"userId":"u","summaryId":"s"`)
		if with != body {
			bodies = append(bodies, with)
		}
	}
	return bodies
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

// TestEveryIdentifierTakesWhatItShould gives each odd value to what identifies an
// item, of each kind of list, alone, before and after a good one: it is read, or the
// item is an *Unrecognized. It is never cut, and never another one's.
func TestEveryIdentifierTakesWhatItShould(t *testing.T) {
	t.Parallel()
	for _, list := range []string{"activities", "activityDetails", "activityFiles", "deregistrations", "userPermissionsChange"} {
		var items []string
		for _, key := range []string{"userId", "summaryId", "callbackURL", "userAccessToken", "permissions", "changeTimeInSeconds"} {
			for i, v := range bodygen.OddValues() {
				if !json.Valid([]byte(v)) || list != "activities" && i%3 != 0 {
					continue
				}
				rest := ""
				for _, other := range []string{`"userId":"u"`, `"summaryId":"s"`, `"callbackURL":"c"`} {
					if !strings.Contains(other, key) && (list != "activities" || !strings.Contains(other, "callback")) {
						rest += "," + other
					}
				}
				items = append(items, `{"`+key+`":`+v+rest+`}`, `{"`+key+`":"g","`+key+`":`+v+rest+`}`, `{"`+key+`":`+v+`,"`+key+`":"g"`+rest+`}`, `{"`+key+`":`+v+`}`)
			}
		}
		same(t, []byte(`{"`+list+`":[`+strings.Join(items, ",\n")+`]}`))
	}
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
