package notifytest_test

import (
	"context"
	"iter"

	"github.com/garminkit/activityapi/internal/erasure"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// eraseMutants break the clauses of check_erase.go.
func eraseMutants() map[string]mutant {
	return map[string]mutant{
		"erases letters alone": {"Erase", &bend{erase: func(b *bent, ctx context.Context, user types.UserID) (*notify.Erasure, error) {
			out := &notify.Erasure{}
			for l := range b.Memory.Letters(ctx, &notify.LetterFilter{UserID: user}) {
				_ = b.Memory.Discard(ctx, l.ID)
				erasure.Remove(out, "letters", 1)
				erasure.Remove(out, "items", 1)
			}
			return out, nil
		}}},
		"erases others too": {"Erase", &bend{erase: func(b *bent, ctx context.Context, user types.UserID) (*notify.Erasure, error) {
			_, _ = b.Memory.Erase(ctx, "c")
			return b.Memory.Erase(ctx, user)
		}}},
		"erases once": {"EraseAgain", &bend{erase: func(b *bent, ctx context.Context, user types.UserID) (*notify.Erasure, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			if b.erased {
				return &notify.Erasure{}, nil
			}
			b.erased = true
			return b.Memory.Erase(ctx, user)
		}}},
		"holds nothing": {"Holdings", &bend{holdings: func(*bent, context.Context, types.UserID) iter.Seq2[*notify.Holding, error] {
			return func(func(*notify.Holding, error) bool) {}
		}}},
	}
}
