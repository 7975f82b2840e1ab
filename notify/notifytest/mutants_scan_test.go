package notifytest_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/notify"
)

// scanMutants break the clauses of check_scan.go.
func scanMutants() map[string]mutant {
	return map[string]mutant{
		"scans from after on": {"Pages", shares(bentShare{scan: func(s notify.Share, ctx context.Context, class notify.Class, after notify.ItemID, most int) ([]*notify.Item, error) {
			return s.Scan(ctx, class, max(after, 1)-1, most)
		}})},
		"ignores max": {"Pages", shares(bentShare{scan: func(s notify.Share, ctx context.Context, class notify.Class, after notify.ItemID, _ int) ([]*notify.Item, error) {
			return s.Scan(ctx, class, after, 1000)
		}})},
		"scans all classes": {"Pages", shares(bentShare{scan: func(s notify.Share, ctx context.Context, _ notify.Class, after notify.ItemID, most int) ([]*notify.Item, error) {
			return s.Scan(ctx, notify.ClassPush, after, most)
		}})},
		"received in the future":  {"Received", scans(func(it *notify.Item) bool { it.Received = it.Received.Add(time.Hour); return true })},
		"received now":            {"Received", scans(later())},
		"stores large ones later": {"Order", largeLater},
		"stores large later":      {"ConcurrentOrder", largeLater},
		"counts anew": {"NeverReused", &bend{reopen: func(b *bent, _ bool) *memqueue.Memory {
			if b.Len() > 0 {
				return b.Reopen()
			}
			b.Kill()
			return memqueue.NewFrom(0)
		}}},
		"passes over an item": {"NothingBehind", &bend{share: func(b *bent, s notify.Share) notify.Share {
			return &bentShare{Share: s, scan: func(s notify.Share, ctx context.Context, class notify.Class, after notify.ItemID, most int) ([]*notify.Item, error) {
				items, err := s.Scan(ctx, class, after, most)
				return slices.DeleteFunc(items, func(it *notify.Item) bool {
					late := it.ID%10 == 0 && b.given[it.ID] == nil
					b.given[it.ID] = it
					return late
				}), err
			}}
		}}},
		"tells nobody": {"Changed", &bend{share: func(_ *bent, s notify.Share) notify.Share {
			return &bentShare{Share: s, changed: make(chan struct{})}
		}}},
		"account waits": {"AccountEarly", &bend{share: func(b *bent, s notify.Share) notify.Share {
			return &bentShare{Share: s, scan: func(s notify.Share, ctx context.Context, class notify.Class, after notify.ItemID, most int) ([]*notify.Item, error) {
				if b.inside.Load() > 0 {
					return nil, nil
				}
				return s.Scan(ctx, class, after, most)
			}}
		}}},
		"one body number": {"Bodies", scans(func(it *notify.Item) bool { it.Body = 1; return true })},
		"a body an item":  {"Bodies", scans(func(it *notify.Item) bool { it.Body = uint64(it.ID); return true })},
		"loads what is finished": {"Load", &bend{share: func(b *bent, s notify.Share) notify.Share {
			return &bentShare{Share: s,
				scan: func(s notify.Share, ctx context.Context, class notify.Class, after notify.ItemID, most int) ([]*notify.Item, error) {
					items, err := s.Scan(ctx, class, after, most)
					for _, it := range items {
						b.given[it.ID] = it
					}
					return items, err
				},
				load: func(_ notify.Share, _ context.Context, ids []notify.ItemID) (got []*notify.Item, _ error) {
					for _, id := range ids {
						if it := b.given[id]; it != nil {
							got = append(got, it)
						}
					}
					return got, nil
				}}
		}}},
		"opens with another error": {"Open", shares(bentShare{open: func(s notify.Share, ctx context.Context, id notify.ItemID) (io.ReadCloser, error) {
			r, err := s.Open(ctx, id)
			if err != nil {
				return nil, errors.New("no such item")
			}
			return r, nil
		}})},
		"one reader for all": {"Open", func() *bend {
			open := map[notify.ItemID]io.ReadCloser{}
			return shares(bentShare{open: func(s notify.Share, ctx context.Context, id notify.ItemID) (io.ReadCloser, error) {
				r, err := s.Open(ctx, id)
				if open[id] == nil || err != nil {
					open[id] = r
				}
				return open[id], err
			}})
		}()},
		"finds ten thousand": {"ManyItems", scans(func(it *notify.Item) bool { return it.ID <= 10000 })},
	}
}

// later gives an item as received when it is scanned, by a clock that goes on by
// two milliseconds each time: a real one may stand still between two scans.
func later() func(it *notify.Item) bool {
	var n atomic.Int64
	return func(it *notify.Item) bool {
		it.Received = it.Received.Add(time.Duration(n.Add(1)) * 2 * time.Millisecond)
		return true
	}
}
