package bodygen

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDrawn draws from random programs: many bodies are good JSON, many are
// not, and all are small.
func TestDrawn(t *testing.T) {
	t.Parallel()
	d := NewDrawer()
	require.Greater(t, len(d.keys), 60)
	require.Equal(t, `{"activities":[]}`, string(d.Body([]byte{0, 0, 0, 1})))
	rnd := rand.New(rand.NewPCG(1, 2))
	valid, keys := 0, 0
	const n = 3000
	for range n {
		program := make([]byte, rnd.IntN(300))
		for i := range program {
			program[i] = byte(rnd.Uint32())
		}
		for _, out := range [][]byte{d.Body(program), d.List(program), d.Item(program)} {
			require.Less(t, len(out), most+20_000)
			if json.Valid(out) {
				valid++
			}
		}
		var body map[string]json.RawMessage
		if json.Unmarshal(d.Body(program), &body) == nil && body["activities"] != nil {
			keys++
		}
	}
	require.Greater(t, valid, n) // of 3n
	require.Less(t, valid, 5*n/2)
	require.Greater(t, keys, n/30) // one in nine, if they are good
}
