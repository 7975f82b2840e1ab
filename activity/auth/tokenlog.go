package auth

import (
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/garminkit/activityapi/internal/recordlog"
	"github.com/garminkit/activityapi/types"
)

// The token file is a log. Each line is a record:
//
//	checksum SP payload LF
//
// The checksum is CRC-32C over the payload, in eight hex digits. The payload
// is a JSON object; in a sealed file it is the base64 of a nonce and the
// sealed object. The first record is a logHeader, every other a logRecord.
// The last record of a user counts.

// logFormat is the number of this format.
const logFormat = 1

// logHeader is the first record. It is never sealed.
type logHeader struct {
	Format int `json:"garmin_tokens"`
	// Seq is the last version given out before the file was written.
	Seq int64 `json:"seq"`
	// Sealed is the sealed text "garmin_tokens". It is empty if the file is
	// not sealed.
	Sealed []byte `json:"sealed,omitempty"`
}

// logRecord is one change: a token stored, or the user in Gone removed.
type logRecord struct {
	Version int64        `json:"v"`
	Token   *tokenFields `json:"token,omitempty"`
	Gone    types.UserID `json:"gone,omitempty"`
}

func (r *logRecord) user() types.UserID {
	if r.Token != nil {
		return r.Token.UserID
	}
	return r.Gone
}

var (
	sealCheck = []byte("garmin_tokens")

	errNotTokenFile = errors.New("not a token file")
	errSeal         = errors.New("sealed with another key, or not sealed")
	errDamaged      = errors.New("damaged record")
)

func checksum(payload []byte) string {
	return fmt.Sprintf("%08x", recordlog.Checksum(payload))
}

// appendLine appends the line of payload to b.
func appendLine(b, payload []byte) []byte {
	b = append(b, checksum(payload)...)
	b = append(b, ' ')
	b = append(b, payload...)
	return append(b, '\n')
}

// parseLine returns the payload of a line without its line feed.
func parseLine(line []byte) ([]byte, error) {
	if len(line) < 9 || line[8] != ' ' {
		return nil, errDamaged
	}
	payload := line[9:]
	if string(line[:8]) != checksum(payload) {
		return nil, errDamaged
	}
	return payload, nil
}

func seal(aead cipher.AEAD, text []byte) []byte {
	b := make([]byte, aead.NonceSize(), aead.NonceSize()+len(text)+aead.Overhead())
	rand.Read(b)
	return aead.Seal(b, b, text, sealCheck)
}

func unseal(aead cipher.AEAD, b []byte) ([]byte, error) {
	if len(b) < aead.NonceSize() {
		return nil, errSeal
	}
	text, err := aead.Open(nil, b[:aead.NonceSize()], b[aead.NonceSize():], sealCheck)
	if err != nil {
		return nil, errSeal
	}
	return text, nil
}

func appendHeader(b []byte, aead cipher.AEAD, seq int64) []byte {
	h := logHeader{Format: logFormat, Seq: seq}
	if aead != nil {
		h.Sealed = seal(aead, sealCheck)
	}
	payload, _ := json.Marshal(h) // cannot fail
	return appendLine(b, payload)
}

func appendRecord(b []byte, aead cipher.AEAD, r *logRecord) ([]byte, error) {
	payload, err := json.Marshal(r)
	if err != nil {
		return nil, errors.New("token cannot be written: a time is out of range")
	}
	if aead != nil {
		payload = base64.StdEncoding.AppendEncode(nil, seal(aead, payload))
	}
	return appendLine(b, payload), nil
}

// parseHeader reads the header at the start of b and returns its length.
func parseHeader(b []byte, aead cipher.AEAD) (seq int64, n int, err error) {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		return 0, 0, errNotTokenFile
	}
	payload, err := parseLine(b[:end])
	if err != nil {
		return 0, 0, errNotTokenFile
	}
	var h logHeader
	if json.Unmarshal(payload, &h) != nil || h.Format == 0 || h.Seq < 0 {
		return 0, 0, errNotTokenFile
	}
	if h.Format != logFormat {
		return 0, 0, fmt.Errorf("token file of format %d, want %d", h.Format, logFormat)
	}
	if (aead != nil) != (len(h.Sealed) > 0) {
		return 0, 0, errSeal
	}
	if aead != nil {
		if text, err := unseal(aead, h.Sealed); err != nil || !bytes.Equal(text, sealCheck) {
			return 0, 0, errSeal
		}
	}
	return h.Seq, end + 1, nil
}

// parseRecord reads one line without its line feed.
func parseRecord(line []byte, aead cipher.AEAD) (*logRecord, error) {
	payload, err := parseLine(line)
	if err != nil {
		return nil, err
	}
	if aead != nil {
		b, err := base64.StdEncoding.Strict().DecodeString(string(payload))
		if err != nil {
			return nil, errDamaged
		}
		if payload, err = unseal(aead, b); err != nil {
			return nil, err
		}
	}
	var r logRecord
	if json.Unmarshal(payload, &r) != nil ||
		r.Version <= 0 || r.user() == "" || r.Token != nil && r.Gone != "" {
		return nil, errDamaged
	}
	return &r, nil
}

// parseRecords reads the records in b. For each line it calls apply with the
// record, or with nil if the line is damaged. It returns how far the records
// reach: a rest that has no intact record at its end is not part of it, since
// that may be a write that is under way or was cut off.
func parseRecords(b []byte, aead cipher.AEAD, apply func(line []byte, r *logRecord)) (n int) {
	var bad [][]byte
	for pos := 0; ; {
		end := bytes.IndexByte(b[pos:], '\n')
		if end < 0 {
			return n
		}
		line := b[pos : pos+end]
		pos += end + 1
		r, err := parseRecord(line, aead)
		if err != nil {
			bad = append(bad, line)
			continue
		}
		for _, line := range bad {
			apply(line, nil)
		}
		bad = nil
		apply(line, r)
		n = pos
	}
}
