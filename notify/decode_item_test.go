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

// sameAlone fails the test unless each item of a body that decodes to events
// decodes alike by itself, and its envelope is what it ought to be.
func sameAlone(t testing.TB, body []byte) {
	t.Helper()
	for _, opts := range []struct{ keep, envelope bool }{{}, {keep: true}, {envelope: true}} {
		whole := &notify.Decoder{KeepRaw: opts.keep, Envelope: opts.envelope}
		alone := &notify.Decoder{KeepRaw: opts.keep}
		for ev, err := range whole.Decode(only{bytes.NewReader(body)}) {
			if err != nil {
				break
			}
			place := ev
			raw := body[place.Offset:][:place.Size]
			before := bytes.Clone(raw)
			have, err := alone.DecodeItem(place.Key, raw)
			if err != nil || have == nil {
				t.Fatalf("%s of %s: %v, %v", place, short(body), have, err)
			}
			if !bytes.Equal(raw, before) {
				t.Fatalf("DecodeItem has written to %s", short(body))
			}
			shift(have, place)
			if opts.envelope {
				stripped(have)
				stripped(ev)
			}
			if err := fmt.Sprint(badness(have)); err != fmt.Sprint(badness(ev)) {
				t.Fatalf("%s: alone %s, in the body %v", place, err, badness(ev))
			}
			if !reflect.DeepEqual(have, ev) {
				t.Fatalf("alone (%+v) %s\nin the body %s\nof %s", opts, show([]*notify.Event{have}), show([]*notify.Event{ev}), short(body))
			}
		}
	}
}

// shift puts an event that was decoded alone at its place.
func shift(ev, place *notify.Event) {
	from := ev.String()
	ev.Index, ev.Offset = place.Index, place.Offset
	if d := ev.Defects; d != nil {
		for i := range d.First {
			d.First[i].Path = place.String() + strings.TrimPrefix(d.First[i].Path, from)
			d.First[i].Offset += place.Offset
		}
	}
	if u, ok := ev.Data.(*notify.Unrecognized); ok {
		if de, ok := u.Err.(*types.DecodeError); ok {
			de.Path = place.String() + strings.TrimPrefix(de.Path, from)
			de.Offset += place.Offset
		}
	}
}

// badness returns the error of an Unrecognized, and takes it out.
func badness(ev *notify.Event) error {
	if u, ok := ev.Data.(*notify.Unrecognized); ok && u.Err != nil {
		err := u.Err
		u.Err = errors.New(err.Error())
		return err
	}
	return nil
}

// stripped takes out of an event what an envelope has not.
func stripped(ev *notify.Event) {
	switch data := ev.Data.(type) {
	case *notify.Push:
		data.Summary = nil
	case *notify.Ping:
	default:
		return
	}
	ev.Defects, ev.Raw, ev.Truncated = nil, nil, false
}

// TestItemAlone holds that an item decodes alike by itself, in its body, and
// as far as its envelope goes.
func TestItemAlone(t *testing.T) {
	t.Parallel()
	for _, body := range bodies {
		sameAlone(t, []byte(body))
	}
	for _, pretty := range []bool{false, true} {
		sameAlone(t, bodygen.Details(bodygen.Options{Seed: 5, Pretty: pretty, Size: 100 << 10, Samples: 300}))
		sameAlone(t, bodygen.Activities(bodygen.Options{Seed: 5, Pretty: pretty, Size: 100 << 10}))
		sameAlone(t, bodygen.Pings(bodygen.Options{Seed: 5, Pretty: pretty, Size: 10 << 10}))
	}
}

// FuzzItemAlone is TestItemAlone of bodies that are nearly good.
func FuzzItemAlone(f *testing.F) {
	for p := range bodygen.Programs() {
		f.Add(p)
	}
	d := bodygen.NewDrawer()
	f.Fuzz(func(t *testing.T, program []byte) { sameAlone(t, d.Body(program)) })
}

func TestDecodeItem(t *testing.T) {
	t.Parallel()
	var d notify.Decoder
	for _, raw := range []string{`{}`, ` { } `, `null`} {
		ev, err := d.DecodeItem("activities", []byte(raw))
		require.NoError(t, err)
		require.Nil(t, ev, raw)
	}
	for _, raw := range []string{``, ` `, `{`, `{"userId":"u"`, `{"userId":"u"} x`, `{"userId":"u"},`, "\x00", `tru`} {
		ev, err := d.DecodeItem("activities", []byte(raw))
		require.Nil(t, ev, raw)
		de, ok := errors.AsType[*types.DecodeError](err)
		require.True(t, ok, raw)
		require.LessOrEqual(t, int(de.Offset), len(raw))
	}
	enough := errors.New("enough")
	visit := notify.Decoder{Sample: func(item *notify.Event, _ int, _ *types.Sample) error {
		require.Equal(t, "activityDetails[0]", item.String())
		return enough
	}}
	_, err := visit.DecodeItem("activityDetails", []byte(`{"userId":"u","summaryId":"1","samples":[{}]}`))
	require.Equal(t, enough, err)
}

