package notifytest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/garminkit/activityapi/notify"
)

// putMutants break the clauses of check_put.go.
func putMutants() map[string]mutant {
	return map[string]mutant{
		"changes a byte": {"Items", puts(func(b string) (string, bool) { return strings.Replace(b, "7", "8", 1), true })},
		"keeps what is good": {"BrokenBody", puts(func(b string) (string, bool) {
			var items []string
			for p := range new(notify.Splitter).Split(strings.NewReader(b)) {
				if p.Key != "" {
					items = append(items, b[p.Offset:p.Offset+p.Size])
				}
			}
			return `{"activities":[` + strings.Join(items, ",") + `]}`, true
		})},
		"throws garbage away": {"Garbage", puts(func(b string) (string, bool) { return b, strings.HasPrefix(b, "{") })},
		"tells another body's number": {"StoredAs", &bend{put: func(b *bent, ctx context.Context, r io.Reader) error {
			err := b.Memory.Put(ctx, r)
			notify.StoredAs(ctx, 1)
			return err
		}}},
		"keeps empty bodies": {"NoItems", &bend{stats: func(b *bent, ctx context.Context) (notify.QueueStats, error) {
			st, err := b.Memory.Stats(ctx)
			st.Bodies++
			return st, err
		}}},
		"keeps half a body": {"ReaderFails", &bend{put: func(b *bent, ctx context.Context, r io.Reader) error {
			data, err := io.ReadAll(r)
			return errors.Join(b.Memory.Put(ctx, bytes.NewReader(data)), err)
		}}},
		"hides the reader's error": {"ReaderFails", &bend{put: func(b *bent, ctx context.Context, r io.Reader) error {
			if b.Memory.Put(ctx, r) != nil {
				return errors.New("failed")
			}
			return nil
		}}},
		"ignores ctx": {"ContextEnds", &bend{put: func(b *bent, ctx context.Context, r io.Reader) error {
			return b.Memory.Put(context.WithoutCancel(ctx), r)
		}}},
		"loses one of two at once": {"ConcurrentPuts", &bend{put: func(b *bent, ctx context.Context, r io.Reader) error {
			time.Sleep(time.Millisecond)
			if b.inside.Load() > 20 {
				return nil
			}
			return b.Memory.Put(ctx, r)
		}}},
		"takes equal length for a repeat": {"Duplicates", &bend{kept: map[string]bool{}, put: func(b *bent, ctx context.Context, r io.Reader) error {
			data, err := io.ReadAll(r)
			length := fmt.Sprint(len(data))
			if err != nil || b.how.kept[length] {
				return err
			}
			b.how.kept[length] = true
			return b.Memory.Put(ctx, bytes.NewReader(data))
		}}},
		"drops repeats of pings": {"PingsRepeat", &bend{kept: map[string]bool{}, put: func(b *bent, ctx context.Context, r io.Reader) error {
			data, err := io.ReadAll(r)
			if err != nil || b.how.kept[string(data)] {
				return err
			}
			b.how.kept[string(data)] = bytes.Contains(data, []byte("callbackURL"))
			return b.Memory.Put(ctx, bytes.NewReader(data))
		}}},
		"reads once": {"OddReaders", &bend{put: func(b *bent, ctx context.Context, r io.Reader) error {
			p := make([]byte, 1<<20)
			n, err := r.Read(p)
			if err != nil && err != io.EOF {
				return err
			}
			return b.Memory.Put(ctx, bytes.NewReader(p[:n]))
		}}},
		"stops at 64 MiB": {"LargeBody", &bend{put: func(b *bent, ctx context.Context, r io.Reader) error {
			return b.Memory.Put(ctx, io.LimitReader(r, 64<<20))
		}}},
	}
}
