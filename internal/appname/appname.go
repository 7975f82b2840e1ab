// Package appname says what the name of a partner's application may be, where one
// process serves several.
package appname

import (
	"errors"
	"fmt"
	"strings"
)

// Longest is the longest name, in characters.
const Longest = 64

// Check refuses a name that a user id, a stored body or a file could not hold.
// The empty one is good: it is that of an application that was alone.
func Check(name string) error {
	if len(name) > Longest {
		return fmt.Errorf("the name has %d characters, want at most %d", len(name), Longest)
	}
	for _, c := range []byte(name) {
		if !plain(c) {
			return errors.New("the name has a character besides A-Z, a-z, 0-9 and -._")
		}
	}
	return nil
}

func plain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._", c) >= 0
}
