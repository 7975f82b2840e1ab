package notify_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/bodygen"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// only hides that a reader can do more than read.
type only struct{ io.Reader }

func decode(t *testing.T, d *notify.Decoder, r io.Reader) []*notify.Event {
	t.Helper()
	var events []*notify.Event
	for ev, err := range d.Decode(r) {
		require.NoError(t, err)
		events = append(events, ev)
	}
	return events
}

func TestUnrecognizedSaysWhere(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ body, path, at, err string }{
		{`{"activities":[{"userId":"u"}]}`, "activities[0]", `{"user`, "no summaryId"},
		{`{"activityDetails":[{"userId":"u","summary":{"summaryId":"1"}}]}`, "activityDetails[0]", `{"user`, "no summaryId"},
		{`{"activities":[{"userId":"u","summaryId":"1"},{"userId":"u","summaryId":30.5}]}`, "activities[1].summaryId", `30.5`, "want a string or an integer, have a number with a fraction"},
		{`{"activities":[{"userId":"u","summaryId":1e5}]}`, "activities[0].summaryId", `1e5`, "want a string or an integer, have a number with an exponent"},
		{`{"activities":[{"summaryId":"1","userId":{"id":"u"}}]}`, "activities[0].userId", `{"id`, "want a string, have an object"},
		{`{"activities":[{"summaryId":"1","userId":"\ud83d"}]}`, "activities[0].userId", `"\ud83d"`, "want a string, have a string that is not UTF-8"},
		{`{"activities":[{"userId":"u","summaryId":"1","callbackURL":["https://x"]}]}`, "activities[0].callbackURL", `["h`, "want a string, have an array"},
		{`{"activityFiles":[{"userId":"u","summaryId":"1"}]}`, "activityFiles[0]", `{"user`, "no callbackURL"},
		{`{"deregistrations":[{"userId":true}]}`, "deregistrations[0].userId", `true`, "want a string, have a boolean"},
		{`{"userPermissionsChange":[{"userId":"u","permissions":null}]}`, "userPermissionsChange[0]", `{"user`, "nothing but a userId"},
		{`{"activities":[7]}`, "activities[0]", `7`, "want an object, have a number"},
		{`{"activities":[[null]]}`, "activities[0]", `[null`, "want an object, have an array"},
		{`{"activities":[{"summaryId":"1"}]}`, "activities[0]", `{"sum`, "no userId"},
		{`{"dailies":[{"userId":"u"}]}`, "dailies[0]", `{"use`, "unknown list key"},
	} {
		events := decode(t, &notify.Decoder{}, strings.NewReader(tt.body))
		u, ok := events[len(events)-1].Data.(*notify.Unrecognized)
		require.True(t, ok, tt.body)
		de, ok := errors.AsType[*types.DecodeError](u.Err)
		require.True(t, ok)
		require.Equal(t, tt.path, de.Path, tt.body)
		require.Contains(t, de.Err.Error(), tt.err, tt.body)
		require.Equal(t, de.Error(), u.Err.Error())
		require.ErrorIs(t, u.Err, de.Err)
		require.EqualValues(t, strings.LastIndex(tt.body, tt.at), de.Offset, tt.body)
		ev := events[len(events)-1]
		require.Equal(t, tt.body[ev.Offset:ev.Offset+ev.Size], string(ev.Raw))
	}
}

