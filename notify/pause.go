package notify

import (
	"bytes"
	"encoding/json"
	"io"
)

// peekSize is how much of a body the handler looks at while it is paused.
const peekSize = 64 << 10

// peek reads the start of a body and gives it back with a reader of the whole
// body. A failing reader fails the same way when it is read again.
func peek(r io.Reader) (head []byte, whole io.Reader) {
	head = make([]byte, peekSize)
	n, _ := io.ReadFull(r, head)
	head = head[:n]
	return head, io.MultiReader(bytes.NewReader(head), r)
}

// passesPause tells whether a root key of the body that begins with head is
// one of the two that may not wait: they say that a user withdrew consent.
func passesPause(head []byte) bool {
	dec := json.NewDecoder(bytes.NewReader(head))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return false
	}
	depth, isKey := 1, true
	for {
		t, err := dec.Token()
		if err != nil {
			return false
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
			continue
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth > 1 {
			continue
		}
		if key, ok := t.(string); ok && isKey {
			if key == "deregistrations" || key == "userPermissionsChange" {
				return true
			}
			isKey = false
			continue
		}
		isKey = true // A root value has just ended.
	}
}
