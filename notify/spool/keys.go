package spool

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/garminkit/activityapi/internal/seal"
)

// ErrKey means that the spool is sealed and cannot be opened: Options.AEAD is
// nil or has another key, or the spool's file KEY is lost. Nothing in the
// directory was changed.
var ErrKey = errors.New("not the key that the spool is sealed with")

// keys are what a spool is sealed with. They are drawn when it is sealed first,
// and stay the same: only they are sealed with the caller's AEAD, in the file KEY.
// So one Open with a new key of the caller's makes the old one useless, and a
// caller's AEAD may be slow.
//
// The file holds the same record twice, in blocks of their own, since without it
// nothing opens:
//
//	 0  4  "spok"
//	 4  4  size of the record
//	 8  4  checksum of the record
//	12     the record, see package seal; then zeros up to 4096
type keys struct {
	aead cipher.AEAD // AES-256-GCM
	box  *seal.Box
	// sums makes sums of bodies that nobody can compare with those of bodies
	// that he guesses.
	sums [keySize]byte
}

const (
	keyName  = "KEY"
	keyMagic = 0x6b6f7073 // "spok"
	keyCopy  = 4 << 10    // the place of the second one
	keySize  = 32
	keyHead  = 12
)

// What is authenticated with a record or a stream; see package seal.
var (
	aboutKeys  = []byte("keys of a spool")
	aboutBody  = []byte("body")
	aboutIndex = []byte("index")
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
	k := &keys{aead: aead, sums: [keySize]byte(text[keySize:])}
	k.box, err = seal.New(aead)
	return k, err
}

// sealedExtra is how much longer a sealed body is: a nonce and a tag.
const sealedExtra = 12 + 16

// box seals what the spool writes. It is nil if nothing is sealed.
func (s *spool) box() *seal.Box {
	if s.keys == nil {
		return nil
	}
	return s.keys.box
}

// keyed is the sum by which a sealed spool knows a body again. Only the first
// half of a plain sum counts, so that those of a plain spool can be carried over.
func (k *keys) keyed(sum bodySum) bodySum {
	if k == nil {
		return sum
	}
	// All texts have one length, so that this is as good as an HMAC.
	return sha256.Sum256(append(k.sums[:], sum[:len(sum)/2]...))
}

// openKeys reads KEY with the caller's AEAD, and seals it again: the AEAD may seal
// with another key than it opened with. Unless the spool is sealed already, KEY is
// made if it is not there. fresh tells that nothing is sealed with it for sure, so
// that one that does not open is replaced.
func (s *spool) openKeys(sealed, fresh bool) error {
	name := s.path(keyName)
	if s.opts.AEAD == nil {
		if sealed {
			return fmt.Errorf("%w: it is sealed, and Options.AEAD is nil", ErrKey)
		}
		if !fresh && s.sizeOf(name) > 0 {
			return fmt.Errorf("%w: it has a %s, and Options.AEAD is nil", ErrKey, keyName)
		}
		return nil
	}
	outer, err := seal.New(s.opts.AEAD)
	if err != nil {
		return err
	}
	text, err := s.readKeys(outer)
	switch {
	case isNotExist(err) && !sealed, errors.Is(err, ErrKey) && fresh:
		text = make([]byte, 2*keySize)
		rand.Read(text)
		if err := s.writeKeys(outer, text); err != nil {
			return err
		}
	case isNotExist(err):
		return fmt.Errorf("%w: its file %s is missing", ErrKey, keyName)
	case err != nil:
		return err
	default:
		if err := s.writeKeys(outer, text); err != nil {
			// A full disk must not keep the spool from being emptied.
			s.log.Error("spool: KEY stays sealed with the key that it was sealed with before", "err", err)
		}
	}
	s.spend(2 * keyCopy)
	s.keys, err = newKeys(text)
	return err
}

// readKeys reads the first copy of the keys that opens. A damaged copy and a wrong key
// are told apart by the checksum, which needs no key.
func (s *spool) readKeys(outer *seal.Box) ([]byte, error) {
	f, err := s.fs.Open(s.path(keyName))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	why := fmt.Errorf("%w: its file %s is damaged", ErrKey, keyName)
	for i := range int64(2) {
		p := make([]byte, keyCopy)
		n, err := f.ReadAt(p, i*keyCopy)
		if err != nil && err != io.EOF {
			why = err // and the other one may be readable
			continue
		}
		record, ok := decodeKeys(p[:n])
		if !ok {
			continue
		}
		text, err := outer.Open(nil, record, aboutKeys)
		if err == nil && len(text) == 2*keySize {
			return text, nil
		}
		why = fmt.Errorf("%w: Options.AEAD does not open its file %s", ErrKey, keyName)
	}
	return nil, why
}

func decodeKeys(p []byte) (record []byte, ok bool) {
	if len(p) < keyHead || binary.LittleEndian.Uint32(p) != keyMagic {
		return nil, false
	}
	n := int64(binary.LittleEndian.Uint32(p[4:]))
	if n > int64(len(p)-keyHead) {
		return nil, false
	}
	record = p[keyHead:][:n]
	return record, crc32.Checksum(record, castagnoli) == binary.LittleEndian.Uint32(p[8:])
}

// writeKeys puts a new KEY in the place of the old one.
func (s *spool) writeKeys(outer *seal.Box, text []byte) error {
	p := binary.LittleEndian.AppendUint32(nil, keyMagic)
	p = outer.Seal(append(p, make([]byte, keyHead-4)...), text, aboutKeys)
	if len(p) > keyCopy {
		return errors.New("the AEAD makes too much of a key")
	}
	binary.LittleEndian.PutUint32(p[4:], uint32(len(p)-keyHead))
	binary.LittleEndian.PutUint32(p[8:], crc32.Checksum(p[keyHead:], castagnoli))
	both := make([]byte, 2*keyCopy)
	copy(both, p)
	copy(both[keyCopy:], p)
	name, temp := s.path(keyName), s.path(keyName+tempSuffix)
	_ = s.fs.Remove(temp) // of an attempt that failed
	if err := writeWhole(s.fs, temp, both); err != nil {
		return err
	}
	if err := s.fs.Rename(temp, name); err != nil {
		_ = s.fs.Remove(temp)
		return err
	}
	return s.fs.SyncDir(s.dir)
}
