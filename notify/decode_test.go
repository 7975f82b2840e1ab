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

func decode(t *testing.T, d notify.Decoder, r io.Reader) []notify.Event {
	t.Helper()
	var events []notify.Event
	for ev, err := range d.Decode(r) {
		require.NoError(t, err)
		events = append(events, ev)
	}
	return events
}

func TestUnrecognizedSaysWhere(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ body, path, at, err string }{
		{`{"activities":[{"userId":"u"},{"userId":"u","steps":30.5}]}`, "activities[1].steps", `30.5`, "want an integer, have 30.5"},
		{`{"activities":[{"userId":"u","steps":[1]}]}`, "activities[0].steps", `[1]`, "want an integer, have an array"},
		{`{"activities":[{"userId":"u","steps":92233720368547758070}]}`, "activities[0].steps", `9223`, "number out of range"},
		{`{"activities":[{"userId":"u","distanceInMeters":1e999}]}`, "activities[0].distanceInMeters", `1e999`, "number out of range"},
		{`{"activities":[{"userId":"u","Manual":1}]}`, "activities[0].Manual", `1`, "want a boolean, have a number"},
		{`{"activities":[{"userId":"u","summaryId":1e5}]}`, "activities[0].summaryId", `1e5`, "want a string or an integer"},
		{`{"activityDetails":[{"userId":"u","summary":{"steps":"x"}}]}`, "activityDetails[0].summary.steps", `"x"`, "want an integer, have a string"},
		{`{"activityDetails":[{"userId":"u","samples":[{},{"heartRate":true}]}]}`, "activityDetails[0].samples[1].heartRate", `true`, "want an integer, have a boolean"},
		{`{"activityDetails":[{"userId":"u","samples":[{},7]}]}`, "activityDetails[0].samples[1]", `7`, "want an object, have a number"},
		{`{"activityDetails":[{"userId":"u","samples":{}}]}`, "activityDetails[0].samples", `{}`, "want an array, have an object"},
		{`{"activities":[null]}`, "activities[0]", `null`, "want an object, have null"},
		{`{"activities":[{"summaryId":"1"}]}`, "activities[0]", `{"sum`, "no userId"},
		{`{"dailies":[{"userId":"u"}]}`, "dailies[0]", `{"use`, "unknown list key"},
		{`{"activities":[{"userId":"u","x":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}]}`, "activities[0]", `[1]`, "nested more than 16 deep"},
	} {
		events := decode(t, notify.Decoder{}, strings.NewReader(tt.body))
		u, ok := events[len(events)-1].(*notify.Unrecognized)
		require.True(t, ok, tt.body)
		de, ok := errors.AsType[*types.DecodeError](u.Err)
		require.True(t, ok)
		require.Equal(t, tt.path, de.Path, tt.body)
		require.Contains(t, de.Err.Error(), tt.err, tt.body)
		require.EqualValues(t, strings.LastIndex(tt.body, tt.at), de.Offset, tt.body)
		require.Equal(t, tt.body[u.Offset:u.Offset+u.Size], string(u.Raw))
	}
}

