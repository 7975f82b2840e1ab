package postgres

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/garminkit/activityapi/internal/seal"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/spool"
	"github.com/garminkit/activityapi/types"
)

// sealing is what this process seals and opens with. Its methods are for any
// number of callers at once.
//
// What is stored is sealed with keys of the database, AES-256-GCM, which are drawn
// once and stand in a table, sealed with the caller's AEAD: that may be slow, and a
// new one makes the old one useless at the next Open.
//
// With a record its place is authenticated, as far as it is known when it is
// written: a body has a number, an item a place in it. So what is put into another
// row does not open.
type sealing struct {
	keys *keys // nil: nothing can be opened
	// begun tells that all who work can open what is sealed.
	begun atomic.Bool
}

// keys are those of one schema.
type keys struct {
	name string
	box  *seal.Box
	// sums makes sums of bodies that nobody can compare with those of bodies that
	// are guessed.
	sums [keySize]byte
	// touches hides what an item changes, and leaves equal ones equal.
	touches cipher.Block
}

const (
	keySize = 32
	// keysSize is how long the keys are together: that of the bytes, then the
	// fields of keys.
	keysSize = 3 * keySize
	// sealVersion is the version of the tables from which on something is sealed.
	sealVersion = 13
)

// sealedMark begins what is sealed in a column whose text begins with a brace.
const sealedMark = sealed

// sealError is why something does not open. It holds no value.
type sealError struct {
	text string
	key  bool // it is for want of the key
}

func (e *sealError) Error() string { return e.text }

// Is makes a want of the key one of [spool.ErrKey], as that of a spool is.
func (e *sealError) Is(target error) bool { return e.key && target == spool.ErrKey }

// Fault implements [notify.Failure]: what is damaged will not open later either. For
// want of a key nobody gives up.
func (e *sealError) Fault() types.Fault {
	if e.key {
		return ""
	}
	return types.FaultItem
}

// RetryAfter implements [notify.Failure].
func (*sealError) RetryAfter() time.Duration { return 0 }

var _ notify.Failure = (*sealError)(nil)

var (
	errNoKey    = &sealError{"postgres: what is stored is sealed, and Options.AEAD is not set", true}
	errOtherKey = &sealError{"postgres: what is stored is sealed, and Options.AEAD does not open its keys", true}
	// errDamaged is of one row: the keys are right.
	errDamaged = &sealError{"postgres: what is stored is damaged: it was changed, or is of another row, and does not open", false}
)

func newKeys(text []byte) (*keys, error) {
	block, err := aes.NewCipher(text[:keySize])
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	k := &keys{name: nameOf(text), sums: [keySize]byte(text[keySize:])}
	if k.touches, err = aes.NewCipher(text[2*keySize:]); err != nil {
		return nil, err
	}
	k.box, err = seal.New(aead)
	return k, err
}

// aboutKeys is authenticated with the keys.
var aboutKeys = []byte("keys of a database")

// openKeys reads the keys of the database with the caller's AEAD, and seals them
// again: the AEAD may seal with another key than it opened with. If nothing is sealed
// with them yet, those that are missing or do not open are made. If it fails for want
// of the key it has changed nothing.
func (db *DB) openKeys(ctx context.Context) error {
	if db.seal == nil {
		var begun bool
		err := db.pool.QueryRow(ctx, db.sql(`SELECT EXISTS (SELECT FROM {s}.sealing WHERE begun)`)).Scan(&begun)
		switch {
		case isDenied(err): // What is sealed tells so where it is read.
			return nil
		case err != nil:
			return fmt.Errorf("postgres: reading the keys: %w", clean(err))
		case begun:
			return errNoKey
		}
		return nil
	}
	outer, err := seal.New(db.seal)
	if err != nil {
		return fmt.Errorf("postgres: Options.AEAD: %w", err)
	}
	for range 3 { // Another process may make keys at that moment.
		text, was, err := db.readKeys(ctx, outer)
		if err != nil {
			return err
		}
		if text != nil {
			if _, err := db.pool.Exec(ctx, db.sql(`UPDATE {s}.sealing SET keys = $2 WHERE keys = $1`), was, outer.Seal(nil, text, aboutKeys)); err != nil && !isDenied(err) {
				return fmt.Errorf("postgres: sealing the keys again: %w", clean(err))
			}
			if db.sealing.keys, err = newKeys(text); err != nil {
				return err
			}
			return db.beginSealing(ctx)
		}
		text = make([]byte, keysSize)
		rand.Read(text)
		_, err = db.pool.Exec(ctx, db.sql(`INSERT INTO {s}.sealing AS s (id, keys) VALUES ($1, $2)
ON CONFLICT (one) DO UPDATE SET id = excluded.id, keys = excluded.keys WHERE NOT s.begun AND s.keys = $3`), nameOf(text), outer.Seal(nil, text, aboutKeys), was)
		if isDenied(err) { // The role has nothing to seal but tokens.
			return nil
		}
		if err != nil {
			return fmt.Errorf("postgres: storing the keys: %w", clean(err))
		}
	}
	return errOtherKey
}

