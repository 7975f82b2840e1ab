package notify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// oneFile is a client of one file.
type oneFile struct {
	notify.Client
	content []byte
}

func (c oneFile) Download(context.Context, types.Secret) (io.ReadCloser, error) {
	return wholeBody{bytes.NewReader(c.content)}, nil
}

// wholeBody is a body whose transfer proves that nothing is missing.
type wholeBody struct{ io.Reader }

func (wholeBody) Close() error { return nil }
func (wholeBody) Whole() bool  { return true }

// BenchmarkSealedFiles downloads files with a key and without, in turns, and gives
// the median of the ratios, of time and of processor time.
func BenchmarkSealedFiles(b *testing.B) {
	for _, mb := range []int{1, 100} {
		b.Run(fmt.Sprintf("%dMB", mb), func(b *testing.B) {
			client := oneFile{content: make([]byte, mb<<20)}
			for i := range client.content {
				client.content[i] = byte(i * 7)
			}
			n := 0
			var ways [2]func() (took, cpu time.Duration)
			for i := range ways {
				opts := &notify.ProcessorOptions{Files: &notify.Files{Dir: b.TempDir(), Claims: memqueue.NewClaims()}}
				if i == 1 {
					opts.Files.AEAD = newAEAD(b, 1)
				}
				w, err := notify.NewProcessor(nil, func(context.Context, types.UserID) ([]notify.User, error) {
					return []notify.User{{ID: "x", Client: client}}, nil
				}, notify.Callbacks{
					Save:             func(context.Context, *notify.Delivery, types.Summary) error { return nil },
					File:             func(context.Context, *notify.Delivery, *notify.File) error { return nil },
					Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
					PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
				}, opts)
				require.NoError(b, err)
				defer w.Close()
				ways[i] = func() (took, cpu time.Duration) {
					n++
					raw, err := json.Marshal(map[string]any{"userId": "u", "summaryId": fmt.Sprint(n), "fileType": "KML", "startTimeInSeconds": 1, "callbackURL": fmt.Sprintf("https://apis.garmin.com/f?id=%d", n)})
					require.NoError(b, err)
					it := &notify.Item{Piece: notify.Piece{Key: "activityFiles", UserID: "u", Class: notify.ClassFile}, Raw: raw}
					begin, used := time.Now(), cpuTime()
					require.NoError(b, w.Attempt(b.Context(), it))
					took, cpu = time.Since(begin), cpuTime()-used
					require.NoError(b, os.RemoveAll(filepath.Join(opts.Files.Dir, "u")))
					return took, cpu
				}
				ways[i]()
			}
			var plain, rates, cpus []float64
			for b.Loop() {
				p, pc := ways[0]()
				s, sc := ways[1]()
				plain = append(plain, p.Seconds())
				rates = append(rates, p.Seconds()/s.Seconds())
				cpus = append(cpus, sc.Seconds()/pc.Seconds())
			}
			b.ReportMetric(float64(mb)/median(plain), "plain-MiB/s")
			b.ReportMetric(median(rates), "sealed/plain")
			b.ReportMetric(median(cpus), "cpu")
		})
	}
}

func median(v []float64) float64 { slices.Sort(v); return v[len(v)/2] }
