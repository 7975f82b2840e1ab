package spool

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLetterList holds the list against a plain one, over random changes.
func TestLetterList(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	var l letterList
	var plain []letterName
	name := func() letterName {
		return letterName{seq: uint64(r.IntN(9)), offset: uint32(r.IntN(3)), kind: ofItem, buried: int64(r.IntN(9))}
	}
	for range 5000 {
		n := name()
		if r.IntN(2) == 0 {
			l.add(n)
			if !slices.Contains(plain, n) {
				plain = append(plain, n)
				slices.SortFunc(plain, letterName.compare)
			}
		} else {
			l.remove(n)
			plain = slices.DeleteFunc(plain, func(o letterName) bool { return o == n })
		}
		require.EqualValues(t, len(plain), l.len())
		from, end, most := name(), name(), r.IntN(5)
		var want []letterName
		for _, o := range plain {
			if o.compare(from) > 0 && o.compare(end) <= 0 && len(want) < most {
				want = append(want, o)
			}
		}
		require.Equal(t, want, l.after(from, end, most))
	}
}

// TestLettersEnd: a loop over the letters in which new ones are made comes to an
// end.
func TestLettersEnd(t *testing.T) {
	t.Parallel()
	s, err := openDir(t.TempDir(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	bury := func(n int) {
		t.Helper()
		for i := range n {
			name := letterName{seq: uint64(i + 1), kind: ofItem, buried: s.stamp()}
			require.NoError(t, s.writeLetter(name, &letterHead{Items: 1, Size: 1}, strings.NewReader("1")))
		}
	}
	bury(300)
	seen := 0
	for _, err := range s.Letters(t.Context(), nil) {
		require.NoError(t, err)
		seen++
		require.Less(t, seen, 1000)
		bury(1)
	}
	require.Equal(t, 300, seen)
	require.EqualValues(t, 600, s.letters.len())
}
