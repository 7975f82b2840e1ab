package spool

import (
	"encoding/binary"
	"hash/crc32"
)

const (
	// A record is a header, the body, and zeros up to the next multiple of 8:
	//
	//	 0  magic
	//	 4  size of the body as it is stored, and in the highest bits what is known of it
	//	 8  number of the body
	//	16  time of receipt, in nanoseconds of Unix time
	//	24  order of the body, see order.go
	//	32  CRC-32C of the body as it is stored
	//	36  CRC-32C of the segment's file name and of the 36 bytes before
	//
	// all little-endian. The name has a random part, so that no sender can write
	// a body that looks like a record. Version 0.1 had another magic and no
	// order.
	headerSize   = 40
	recordAlign  = 8
	recordMagic  = 0x326f7073 // "spo2"
	headerSize1  = 32
	recordMagic1 = 0x6c6f7073 // "spol"

	// Flags in the size: the body was looked at when it arrived, it may hold items
	// of an account, and it is sealed. Version 0.1 did not look.
	sizeLooked  = 1 << 31
	sizeAccount = 1 << 30
	sizeSealed  = 1 << 29
)

// recordSize is what a body of n bytes takes in a segment.
func recordSize(n int) int { return (headerSize + n + recordAlign - 1) &^ (recordAlign - 1) }

type header struct {
	seq      uint64
	received int64
	order    uint64
	size     uint32
	sum      uint32
	look     uint32 // the flags
	old      bool   // of version 0.1
}

func (h header) encode(p []byte, salt uint32) {
	binary.LittleEndian.PutUint32(p[0:], recordMagic)
	binary.LittleEndian.PutUint32(p[4:], h.size|h.look)
	binary.LittleEndian.PutUint64(p[8:], h.seq)
	binary.LittleEndian.PutUint64(p[16:], uint64(h.received))
	binary.LittleEndian.PutUint64(p[24:], h.order)
	binary.LittleEndian.PutUint32(p[32:], h.sum)
	binary.LittleEndian.PutUint32(p[36:], crc32.Update(salt, castagnoli, p[:36]))
}

func decodeHeader(p []byte, salt uint32) (h header, ok bool) {
	if len(p) < headerSize1 {
		return h, false
	}
	n := headerSize
	switch binary.LittleEndian.Uint32(p) {
	case recordMagic:
	case recordMagic1:
		n, h.old = headerSize1, true
	default:
		return h, false
	}
	if len(p) < n || binary.LittleEndian.Uint32(p[n-4:]) != crc32.Update(salt, castagnoli, p[:n-4]) {
		return h, false
	}
	h.size = binary.LittleEndian.Uint32(p[4:])
	h.look = h.size & (sizeLooked | sizeAccount | sizeSealed)
	h.size -= h.look
	h.seq = binary.LittleEndian.Uint64(p[8:])
	h.received = int64(binary.LittleEndian.Uint64(p[16:]))
	h.sum = binary.LittleEndian.Uint32(p[n-8:])
	if h.order = oldOrder(h.seq); !h.old {
		h.order = binary.LittleEndian.Uint64(p[24:])
	}
	return h, int(h.size) <= maxSmall+h.extra()
}

func (h header) sealed() bool { return h.look&sizeSealed != 0 }

// extra is how much longer the body is on the disk.
func (h header) extra() int {
	if h.sealed() {
		return sealedExtra
	}
	return 0
}

// about is what is authenticated with a sealed body: the segment, and all that
// the header says, but what the body itself tells.
func (h header) about(file string) []byte {
	var p [headerSize]byte
	h.size = 0
	h.encode(p[:], 0)
	return append(p[4:32:32], file...)
}

// appendRecord appends the record of a body to dst, sealed if there is a box.
func (g *segment) appendRecord(dst []byte, h header, body []byte) []byte {
	at := len(dst)
	var room [headerSize]byte
	dst = append(dst, room[:]...)
	if h.look &^= sizeSealed; g.box != nil {
		h.look |= sizeSealed
		dst = g.box.Seal(dst, body, h.about(g.file))
	} else {
		dst = append(dst, body...)
	}
	stored := dst[at+headerSize:]
	h.size, h.sum = uint32(len(stored)), crc32.Checksum(stored, castagnoli)
	h.encode(dst[at:], g.salt)
	return append(dst, room[:recordSize(len(stored))-headerSize-len(stored)]...)
}

// open returns a stored body, and appends it to dst if it was sealed. ok is false
// if it does not open.
func (c *scanner) open(dst []byte, h header, stored []byte) (body []byte, ok bool) {
	if !h.sealed() {
		return stored, true
	}
	if c.box == nil {
		return stored, false
	}
	body, err := c.box.Open(dst, stored, h.about(c.file))
	if err != nil {
		return stored, false
	}
	return body, true
}

// bodyAt is where the body begins in its record.
func (h header) bodyAt() int {
	if h.old {
		return headerSize1
	}
	return headerSize
}

// recordSize is what the record takes.
func (h header) recordSize() int {
	return (h.bodyAt() + int(h.size) + recordAlign - 1) &^ (recordAlign - 1)
}