// TestDecodeItemKeepsNothing: what an event holds is its own, though the decoder
// and the caller use their memory again.
func TestDecodeItemKeepsNothing(t *testing.T) {
	t.Parallel()
	d := &notify.Decoder{KeepRaw: true}
	var events, copies []*notify.Event
	record := bodygen.Details(bodygen.Options{Seed: 2, Samples: 20, Bare: true})
	record = record[1 : len(record)-1]
	// Short texts are copied. This is the size of one that is not, and which the
	// decoder could take for a buffer of its own.
	buf := make([]byte, 0, 65_500)
	for i := range 50 {
		buf = append(buf[:0], bytes.ReplaceAll(record, []byte(`"summaryId":"`), fmt.Appendf(nil, `"summaryId":"%d`, i))...)
		for i%2 > 0 && len(buf) < cap(buf) {
			buf = append(buf, ' ')
		}
		ev, err := d.DecodeItem("activityDetails", buf)
		require.NoError(t, err)
		before := string(buf)
		again, err := new(notify.Decoder{KeepRaw: true}).DecodeItem("activityDetails", bytes.Clone(buf))
		require.NoError(t, err)
		events, copies = append(events, ev), append(copies, again)
		for ev, err := range d.Decode(strings.NewReader(`{"activities":[{"userId":"another user of another length","summaryId":1}]}`)) {
			require.NoError(t, err)
			require.EqualValues(t, "another user of another length", ev.UserID)
		}
		require.Equal(t, before, string(buf), "the caller's memory")
	}
	clear(buf[:cap(buf)])
	require.Equal(t, copies, events)
}

// TestDecoderIsConcurrent shares one decoder.
func TestDecoderIsConcurrent(t *testing.T) {
	t.Parallel()
	var d notify.Decoder
	done := make(chan error)
	for i := range 8 {
		go func() {
			user := types.UserID(fmt.Sprint("user", i))
			for range 200 {
				raw := fmt.Appendf(nil, `{"userId":%q,"summaryId":"1","activityName":"%d"}`, user, i)
				ev, err := d.DecodeItem("activities", raw)
				if err != nil || ev.UserID != user {
					done <- fmt.Errorf("%v, %w", ev, err)
					return
				}
				for ev := range d.Decode(bytes.NewReader(fmt.Appendf(nil, `{"activities":[%s,%[1]s]}`, raw))) {
					if ev.UserID != user {
						done <- fmt.Errorf("%v", ev)
						return
					}
				}
			}
			done <- nil
		}()
	}
	for range 8 {
		require.NoError(t, <-done)
	}
}

// TestMaxItem: an item that is too large costs itself alone, and no memory.
func TestMaxItem(t *testing.T) {
	const limit = 320 << 10
	good := `{"userId":"u","summaryId":"1","activityName":"` + strings.Repeat("x", limit-48) + `"}`
	require.Len(t, good, limit)
	for name, fill := range map[string][3]string{
		"a name":            {`{"userId":"u","summaryId":"2","activityName":"`, "xyz é", `"}`},
		"a name of escapes": {`{"userId":"u","summaryId":"2","activityName":"`, `\u00e9`, `"}`},
		"a key":             {`{"userId":"u","summaryId":"2","`, `k`, `":1}`},
		"keys":              {`{"userId":"u","summaryId":"2"`, `,"steps":5`, `}`},
		"unknown keys":      {`{"userId":"u","summaryId":"2"`, `,"x":[{"y":1}]`, `}`},
		"samples":           {`{"userId":"u","summaryId":"2","samples":[`, `{"heartRate":61},`, `{}]}`},
		"empty samples":     {`{"userId":"u","summaryId":"2","samples":[`, `{},`, `{}]}`},
		"a user":            {`{"summaryId":"2","userId":"`, `u`, `"}`},
		"no object":         {`[`, `1,`, `1]`},
		"white space":       {`{"userId":"u",`, ` `, `"summaryId":"2"}`},
	} {
		t.Run(name, func(t *testing.T) {
			keys := []string{"activities", "activityDetails", "deregistrations", "dailies"}
			if testing.Short() {
				keys = keys[:1]
			}
			for _, key := range keys {
				fills := strings.Repeat(fill[1], 4096)
				parts := []io.Reader{strings.NewReader(`{"activities":[` + good + `],"` + key + `":[`), strings.NewReader(fill[0])}
				size := len(fill[0]) + len(fill[2])
				for size < 6<<20 {
					parts = append(parts, strings.NewReader(fills))
					size += len(fills)
				}
				parts = append(parts, strings.NewReader(fill[2]), strings.NewReader(`],"activities":[`+good+`]}`))
				for _, d := range []*notify.Decoder{{MaxItem: limit}, {MaxItem: limit, KeepRaw: true}} {
					if d.KeepRaw && key != "activities" {
						continue
					}
					for _, p := range parts {
						_, err := p.(io.Seeker).Seek(0, io.SeekStart)
						require.NoError(t, err)
					}
					var before, after runtime.MemStats
					runtime.ReadMemStats(&before)
					events := decode(t, d, io.MultiReader(parts...))
					runtime.ReadMemStats(&after)
					require.Len(t, events, 3)
					require.IsType(t, &notify.Push{}, events[0].Data)
					require.IsType(t, &notify.Push{}, events[2].Data)
					u, ok := events[1].Data.(*notify.Unrecognized)
					require.True(t, ok, "%T", events[1])
					require.ErrorIs(t, u.Err, notify.ErrItemTooLarge)
					require.EqualValues(t, size, events[1].Size)
					require.EqualValues(t, len(`{"activities":[],"":[`)+len(key)+len(good), events[1].Offset)
					require.True(t, events[1].Truncated)
					require.LessOrEqual(t, len(events[1].Raw), 256<<10)
					// A sample that is empty takes 43 times its bytes.
					most := uint64(24 << 20)
					require.Less(t, after.TotalAlloc-before.TotalAlloc, most, "bytes allocated for an item of 6 MiB")
				}
			}
		})
	}
}

