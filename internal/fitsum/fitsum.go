// Package fitsum has the checksum of the FIT protocol.
package fitsum

// nibbles has what each four bits do to the sum.
var nibbles = [16]uint16{
	0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401,
	0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400,
}

// Add returns the sum of what sum is of, followed by b: a CRC-16 with the
// polynomial 0x8005, reflected. It begins with zero.
func Add(sum uint16, b []byte) uint16 {
	for _, c := range b {
		sum = sum>>4 ^ nibbles[(sum^uint16(c))&15]
		sum = sum>>4 ^ nibbles[(sum^uint16(c>>4))&15]
	}
	return sum
}
