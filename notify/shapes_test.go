package notify_test

import (
	"context"
	"flag"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/spool"
	"github.com/garminkit/activityapi/types"
)

var shapeSize = flag.Int64("notify.shape", 256<<10, "how large the bodies of TestShapes are")

// repeated is text with a part repeated up to a size, and never held as a whole.
func repeated(size int64, start, part, end string) io.Reader {
	n := max((size-int64(len(start)+len(end)))/int64(len(part)), 1)
	return io.MultiReader(strings.NewReader(start), &repeater{part: part, left: n * int64(len(part))}, strings.NewReader(end))
}

type repeater struct {
	part string
	at   int
	left int64
}

func (r *repeater) Read(p []byte) (n int, err error) {
	for n < len(p) && r.left > 0 {
		m := copy(p[n:], r.part[r.at:])
		m = int(min(int64(m), r.left))
		n, r.left, r.at = n+m, r.left-int64(m), (r.at+m)%len(r.part)
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// TestShapes: whatever a stranger's large body looks like, it passes through in
// bounded memory, leaves few letters, and what comes behind it is delivered. The
// long form is -notify.shape 104857600.
func TestShapes(t *testing.T) {
	size := *shapeSize
	for name, body := range map[string]io.Reader{
		"no JSON":             repeated(size, "", "garbage ", ""),
		"cut":                 repeated(size, `{"activities":[`, `{"userId":"nobody","summaryId":"1"},`, ""),
		"one huge item":       repeated(size, `{"activities":[{"userId":"nobody","summaryId":"1","activityName":"`, "x", `"}]}`),
		"numbers":             repeated(size, `{"activities":[`, "0,", "0]}"),
		"bad and good":        repeated(size, `{"activities":[`, `0,{"userId":"nobody","summaryId":"1"},`, "0]}"),
		"unknown lists":       repeated(size, `{`, `"x":[{"userId":"nobody"}],`, `"y":[]}`),
		"items of nobody":     repeated(size, `{"activities":[`, `{"userId":"nobody","summaryId":"1"},`, `{"userId":"nobody","summaryId":"1"}]}`),
		"white space":         repeated(size, `{"activities":[`, " ", `]}`),
		"nested":              repeated(min(size, 1<<20), ``, "[", ``),
		"pings of nobody":     repeated(size, `{"activities":[`, `{"userId":"nobody","callbackURL":"https://x"},`, `0]}`),
		"many deregistration": repeated(size/8, `{"deregistrations":[`, `{"userId":"nobody"},`, `{"userId":"nobody"}]}`),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			q, err := spool.Open(dir, nil)
			require.NoError(t, err)
			defer q.Close()
			require.NoError(t, q.Put(t.Context(), body))
			require.NoError(t, q.Put(t.Context(), strings.NewReader(push("honest", "1"))))
			saved := make(chan struct{}, 1)
			p, err := notify.NewProcessor(q,
				func(_ context.Context, id types.UserID) ([]notify.User, error) {
					if id == "nobody" {
						return nil, notify.ErrUnknownUser
					}
					return []notify.User{{ID: string(id)}}, nil
				},
				notify.Callbacks{
					Save:             func(context.Context, *notify.Delivery, types.Summary) error { saved <- struct{}{}; return nil },
					Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
					PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
				}, &notify.ProcessorOptions{UnknownUserGrace: -1})
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			start := time.Now()
			go func() { ended <- p.Run(ctx) }()
			runtime.GC() // what earlier tests left is not this one's
			var peak uint64
			look := time.NewTicker(20 * time.Millisecond)
			defer look.Stop()
			waited := time.Duration(0)
			for done := false; !done; {
				select {
				case <-saved:
					waited = time.Since(start)
				case <-look.C:
				}
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapInuse)
				st, err := q.Stats(t.Context())
				require.NoError(t, err)
				total := st.Bodies
				for _, n := range st.Items {
					total += n
				}
				done = waited > 0 && total == 0
				require.Less(t, time.Since(start), 20*time.Minute, "%+v %+v", st, p.Stats())
			}
			took := time.Since(start)
			cancel()
			require.NoError(t, <-ended)
			st, err := q.Stats(t.Context())
			require.NoError(t, err)
			t.Logf("%s, %d bytes: drained in %v, heap at most %d MiB, %d letters; the item behind waited %v",
				name, size, took.Round(time.Millisecond), peak>>20, st.Letters, waited.Round(time.Millisecond))
			require.LessOrEqual(t, st.Letters, int64(210), "the rest of a body's letters are one")
			require.Less(t, peak, uint64(160<<20))
		})
	}
}