// readKeys reads the keys, and opens them. text is nil if they are to be made.
func (db *DB) readKeys(ctx context.Context, outer *seal.Box) (text, was []byte, err error) {
	var begun bool
	err = db.pool.QueryRow(ctx, db.sql(`SELECT keys, begun FROM {s}.sealing`)).Scan(&was, &begun)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("postgres: reading the keys: %w", clean(err))
	}
	text, err = outer.Open(nil, was, aboutKeys)
	switch {
	case err == nil && len(text) == keysSize:
		return text, was, nil
	case begun:
		return nil, nil, errOtherKey
	}
	return nil, was, nil
}

// nameOf names keys, and tells nothing of them.
func nameOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// beginSealing looks whether all who work can open what is sealed. If not yet, it
// is called again.
func (db *DB) beginSealing(ctx context.Context) error {
	if db.sealing.keys == nil || db.sealing.begun.Load() {
		return nil
	}
	ctx, cancel := db.call(ctx)
	defer cancel()
	var begun bool
	if err := db.pool.QueryRow(ctx, db.sql(`SELECT {s}.seals($1, $2)`), lockKey(db.schema, "member"), db.sealing.opens()).Scan(&begun); err != nil {
		return fmt.Errorf("postgres: beginning to seal: %w", clean(err))
	}
	if !begun {
		db.log.Warn("postgres: nothing is sealed yet, since a process works that has not this key")
	}
	db.sealing.begun.Store(begun)
	return nil
}

// opensSQL names, in the transaction of a beat, the keys that this process has.
const opensSQL = `SELECT set_config('activityapi.opens', $1, true)`

func (s *sealing) opens() string {
	if s.keys == nil {
		return ""
	}
	return s.keys.name
}

// sealer is what seals, or nil if nothing is sealed now.
func (s *sealing) sealer() *keys {
	if !s.begun.Load() {
		return nil
	}
	return s.keys
}

// open opens a record.
func (s *sealing) open(record, about []byte) ([]byte, error) {
	if s.keys == nil {
		return nil, errNoKey
	}
	text, err := s.keys.box.Open(nil, record, about)
	if err != nil {
		return nil, errDamaged
	}
	return text, nil
}

// about is what is authenticated with a record: what it is, and two numbers that
// tell which.
func about(what string, a, b int64) []byte {
	p := make([]byte, 0, len(what)+16)
	p = append(p, what...)
	p = binary.BigEndian.AppendUint64(p, uint64(a))
	return binary.BigEndian.AppendUint64(p, uint64(b))
}

// aboutText is that of a row whose key is text.
func aboutText(what string, names ...string) []byte {
	p := []byte(what)
	for _, n := range names {
		p = binary.BigEndian.AppendUint64(p, uint64(len(n)))
		p = append(p, n...)
	}
	return p
}

// aboutItem is that of an item of a small body, wherever it stands: it moves to a
// letter as it is. Its number is not known when it is sealed.
func aboutItem(body, off int64) []byte { return about("item", body, off) }

// aboutReason is that of the reason of any letter: whose it is the server decides.
var aboutReason = []byte("reason of a letter")

