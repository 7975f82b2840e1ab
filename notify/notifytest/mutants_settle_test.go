package notifytest_test

import (
	"context"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/garminkit/activityapi/notify"
)

// settleMutants break the clauses of check_settle.go.
func settleMutants() map[string]mutant {
	return map[string]mutant{
		"done does nothing": {"Done", settles(without(notify.Done))},
		"forgets Again":     {"Again", settles(without(notify.Again))},
		"hides what waits":  {"Again", scans(func(it *notify.Item) bool { return it.Next.IsZero() })},
		"keeps the first Again": {"Again", func() *bend {
			seen := map[notify.ItemID]bool{}
			return settles(func(v []notify.Verdict) []notify.Verdict {
				return slices.DeleteFunc(v, func(v notify.Verdict) bool {
					was := seen[v.ID]
					seen[v.ID] = true
					return was && v.Fate == notify.Again
				})
			})
		}()},
		"changes the reason": {"Buried", lists(func(_ *bent, all []*notify.DeadLetter) []*notify.DeadLetter {
			for _, l := range all {
				l.Reason = strings.ToValidUTF8(l.Reason[:min(len(l.Reason), 10)], "")
			}
			return all
		})},
		"trusts the worker's size": {"Buried", lists(func(_ *bent, all []*notify.DeadLetter) []*notify.DeadLetter {
			for _, l := range all {
				l.Size = 12345
			}
			return all
		})},
		"leaves the item": {"Buried", shares(bentShare{settle: func(s notify.Share, ctx context.Context, v []notify.Verdict) error {
			return nil
		}})},
		"refuses what is finished": {"Finished", shares(bentShare{settle: func(s notify.Share, ctx context.Context, v []notify.Verdict) error {
			for _, v := range v {
				if got, err := s.Load(ctx, []notify.ItemID{v.ID}); err == nil && len(got) == 0 {
					return fs.ErrNotExist
				}
			}
			return s.Settle(ctx, v)
		}})},
		"takes the last verdict": {"Finished", settles(func(v []notify.Verdict) []notify.Verdict { slices.Reverse(v); return v })},
		"buries one a batch": {"Mixed", settles(func(v []notify.Verdict) []notify.Verdict {
			n := 0
			return slices.DeleteFunc(v, func(v notify.Verdict) bool {
				if v.Fate == notify.Buried {
					n++
				}
				return v.Fate == notify.Buried && n > 1
			})
		})},
		"one by one": {"AllOrNone", shares(bentShare{settle: func(s notify.Share, ctx context.Context, v []notify.Verdict) error {
			for _, v := range v {
				time.Sleep(time.Microsecond)
				if err := s.Settle(ctx, []notify.Verdict{v}); err != nil {
					return err
				}
			}
			return nil
		}})},
		"loses one of two verdicts": {"ConcurrentSettle", &bend{share: func(b *bent, s notify.Share) notify.Share {
			return &bentShare{Share: s, settle: func(s notify.Share, ctx context.Context, v []notify.Verdict) error {
				b.inside.Add(1)
				defer b.inside.Add(-1)
				time.Sleep(time.Millisecond)
				if b.inside.Load() > 4 {
					return nil
				}
				return s.Settle(ctx, v)
			}}
		}}},
		"a letter each": {"Rest", settles(func(v []notify.Verdict) []notify.Verdict {
			for i := range v {
				v[i].Rest = false
			}
			return v
		})},
		"one rest for all": {"RestOfTwo", lists(func(_ *bent, all []*notify.DeadLetter) []*notify.DeadLetter {
			rests := 0
			return slices.DeleteFunc(all, func(l *notify.DeadLetter) bool {
				if l.Key == "" {
					rests++
				}
				return rests > 1
			})
		})},
	}
}
