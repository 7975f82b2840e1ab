package spool

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
)

// TestFailedSettleLosesNothing: a Settle buries items of several bodies and fails at any
// of its operations, once or from there on. Whether the process then goes on, is
// killed, or the power is cut: each item is there or is in a letter. The marks that the
// Settle takes back must be gone for good before their letters go.
func TestFailedSettleLosesNothing(t *testing.T) {
	t.Parallel()
	// What fails after the first operation that does.
	for _, also := range []func(first, o op) bool{
		func(_, _ op) bool { return false },
		func(_, _ op) bool { return true },
		func(_, o op) bool { return strings.HasSuffix(o.name, markSuffix) },
		func(first, o op) bool { return o.name == first.name },
	} {
		step := 1
		if testing.Short() {
			step = 3
		}
		n := 0
		for failedSettle(t, n, also) {
			n += step
		}
		require.Greater(t, n, 10, "a Settle of three bodies has more operations")
	}
}

// failedSettle has operation n of a Settle fail, and some after it. It reports whether
// there was an operation n.
func failedSettle(t *testing.T, n int, also func(first, o op) bool) bool {
	d := newDisk()
	s := openDisk(t, d)
	for _, i := range []int{7, 1, 47} { // large, small, large
		put(t, s, numbered(i))
	}
	s.giveReserve() // or what fails is tried twice
	h := only(t, s)
	var ids, other []notify.ItemID
	lost := map[string]bool{}
	for _, it := range scanAll(t, s, h) {
		name := name(t, read(t, h, it))
		switch {
		case strings.HasSuffix(name, ".1"):
			ids = append(ids, it.ID)
			lost[name] = true
		case name == "1.2":
			other = append(other, it.ID)
		}
	}
	require.Len(t, ids, 3)
	count, what := 0, ""
	var first op
	d.fault = func(o op) (int, error) {
		count++
		if count-1 == n {
			first = o
		}
		if count-1 == n || count-1 > n && also(first, o) {
			what += fmt.Sprint(" ", o.kind, " ", o.name)
			return 0, syscall.EIO
		}
		return 0, nil
	}
	err := h.Settle(t.Context(), buried(ids...))
	d.mu.Lock() // an index may be made meanwhile
	d.fault = nil
	when, was := fmt.Sprintf("operation %d fails (%s): %v", n, what, err), what != ""
	d.mu.Unlock()
	// Another Settle makes the names in the letters' directory safe.
	require.NoError(t, h.Settle(t.Context(), buried(other...)), when)
	d.mu.Lock()
	ops := slices.Clone(d.ops)
	d.mu.Unlock()

	p := newPlatter(d.aead)
	for _, o := range ops {
		p.apply(o)
	}
	rnd := rand.New(rand.NewPCG(*seed, uint64(n)))
	rounds := 3 * lossKinds
	if testing.Short() {
		rounds = lossKinds
	}
	for round := range rounds {
		check(t, p.crash(loss(round%lossKinds), rnd), lost, fmt.Sprintf("%s; crash %d", when, round))
	}
	check(t, d.clone(), lost, when+"; a kill")
	require.NoError(t, s.Close())
	require.Empty(t, d.abused, "%s: a file whose sync failed was trusted again", when)
	return was
}

// check opens the spool on a disk, and looks for items in it and in its letters.
func check(t *testing.T, d *disk, want map[string]bool, when string) {
	s := openDisk(t, d)
	defer s.Close()
	found := drain(t, s)
	for l, err := range s.Letters(t.Context(), nil) {
		require.NoError(t, err)
		r, err := s.OpenLetter(t.Context(), l.ID)
		require.NoError(t, err)
		body, err := io.ReadAll(r)
		require.NoError(t, err)
		for _, n := range names(string(body)) {
			found[n] = nil
		}
	}
	for n := range want {
		require.Contains(t, found, n, "%s: an item is lost", when)
	}
}