// TestDefectSaysWhere: a value that cannot be read costs itself alone. Each item
// has steps of 5 behind it.
func TestDefectSaysWhere(t *testing.T) {
	t.Parallel()
	const item = `{"activities":[{"userId":"u","summaryId":"1",`
	const details = `{"activityDetails":[{"userId":"u","summaryId":"1",`
	for _, tt := range []struct{ body, path, at, want, have string }{
		{item + `"pushes":30.5,`, "activities[0].pushes", `30.5`, "an integer", "a number with a fraction"},
		{item + `"pushes":"30.5",`, "activities[0].pushes", `"30.5`, "an integer", "a string with a fraction"},
		{item + `"pushes":"NaN",`, "activities[0].pushes", `"NaN`, "an integer", "a string that holds no number"},
		{item + `"pushes":[1],`, "activities[0].pushes", `[1]`, "an integer", "an array"},
		{item + `"pushes":92233720368547758070,`, "activities[0].pushes", `9223`, "an integer", "a number out of range"},
		{item + `"distanceInMeters":1e999,`, "activities[0].distanceInMeters", `1e999`, "a number", "a number out of range"},
		{item + `"distanceInMeters":` + strings.Repeat("1", 1025) + `,`, "activities[0].distanceInMeters", strings.Repeat("1", 1025), "a number", "a number longer than 1024 bytes"},
		{item + `"Manual":2,`, "activities[0].Manual", `2`, "a boolean", "a number that holds none"},
		{item + `"activityName":{"en":"x"},`, "activities[0].activityName", `{"en`, "a string", "an object"},
		{item + "\"activityName\":\"Caf\xe9\",", "activities[0].activityName", "\"Caf", "a string", "a string that is not UTF-8"},
		{item + `"activityName":"\ude00",`, "activities[0].activityName", `"\ude`, "a string", "a string that is not UTF-8"},
		{item + `"parentSummaryId":7.5,`, "activities[0].parentSummaryId", `7.5`, "a string or an integer", "a number with a fraction"},
		{details + `"summary":{"pushes":"x"},`, "activityDetails[0].summary.pushes", `"x"`, "an integer", "a string that holds no number"},
		{details + `"summary":"x",`, "activityDetails[0].summary", `"x"`, "an object", "a string"},
		{details + `"samples":[{},{"heartRate":true}],`, "activityDetails[0].samples[1].heartRate", `true`, "an integer", "a boolean"},
		{details + `"samples":[{},7],`, "activityDetails[0].samples[1]", `7`, "an object", "a number"},
		{details + `"samples":{},`, "activityDetails[0].samples", `{}`, "a list", "an object"},
		{`{"userPermissionsChange":[{"userId":"u","permissions":["A",7],`, "userPermissionsChange[0].permissions", `["A"`, "a list of strings", "an array with a number"},
		{`{"userPermissionsChange":[{"userId":"u","permissions":"A",`, "userPermissionsChange[0].permissions", `"A"`, "a list of strings", "a string that holds none"},
	} {
		body := tt.body + `"steps":5,"summary":{"steps":5},"changeTimeInSeconds":5}]}`
		if strings.HasPrefix(tt.body, details) {
			body = tt.body + `"activityId":5}]}`
		}
		events := decode(t, &notify.Decoder{}, strings.NewReader(body))
		place := events[0]
		require.NotNil(t, place.Defects, body)
		require.Equal(t, []types.Defect{{Path: tt.path, Offset: int64(strings.LastIndex(tt.body, tt.at)), Want: tt.want, Have: tt.have}}, place.Defects.First, body)
		require.Equal(t, 1, place.Defects.Count)
		require.Equal(t, body[place.Offset:place.Offset+place.Size], string(place.Raw), "the bytes are kept")
		switch data := events[0].Data.(type) {
		case *notify.Push:
			switch s := data.Summary.(type) {
			case *types.Activity:
				require.Equal(t, 5, *s.Steps, "the neighbour is read")
				require.Equal(t, types.Activity{UserID: "u", SummaryID: "1", Steps: s.Steps, Raw: place.Raw, Defects: place.Defects}, *s)
			case *types.ActivityDetails:
				require.EqualValues(t, "5", s.ActivityID, "the neighbour is read")
				require.Equal(t, place.Defects, s.Defects)
			}
		case *notify.PermissionChange:
			require.Nil(t, data.Permissions)
			require.EqualValues(t, 5, data.ChangeTimeInSeconds)
		default:
			require.Fail(t, "not delivered", "%T of %s", data, body)
		}
	}
}

// TestDefectsAreBounded: an item of nothing but defects takes no more memory.
func TestDefectsAreBounded(t *testing.T) {
	t.Parallel()
	body := `{"activityDetails":[{"userId":"u","summaryId":"1","samples":[` + strings.Repeat(`{"heartRate":"x"},7,`, 100_000) + `null]}]}`
	events := decode(t, &notify.Decoder{}, only{strings.NewReader(body)})
	push := events[0].Data.(*notify.Push)
	require.Equal(t, 200_000, events[0].Defects.Count)
	require.Len(t, events[0].Defects.First, 16)
	require.Equal(t, "activityDetails[0].samples[15]", events[0].Defects.First[15].Path)
	require.True(t, events[0].Truncated)
	require.LessOrEqual(t, len(events[0].Raw), 256<<10)
	details := push.Summary.(*types.ActivityDetails)
	require.Len(t, details.Samples, 100_000)
	require.Nil(t, details.Raw, "half an item is none")
}

