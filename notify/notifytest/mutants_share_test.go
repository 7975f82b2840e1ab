package notifytest_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/garminkit/activityapi/notify"
)

// shareMutants break the clauses of check_share.go.
func shareMutants() map[string]mutant {
	return map[string]mutant{
		"the end is an error": {"LoopEnds", &bend{shares: func(b *bent, ctx context.Context) iter.Seq2[notify.Share, error] {
			return func(yield func(notify.Share, error) bool) {
				for s, err := range b.Memory.Shares(ctx) {
					if !yield(s, err) {
						return
					}
				}
				yield(nil, context.Canceled)
			}
		}}},
		"lets two loops run": {"OneLoop", &bend{shares: func(b *bent, ctx context.Context) iter.Seq2[notify.Share, error] {
			return func(yield func(notify.Share, error) bool) {
				for s, err := range b.Memory.Shares(ctx) {
					if errors.Is(err, notify.ErrInUse) || !yield(s, err) {
						return
					}
				}
			}
		}}},
		"ends shares with the loop": {"OutlivesLoop", &bend{shares: func(b *bent, ctx context.Context) iter.Seq2[notify.Share, error] {
			return func(yield func(notify.Share, error) bool) {
				for s, err := range b.Memory.Shares(ctx) {
					if err == nil {
						defer s.Release()
					}
					if !yield(s, err) {
						return
					}
				}
			}
		}}},
		"keeps the loss to itself": {"Released", shares(bentShare{settle: func(s notify.Share, ctx context.Context, v []notify.Verdict) error {
			_ = s.Settle(ctx, v)
			return nil
		}})},
		"context goes on": {"Released", shares(bentShare{ctx: context.Background()})},
		"gives once": {"FoundAgain", func() *bend {
			by := map[notify.ItemID]notify.Share{}
			return &bend{share: func(_ *bent, s notify.Share) notify.Share {
				return &bentShare{Share: s, scan: func(s notify.Share, ctx context.Context, class notify.Class, after notify.ItemID, most int) ([]*notify.Item, error) {
					items, err := s.Scan(ctx, class, after, most)
					return slices.DeleteFunc(items, func(it *notify.Item) bool {
						if by[it.ID] == nil {
							by[it.ID] = s
						}
						return by[it.ID] != s
					}), err
				}}
			}}
		}()},
		"wants it back": {"NotWanted", &bend{share: func(_ *bent, s notify.Share) notify.Share {
			wanted := make(chan struct{})
			time.AfterFunc(time.Second/2, func() { close(wanted) })
			return &bentShare{Share: s, wanted: wanted}
		}}},
		"counts letters wrong": {"Stats", &bend{stats: func(b *bent, ctx context.Context) (notify.QueueStats, error) {
			st, err := b.Memory.Stats(ctx)
			st.Letters = 0
			return st, err
		}}},
		"the oldest is now": {"Stats", &bend{stats: func(b *bent, ctx context.Context) (notify.QueueStats, error) {
			st, err := b.Memory.Stats(ctx)
			for i := range st.Oldest {
				if !st.Oldest[i].IsZero() {
					st.Oldest[i] = time.Now()
				}
			}
			return st, err
		}}},
	}
}
