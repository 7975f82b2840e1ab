package notify

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/garminkit/activityapi/internal/bodygen"
)

// FuzzDecodeReset holds that a body is read alike by a decoder that has read
// another one before.
func FuzzDecodeReset(f *testing.F) {
	bodies := []string{
		`{"activities":[{"userId":"u","summaryId":"1"},{"summaryId":2,"userId":"v","durationInSeconds":7}]}`,
		`{"activities":[{"userId":"u","callbackURL":"https://x/?token=1"}],"moveIQActivities":[{"userId":"u","summaryId":"2"}]}`,
		`{ "activityDetails" : [ { "userId" : "u" , "summary" : { } , "samples" : [ { "heartRate" : 1 } ] } ] }`,
		`{"activities":[{"userId":17}],"sleeps":[{}],"activities":[{"userId":"u"}]}`,
		`{"activities":[{"userId":"u","activityName":"` + strings.Repeat("long ", 3000) + `"}]}`,
		`{"activities":[{"userId":"u","nest":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]},{"userId":"u"`,
		`{"activities":[`, ``, `nonsense`, `{} x`, "{\"activities\":[{\"userId\":\"\\ud83d\"}]}",
	}
	for i, a := range bodies {
		f.Add([]byte(a), []byte(bodies[(i*7+3)%len(bodies)]))
		f.Add([]byte(a), []byte(a))
	}
	f.Fuzz(sameAfterReset)
}

// FuzzDecodeResetDrawn is FuzzDecodeReset of bodies that are nearly good.
func FuzzDecodeResetDrawn(f *testing.F) {
	var last []byte
	for p := range bodygen.Programs() {
		f.Add(p, last)
		last = p
	}
	d := bodygen.NewDrawer()
	f.Fuzz(func(t *testing.T, first, second []byte) { sameAfterReset(t, d.Body(first), d.Body(second)) })
}

func sameAfterReset(t *testing.T, first, second []byte) {
	read := func(b *body) (all []any) {
		b.decode(func(ev *Event, err error) bool {
			all = append(all, ev, fmt.Sprint(err))
			return true
		})
		return all
	}
	for _, d := range []*Decoder{{}, {KeepRaw: true}} {
		used := d.newBody(bytes.NewReader(first))
		before := read(used)
		used.reset(bytes.NewReader(second))
		got, want := read(used), read(d.newBody(bytes.NewReader(second)))
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q and then %q: got %+v, want %+v", first, second, got, want)
		}
		// What the first body gave is still what it was.
		if again := read(d.newBody(bytes.NewReader(first))); !reflect.DeepEqual(before, again) {
			t.Fatalf("the events of %q changed with %q: %+v, want %+v", first, second, before, again)
		}
	}
}