// TestGarbageIsCheap: a bad item is one allocation, whatever the number.
func TestGarbageIsCheap(t *testing.T) {
	for _, garbage := range []string{`0`, `[]`, `"x"`, `true`, `{"a":1}`, `{"userId":""}`} {
		for _, key := range []string{"activities", "activityDetails", "dailies"} {
			body := func(n int) string {
				return `{"` + key + `":[` + strings.Repeat(garbage+`,`, n) + garbage + `]}`
			}
			var d notify.Decoder
			count := func(n int) float64 {
				b := body(n)
				return testing.AllocsPerRun(5, func() {
					have := 0
					for ev, err := range d.Decode(only{strings.NewReader(b)}) {
						if _, ok := ev.Data.(*notify.Unrecognized); !ok || err != nil {
							t.Fatal(ev, err)
						}
						have++
					}
					require.Equal(t, n+1, have)
				})
			}
			few := count(1000)
			require.InDelta(t, 1, (count(11_000)-few)/10_000, 0.01, "%s under %s", garbage, key)
		}
	}
}

// BenchmarkGarbage reads 10 MB of items that are none.
func BenchmarkGarbage(b *testing.B) {
	for _, garbage := range []string{`0`, `{"a":1}`} {
		b.Run(garbage, func(b *testing.B) {
			body := []byte(`{"activities":[` + strings.Repeat(garbage+`,`, 10<<20/(len(garbage)+1)) + `0]}`)
			b.SetBytes(int64(len(body)))
			var d notify.Decoder
			items := 0
			for b.Loop() {
				items = 0
				for _, err := range d.Decode(only{bytes.NewReader(body)}) {
					if err != nil {
						b.Fatal(err)
					}
					items++
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*items), "ns/item")
		})
	}
}

// BenchmarkEnvelope reads bodies of each kind, whole and without the data.
func BenchmarkEnvelope(b *testing.B) {
	for name, body := range map[string][]byte{
		"details":    bodygen.Details(bodygen.Options{Seed: 1, Size: 10 << 20}),
		"pretty":     bodygen.Details(bodygen.Options{Seed: 1, Size: 10 << 20, Pretty: true}),
		"activities": bodygen.Activities(bodygen.Options{Seed: 1, Size: 10 << 20}),
		"pings":      bodygen.Pings(bodygen.Options{Seed: 1, Size: 1 << 20}),
	} {
		for _, d := range []*notify.Decoder{{}, {Envelope: true}} {
			b.Run(fmt.Sprintf("%s/%v", name, d.Envelope), func(b *testing.B) {
				b.SetBytes(int64(len(body)))
				items := 0
				for b.Loop() {
					for _, err := range d.Decode(only{bytes.NewReader(body)}) {
						if err != nil {
							b.Fatal(err)
						}
						items++
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(items), "ns/item")
			})
		}
	}
}

// BenchmarkItemAlone reads activities one by one.
func BenchmarkItemAlone(b *testing.B) {
	body := bodygen.Activities(bodygen.Options{Seed: 1, Size: 1 << 20})
	var items [][]byte
	for ev := range new(notify.Decoder).Decode(bytes.NewReader(body)) {
		items = append(items, body[ev.Offset:][:ev.Size])
	}
	var d notify.Decoder
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := d.DecodeItem("activities", items[i%len(items)]); err != nil {
			b.Fatal(err)
		}
	}
}
