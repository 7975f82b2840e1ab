package activity_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/internal/jsonseq"
	"github.com/garminkit/activityapi/types"
)

// benchmark makes a fake Garmin on a loopback socket whose user has activities
// of about size bytes, and returns a URL of them.
func benchServer(b testing.TB, size int) (s *activitytest.Server, u *activitytest.User, base string, callback types.Secret) {
	s = activitytest.NewServer()
	h := httptest.NewServer(s)
	b.Cleanup(h.Close)
	s.BaseURL = h.URL
	u = s.AddUser(nil)
	item := &types.Activity{
		ActivityName: "Morning run", ActivityType: "RUNNING", StartTimeInSeconds: types.NewTimestamp(time.Now().Truncate(time.Second)),
		DurationInSeconds: 3600, DistanceInMeters: new(12345.67), AverageHeartRateInBeatsPerMinute: new(141),
		StartingLatitudeInDegree: new(48.137154), StartingLongitudeInDegree: new(11.576124), DeviceName: "forerunner935",
	}
	for n := 0; n < size; n += 400 {
		v := *item
		u.Add(&v)
	}
	return s, u, h.URL + "/wellness-api/rest", types.Secret(u.CallbackURL(types.KindActivities, lastHour()))
}

// bare is the program that a partner would write without this package, with
// the same decoder.
func bare(client *http.Client, url string) (items, size int, err error) {
	res, err := client.Get(url)
	if err != nil {
		return 0, 0, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return 0, 0, fmt.Errorf("status %d", res.StatusCode)
	}
	counted := &counter{r: res.Body}
	opts := &jsonseq.Options{Name: "activities", Bad: func(json.RawMessage, *types.DecodeError) {}}
	for _, err := range jsonseq.List[types.Activity](counted, opts) {
		if err != nil {
			return items, 0, err
		}
		items++
	}
	return items, counted.n, nil
}

type counter struct {
	r io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

// BenchmarkPull compares a pull with the same request made with net/http and
// oauth2 alone, in turn, and reports the ratio of time and of allocations.
func BenchmarkPull(b *testing.B) {
	for _, size := range []int{0, 1 << 20} {
		b.Run(fmt.Sprintf("%dKB", size>>10), func(b *testing.B) {
			_, u, base, callback := benchServer(b, size)
			source := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: u.State().AccessToken})
			// Both go over one connection: two are not equally fast, whoever
			// uses them.
			shared := new(http.Transport)
			defer shared.CloseIdleConnections()
			plain := &http.Client{Transport: &oauth2.Transport{Source: source, Base: shared}}
			c, err := poolClient(activity.OAuth2(source), &activity.Options{BaseURL: base, Transport: shared})
			require.NoError(b, err)
			run := [2]func() int{
				func() int {
					n, bytes, err := bare(plain, string(callback))
					require.NoError(b, err)
					b.SetBytes(int64(bytes))
					return n
				},
				func() (n int) {
					for _, err := range c.Follow(b.Context(), types.KindActivities, callback) {
						if err != nil { // require would cost as much as an item
							b.Fatal(err)
						}
						n++
					}
					return n
				},
			}
			require.Equal(b, run[0](), run[1]())
			var took [2][]float64
			var allocs [2]uint64
			var before, after runtime.MemStats
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				// Take turns at being first, so that neither profits.
				for k := range 2 {
					which := (k + i) % 2
					runtime.ReadMemStats(&before)
					began := time.Now()
					run[which]()
					took[which] = append(took[which], float64(time.Since(began)))
					runtime.ReadMemStats(&after)
					allocs[which] += after.Mallocs - before.Mallocs
				}
			}
			// The mean of the fastest quarter: what else the machine does must
			// not decide.
			var fast [2]float64
			for k := range fast {
				slices.Sort(took[k])
				for _, t := range took[k][:(len(took[k])+3)/4] {
					fast[k] += t
				}
			}
			b.ReportMetric(fast[1]/fast[0], "time-ratio")
			b.ReportMetric(float64(allocs[1])/float64(allocs[0]), "alloc-ratio")
			b.ReportMetric(float64(allocs[0])/float64(b.N), "bare-allocs")
			b.ReportMetric(float64(allocs[1])/float64(b.N), "our-allocs")
		})
	}
}

// BenchmarkClients reports what 10,000 clients of one pool weigh, and with
// them 10,000 calls at once.
func BenchmarkClients(b *testing.B) {
	const n = 10_000
	for b.Loop() {
		idle, busy := weigh(b, n)
		b.ReportMetric(float64(idle)/(1<<20), "idle-MiB")
		b.ReportMetric(float64(busy)/(1<<20), "calling-MiB")
	}
}

// weigh returns the memory of n clients of one pool, and of n clients that all
// wait for an answer, goroutines included.
func weigh(t testing.TB, n int) (idle, busy uint64) {
	release, arrived := make(chan struct{}), make(chan struct{}, n)
	pool, err := activity.NewPool(&activity.Options{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
		arrived <- struct{}{}
		<-release
		return response(200, `{"userId":"u"}`, nil), nil
	})})
	require.NoError(t, err)
	used := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	start := used()
	clients := make([]*activity.Client, n)
	for i := range clients {
		clients[i], err = pool.Client(bearer(strings.Repeat("a", 1000))) // as long as real ones
		require.NoError(t, err)
	}
	idle = used() - start
	done := make(chan error, n)
	for _, c := range clients {
		go func() {
			_, err := c.UserID(context.Background())
			done <- err
		}()
	}
	for range n {
		<-arrived
	}
	busy = used() - start
	close(release)
	for range n {
		require.NoError(t, <-done)
	}
	runtime.KeepAlive(clients)
	return idle, busy
}

// TestTenThousandClients holds the bound with a fifth of them.
func TestTenThousandClients(t *testing.T) {
	n := 2_000
	idle, busy := weigh(t, n)
	t.Logf("%d clients: %d KiB, calling %d KiB", n, idle>>10, busy>>10)
	require.Less(t, busy, uint64(200<<20)/5)
}
