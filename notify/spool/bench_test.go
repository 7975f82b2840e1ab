package spool_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/garminkit/activityapi/notify/spool"
)

// BenchmarkPut compares Put with one write and sync of a bare file, which
// producers share under a lock.
func BenchmarkPut(b *testing.B) {
	for _, size := range []int{1 << 10, 10 << 10, 10 << 20} {
		for _, producers := range []int{1, 64} {
			if size > 1<<20 && producers > 1 {
				producers = 8
			}
			body := bytes.Repeat([]byte("x"), size)
			run := func(name string, put func() error) {
				b.Run(fmt.Sprintf("%dB/%d/%s", size, producers, name), func(b *testing.B) {
					b.SetBytes(int64(size))
					var wg sync.WaitGroup
					work := make(chan struct{}, b.N)
					for range b.N {
						work <- struct{}{}
					}
					close(work)
					for range producers {
						wg.Go(func() {
							for range work {
								if err := put(); err != nil {
									b.Error(err)
								}
							}
						})
					}
					wg.Wait()
				})
			}
			f, err := os.Create(filepath.Join(b.TempDir(), "bare"))
			if err != nil {
				b.Fatal(err)
			}
			var mu sync.Mutex
			run("bare", func() error {
				mu.Lock()
				defer mu.Unlock()
				if _, err := f.Write(body); err != nil {
					return err
				}
				return f.Sync()
			})
			f.Close()
			os.Remove(f.Name())
			s, err := spool.Open(b.TempDir(), nil)
			if err != nil {
				b.Fatal(err)
			}
			run("spool", func() error { return s.Put(b.Context(), bytes.NewReader(body)) })
			s.Close()
		}
	}
}