func TestBrokenBodySaysWhere(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 10_000) + "1" + strings.Repeat("]", 10_000)
	for _, tt := range []struct{ body, path, at, err string }{
		{`[]`, "", `[`, `want '{', have "["`},
		{"\ufeff{}", "", "\ufeff", `have "\xef"`},
		{`{"activities":[{"userId":"u"}]} x`, "", `x`, "data after the end"},
		{`{"activities":[{"userId" "u"}]}`, "activities[0]", `"u"`, "want ':'"},
		{`{"activityDetails":[{"userId":"u","samples":[{"heartRate":01}]}]}`, "activityDetails[0].samples[0]", `1}`, "want ',' or '}'"},
		{`{"activities":[{"userId":"u","x":{"a":tru}}]}`, "activities[0]", `}}`, "want true"},
		{`{"activities":[{"userId":"\q"}]}`, "activities[0]", `\q`, "invalid escape"},
		{`{"activities":[{"userId":"u","x":` + deep + `}]}`, "activities[0]", `[1`, "nested more than 10000 deep"},
		{"{\"activities\":[{\"userId\":\"u\"},\n{\"userId\":\"\n\"}]}", "activities[1]", "\n\"}", "control character"},
	} {
		var last error
		for _, err := range notify.Decode(strings.NewReader(tt.body)) {
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
	} {
		for _, key := range []string{"activities", "activityFiles", "deregistrations", "userPermissionsChange", "other"} {
			for ev, err := range notify.Decode(strings.NewReader(`{"` + key + `":[` + item + `]}`)) {
				if u, ok := ev.(*notify.Unrecognized); ok {
					err = u.Err
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
		steps := "5"
		if i == 17 {
			steps = `{"oops":[1,2]}`
		}
		items = append(items, fmt.Sprintf(`{"userId":"u","summaryId":%d,"steps":%s}`, i, steps))
	}
	events := decode(t, notify.Decoder{}, strings.NewReader(`{"activities":[`+strings.Join(items, ",")+`]}`))
	require.Len(t, events, 50)
	for i, ev := range events {
		require.Equal(t, i, ev.Place().Index)
		if u, ok := ev.(*notify.Unrecognized); i == 17 {
			require.True(t, ok)
			require.Equal(t, items[17], string(u.Raw))
		} else {
			require.EqualValues(t, fmt.Sprint(i), ev.(*notify.Push).Summary.ID())
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
			body := fmt.Sprintf(`{"%s":[{"userId":"u","%s":null}]}`, key, name)
			events := decode(t, notify.Decoder{}, strings.NewReader(body))
			require.Len(t, events, 1)
			if name != "userId" {
				require.Equal(t, "u", events[0].Owner(), body)
			}
		}
	}
	for _, name := range keysOf(reflect.TypeFor[types.Sample]()) {
		events := decode(t, notify.Decoder{}, strings.NewReader(`{"activityDetails":[{"userId":"u","samples":[{"`+name+`":null}]}]}`))
		require.Equal(t, []types.Sample{{}}, events[0].(*notify.Push).Summary.(*types.ActivityDetails).Samples)
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
			for ev, err := range notify.Decode(io.MultiReader(parts...)) {
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
		require.Len(t, decode(t, notify.Decoder{}, r), 1)
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
	events := decode(t, notify.Decoder{}, strings.NewReader(body))
	require.Len(t, events, 2002)
	require.Equal(t, "k7[1]", events[2000].Place().String())
	require.Equal(t, "k1500[0]", events[2001].Place().String())
}

// TestRaw reads Raw of small and large items, good and bad, from a stream and
// from what can be read again.
func TestRaw(t *testing.T) {
	t.Parallel()
	big := func(bad string) string {
		return `{"userId":"u","summary":{},"samples":[` + strings.Repeat(`{"heartRate":61},`, 150_000) + `{"heartRate":` + bad + `}]}`
	}
	items := []string{`{"userId":"u"}`, big("1"), `{"userId":5}`, big(`"x"`), `{ "userId" : "v" , "x":[ ] }`, `[1,2]`}
	body := `{ "activityDetails" : [ ` + strings.Join(items, " ,\n ") + ` ] }`
	for _, keep := range []bool{false, true} {
		for _, again := range []bool{false, true} {
			var r io.Reader = strings.NewReader("###" + body)
			_, err := io.ReadFull(r, make([]byte, 3)) // the body need not be at the beginning
			require.NoError(t, err)
			if !again {
				r = only{r}
			}
			events := decode(t, notify.Decoder{KeepRaw: keep}, r)
			require.Len(t, events, len(items))
			for i, ev := range events {
				place := ev.Place()
				require.Equal(t, items[i], body[place.Offset:place.Offset+place.Size])
				_, bad := ev.(*notify.Unrecognized)
				require.Equal(t, i == 2 || i == 3 || i == 5, bad)
				switch {
				case !bad && !keep:
					require.Nil(t, place.Raw)
				case i == 3 && !keep && !again:
					require.True(t, place.Truncated)
					require.Greater(t, len(place.Raw), 190<<10)
					require.Less(t, len(place.Raw), 400<<10)
					require.True(t, strings.HasSuffix(items[i], string(place.Raw)))
				default:
					require.False(t, place.Truncated)
					require.True(t, items[i] == string(place.Raw), "item %d", i) //nolint:testifylint // items are up to megabytes, which Equal would print
				}
				if p, ok := ev.(*notify.Push); ok {
					require.Equal(t, string(place.Raw), string(p.Summary.(*types.ActivityDetails).Raw))
				}
			}
		}
	}
}

func TestUnknownKeys(t *testing.T) {
	t.Parallel()
	var paths []string
	d := notify.Decoder{UnknownKey: func(path string) { paths = append(paths, path) }}
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
	for _, ev := range decode(t, notify.Decoder{}, bytes.NewReader(body)) {
		want = append(want, ev.(*notify.Push).Summary.(*types.ActivityDetails).Samples)
	}
	d := notify.Decoder{Sample: func(item notify.Item, index int, s *types.Sample) error {
		if index == 0 {
			have = append(have, nil)
			require.Equal(t, len(have)-1, item.Index)
		}
		require.Len(t, have[len(have)-1], index)
		have[len(have)-1] = append(have[len(have)-1], clone(*s))
		return nil
	}}
	for _, ev := range decode(t, d, bytes.NewReader(body)) {
		require.Nil(t, ev.(*notify.Push).Summary.(*types.ActivityDetails).Samples)
	}
	require.True(t, reflect.DeepEqual(want, have))

	enough := errors.New("enough")
	d.Sample = func(_ notify.Item, index int, _ *types.Sample) error {
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
	for _, err := range notify.Decode(r) {
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
	for _, err := range notify.Decode(io.MultiReader(strings.NewReader(`{"activities":[{"userId":"u"},{"us`), errReader{broken})) {
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
	perRecord := func(samples int) float64 {
		record := bodygen.Details(bodygen.Options{Seed: 3, Samples: samples, Bare: true})
		record = record[1 : len(record)-1]
		body := func(n int) []byte {
			return []byte(`{"activityDetails":[` + strings.Repeat(string(record)+",", n-1) + string(record) + `]}`)
		}
		few, many := body(5), body(15)
		count := func(b []byte) float64 {
			return testing.AllocsPerRun(3, func() {
				for _, err := range notify.Decode(bytes.NewReader(b)) {
					require.NoError(t, err)
				}
			})
		}
		return (count(many) - count(few)) / 10
	}
	small, large := perRecord(100), perRecord(10_000)
	t.Logf("%.1f and %.1f allocations a record", small, large)
	require.InDelta(t, small, large, 1)
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
	for _, err := range notify.Decode(io.MultiReader(parts...)) {
		require.NoError(t, err)
		if events++; events%20 == 0 {
			most = max(most, live())
		}
	}
	require.Equal(t, n, events)
	require.Less(t, most, before+4<<20)
}
