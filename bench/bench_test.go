package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"syscall"
	"testing"
	"time"

	"github.com/bytedance/sonic"
	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	goccy "github.com/goccy/go-json"
	jsoniter "github.com/json-iterator/go"
	simdjson "github.com/minio/simdjson-go"
	segmentio "github.com/segmentio/encoding/json"
	"github.com/valyala/fastjson"

	"github.com/garminkit/activityapi/internal/bodygen"
	"github.com/garminkit/activityapi/internal/jsonseq"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// A decoder reads a whole body, and keeps nothing of it but the number of
// records.
type decoder struct {
	name string
	run  func(body []byte) (records int, err error)
}

// stream hides that a body is in memory, as a connection does.
type stream struct{ io.Reader }

func ours(body []byte) (n int, err error) {
	for _, e := range new(notify.Decoder).Decode(stream{bytes.NewReader(body)}) {
		if e != nil {
			return n, e
		}
		n++
	}
	return n, nil
}

func oursFile(body []byte) (n int, err error) {
	for _, e := range new(notify.Decoder).Decode(bytes.NewReader(body)) {
		if e != nil {
			return n, e
		}
		n++
	}
	return n, nil
}

func oursVisit(body []byte) (n int, err error) {
	d := notify.Decoder{Sample: func(_ *notify.Event, _ int, s *types.Sample) error { return nil }}
	for _, e := range d.Decode(stream{bytes.NewReader(body)}) {
		if e != nil {
			return n, e
		}
		n++
	}
	return n, nil
}

func whole(unmarshal func([]byte, any) error) func([]byte) (int, error) {
	return func(body []byte) (int, error) {
		var b plainBody
		err := unmarshal(body, &b)
		return len(b.Activities) + len(b.ActivityDetails), err
	}
}

var decoders = []decoder{
	{"ours/stream", ours},
	{"ours/file", oursFile},
	{"ours/visit", oursVisit},
	{"encoding-json", whole(json.Unmarshal)},
	{"jsonv2", whole(func(b []byte, v any) error { return jsonv2.Unmarshal(b, v) })},
	{"jsoniter", whole(jsoniter.ConfigCompatibleWithStandardLibrary.Unmarshal)},
	{"segmentio", whole(func(b []byte, v any) error { return segmentio.Unmarshal(b, v) })},
	{"goccy", whole(func(b []byte, v any) error { return goccy.Unmarshal(b, v) })},
	{"sonic", whole(sonic.ConfigStd.Unmarshal)},
	{"sonic-fastest", whole(sonic.ConfigFastest.Unmarshal)},
}

// validators only say whether a body is JSON.
var validators = []decoder{
	{"encoding-json", valid(json.Valid)},
	{"jsontext", valid(func(b []byte) bool { return jsontext.Value(b).IsValid() })},
	{"fastjson", func(b []byte) (int, error) { return 0, fastjson.ValidateBytes(b) }},
	{"sonic", valid(sonic.Valid)},
	{"segmentio", valid(segmentio.Valid)},
	{"simdjson", func(b []byte) (int, error) {
		if !simdjson.SupportedCPU() {
			return 0, errNoCPU
		}
		parsed, err := simdjson.Parse(b, reused)
		reused = parsed
		return 0, err
	}},
}

var (
	reused   *simdjson.ParsedJson
	errNoCPU = fmt.Errorf("needs AVX2")
)

func valid(f func([]byte) bool) func([]byte) (int, error) {
	return func(b []byte) (int, error) {
		if !f(b) {
			return 0, fmt.Errorf("not valid")
		}
		return 0, nil
	}
}

var bodies = []struct {
	name string
	make func() []byte
}{
	{"details-1MB", func() []byte { return bodygen.Details(bodygen.Options{Seed: 1, Size: 1 << 20}) }},
	{"details-10MB", func() []byte { return bodygen.Details(bodygen.Options{Seed: 1, Size: 10 << 20}) }},
	{"details-100MB", func() []byte { return bodygen.Details(bodygen.Options{Seed: 1, Size: 100 << 20}) }},
	{"details-1MB-pretty", func() []byte { return bodygen.Details(bodygen.Options{Seed: 1, Size: 1 << 20, Pretty: true}) }},
	{"details-10MB-pretty", func() []byte { return bodygen.Details(bodygen.Options{Seed: 1, Size: 10 << 20, Pretty: true}) }},
	{"details-100MB-pretty", func() []byte { return bodygen.Details(bodygen.Options{Seed: 1, Size: 100 << 20, Pretty: true}) }},
	{"details-24h", func() []byte { return bodygen.Day(bodygen.Options{Seed: 1}) }},
	{"activities-10MB", func() []byte { return bodygen.Activities(bodygen.Options{Seed: 1, Size: 10 << 20}) }},
	{"activities-10MB-pretty", func() []byte { return bodygen.Activities(bodygen.Options{Seed: 1, Size: 10 << 20, Pretty: true}) }},
	{"pings-1MB", func() []byte { return bodygen.Pings(bodygen.Options{Seed: 1, Size: 1 << 20}) }},
}

// BenchmarkDecode decodes each body with each decoder, values and all.
func BenchmarkDecode(b *testing.B) {
	for _, body := range bodies {
		b.Run(body.name, func(b *testing.B) {
			data := body.make()
			for _, d := range decoders {
				b.Run(d.name, func(b *testing.B) { d.bench(b, data) })
			}
		})
	}
}

func (d decoder) bench(b *testing.B, data []byte) {
	if _, err := d.run(data); err == errNoCPU {
		b.Skip(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	best := time.Duration(math.MaxInt64)
	used, n := processorTime(), 0
	for b.Loop() {
		start := time.Now()
		if _, err := d.run(data); err != nil {
			b.Fatal(err)
		}
		best = min(best, time.Since(start))
		n++
	}
	used = (processorTime() - used) / time.Duration(n)
	// The fastest run is what the others on the machine disturb least.
	b.ReportMetric(float64(len(data))/1e6/best.Seconds(), "best-MB/s")
	b.ReportMetric(float64(len(data))/1e6/used.Seconds(), "cpu-MB/s")
}

// BenchmarkList decodes a bare array, as Client.Details does.
func BenchmarkList(b *testing.B) {
	data := bodygen.Details(bodygen.Options{Seed: 1, Size: 10 << 20, Bare: true})
	d := decoder{run: func(body []byte) (n int, err error) {
		for _, e := range jsonseq.List[types.ActivityDetails](stream{bytes.NewReader(body)}, nil) {
			if e != nil {
				return n, e
			}
			n++
		}
		return n, nil
	}}
	b.Run("details-10MB/ours", func(b *testing.B) { d.bench(b, data) })
}

// processorTime returns what the process has used on all processors, the
// garbage collector included.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