// sealItem appends the bytes of an item, as they are stored, to dst.
func (k *keys) sealItem(dst, data []byte, body, off int64) []byte {
	return k.box.Seal(dst, data, aboutItem(body, off))
}

// openItem opens the bytes of an item if they are sealed: then they are more than
// its size.
func (s *sealing) openItem(data []byte, body, off, size int64) ([]byte, error) {
	if int64(len(data)) <= size {
		return data, nil
	}
	return s.open(data, aboutItem(body, off))
}

// The bytes of a large body are sealed in segments, so that an item can be read
// without the whole chunk.
const segmentSize = 4 << 10 // a chunk has a whole number of them

// segmentSealed is how long a sealed segment is: with a nonce and a tag.
const segmentSealed = segmentSize + 12 + 16

func aboutSegment(body, number int64) []byte { return about("body", body, number) }

// sealChunk appends the sealed bytes that begin at off, a multiple of segmentSize,
// in a body.
func (k *keys) sealChunk(dst, text []byte, body, off int64) []byte {
	for n := off / segmentSize; len(text) > 0; n++ {
		m := min(segmentSize, len(text))
		dst = k.box.Seal(dst, text[:m], aboutSegment(body, n))
		text = text[m:]
	}
	return dst
}

// openChunk opens segments, the first of which has the byte at off, and returns
// what they have from there on, in the place of dst if that has room.
func (s *sealing) openChunk(dst, data []byte, body, off int64) ([]byte, error) {
	if s.keys == nil {
		return nil, errNoKey
	}
	text := slices.Grow(dst[:0], len(data))
	for n := off / segmentSize; len(data) > 0; n++ {
		m := min(segmentSealed, len(data))
		var err error
		if text, err = s.keys.box.Open(text, data[:m], aboutSegment(body, n)); err != nil {
			return nil, errDamaged
		}
		data = data[m:]
	}
	return text[min(off%segmentSize, int64(len(text))):], nil
}

// sealText seals what is else JSON, or leaves it as it is.
func (s *sealing) sealText(text, about []byte) []byte {
	if k := s.sealer(); k != nil && text != nil {
		return k.box.Seal([]byte{sealedMark}, text, about)
	}
	return text
}

// openText opens it, if it is sealed.
func (s *sealing) openText(text, about []byte) ([]byte, error) {
	if len(text) == 0 || text[0] != sealedMark {
		return text, nil
	}
	return s.open(text[1:], about)
}

// sealReason is a reason as it is stored with a letter, and whether it is sealed.
func (s *sealing) sealReason(reason []byte) ([]byte, bool) {
	k := s.sealer()
	if k == nil {
		return reason, false
	}
	return k.box.Seal(nil, reason, aboutReason), true
}

func (s *sealing) openReason(reason []byte, isSealed bool) ([]byte, error) {
	if !isSealed {
		return reason, nil
	}
	return s.open(reason, aboutReason)
}

// keyed is a sum by which a body is known again where bodies are sealed.
func (k *keys) keyed(sum [sha256.Size]byte) [sha256.Size]byte {
	// All texts have one length, so that this is as good as an HMAC.
	return sha256.Sum256(append(k.sums[:], sum[:]...))
}

// touchSealed is how long a sealed touch is: the mark and a block.
const touchSealed = 1 + aes.BlockSize

// appendTouch appends what an item changes, as it is stored. That of nothing is
// told by its zeros.
func (k *keys) appendTouch(dst []byte, t [16]byte) []byte {
	if k == nil || t == ([16]byte{}) {
		return append(dst, t[:]...)
	}
	dst = append(append(dst, sealedMark), t[:]...)
	block := dst[len(dst)-len(t):]
	k.touches.Encrypt(block, block)
	return dst
}

func (s *sealing) openTouch(stored []byte) (t [16]byte, err error) {
	if len(stored) != touchSealed {
		copy(t[:], stored)
		return t, nil
	}
	if s.keys == nil {
		return t, errNoKey
	}
	s.keys.touches.Decrypt(t[:], stored[1:])
	return t, nil
}
