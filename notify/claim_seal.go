package notify

import (
	"bytes"
	"encoding/json"
	"errors"
)

// sealedClaim is what the file of a sealed claim begins with; a record of package
// seal follows.
const sealedClaim = "aaclaim1\n"

var errSealedClaim = errors.New("notify: the claim is sealed, and does not open with this AEAD")

// encode returns what a claim's file holds.
func (d *ClaimDir) encode(name string, c storedClaim) ([]byte, error) {
	data, err := json.Marshal(c)
	if err == nil && d.box != nil {
		data = d.box.Seal([]byte(sealedClaim), data, []byte("claim "+name))
	}
	return data, err
}

// decode is the way back. A claim that was not sealed is read too. One that does
// not open is an error and not in doubt: who has another key must not ask for the
// file again.
func (d *ClaimDir) decode(name string, data []byte) (c storedClaim, err error) {
	if record, ok := bytes.CutPrefix(data, []byte(sealedClaim)); ok {
		if d.box == nil {
			return c, errSealedClaim
		}
		if data, err = d.box.Open(nil, record, []byte("claim "+name)); err != nil {
			return c, errSealedClaim
		}
	}
	return c, json.Unmarshal(data, &c)
}
