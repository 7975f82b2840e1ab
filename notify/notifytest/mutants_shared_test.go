package notifytest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/garminkit/activityapi/notify"
)

// sharedMutants break the clauses of check_shared.go.
func sharedMutants() map[string]mutant {
	return map[string]mutant{
		"gives a share to everybody": {"Divided", &bend{share: func(b *bent, s notify.Share) notify.Share {
			return &bentShare{Share: s, scan: func(s notify.Share, ctx context.Context, class notify.Class, after notify.ItemID, most int) ([]*notify.Item, error) {
				b.how.mu.Lock()
				all := slices.Clone(b.how.all)
				b.how.mu.Unlock()
				var got []*notify.Item
				for _, other := range all {
					items, err := other.(*bentShare).Share.Scan(ctx, class, after, most)
					if err == nil {
						got = append(got, items...)
					}
				}
				slices.SortFunc(got, func(a, b *notify.Item) int { return int(a.ID) - int(b.ID) })
				return got[:min(len(got), most)], nil
			}}
		}}},
		"tells its own process alone": {"PutSeenByAll", &bend{share: func(b *bent, s notify.Share) notify.Share {
			if b.number == 1 {
				return s
			}
			return &bentShare{Share: s, changed: make(chan struct{})}
		}}},
		"letters of one process": {"LettersSeenByAll", lists(func(b *bent, all []*notify.DeadLetter) []*notify.DeadLetter {
			if b.number > 1 {
				return nil
			}
			return all
		})},
		"redrives twice": {"RedriveOnce", &bend{redrive: func(b *bent, ctx context.Context, id string) error {
			r, err := b.Memory.OpenLetter(ctx, id)
			if err != nil {
				return err
			}
			time.Sleep(time.Millisecond)
			_ = b.Memory.Discard(ctx, id)
			return b.Memory.Put(ctx, r)
		}}},
		"releases late": {"HandOver", shares(bentShare{release: func(s notify.Share) { time.AfterFunc(5*time.Second, s.Release) }})},
		"wants nothing": {"WantedBack", &bend{share: func(_ *bent, s notify.Share) notify.Share {
			return &bentShare{Share: s, wanted: make(chan struct{})}
		}}},
		"takes what it wants": {"WantedBack", &bend{share: func(b *bent, s notify.Share) notify.Share {
			go func() {
				select {
				case <-s.Wanted():
					s.Release()
				case <-s.Context().Done():
				}
			}()
			return s
		}}},
		"the second stores later": {"OrderAcross", &bend{put: func(b *bent, ctx context.Context, r io.Reader) error {
			data, err := io.ReadAll(r)
			if b.number > 1 {
				time.AfterFunc(time.Second, func() { _ = b.Memory.Put(context.Background(), bytes.NewReader(data)) })
				return err
			}
			return errors.Join(err, b.Memory.Put(ctx, bytes.NewReader(data)))
		}}},
		"context outlives the lease": {"CutOff", &bend{share: func(b *bent, s notify.Share) notify.Share {
			ctx, cancel := context.WithCancelCause(context.Background())
			context.AfterFunc(s.Context(), func() {
				time.AfterFunc(10*time.Second, func() { cancel(context.Cause(s.Context())) })
			})
			return &bentShare{Share: s, ctx: ctx}
		}}},
		"scans for who lost":        {"CutOff", unfenced("scan")},
		"loads for who lost":        {"CutOff", unfenced("load")},
		"opens for who lost":        {"CutOff", unfenced("open")},
		"settles for who lost":      {"CutOff", unfenced("settle")},
		"hands over during a lease": {"CutOff", unfenced("lease")},
		"takes over at once":        {"Takeover", crashes(func(b *bent) { _ = b.Memory.Close() })},
	}
}
