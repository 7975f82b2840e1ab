package notify_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// TestAround: the callbacks and the calls to Garmin of an attempt have the ctx that
// Around returned, its end hears the error without secrets, and what goes wrong in
// either does not concern the item.
func TestAround(t *testing.T) {
	t.Parallel()
	type mark struct{}
	begun := func(t *testing.T, around func(ctx context.Context, it *notify.Item) (context.Context, func(error))) (r *rig, seen *[]any) {
		seen = new([]any)
		follow := func(ctx context.Context, _ types.Kind, url types.Secret) iter.Seq2[types.Summary, error] {
			*seen = append(*seen, ctx.Value(mark{}))
			if url == "https://x/bad?token=CANARY" {
				return yields(notify.Permanent(errors.New("refused https://x/bad?token=CANARY")))
			}
			return yields(nil, &types.Activity{UserID: "u", SummaryID: "pulled"})
		}
		r = newRig(t, garmin{follow: follow})
		save := r.calls.Save
		r.calls.Save = func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
			*seen = append(*seen, ctx.Value(mark{}))
			return save(ctx, d, s)
		}
		r.opts.Around = around
		r.start()
		return r, seen
	}
	t.Run("ctx and error", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var ends []error
			var bodies []uint64
			r, seen := begun(t, func(ctx context.Context, it *notify.Item) (context.Context, func(error)) {
				bodies = append(bodies, it.Body)
				return context.WithValue(ctx, mark{}, string(it.UserID)), func(err error) { ends = append(ends, err) }
			})
			for _, body := range []string{push("p", "s1"), ping("u", "https://x/y"), ping("u", "https://x/bad?token=CANARY")} {
				r.put(body)
				time.Sleep(time.Minute)
			}
			r.finish()
			require.Equal(t, []any{"p", "u", "u", "u"}, *seen)
			require.Equal(t, []uint64{1, 2, 3}, bodies)
			require.Len(t, ends, 3)
			require.NoError(t, ends[0])
			require.NoError(t, ends[1])
			require.ErrorContains(t, ends[2], "refused")
			require.NotContains(t, ends[2].Error(), "CANARY")
		})
	})
	for name, around := range map[string]func(context.Context, *notify.Item) (context.Context, func(error)){
		"panics":          func(context.Context, *notify.Item) (context.Context, func(error)) { panic("CANARY") },
		"returns nothing": func(context.Context, *notify.Item) (context.Context, func(error)) { return nil, nil },
		"its end panics": func(ctx context.Context, _ *notify.Item) (context.Context, func(error)) {
			return ctx, func(error) { panic("CANARY") }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, _ := begun(t, around)
				r.put(push("p", "s1"), ping("u", "https://x/y"))
				time.Sleep(time.Hour)
				r.finish()
				require.Len(t, r.got(), 2)
				require.Zero(t, r.left())
			})
		})
	}
}
