package notify_test

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/garminkit/activityapi/internal/bodygen"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// FuzzDecodeDrawn is FuzzDecode of bodies that are nearly good.
func FuzzDecodeDrawn(f *testing.F) {
	for p := range bodygen.Programs() {
		f.Add(p)
	}
	d := bodygen.NewDrawer()
	f.Fuzz(func(t *testing.T, program []byte) {
		body := d.Body(program)
		events, err := want(body)
		sameAs(t, body, events, err)
		sameWithHooks(t, body, events, err)
	})
}

// TestHooksAgreeWithOracle is the same for the table of bodies.
func TestHooksAgreeWithOracle(t *testing.T) {
	t.Parallel()
	all := append(slices.Clone(bodies), string(bodygen.Details(bodygen.Options{Size: 50_000, Samples: 50, Pretty: true})))
	for _, body := range all {
		events, err := want([]byte(body))
		sameWithHooks(t, []byte(body), events, err)
	}
}

// sameWithHooks fails the test unless a decoder with every option yields what
// one without yields, and the hooks get what they are promised. It changes
// want.
func sameWithHooks(t testing.TB, body []byte, want []*notify.Event, wantErr error) {
	t.Helper()
	samples := map[int64][]types.Sample{}
	d := notify.Decoder{
		KeepRaw: true,
		UnknownKey: func(path string) {
			if !strings.Contains(path, "[") {
				t.Fatalf("unknown key %q of %s", path, short(body))
			}
		},
		Sample: func(item *notify.Event, index int, s *types.Sample) error {
			if index == 0 {
				samples[item.Offset] = nil // of a repeated key the last counts
			}
			if index != len(samples[item.Offset]) {
				t.Fatalf("sample %d comes after %d: %s", index, len(samples[item.Offset]), short(body))
			}
			samples[item.Offset] = append(samples[item.Offset], *copied(s))
			return nil
		},
	}
	i := 0
	var err error
	for ev, e := range d.Decode(bytes.NewReader(body)) {
		if e != nil {
			err = e
			break
		}
		if i == len(want) {
			t.Fatalf("with hooks more: %T of %s", ev, short(body))
		}
		place := ev
		if raw := body[place.Offset:][:place.Size]; !bytes.Equal(place.Raw, raw) {
			t.Fatalf("raw %q, want %q", place.Raw, raw)
		}
		if bytes.Count(place.Raw, []byte("amples")) > 1 {
			delete(samples, place.Offset) // a hook is not told that a second list is null
			dropSamples(want[i])
		}
		if have := bare(ev, samples[place.Offset]); !reflect.DeepEqual(have, bare(want[i], nil)) {
			t.Fatalf("with hooks %s\nwant %s\nof %s", show([]*notify.Event{have}), show(want[i:i+1]), short(body))
		}
		i++
	}
	if i != len(want) || (err != nil) != (wantErr != nil) {
		t.Fatalf("with hooks %d events and %v, want %d and %v: %s", i, err, len(want), wantErr, short(body))
	}
}

// copied returns a copy that stays what it is when the hook has returned.
func copied(s *types.Sample) *types.Sample {
	out := *s
	v := reflect.ValueOf(&out).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Pointer && !f.IsNil() {
			p := reflect.New(f.Type().Elem())
			p.Elem().Set(f.Elem())
			f.Set(p)
		}
	}
	return &out
}

func dropSamples(ev *notify.Event) {
	if p, ok := ev.Data.(*notify.Push); ok {
		if s, ok := p.Summary.(*types.ActivityDetails); ok {
			s.Samples = nil
		}
	}
}

// bare takes out of a new event what the options put there or leave out, and
// puts the samples in that were shown.
func bare(ev *notify.Event, samples []types.Sample) *notify.Event {
	plainDefects(ev)
	reflect.ValueOf(ev).Elem().FieldByName("Raw").SetZero()
	switch data := ev.Data.(type) {
	case *notify.Unrecognized:
		data.Err = nil
	case *notify.Push:
		reflect.ValueOf(data.Summary).Elem().FieldByName("Raw").SetZero()
		if s, ok := data.Summary.(*types.ActivityDetails); ok {
			s.Samples = append(s.Samples, samples...)
			if len(s.Samples) == 0 {
				s.Samples = nil // an empty list and none look alike to a hook
			}
		}
	}
	return ev
}
