package spool

import (
	"encoding/binary"
	"hash/crc32"
)

const (
	// A record is a header, the body, and zeros up to the next multiple of 8:
	//
	//	 0  magic
	//	 4  size of the body, and in the two highest bits what is known of it
	//	 8  number of the body
	//	16  time of receipt, in nanoseconds of Unix time
	//	24  order of the body, see order.go
	//	32  CRC-32C of the body
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

	// Flags in the size: the body was looked at when it arrived, and it may hold
	// items of an account. Version 0.1 did not look.
	sizeLooked  = 1 << 31
	sizeAccount = 1 << 30
)

// recordSize is what a body of n bytes takes in a segment.
func recordSize(n int) int { return (headerSize + n + recordAlign - 1) &^ (recordAlign - 1) }

type header struct {
	seq      uint64
	received int64
	order    uint64
	size     uint32
	sum      uint32
	look     uint32 // sizeLooked and sizeAccount
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
	h.look = h.size & (sizeLooked | sizeAccount)
	h.size -= h.look
	h.seq = binary.LittleEndian.Uint64(p[8:])
	h.received = int64(binary.LittleEndian.Uint64(p[16:]))
	h.sum = binary.LittleEndian.Uint32(p[n-8:])
	if h.order = oldOrder(h.seq); !h.old {
		h.order = binary.LittleEndian.Uint64(p[24:])
	}
	return h, h.size <= maxSmall
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
