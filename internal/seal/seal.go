package seal

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
)

var (
	// ErrDamaged means that something does not open: it was changed, is about
	// something else, or was sealed with another key.
	ErrDamaged = errors.New("seal: it does not open")
	// ErrKey means that the head of a stream does not open, so that most likely
	// the key is another one, or the stream is about something else.
	ErrKey = errors.New("seal: it does not open with this key")
	// ErrNotSealed means that a stream does not begin like a sealed one.
	ErrNotSealed = errors.New("seal: it is not sealed")
)

const (
	// counterSize is how much of a nonce counts; leastNonce leaves 64 bits of it
	// to chance.
	counterSize = 4
	leastNonce  = 12
)

// What is authenticated begins with the kind of what is sealed.
const (
	kindRecord = 'r'
	kindHead   = 'h'
	kindChunk  = 'c'
)

// Box seals and opens with one AEAD. It is safe for concurrent use, if the AEAD
// is.
type Box struct {
	aead  cipher.AEAD
	chunk int // of text, in a stream
	pool  sync.Pool

	mu    sync.Mutex
	nonce []byte // the next one: the prefix and the counter
	left  bool   // the prefix has nonces left
}

// New makes a Box. It fails if the AEAD's nonces are too short.
func New(aead cipher.AEAD) (*Box, error) {
	n := aead.NonceSize()
	if n != 0 && n < leastNonce {
		return nil, fmt.Errorf("seal: nonces of %d bytes are too short, at least %d are needed", n, leastNonce)
	}
	b := &Box{aead: aead, chunk: ChunkSize, nonce: make([]byte, n)}
	b.pool.New = func() any { return &buffers{make([]byte, b.chunk), make([]byte, 0, b.chunk+b.Overhead())} }
	return b, nil
}

// Overhead is how much longer a record is than its text.
func (b *Box) Overhead() int { return b.aead.NonceSize() + b.aead.Overhead() }

// Seal appends a record of text to dst. It must not overlap text.
func (b *Box) Seal(dst, text, about []byte) []byte {
	return b.seal(dst, text, append([]byte{kindRecord}, about...))
}

// Open appends the text of a record to dst, which must not overlap it. It fails
// with ErrDamaged unless the record was sealed with this key and about the same.
func (b *Box) Open(dst, record, about []byte) ([]byte, error) {
	return b.open(dst, record, append([]byte{kindRecord}, about...))
}

func (b *Box) seal(dst, text, about []byte) []byte {
	at := len(dst)
	dst = b.appendNonce(dst)
	return b.aead.Seal(dst, dst[at:], text, about)
}

func (b *Box) open(dst, record, about []byte) ([]byte, error) {
	n := b.aead.NonceSize()
	if len(record) < n {
		return dst, ErrDamaged
	}
	out, err := b.aead.Open(dst, record[:n], record[n:], about)
	if err != nil {
		return dst, ErrDamaged
	}
	return out, nil
}

// appendNonce appends a nonce that was never used.
func (b *Box) appendNonce(dst []byte) []byte {
	if len(b.nonce) == 0 {
		return dst
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	prefix, counter := b.nonce[:len(b.nonce)-counterSize], b.nonce[len(b.nonce)-counterSize:]
	if !b.left {
		rand.Read(prefix)
		b.left = true
	}
	dst = append(dst, b.nonce...)
	next := binary.BigEndian.Uint32(counter) + 1
	binary.BigEndian.PutUint32(counter, next)
	b.left = next != 0
	return dst
}