// TestFieldCases are odd items from the field, each with what must come of it.
func TestFieldCases(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ body, want string }{
		"null in a permission list": {`{"userPermissionsChange":[{"userId":"u","permissions":["WORKOUT_IMPORT",null,"ACTIVITY_EXPORT"]}]}`,
			"[WORKOUT_IMPORT ACTIVITY_EXPORT]"},
		"permissions in one text": {`{"userPermissionsChange":[{"userId":"u","summaryId":"x120d383-60256e84","permissions":"[ACTIVITY_EXPORT, WORKOUT_IMPORT]","changeTimeInSeconds":1613065860}]}`,
			"[ACTIVITY_EXPORT WORKOUT_IMPORT]"},
		"nothing but a user":      {`{"activities":[{"userId":"u"}],"activityDetails":[{"userId":"u"}]}`, "no summaryId; no summaryId"},
		"null for an item":        {`{"activities":[null]}`, ""},
		"a user id as a number":   {`{"activities":[{"userId":12345678901234567890,"summaryId":1}]}`, "12345678901234567890/1"},
		"a user id in a fraction": {`{"deregistrations":[{"userId":1.50}]}`, "bye 1.50"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var have []string
			for _, ev := range decode(t, &notify.Decoder{}, strings.NewReader(tt.body)) {
				switch data := ev.Data.(type) {
				case *notify.PermissionChange:
					have = append(have, fmt.Sprint(data.Permissions))
				case *notify.Push:
					have = append(have, fmt.Sprintf("%s/%s", ev.UserID, data.Summary.ID()))
				case *notify.Unrecognized:
					have = append(have, errors.Unwrap(data.Err).Error())
				case *notify.Deregistration:
					have = append(have, fmt.Sprint("bye ", ev.UserID))
				}
			}
			require.Equal(t, tt.want, strings.Join(have, "; "))
		})
	}
}

func TestBrokenBodySaysWhere(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 10_000) + "1" + strings.Repeat("]", 10_000)
	for _, tt := range []struct{ body, path, at, err string }{
		{`[]`, "", `[`, `want '{', have "["`},
		{"\ufeff\ufeff{}", "", "\ufeff{", `have "\xef"`},
		{"\ufeff[]", "", "[", `have "["`},
		{"\xff\xfe{\x00}\x00", "", "\xff", "have UTF-16"},
		{"\x00{\x00}", "", "\x00{", "have UTF-16"},
		{"{\x00}\x00", "", "\x00}", "have UTF-16"},
		{"{}\x00", "", "\x00", "data after the end"},
		{`{"activities":[{"userId":"u"}]} x`, "", `x`, "data after the end"},
		{`{"activities":[{"userId" "u"}]}`, "activities[0]", `"u"`, "want ':'"},
		{`{"activityDetails":[{"userId":"u","samples":[{"heartRate":01}]}]}`, "activityDetails[0].samples[0]", `1}`, "want ',' or '}'"},
		{`{"activities":[{"userId":"u","x":{"a":tru}}]}`, "activities[0]", `}}`, "want true"},
		{`{"activities":[{"userId":"\q"}]}`, "activities[0]", `\q`, "invalid escape"},
		{`{"activities":[{"userId":"u","x":` + deep + `}]}`, "activities[0]", `[1`, "nested more than 10000 deep"},
		{"{\"activities\":[{\"userId\":\"u\"},\n{\"userId\":\"\n\"}]}", "activities[1]", "\n\"}", "control character"},
	} {
		var last error
		for _, err := range new(notify.Decoder).Decode(strings.NewReader(tt.body)) {
			last = err
		}
		de, ok := errors.AsType[*types.DecodeError](last)
		require.True(t, ok, tt.body)
		require.Equal(t, tt.path, de.Path, tt.body)
		require.Contains(t, de.Err.Error(), tt.err, tt.body)
		require.EqualValues(t, strings.LastIndex(tt.body, tt.at), de.Offset, tt.body)
	}
}

