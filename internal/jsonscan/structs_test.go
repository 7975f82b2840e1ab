package jsonscan

import (
	"math"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

type element struct {
	At float64  `json:"at"`
	F  *float64 `json:"f"`
	I  *int     `json:"i" alias:"eye"`
	N  int      `json:"n"`
	B  bool     `json:"b"`
}

// TestTape puts as many elements on a tape as take dozens of parts, with
// values of every size, and wants them back.
func TestTape(t *testing.T) {
	t.Parallel()
	p := planOf(reflect.TypeFor[element]())
	var tp tape
	for range 2 { // a tape is used again
		tp.reset()
		const n = 600_000
		want := func(i int) (at, f float64, v int) {
			at = float64(i)
			switch i % 7 {
			case 0:
				at += 0.5
			case 1:
				at = math.Copysign(0, -1)
			case 2:
				at = 1 << 32
			}
			v = i
			if i%5 == 0 {
				v = math.MinInt32 + i%10
			}
			return at, -float64(i) / 3, v
		}
		var vals Values
		for i := range n {
			at, f, v := want(i)
			vals.Seen = 0
			vals.set(0, math.Float64bits(at))
			if i%3 > 0 {
				vals.set(1, math.Float64bits(f))
			}
			vals.set(2, uint64(v))
			vals.set(3, uint64(-v))
			vals.set(4, uint64(i&1))
			tp.add(p, &vals)
			tp.keep(vals.Seen)
		}
		require.Greater(t, len(tp.floats.full), 5)
		list := make([]element, n)
		a := tp.numbers()
		tp.replay(p, reflectedList{p, reflect.ValueOf(list)}, &vals, &a)
		require.Empty(t, a.Floats, "all of the room is used")
		require.Empty(t, a.Ints)
		for i := range list {
			e := &list[i]
			at, f, v := want(i)
			ok := math.Float64bits(e.At) == math.Float64bits(at) && *e.I == v && e.N == -v && e.B == (i&1 == 1)
			if i%3 > 0 {
				ok = ok && *e.F == f
			} else {
				ok = ok && e.F == nil
			}
			if !ok {
				t.Fatalf("element %d: %+v", i, e)
			}
		}
	}
}

func TestPlanFindsEveryKey(t *testing.T) {
	t.Parallel()
	p := planOf(reflect.TypeFor[element]())
	for key, want := range map[string]int{"at": 0, "f": 1, "i": 2, "eye": 2, "n": 3, "b": 4, "": -1, "x": -1, "I": -1, "eyes": -1} {
		have, _ := p.index.find([]byte(key))
		require.Equal(t, want, have, key)
	}
}

// TestPlanRefuses wants a panic for structs that a scanner could not fill, so
// that such a field cannot be added unseen.
func TestPlanRefuses(t *testing.T) {
	t.Parallel()
	for _, v := range []any{
		struct {
			X map[string]int `json:"x"`
		}{},
		struct {
			X []struct {
				Y string `json:"y"`
			} `json:"x"`
		}{},
		struct {
			X *string `json:"x"`
		}{},
	} {
		require.Panics(t, func() { planOf(reflect.TypeOf(v)) })
	}
}

func TestSlackIsEnough(t *testing.T) {
	t.Parallel()
	require.Len(t, slack, numberRoom)
}
