package bench

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bytedance/sonic"
	goccy "github.com/goccy/go-json"

	"github.com/garminkit/activityapi/internal/bodygen"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

var memory = flag.Bool("memory", false, "print the memory that each decoder needs, each in a process of its own")

// child decodes a body on disk in the way its name says, and prints what that
// took. A process does it for one way only, so that its peak is that way's.
func child(way, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	peak := watchHeap()
	decoded := 0
	keep := []*notify.Event{}
	stream := func(d *notify.Decoder, r io.Reader, hold bool) error {
		for ev, err := range d.Decode(r) {
			if err != nil {
				return err
			}
			if hold {
				keep = append(keep, ev)
			}
		}
		return nil
	}
	whole := func(unmarshal func([]byte, any) error) error {
		data, err := io.ReadAll(f)
		if err != nil {
			return err
		}
		var b plainBody
		err = unmarshal(data, &b)
		runtime.KeepAlive(b)
		return err
	}
	visit := &notify.Decoder{Sample: func(*notify.Event, int, *types.Sample) error { return nil }}
	switch way {
	case "ours/file":
		err = stream(&notify.Decoder{}, f, false)
	case "ours/stream":
		err = stream(&notify.Decoder{}, bufio.NewReader(f), false)
	case "ours/visit":
		err = stream(visit, bufio.NewReader(f), false)
	case "ours/hold": // everything, to see what the decoded values take
		err = stream(&notify.Decoder{}, bufio.NewReader(f), true)
	case "encoding-json":
		err = whole(json.Unmarshal)
	case "goccy":
		err = whole(func(b []byte, v any) error { return goccy.Unmarshal(b, v) })
	case "sonic":
		err = whole(sonic.ConfigStd.Unmarshal)
	}
	heap := peak()
	for _, ev := range keep {
		decoded += size(reflect.ValueOf(ev.Data.(*notify.Push).Summary))
	}
	fmt.Printf("%d %d %d\n", heap, residentPeak(), decoded)
	return err
}

// residentPeak returns the most memory this process ever had resident. Its
// rusage would count the parent's before exec too.
func residentPeak() int {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		var kb int
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kb); n == 1 {
			return kb << 10
		}
	}
	return 0
}

// watchHeap samples the bytes in heap objects, garbage included, and returns
// the most it saw above what there was at first.
func watchHeap() func() uint64 {
	runtime.GC()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	read := func() uint64 {
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	first, most := read(), uint64(0)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Microsecond):
				most = max(most, read())
			}
		}
	}()
	return func() uint64 {
		close(stop)
		<-done
		return max(most, read()) - first
	}
}

// size returns the bytes a decoded value takes, its strings included.
func size(v reflect.Value) int {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return 0
		}
		return int(v.Elem().Type().Size()) + size(v.Elem())
	case reflect.String:
		return v.Len()
	case reflect.Slice:
		n := v.Len() * int(v.Type().Elem().Size())
		for i := range v.Len() {
			n += size(v.Index(i))
		}
		return n
	case reflect.Struct:
		n := 0
		for i := range v.NumField() {
			n += size(v.Field(i))
		}
		return n
	}
	return 0
}

func TestMemory(t *testing.T) {
	if way, file := os.Getenv("BENCH_WAY"), os.Getenv("BENCH_FILE"); way != "" {
		if err := child(way, file); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !*memory {
		t.Skip("give -memory")
	}
	for _, body := range []struct {
		name string
		data []byte
	}{
		{"100 MB of records of an hour", bodygen.Details(bodygen.Options{Seed: 1, Size: 100 << 20, Samples: 3600})},
		{"100 MB of records of none to two hours", bodygen.Details(bodygen.Options{Seed: 1, Size: 100 << 20})},
		{"one record of 24 hours", bodygen.Day(bodygen.Options{Seed: 1})},
	} {
		file := filepath.Join(t.TempDir(), "body.json")
		if err := os.WriteFile(file, body.data, 0o600); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("%s, %.1f MB\n", body.name, float64(len(body.data))/1e6)
		for _, way := range []string{"ours/stream", "ours/file", "ours/visit", "ours/hold", "encoding-json", "goccy", "sonic"} {
			cmd := exec.Command(os.Args[0], "-test.run=^TestMemory$", "-test.v")
			cmd.Env = append(os.Environ(), "BENCH_WAY="+way, "BENCH_FILE="+file)
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%s: %v\n%s", way, err, out)
			}
			var heap, rss, decoded float64
			for _, line := range strings.Split(string(out), "\n") {
				if n, _ := fmt.Sscan(line, &heap, &rss, &decoded); n == 3 {
					break
				}
			}
			fmt.Printf("  %-14s peak heap %6.1f MB, peak RSS %6.1f MB", way, heap/1e6, rss/1e6)
			if decoded > 0 {
				fmt.Printf(", decoded values %.1f MB", decoded/1e6)
			}
			fmt.Println()
		}
	}
}

var proofs = flag.Bool("proofs", false, "print the other figures: first event, two goroutines, loopback")

// TestFirstEvent measures from when the last byte of the first record has been
// read to when its event is there.
func TestFirstEvent(t *testing.T) {
	if !*proofs {
		t.Skip("give -proofs")
	}
	data := bodygen.Details(bodygen.Options{Seed: 1, Size: 100 << 20, Samples: 3600})
	var end int64
	for ev := range new(notify.Decoder).Decode(strings.NewReader(string(data[:4<<20]))) {
		end = ev.Offset + ev.Size
		break
	}
	best := time.Hour
	for range 20 {
		r := &arrivals{r: strings.NewReader(string(data)), end: end}
		for range new(notify.Decoder).Decode(r) {
			best = min(best, time.Since(r.at))
			break
		}
		if r.read > 2*end {
			t.Errorf("read %d bytes for a record of %d", r.read, end)
		}
	}
	fmt.Printf("first event of 100 MB: %v after the last byte of its %.1f MB was read\n", best, float64(end)/1e6)
}

// arrivals notes when byte number end was read.
type arrivals struct {
	r         io.Reader
	read, end int64
	at        time.Time
}

func (a *arrivals) Read(p []byte) (int, error) {
	n, err := a.r.Read(p)
	if a.read < a.end && a.read+int64(n) >= a.end {
		a.at = time.Now()
	}
	a.read += int64(n)
	return n, err
}

// TestTwoGoroutines decodes two bodies at once, and wants no more than twice the
// processor time for each: nothing is shared.
func TestTwoGoroutines(t *testing.T) {
	if !*proofs {
		t.Skip("give -proofs")
	}
	data := bodygen.Details(bodygen.Options{Seed: 1, Size: 10 << 20})
	best := [3][2]time.Duration{1: {time.Hour, time.Hour}, 2: {time.Hour, time.Hour}}
	for range 30 { // in turns, so that both meet the same neighbours
		for n := 1; n <= 2; n++ {
			used, start := processorTime(), time.Now()
			var wg sync.WaitGroup
			for range n {
				wg.Go(func() { ours(data) })
			}
			wg.Wait()
			best[n][0] = min(best[n][0], time.Since(start))
			best[n][1] = min(best[n][1], processorTime()-used)
		}
	}
	fmt.Printf("two goroutines on two bodies: %.2f times one (%d processors); processor time for a body: %.2f times one's\n",
		2*best[1][0].Seconds()/best[2][0].Seconds(), runtime.NumCPU(), best[2][1].Seconds()/2/best[1][1].Seconds())
	if got := best[2][1].Seconds() / 2 / best[1][1].Seconds(); got > 2 {
		t.Errorf("processor time for a body is %.2f times one's", got)
	}
}
