package fitsum

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// bitwise is the checksum by its definition.
func bitwise(sum uint16, b []byte) uint16 {
	for _, c := range b {
		sum ^= uint16(c)
		for range 8 {
			sum = sum>>1 ^ 0xA001&-(sum&1)
		}
	}
	return sum
}

func TestAdd(t *testing.T) {
	t.Parallel()
	require.Equal(t, uint16(0xBB3D), Add(0, []byte("123456789"))) // the check value of CRC-16/ARC
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		b := make([]byte, rnd.IntN(300))
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		sum, cut := uint16(rnd.Uint32()), rnd.IntN(len(b)+1)
		want := bitwise(sum, b)
		require.Equal(t, want, Add(sum, b))
		require.Equal(t, want, Add(Add(sum, b[:cut]), b[cut:]))
	}
}
