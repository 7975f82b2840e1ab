//go:build linux

package postgres

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
)

// BenchmarkSealed is what a process acknowledges and works off sealed, beside one
// that is plain. They take turns, so that other work meets both. ratio is that of
// bodies of 1 KB, the others those of a body of 20 MB: to store it, and to read and
// settle its items.
func BenchmarkSealed(b *testing.B) {
	const items = 20_000
	var sides [2]*benchSide
	var all [2][]*share
	var hs [2]*handle
	var put, read [2]time.Duration
	for i := range sides {
		opts := &Options{Schema: pgtest.Schema(b), Lease: time.Minute}
		if i == 1 {
			opts.AEAD = testSeal(b, "0123456789abcdef")
		}
		hs[i], sides[i] = openAs(b, pgtest.URL(b), opts), &benchSide{}
		defer func() { require.NoError(b, hs[i].Close()) }()
		all[i] = takenAll(b, hs[i])
	}
	require.NotNil(b, hs[1].db.sealing.sealer())
	var n atomic.Int64
	for b.Loop() {
		for i, h := range hs {
			sides[i].run(b, h, &n, time.Second, func(body string) error { return h.Put(b.Context(), strings.NewReader(body)) })
			workedOff(b, all[i])
			begun := time.Now()
			require.NoError(b, h.Put(b.Context(), &benchList{left: items, id: time.Now().UnixNano()}))
			put[i] += time.Since(begun)
			begun = time.Now()
			require.Equal(b, items, workedOff(b, all[i]))
			read[i] += time.Since(begun)
			require.NoError(b, h.sweep(b.Context()))
		}
	}
	sides[0].report(b, "plain")
	sides[1].report(b, "sealed")
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(sides[1].rate()/sides[0].rate(), "ratio")
	b.ReportMetric(put[0].Seconds()/put[1].Seconds(), "large-ratio")
	b.ReportMetric(read[0].Seconds()/read[1].Seconds(), "read-ratio")
}

// workedOff reads and settles all that waits.
func workedOff(b *testing.B, all []*share) (n int) {
	for _, s := range all {
		var after notify.ItemID
		for c := range s.end { // the next body is behind
			s.fresh[c].Store(true)
		}
		for {
			items, err := s.Scan(b.Context(), notify.ClassPush, after, 128)
			require.NoError(b, err)
			if len(items) == 0 {
				break
			}
			verdicts := make([]notify.Verdict, len(items))
			for i, it := range items {
				require.True(b, strings.HasPrefix(string(it.Raw), `{"userId"`))
				verdicts[i] = notify.Verdict{ID: it.ID, Fate: notify.Done}
			}
			after = items[len(items)-1].ID
			n += len(items)
			require.NoError(b, s.Settle(b.Context(), verdicts))
		}
	}
	return n
}
