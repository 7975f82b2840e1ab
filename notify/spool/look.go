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

// needle is a text that is looked for in bodies. What is looked for is its end, from a
// letter on that is rare there: so nearly all of a body is passed over at the speed of
// memory.
type needle struct {
	all  string
	rare []byte // the end of all
}

func (n needle) in(p []byte) bool {
	for at := 0; ; {
		i := bytes.Index(p[at:], n.rare)
		if i < 0 {
			return false
		}
		at += i + len(n.rare)
		if at >= len(n.all) && string(p[at-len(n.all):at]) == n.all {
			return true
		}
	}
}

var (
	deregistrations   = needle{"deregistrations", []byte("gistrations")}
	permissionChanges = needle{"userPermissionsChange", []byte("Change")}
	callbackURL       = needle{"callbackURL", []byte("URL")}
	// escape is JSON's only way to write a name without its letters.
	escape = needle{`\u00`, []byte(`\u00`)}
)

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

// accounts looks for the lists of accounts in a complete body, as Garmin writes their
// names.
func accounts(p []byte) bool { return deregistrations.in(p) || permissionChanges.in(p) }

// hinted tells whether a complete body may have items of an account.
func hinted(p []byte) bool { return accounts(p) || escape.in(p) }

// named tells whether a complete body never counts as a repeat: notifications of
// accounts, since a user who leaves, comes back and leaves again has left, and pings,
// since the pulled data may have changed and is never older than before. The escape that
// could hide the names is common in those of activities.
func named(p []byte) bool { return accounts(p) || callbackURL.in(p) }
