package spool

import "bytes"

// looker finds out, while the bytes of a body pass, whether it may hold items of
// an account, which are handed out before everything else. It looks for the names
// of the two lists anywhere in the body, and for the escape that could hide them.
// A yes may be wrong, a no never.
type looker struct {
	yes bool
	// plain makes it look for bodies that never count as repeats; see named.
	plain bool
	tail  []byte // the end of what has passed, shorter than any of the names
}

// hints has the texts of which a body with items of an account contains at least
// one. JSON has only one way to write a name without its letters.
var hints = [...][]byte{[]byte("deregistrations"), []byte("userPermissionsChange"), []byte(`\u00`)}

const longestHint = len("userPermissionsChange")

// Write looks at the next bytes. A text may begin in those before: so their end is
// looked at again with the start of these.
func (l *looker) Write(p []byte) {
	if l.yes {
		return
	}
	if n := len(l.tail); n > 0 {
		l.tail = append(l.tail, p[:min(len(p), longestHint-1)]...)
		l.yes = l.hinted(l.tail)
		l.tail = l.tail[:n]
	}
	l.yes = l.yes || l.hinted(p)
	if len(p) >= longestHint-1 {
		l.tail = append(l.tail[:0], p[len(p)-(longestHint-1):]...)
		return
	}
	l.tail = append(l.tail, p...)
	if extra := len(l.tail) - (longestHint - 1); extra > 0 {
		l.tail = append(l.tail[:0], l.tail[extra:]...)
	}
}

func (l *looker) hinted(p []byte) bool { return l.plain && named(p) || !l.plain && hinted(p) }

// unrepeated has the texts that occur in bodies that never count as repeats:
// notifications of accounts, since a user who leaves, comes back and leaves again
// has left, and pings, since the pulled data may have changed and is never older
// than before.
var unrepeated = [...][]byte{hints[0], hints[1], []byte("callbackURL")}

// named looks for these names as Garmin writes them. The escape that could hide
// them is common in the names of activities.
func named(p []byte) bool {
	for _, name := range unrepeated {
		if bytes.Contains(p, name) {
			return true
		}
	}
	return false
}

// hinted looks at a complete body.
func hinted(p []byte) bool {
	for _, h := range hints {
		if bytes.Contains(p, h) {
			return true
		}
	}
	return false
}
