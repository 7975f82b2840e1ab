package spool

import "bytes"

// looker finds out whether a body may hold items of an account, while its bytes
// pass: those are handed out ahead of everything else. It looks for the names of
// the two lists anywhere in the body, and for the escape that could hide them. It
// may say yes too often, and never no too often.
type looker struct {
	yes bool
	// plain makes it look for what is no repeat, see named.
	plain bool
	tail  []byte // the end of what has passed, shorter than any of the names
}

// hints are what a body with items of an account must have one of. A name in
// JSON can be written without its letters in one way only.
var hints = [...][]byte{[]byte("deregistrations"), []byte("userPermissionsChange"), []byte(`\u00`)}

const longestHint = len("userPermissionsChange")

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

// unrepeated are in bodies that are stored whenever they come: notifications of
// accounts, since who leaves, comes back and leaves again has left, and pings,
// since what is pulled may have changed, and is never older than before.
var unrepeated = [...][]byte{hints[0], hints[1], []byte("callbackURL")}

// named looks for these names as Garmin writes them. The escape, which could hide
// them, stands in the names of many activities.
func named(p []byte) bool {
	for _, name := range unrepeated {
		if bytes.Contains(p, name) {
			return true
		}
	}
	return false
}

// hinted looks at bytes that are all there.
func hinted(p []byte) bool {
	for _, h := range hints {
		if bytes.Contains(p, h) {
			return true
		}
	}
	return false
}
