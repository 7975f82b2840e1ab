package notifytest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"github.com/garminkit/activityapi/notify"
)

// processorMutants break the clauses of check_processor.go.
func processorMutants() map[string]mutant {
	return map[string]mutant{
		"runs what is done": {"ProcessorStops", settles(without(notify.Done))},
		"stores every other later": {"ProcessorOrder", &bend{put: func(b *bent, ctx context.Context, r io.Reader) error {
			data, err := io.ReadAll(r)
			if b.puts++; b.puts%3 == 0 {
				time.AfterFunc(time.Second, func() { _ = b.Memory.Put(context.Background(), bytes.NewReader(data)) })
				return err
			}
			return errors.Join(err, b.Memory.Put(ctx, bytes.NewReader(data)))
		}}},
		"drops at a redrive": {"ProcessorRedrive", &bend{redrive: func(b *bent, ctx context.Context, id string) error {
			return b.Memory.Discard(ctx, id)
		}}},
		"a letter for each bad item": {"ProcessorBad", settles(func(v []notify.Verdict) []notify.Verdict {
			for i := range v {
				v[i].Rest = false
			}
			return v
		})},
	}
}