func TestErrorsHoldNoSecrets(t *testing.T) {
	t.Parallel()
	const canary = "SECRETCANARY"
	for _, item := range []string{
		`{"userId":"u","callbackURL":["` + canary + `"]}`,
		`{"userId":5,"callbackURL":"` + canary + `"}`,
		`{"userAccessToken":{"x":"` + canary + `"},"userId":"u"}`,
		`{"userId":"u","userAccessToken":"` + canary + `","callbackURL":"` + canary + `\x"}`,
		`{"userId":"u","userAccessToken":"` + canary + `" "callbackURL":"` + canary + `"}`,
		`{"userId":"u","userAccessToken":"` + canary + `","callbackURL":"` + canary,
		`{"userAccessToken":"` + canary + `"}`,
		`{"userId":"u","steps":"` + canary + `"}`,
		`{"userId":"u","summaryId":"1","steps":"` + canary + `","manual":"` + canary + `","activityName":"` + canary + `\ud83d"}`,
		`{"userId":"u","summaryId":"` + canary + `\ud83d","permissions":"` + canary + `","changeTimeInSeconds":"` + canary + `"}`,
	} {
		for _, key := range []string{"activities", "activityFiles", "deregistrations", "userPermissionsChange", "other"} {
			for ev, err := range new(notify.Decoder).Decode(strings.NewReader(`{"` + key + `":[` + item + `]}`)) {
				if err != nil {
				} else if u, ok := ev.Data.(*notify.Unrecognized); ok {
					err = u.Err
				} else {
					require.NotContains(t, fmt.Sprintf("%v %+v", ev.Defects, ev.Defects), canary)
				}
				if err != nil {
					require.NotContains(t, err.Error(), canary)
				}
				require.NotContains(t, fmt.Sprintf("%v %+v", err, err), canary)
			}
		}
	}
}

func TestOneBadItemOfFifty(t *testing.T) {
	t.Parallel()
	var items []string
	for i := range 50 {
		id := fmt.Sprint(i)
		if i == 17 {
			id = `{"oops":[1,2]}`
		}
		items = append(items, fmt.Sprintf(`{"userId":"u","summaryId":%s,"steps":5}`, id))
	}
	events := decode(t, &notify.Decoder{}, strings.NewReader(`{"activities":[`+strings.Join(items, ",")+`]}`))
	require.Len(t, events, 50)
	for i, ev := range events {
		require.Equal(t, i, ev.Index)
		if _, ok := ev.Data.(*notify.Unrecognized); i == 17 {
			require.True(t, ok)
			require.Equal(t, items[17], string(ev.Raw))
		} else {
			require.EqualValues(t, fmt.Sprint(i), ev.Data.(*notify.Push).Summary.ID())
		}
	}
}

// TestNullForAnyField puts null in place of every field of every model.
func TestNullForAnyField(t *testing.T) {
	t.Parallel()
	for key, model := range map[string]any{
		"activities": types.Activity{}, "manuallyUpdatedActivities": types.ManualActivity{}, "activityDetails": types.ActivityDetails{},
		"moveIQActivities": types.MoveIQ{}, "activityFiles": types.ActivityFile{},
	} {
		for _, name := range keysOf(reflect.TypeOf(model)) {
			body := fmt.Sprintf(`{"%s":[{"userId":"u","summaryId":"1","callbackURL":"","%s":null}]}`, key, name)
			if key == "activityFiles" {
				body = strings.Replace(body, `"callbackURL":""`, `"callbackURL":"c"`, 1)
			}
			events := decode(t, &notify.Decoder{}, strings.NewReader(body))
			require.Len(t, events, 1)
			if name == "userId" || name == "summaryId" && key != "activityFiles" || name == "callbackURL" {
				require.IsType(t, &notify.Unrecognized{}, events[0].Data)
			} else {
				require.Equal(t, types.UserID("u"), events[0].UserID, body)
			}
		}
	}
	for _, name := range keysOf(reflect.TypeFor[types.Sample]()) {
		events := decode(t, &notify.Decoder{}, strings.NewReader(`{"activityDetails":[{"userId":"u","summaryId":"1","samples":[{"`+name+`":null}]}]}`))
		require.Equal(t, []types.Sample{{}}, events[0].Data.(*notify.Push).Summary.(*types.ActivityDetails).Samples)
	}
}

func keysOf(t reflect.Type) (keys []string) {
	for field := range t.Fields() {
		if key, _, _ := strings.Cut(field.Tag.Get("json"), ","); key != "-" {
			keys = append(keys, key)
		}
	}
	return keys
}

