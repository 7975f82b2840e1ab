package spool

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/seal"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// BenchmarkSealed compares a sealed spool with a plain one, in turns: each
// operation is a round of both. The metrics are the sealed one's share of the rate,
// by the lower quartile of the rounds' times, and how much more time of the CPU it
// takes.
func BenchmarkSealed(b *testing.B) {
	for _, bench := range []struct {
		name string
		// round works on an open spool.
		round func(b *testing.B, s *spool, n int)
	}{
		{"put-1KB-64", putRound},
		{"put-10MB", func(b *testing.B, s *spool, n int) {
			for i := range 3 {
				require.NoError(b, s.Put(b.Context(), bytes.NewReader(tenMB(n*10+i))))
			}
		}},
		{"process-1KB", processRound},
	} {
		b.Run(bench.name, func(b *testing.B) {
			spools := [2]*spool{}
			for i, aead := range []cipher.AEAD{nil, newAEAD(1)} {
				var err error
				spools[i], err = openDir(b.TempDir(), &Options{AEAD: aead})
				require.NoError(b, err)
				defer spools[i].Close()
				bench.round(b, spools[i], -1)
			}
			var took [2][]time.Duration
			var cpu [2]time.Duration
			n := 0
			b.ResetTimer()
			for b.Loop() {
				for i := range spools {
					if n%2 == 1 {
						i = 1 - i
					}
					start, before := time.Now(), processorTime()
					bench.round(b, spools[i], n)
					took[i] = append(took[i], time.Since(start))
					cpu[i] += processorTime() - before
				}
				n++
			}
			for i := range took {
				slices.Sort(took[i])
			}
			b.ReportMetric(took[0][n/4].Seconds()/took[1][n/4].Seconds(), "of-plain-rate")
			b.ReportMetric(cpu[1].Seconds()/cpu[0].Seconds(), "of-plain-cpu")
		})
	}
}

// processorTime is what the process has used of the CPU.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// pushBody is a body of one item and about a kilobyte.
func pushBody(round, i int) string {
	return fmt.Sprintf(`{"activities":[{"userId":"u%d","summaryId":"%d.%d","activityName":"%s"}]}`, i%1000, round, i, strings.Repeat("n", 940))
}

func putRound(b *testing.B, s *spool, n int) {
	var wg sync.WaitGroup
	for w := range 64 {
		wg.Go(func() {
			for i := range 50 {
				if err := s.Put(context.Background(), strings.NewReader(pushBody(n, w*50+i))); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func tenMB(n int) []byte {
	var body bytes.Buffer
	body.WriteString(`{"activities":[`)
	for i := range 10_000 {
		fmt.Fprintf(&body, `{"userId":"u%d","summaryId":"%d.%d","activityName":"%s"},`, i%1000, n, i, strings.Repeat("n", 940))
	}
	body.WriteString(`{"userId":"u","summaryId":"last"}]}`)
	return body.Bytes()
}

// processRound stores items and processes them with callbacks that do nothing.
func processRound(b *testing.B, s *spool, n int) {
	putRound(b, s, n)
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	var left atomic.Int64
	left.Store(64 * 50)
	calls := notify.Callbacks{
		Save: func(context.Context, *notify.Delivery, types.Summary) error {
			if left.Add(-1) == 0 {
				stop()
			}
			return nil
		},
		Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
		PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
	}
	everybody := func(_ context.Context, id types.UserID) ([]notify.User, error) {
		return []notify.User{{ID: string(id)}}, nil
	}
	p, err := notify.NewProcessor(s, everybody, calls, nil)
	require.NoError(b, err)
	require.NoError(b, p.Run(ctx))
}

// BenchmarkUserKeys is what a key for each user would cost, so that a user could
// be erased by destroying it, beside what is done: one key, and Erase writes files
// anew. One operation is an item of about a kilobyte, in bodies of ten.
func BenchmarkUserKeys(b *testing.B) {
	const users, items = 10_000, 10
	var list []string
	for i := range items {
		list = append(list, fmt.Sprintf(`{"userId":"u%d","summaryId":"%d","activityName":"%s"}`, i*997%users, i, strings.Repeat("n", 940)))
	}
	body := []byte(`{"activities":[` + strings.Join(list, ",") + `]}`)
	var keys [users][keySize]byte
	for i := range keys {
		rand.Read(keys[i][:])
	}
	of := map[types.UserID]*[keySize]byte{}
	for i := range keys {
		of[types.UserID(fmt.Sprint("u", i))] = &keys[i]
	}
	one, err := seal.New(newAEAD(1))
	require.NoError(b, err)
	b.Run("one-key-seal", func(b *testing.B) {
		var room []byte
		for i := 0; b.Loop(); i++ {
			if i%items == 0 {
				room = one.Seal(room[:0], body, nil)
			}
		}
	})
	b.Run("user-keys-seal", func(b *testing.B) {
		// The body has to be split before it is stored, and each user's cipher to be
		// made: kept ones take 1.3 KB a user.
		var split notify.Splitter
		var room []byte
		for i := 0; b.Loop(); i++ {
			if i%items > 0 {
				continue
			}
			for p, err := range split.Split(bytes.NewReader(body)) {
				if err != nil {
					b.Fatal(err)
				}
				block, err := aes.NewCipher(of[p.UserID][:])
				if err != nil {
					b.Fatal(err)
				}
				aead, err := cipher.NewGCM(block)
				if err != nil {
					b.Fatal(err)
				}
				var nonce [12]byte
				rand.Read(nonce[:])
				room = aead.Seal(append(room[:0], nonce[:]...), nonce[:], body[p.Offset:p.Offset+p.Size], nil)
			}
		}
	})
	// A key must be safe before what is sealed with it.
	b.Run("keep-a-new-key", func(b *testing.B) {
		f, err := diskFS{}.Create(b.TempDir() + "/keys")
		require.NoError(b, err)
		defer f.Close()
		at := int64(0)
		for b.Loop() {
			require.NoError(b, writeFull(f, make([]byte, 64), at))
			require.NoError(b, f.Sync())
			at += 64
		}
	})
	// Keys of a million users are a file of 64 MB, of which one is to vanish.
	b.Run("destroy-a-key-of-1M", func(b *testing.B) {
		dir := b.TempDir()
		table := make([]byte, 64<<20)
		for i := 0; b.Loop(); i++ {
			require.NoError(b, writeWhole(diskFS{}, fmt.Sprint(dir, "/", i), table))
			require.NoError(b, diskFS{}.Rename(fmt.Sprint(dir, "/", i), dir+"/keys"))
			require.NoError(b, diskFS{}.SyncDir(dir))
		}
	})
	// What waits of a user in 20,000 bodies.
	b.Run("erase-of-20000", func(b *testing.B) {
		s, err := openDir(b.TempDir(), &Options{AEAD: newAEAD(1)})
		require.NoError(b, err)
		defer s.Close()
		fillSpool(b, s, 20_000, 940)
		for i := 0; b.Loop(); i++ {
			out, err := s.Erase(b.Context(), types.UserID(fmt.Sprint("u", i)))
			require.NoError(b, err)
			require.Empty(b, out.Left)
		}
	})
}
