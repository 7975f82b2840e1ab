package claimdir

import (
	"bytes"
	"encoding/json"
	"errors"
)

// sealedClaim is what a sealed claim begins with; a record of package seal follows.
const sealedClaim = "aaclaim1\n"

var errSealedClaim = errors.New("notify: the claim is sealed, and does not open with this AEAD")

// aboutClaim is what is authenticated with a claim: the name of the file in which it
// was before there was a log.
func aboutClaim(id string) []byte { return []byte("claim " + id[:2] + "/" + id + ".json") }

// encode returns what stands in the log.
func (d *Dir) encode(id string, c storedClaim) ([]byte, error) {
	data, err := json.Marshal(c)
	if err == nil && d.box != nil {
		data = d.box.Seal([]byte(sealedClaim), data, aboutClaim(id))
	}
	return data, err
}

// decode is the way back. A claim that was not sealed is read too. One that does
// not open is an error and not in doubt: who has another key must not ask for the
// file again.
func (d *Dir) decode(id string, data []byte) (c storedClaim, err error) {
	if record, ok := bytes.CutPrefix(data, []byte(sealedClaim)); ok {
		if d.box == nil {
			return c, errSealedClaim
		}
		if data, err = d.box.Open(nil, record, aboutClaim(id)); err != nil {
			return c, errSealedClaim
		}
	}
	return c, json.Unmarshal(data, &c)
}