func TestHostileBodies(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("large bodies")
	}
	const item = `{"userId":"u","summaryId":"1"}`
	for name, tt := range map[string]struct {
		head, fill, tail string
		size             int
		events           int
		err              bool
	}{
		"brackets":                 {"", "[", "", 40 << 20, 0, true},
		"brackets in a list":       {`{"activities":[` + item + `,`, "[", "", 40 << 20, 1, true},
		"braces in an item":        {`{"activities":[` + item + `,{"userId":"v","x":`, `{"a":`, "", 2 << 20, 1, true},
		"deep, and closed again":   {`{"activities":[{"userId":"v","x":` + strings.Repeat("[", 9000), " ", strings.Repeat("]", 9000) + `},` + item + `]}`, 1 << 20, 2, false},
		"white space":              {"", " ", `{"activities":[` + item + `]}`, 16 << 20, 1, false},
		"lines in an item":         {`{"activities":[{`, "\n", `"userId":"u"},` + item + `]}`, 2 << 20, 2, false},
		"white space in an empty":  {`{"activities":[{`, "\t", `},` + item + `]}`, 2 << 20, 1, false},
		"white space in a sample":  {`{"activityDetails":[{"userId":"u","samples":[{"heartRate":`, " \n", `5}]}]}`, 2 << 20, 1, false},
		"white space at the end":   {`{"activities":[` + item + `]}`, " ", "", 2 << 20, 1, false},
		"a long name":              {`{"activities":[{"userId":"u","activityName":"`, "é", `"},` + item + `]}`, 2 << 20, 2, false},
		"a long string to skip":    {`{"activities":[{"userId":"u","x":"`, `\u00e9`, `"},` + item + `]}`, 2 << 20, 2, false},
		"a long key":               {`{"activities":[{"userId":"u","`, "k", `":1},` + item + `]}`, 2 << 20, 2, false},
		"a long number":            {`{"activities":[{"userId":"u","steps":`, "1", `},` + item + `]}`, 2 << 20, 2, false},
		"a long number to skip":    {`{"activities":[{"userId":"u","x":0.`, "1", `},` + item + `]}`, 2 << 20, 2, false},
		"many empty items":         {`{"activities":[`, "{},", item + `]}`, 2 << 20, 1, false},
		"many empty lists":         {`{`, `"activities":[],`, `"activities":[` + item + `]}`, 2 << 20, 1, false},
		"the same key for ever":    {`{"activities":[{`, `"steps":1,`, `"userId":"u"}]}`, 2 << 20, 1, false},
		"samples without anything": {`{"activityDetails":[{"userId":"u","samples":[`, `{},`, `{}]}]}`, 1 << 20, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fill := strings.Repeat(tt.fill, 4096)
			n := tt.size / len(fill)
			var parts []io.Reader
			parts = append(parts, strings.NewReader(tt.head))
			for range n {
				parts = append(parts, strings.NewReader(fill))
			}
			parts = append(parts, strings.NewReader(tt.tail))
			events, last := 0, error(nil)
			for ev, err := range new(notify.Decoder).Decode(io.MultiReader(parts...)) {
				if last = err; err == nil {
					events++
					require.NotNil(t, ev)
				}
			}
			require.Equal(t, tt.events, events)
			require.Equal(t, tt.err, last != nil, "%v", last)
		})
	}
}

// widest notes the largest buffer that was to be filled.
type widest struct {
	io.Reader
	most int
}

func (w *widest) Read(p []byte) (int, error) {
	w.most = max(w.most, len(p))
	return w.Reader.Read(p)
}

// TestWhiteSpaceIsNotKept: the window does not grow with what is only read over.
func TestWhiteSpaceIsNotKept(t *testing.T) {
	t.Parallel()
	space := strings.Repeat(" \n", 1<<20)
	for _, body := range []string{space + `{"activities":[{"userId":"u"}]}`, `{"activities":[` + space + `{"userId":"u",` + space + `"steps":` + space + `1}]}`} {
		r := &widest{Reader: strings.NewReader(body)}
		require.Len(t, decode(t, &notify.Decoder{}, r), 1)
		require.LessOrEqual(t, r.most, 128<<10)
	}
}

// TestManyKeys: the items of 1,000 list keys are counted, and no more, so that
// keys cannot fill the memory.
func TestManyKeys(t *testing.T) {
	t.Parallel()
	var keys []string
	for i := range 2000 {
		keys = append(keys, fmt.Sprintf(`"k%d":[1]`, i))
	}
	body := `{` + strings.Join(keys, ",") + `,"k7":[2],"k1500":[2]}`
	events := decode(t, &notify.Decoder{}, strings.NewReader(body))
	require.Len(t, events, 2002)
	require.Equal(t, "k7[1]", events[2000].String())
	require.Equal(t, "k1500[0]", events[2001].String())
}

