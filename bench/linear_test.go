package bench

import (
	"flag"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

var onlyShape = flag.String("shape", "", "part of the names of the shapes for -linear")

var linear = flag.Int("linear", 0, "test that decoding takes linear time, on hostile bodies of so many megabytes and of half of that")

// shape is a body of any size: head, fill again and again, and tail. With
// count, fill is a format and gets the number of the repetition. A body that is
// broken ends in an error, which must come as fast.
type shape struct {
	name, head, fill, tail string
	count                  bool
	broken                 bool
	hooks                  bool // read with a hook for samples and one for unknown keys
	keep                   bool // read with KeepRaw
}

const (
	linearItem = `{"userId":"u","summaryId":"1"}`
	inItem     = `{"activities":[{"userId":"u",`
	inString   = `{"activities":[{"userId":"u","activityName":"`
	inSamples  = `{"activityDetails":[{"userId":"u","samples":[`
	rest       = `"steps":1}]}`
)

// shapes are bodies that somebody might send to make a decoder slow.
var shapes = []shape{
	// White space.
	{name: "white space", fill: " ", tail: `{"activities":[` + linearItem + `]}`},
	{name: "white space in an item", head: `{"activities":[{`, fill: "\n ", tail: `"userId":"u"}]}`},
	{name: "white space of every kind", head: `{"activities":[`, fill: "\r\n\t ", tail: linearItem + `]}`},
	{name: "white space around each token", head: `{"activities":[`, fill: spaced(linearItem) + "\n\n,", tail: linearItem + `]}`},
	// Strings.
	{name: "a long string", head: inString, fill: "é", tail: `"}]}`},
	{name: "a long string never ended", head: inString, fill: "x", broken: true},
	{name: "a string to skip", head: inItem + `"x":"`, fill: "x", tail: `"}]}`},
	{name: "a string to skip, never ended", head: inItem + `"x":"`, fill: `\\`, broken: true},
	{name: "a string of escapes", head: inString, fill: `\u00e9`, tail: `"}]}`},
	{name: "a string of short escapes", head: inString, fill: `\"\\`, tail: `"}]}`},
	{name: "a string of surrogate pairs", head: inString, fill: `\ud83d\ude00`, tail: `"}]}`},
	{name: "a string of lone surrogates", head: inString, fill: `\ud83d`, tail: `"}]}`},
	{name: "a string of invalid UTF-8", head: inString, fill: "\xff", tail: `"}]}`},
	{name: "a string of cut UTF-8", head: inString, fill: "\xf0\x9f\x98", tail: `"}]}`},
	{name: "a string of byte order marks", head: inString, fill: "\ufeff", tail: `"}]}`},
	{name: "a name in each of many items", head: `{"activities":[`, fill: `{"userId":"user%08d","activityName":"name %[1]d"},`, tail: `{}]}`, count: true},
	// Keys.
	{name: "a long key", head: inItem + `"`, fill: "k", tail: `":1}]}`},
	{name: "a long key of escapes", head: inItem + `"`, fill: `\u006b`, tail: `":1}]}`},
	{name: "a long root key", head: `{"`, fill: "k", tail: `":[1]}`},
	{name: "one key again and again", head: `{"activities":[{`, fill: `"steps":1,`, tail: `"userId":"u"}]}`},
	{name: "one key with a string", head: inItem, fill: `"activityName":"some name",`, tail: rest},
	{name: "one list again and again", head: `{"activityDetails":[{"userId":"u",`, fill: `"samples":[{"heartRate":1}],`, tail: `"laps":[]}]}`},
	{name: "escapes in keys", head: inItem, fill: `"\u0073teps":1,"\u0078":2,`, tail: rest},
	{name: "many keys of one beginning", head: inItem, fill: `"averageHeartRateInBeatsPerMinute%08d":1,`, tail: rest, count: true},
	{name: "many keys of one end", head: inItem, fill: `"%08daverageHeartRateInBeatsPerMinute":1,`, tail: rest, count: true},
	{name: "unknown keys", head: `{"activities":[{`, fill: `"x":{"y":[1,"z"]},`, tail: `"userId":"u"}]}`},
	{name: "unknown keys with a hook", head: inItem, fill: `"x":{"y":[1,"z"]},`, tail: rest, hooks: true},
	{name: "unknown keys in samples with a hook", head: inSamples, fill: `{"x":1,"heartRate":2},`, tail: `{}]}]}`, hooks: true},
	{name: "keys in bad order", head: inSamples, fill: `{"heartRate":1,"powerInWatts":2},{"powerInWatts":2,"heartRate":1},`, tail: `{}]}]}`},
	{name: "keys in bad order, with a hook", head: inSamples, fill: `{"heartRate":1,"powerInWatts":2},{"powerInWatts":2,"heartRate":1},`, tail: `{}]}]}`, hooks: true},
	// Root keys.
	{name: "unknown lists", head: `{`, fill: `"dailies":[{"a":1}],`, tail: `"activities":[` + linearItem + `]}`},
	{name: "one root key again and again", head: `{`, fill: `"activities":[` + linearItem + `],`, tail: `"activities":[]}`},
	{name: "many root keys", head: `{`, fill: `"list%08d":[],`, tail: `"activities":[]}`, count: true},
	{name: "many root keys with an item", head: `{`, fill: `"list%08d":[{"a":1}],`, tail: `"activities":[]}`, count: true},
	{name: "null for every list", head: `{`, fill: `"activities":null,`, tail: `"activities":[]}`},
	{name: "a huge value in place of a list", head: `{"dailies":{`, fill: `"a":[{"b":[1,2,{"c":null}]}],`, tail: `"z":0}}`},
	// Numbers.
	{name: "a long number", head: inItem + `"steps":`, fill: "1", tail: `}]}`},
	{name: "a long number to skip", head: inItem + `"x":0.`, fill: "1", tail: `}]}`},
	{name: "numbers of a thousand digits", head: `{"activities":[`, fill: `{"userId":"u","distanceInMeters":` + strings.Repeat("7", 1000) + `e-900},`, tail: `{}]}`},
	{name: "numbers of forty digits", head: inItem, fill: `"distanceInMeters":0.1234567890123456789012345678901234567890,`, tail: rest},
	{name: "huge exponents", head: `{"activities":[`, fill: `{"userId":"u","steps":1e999999999},`, tail: `{}]}`},
	{name: "huge exponents to skip", head: inItem, fill: `"x":-1E+000000000000000000001,`, tail: rest},
	{name: "halves between two floats", head: inItem, fill: `"distanceInMeters":9007199254740993.0000000000000000000000000001,`, tail: rest},
	// Lists and nesting.
	{name: "brackets", head: `{"activities":[`, fill: "[],", tail: linearItem + `]}`},
	{name: "tiny lists to skip", head: inItem + `"x":[`, fill: "[],", tail: `[]]}]}`},
	{name: "nesting", head: inItem + `"x":[`, fill: `[[[[[[[[[[]]]]]]]]]],`, tail: `1]}]}`},
	{name: "lists nested to the limit", head: inItem + `"x":[`, fill: strings.Repeat("[", 9_990) + strings.Repeat("]", 9_990) + ",", tail: `1]}]}`},
	{name: "objects nested to the limit", head: inItem + `"x":[`, fill: strings.Repeat(`{"a":`, 9_990) + "1" + strings.Repeat("}", 9_990) + ",", tail: `1]}]}`},
	{name: "empty items", head: `{"activities":[`, fill: "{},", tail: linearItem + `]}`},
	{name: "null for every item", head: `{"activities":[`, fill: "null,", tail: linearItem + `]}`},
	{name: "numbers in place of items", head: `{"dailies":[`, fill: "1,", tail: `1]}`},
	{name: "items that do not fit", head: `{"activities":[`, fill: `{"userId":7,"steps":"x"},`, tail: linearItem + `]}`},
	{name: "items that do not fit behind their half", head: `{"activityDetails":[`, fill: `{"userId":"u","samples":[{"heartRate":1}],"laps":7},`, tail: `{}]}`},
	{name: "pings", head: `{"activities":[`, fill: `{"userId":"u","callbackURL":"https://x/?token=%08d"},`, tail: `{}]}`, count: true},
	{name: "permissions", head: `{"userPermissionsChange":[{"userId":"u","permissions":[`, fill: `"A",`, tail: `"B"]}]}`},
	{name: "items with their bytes", head: `{"activities":[`, fill: linearItem + ",", tail: `{}]}`, keep: true},
	{name: "one item with its bytes", head: inItem, fill: `"steps":1,`, tail: rest, keep: true},
	{name: "items as long as a block", head: `{"activities":[`, fill: `{"userId":"u","activityName":"` + strings.Repeat("x", 65_500) + `"},`, tail: `{}]}`},
}

// spaced puts white space around all that is not in a string.
func spaced(s string) string {
	space := strings.Repeat(" ", 20) + "\n"
	return strings.NewReplacer("{", "{"+space, "}", space+"}", ":", space+":"+space, ",", space+","+space).Replace(s)
}

// body returns a reader of about size bytes that takes no memory for them.
func (s *shape) body(size int) io.Reader {
	f := &filler{left: size, next: func(int) string { return s.fill }}
	if s.count {
		f.next = func(i int) string { return fmt.Sprintf(s.fill, i) }
	} else if n := 4 << 10 / len(s.fill); n > 1 {
		many := strings.Repeat(s.fill, n)
		f.next = func(int) string { return many }
	}
	return io.MultiReader(strings.NewReader(s.head), f, strings.NewReader(s.tail))
}

// filler reads as one text after another, whole ones only.
type filler struct {
	next func(i int) string
	text string
	left int // bytes to come
	i    int
}

func (f *filler) Read(p []byte) (int, error) {
	if f.text == "" {
		if f.left <= 0 {
			return 0, io.EOF
		}
		f.text = f.next(f.i)
		f.left -= len(f.text)
		f.i++
	}
	n := copy(p, f.text)
	f.text = f.text[n:]
	return n, nil
}

// decode reads the body to its end and returns the processor time that took.
func (s *shape) decode(t *testing.T, size, piece int) time.Duration {
	var r io.Reader = stream{s.body(size)}
	if piece > 0 {
		r = &pieces{r, piece}
	}
	d := notify.Decoder{KeepRaw: s.keep}
	if s.hooks {
		d.UnknownKey = func(string) {}
		d.Sample = func(*notify.Event, int, *types.Sample) error { return nil }
	}
	runtime.GC()
	before := processorTime()
	var last error
	for _, err := range d.Decode(r) {
		last = err
	}
	used := processorTime() - before
	if (last != nil) != s.broken {
		t.Fatalf("%s: %v", s.name, last)
	}
	return used
}

// TestLinear doubles what a hostile body repeats, and wants no more than 2.5
// times the processor time. It reads each body at once and in small pieces.
func TestLinear(t *testing.T) {
	if *linear == 0 {
		t.Skip("give -linear 4, or 100")
	}
	// A page that is new costs what the kernel and the neighbours make of it,
	// which is as much as the decoder takes and varies fivefold. With this on
	// the heap, though untouched, the runtime keeps the pages it has.
	ballast := make([]byte, 1<<30)
	defer runtime.KeepAlive(ballast)
	shapes[4].decode(t, *linear<<20, 0) // a long string
	worst := 0.0
	for i := range shapes {
		if !strings.Contains(shapes[i].name, *onlyShape) {
			continue
		}
		s := &shapes[i]
		fmt.Printf("%-40s", s.name)
		for _, piece := range []int{0, 100} {
			n := *linear << 20 / 2
			times := [2]time.Duration{time.Hour, time.Hour}
			ratio := math.Inf(1)
			// The neighbours are noisy: if the best is not enough, more are
			// tried.
			for try := 0; try < 12 && ratio > 2.5; try++ {
				for double := range 2 {
					times[double] = min(times[double], s.decode(t, n<<double, piece))
				}
				ratio = times[1].Seconds() / times[0].Seconds()
			}
			fmt.Printf("  %6.2f ns/B  x%.2f", float64(times[1].Nanoseconds())/float64(2*n), ratio)
			worst = max(worst, ratio)
			if ratio > 2.5 {
				t.Errorf("%s, in pieces of %d: not linear: time(2n)/time(n) = %.2f", s.name, piece, ratio)
			}
		}
		fmt.Println()
	}
	fmt.Printf("%d shapes, %d MB and half of that, at once and in pieces of 100 bytes: time(2n)/time(n) at most %.2f\n", len(shapes), *linear, worst)
}

// pieces reads at most n bytes at once.
type pieces struct {
	r io.Reader
	n int
}

func (p *pieces) Read(b []byte) (int, error) { return p.r.Read(b[:min(len(b), p.n)]) }
