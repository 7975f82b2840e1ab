// Package fitsum has the checksum of the FIT protocol.
package fitsum

import "sync"

// nibbles has what each four bits do to the sum.
var nibbles = [16]uint16{
	0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401,
	0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400,
}

// ahead[n] has what each byte does to the sum when n bytes follow it. It is made
// when it is first needed: 4 KB, which make a sum eight times as fast.
var ahead = sync.OnceValue(func() *[8][256]uint16 {
	var t [8][256]uint16
	for i := range t[0] {
		t[0][i] = slow(0, []byte{byte(i)})
		for n := 1; n < len(t); n++ {
			t[n][i] = slow(t[n-1][i], []byte{0})
		}
	}
	return &t
})

// Add returns the sum of what sum is of, followed by b: a CRC-16 with the
// polynomial 0x8005, reflected. It begins with zero.
func Add(sum uint16, b []byte) uint16 {
	if len(b) < 64 {
		return slow(sum, b)
	}
	t := ahead()
	for ; len(b) >= 8; b = b[8:] {
		sum = t[7][b[0]^byte(sum)] ^ t[6][b[1]^byte(sum>>8)] ^ t[5][b[2]] ^ t[4][b[3]] ^
			t[3][b[4]] ^ t[2][b[5]] ^ t[1][b[6]] ^ t[0][b[7]]
	}
	return slow(sum, b)
}

func slow(sum uint16, b []byte) uint16 {
	for _, c := range b {
		sum = sum>>4 ^ nibbles[(sum^uint16(c))&15]
		sum = sum>>4 ^ nibbles[(sum^uint16(c>>4))&15]
	}
	return sum
}
