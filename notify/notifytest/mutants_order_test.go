package notifytest_test

import (
	"context"

	"github.com/garminkit/activityapi/notify"
)

// orderMutants break the clauses of check_order.go.
func orderMutants() map[string]mutant {
	return map[string]mutant{
		"one Order for a body":   {"Versions", scans(func(it *notify.Item) bool { it.Order = it.Body; return true })},
		"Orders with a sign":     {"Versions", scans(func(it *notify.Item) bool { it.Order |= 1 << 63; return true })},
		"Orders from the number": {"VersionsAnew", scans(func(it *notify.Item) bool { it.Order = it.Body<<20 + uint64(it.Offset); return true })},
		"a new Order":            {"RedriveOrder", scans(func(it *notify.Item) bool { it.Order = uint64(it.ID); return true })},
		"redriven by hand": {"RedriveOrder", &bend{redrive: func(b *bent, ctx context.Context, id string) error {
			r, err := b.Memory.OpenLetter(ctx, id)
			if err != nil {
				return err
			}
			if err := b.Memory.Put(ctx, r); err != nil {
				return err
			}
			return b.Memory.Discard(ctx, id)
		}}},
	}
}
