package notify

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestParkedExpireTogether: those at their deadline leave the park at once. One after
// another, each would cost a look at all others, and a stranger can send a million
// pings for a user whose token is refused.
func TestParkedExpireTogether(t *testing.T) {
	t.Parallel()
	opts := &ProcessorOptions{}
	require.NoError(t, opts.defaults())
	s := newScheduler(opts, nil, nil)
	sh := s.takeShare(nil)
	l := &lane{key: laneKey{user: "u"}, share: sh}
	sh.lanes[l.key] = l
	p := &park{lane: l, index: -1}
	l.park = p
	const n = 1000
	for i := range n + 2 {
		e := entry{id: ItemID(i + 1), class: ClassPull}
		if i >= n {
			e.received = 60
		}
		p.items = append(p.items, e)
	}
	p.soonest = pingDeadline
	s.probePark(p, pingDeadline)
	require.Len(t, p.items, 2)
	require.Equal(t, n, l.line.Len()+1, "and the first is being read")
	require.Zero(t, p.probe)
	require.Equal(t, pingDeadline+time.Minute, p.soonest)
	require.Len(t, sh.parks, 1, "one of the others asks")
	s.probePark(p, pingDeadline+time.Hour)
	require.Nil(t, l.park)
	require.Equal(t, n+2, l.line.Len()+1)
}
