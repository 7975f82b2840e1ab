package export_test

import (
	"bytes"
	"io"
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/export"
	"github.com/garminkit/activityapi/types"
)

// counter counts what is written, and looks at the memory now and then.
type counter struct {
	n    int64
	next int64
	peak uint64
}

func (c *counter) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	if c.n >= c.next {
		c.next = c.n + 4<<20
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		c.peak = max(c.peak, m.HeapAlloc)
	}
	return len(b), nil
}

// endless yields n samples that nobody keeps.
func endless(n int) *export.Track {
	t := trackOf()
	t.Samples = func(yield func(*types.Sample, error) bool) {
		s := sample(0)
		lat, lon, distance := *s.LatitudeInDegree, *s.LongitudeInDegree, 0.0
		s.LatitudeInDegree, s.LongitudeInDegree, s.TotalDistanceInMeters = &lat, &lon, &distance
		for i := range n {
			s.StartTimeInSeconds = types.Timestamp(1767340800 + i)
			lat, lon, distance = 47+float64(i%1000)/1e5, 15+float64(i)/1e5, float64(i)
			if !yield(&s, nil) {
				return
			}
		}
	}
	return t
}

// Large files take no more memory than small ones. This test is alone while it
// measures. The long form, of files of at least 100 MB, is EXPORT_MB=100.
func TestConstantMemory(t *testing.T) {
	mb := 8
	if s := os.Getenv("EXPORT_MB"); s != "" {
		var err error
		mb, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	o := &export.Options{Key: make([]byte, 16), Zones: []export.Zone{{LatitudeInDegree: 47, LongitudeInDegree: 15.1, RadiusInMeters: 500}}}
	for _, f := range all() {
		runtime.GC()
		var before runtime.MemStats
		runtime.ReadMemStats(&before)
		var little bytes.Buffer
		require.NoError(t, f.write(&little, nil, endless(1000)))
		var c counter
		require.NoError(t, f.write(&c, o, endless(1200*mb*(1e6/little.Len()+1))))
		require.GreaterOrEqual(t, c.n, int64(mb)*1e6)
		t.Logf("%s: %d MB, %d KiB", f.name, c.n/1e6, (int64(c.peak)-int64(before.HeapAlloc))>>10)
		require.Less(t, int64(c.peak)-int64(before.HeapAlloc), int64(2<<20), f.name)
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, f := range all() {
		b.Run(f.name, func(b *testing.B) {
			var size bytes.Buffer
			if err := f.write(&size, nil, endless(21_600)); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(size.Len()))
			b.ReportAllocs()
			for b.Loop() {
				if err := f.write(io.Discard, nil, endless(21_600)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("Polylines", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := export.Polylines(nil, &export.PolylineOptions{ToleranceInMeters: 5}, endless(21_600)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