// TestRaw reads Raw of small and large items, good and bad, from a stream and
// from what can be read again.
func TestRaw(t *testing.T) {
	t.Parallel()
	big := func(bad string) string {
		return `{"userId":"u","summaryId":"9","summary":{},"samples":[` + strings.Repeat(`{"heartRate":61},`, 150_000) + `{"heartRate":` + bad + `}]}`
	}
	items := []string{`{"userId":"u","summaryId":"1"}`, big("1"), `{"userId":5}`, big(`"x"`), `{ "userId" : "v" ,"summaryId":"2", "x":[ ] }`, `[1,2]`,
		strings.Replace(big("1"), "summaryId", "summaryID", 1), `{"userId":"u","summaryId":"3","laps":"x"}`}
	const bad, defect = " 2 5 6 ", " 3 7 "
	body := `{ "activityDetails" : [ ` + strings.Join(items, " ,\n ") + ` ] }`
	for _, keep := range []bool{false, true} {
		for _, again := range []bool{false, true} {
			var r io.Reader = strings.NewReader("###" + body)
			_, err := io.ReadFull(r, make([]byte, 3)) // the body need not be at the beginning
			require.NoError(t, err)
			if !again {
				r = only{r}
			}
			events := decode(t, &notify.Decoder{KeepRaw: keep}, r)
			require.Len(t, events, len(items))
			for i, ev := range events {
				place := ev
				require.Equal(t, items[i], body[place.Offset:place.Offset+place.Size])
				n := fmt.Sprintf(" %d ", i)
				_, isBad := ev.Data.(*notify.Unrecognized)
				require.Equal(t, strings.Contains(bad, n), isBad, n)
				require.Equal(t, strings.Contains(defect, n), place.Defects != nil, n)
				switch {
				case !isBad && place.Defects == nil && !keep:
					require.Nil(t, place.Raw)
				case len(items[i]) > 256<<10 && !keep:
					require.True(t, place.Truncated)
					require.Greater(t, len(place.Raw), 190<<10)
					require.LessOrEqual(t, len(place.Raw), 256<<10)
					require.True(t, strings.HasSuffix(items[i], string(place.Raw)))
				default:
					require.False(t, place.Truncated)
					require.True(t, items[i] == string(place.Raw), "item %d", i) //nolint:testifylint // items are up to megabytes, which Equal would print
				}
				if p, ok := ev.Data.(*notify.Push); ok && !place.Truncated {
					require.Equal(t, string(place.Raw), string(p.Summary.(*types.ActivityDetails).Raw))
				}
			}
		}
	}
}

func TestUnknownKeys(t *testing.T) {
	t.Parallel()
	var paths []string
	d := &notify.Decoder{UnknownKey: func(path string) { paths = append(paths, path) }}
	body := `{"activities":[{"userId":"u","new\u004bey":{"a":1}}],"activityDetails":[{"userId":"u","summary":{"x":1},"samples":[{"heartRate":1,"y":2},{"y":3}],"laps":[{"z":null}],"userAccessToken":"t"}]}`
	for _, r := range []io.Reader{strings.NewReader(body), only{strings.NewReader(body)}} {
		paths = nil
		decode(t, d, r)
		require.Equal(t, []string{
			"activities[0].newKey", "activityDetails[0].summary.x", "activityDetails[0].samples[0].y", "activityDetails[0].samples[1].y", "activityDetails[0].laps[0].z",
		}, paths)
	}
}

func TestSampleHook(t *testing.T) {
	t.Parallel()
	body := bodygen.Details(bodygen.Options{Seed: 9, Samples: 500, Size: 300 << 10})
	var want, have [][]types.Sample
	for _, ev := range decode(t, &notify.Decoder{}, bytes.NewReader(body)) {
		want = append(want, ev.Data.(*notify.Push).Summary.(*types.ActivityDetails).Samples)
	}
	d := &notify.Decoder{Sample: func(item *notify.Event, index int, s *types.Sample) error {
		if index == 0 {
			have = append(have, nil)
			require.Equal(t, len(have)-1, item.Index)
		}
		require.Len(t, have[len(have)-1], index)
		have[len(have)-1] = append(have[len(have)-1], clone(*s))
		return nil
	}}
	for _, ev := range decode(t, d, bytes.NewReader(body)) {
		require.Nil(t, ev.Data.(*notify.Push).Summary.(*types.ActivityDetails).Samples)
	}
	require.True(t, reflect.DeepEqual(want, have))

	enough := errors.New("enough")
	d.Sample = func(_ *notify.Event, index int, _ *types.Sample) error {
		if index == 3 {
			return enough
		}
		return nil
	}
	n := 0
	for ev, err := range d.Decode(bytes.NewReader(body)) {
		require.Nil(t, ev)
		require.Equal(t, enough, err)
		n++
	}
	require.Equal(t, 1, n)
}

func clone(s types.Sample) types.Sample {
	v := reflect.ValueOf(&s).Elem()
	for _, f := range v.Fields() {
		if f.Kind() == reflect.Pointer && !f.IsNil() {
			p := reflect.New(f.Type().Elem())
			p.Elem().Set(f.Elem())
			f.Set(p)
		}
	}
	return s
}

// TestEventsComeAsTheirBytesDo writes a body piece by piece, and wants each
// event before the next piece is there.
func TestEventsComeAsTheirBytesDo(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	seen := make(chan int)
	go func() {
		defer w.Close()
		fmt.Fprint(w, `{"activities":[`)
		for i := range 20 {
			if i > 0 {
				fmt.Fprint(w, ",")
			}
			fmt.Fprintf(w, `{"userId":"u","summaryId":%d}`, i)
			if <-seen != i {
				return
			}
		}
		fmt.Fprint(w, `]}`)
	}()
	n := 0
	for _, err := range new(notify.Decoder).Decode(r) {
		require.NoError(t, err)
		seen <- n
		n++
	}
	require.Equal(t, 20, n)
}

func TestReaderErrorIsWrapped(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection reset")
	var events int
	var last error
	for _, err := range new(notify.Decoder).Decode(io.MultiReader(strings.NewReader(`{"activities":[{"userId":"u"},{"us`), errReader{broken})) {
		if last = err; err == nil {
			events++
		}
	}
	require.Equal(t, 1, events)
	require.ErrorIs(t, last, broken)
	_, ok := errors.AsType[*types.DecodeError](last)
	require.True(t, ok)
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// TestAllocationsDoNotGrowWithSamples wants the same number of allocations for
// a record of 100 samples and for one of 10,000, once the decoder has its
// buffers: so the record comes again and again in one body.
func TestAllocationsDoNotGrowWithSamples(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector allocates, and counting takes it long")
	}
	perRecord := func(samples int) float64 {
		record := bodygen.Details(bodygen.Options{Seed: 3, Samples: samples, Bare: true})
		record = record[1 : len(record)-1]
		body := func(n int) []byte {
			return []byte(`{"activityDetails":[` + strings.Repeat(string(record)+",", n-1) + string(record) + `]}`)
		}
		few, many := body(5), body(15)
		count := func(b []byte) float64 {
			return testing.AllocsPerRun(3, func() {
				for _, err := range new(notify.Decoder).Decode(bytes.NewReader(b)) {
					require.NoError(t, err)
				}
			})
		}
		return (count(many) - count(few)) / 10
	}
	small, large := perRecord(100), perRecord(10_000)
	t.Logf("%.1f and %.1f allocations a record", small, large)
	// Small records share some of their allocations, see room in jsonscan.
	require.InDelta(t, small, large, 3)
	require.Less(t, large, 25.0)
}

// TestHeapIsBoundByTheRecord decodes a large body of small records, and reads
// the live heap at every event.
func TestHeapIsBoundByTheRecord(t *testing.T) {
	record := bodygen.Details(bodygen.Options{Seed: 3, Samples: 1000, Bare: true})
	record = append(record[1:len(record)-1], ',')
	n := (20 << 20) / len(record)
	parts := []io.Reader{strings.NewReader(`{"activityDetails":[`)}
	for range n {
		parts = append(parts, bytes.NewReader(record))
	}
	parts = append(parts, strings.NewReader(`{}]}`))
	live := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most, events := live(), uint64(0), 0
	for _, err := range new(notify.Decoder).Decode(io.MultiReader(parts...)) {
		require.NoError(t, err)
		if events++; events%20 == 0 {
			most = max(most, live())
		}
	}
	require.Equal(t, n, events)
	require.Less(t, most, before+4<<20)
}
